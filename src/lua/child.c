/* child.c: programs that scripts start (os.execute, io.popen): nobody waits for them on a thread.
 *
 * A helper spawns (that alone may take a millisecond, and the child must not inherit the script thread's core); the script thread
 * watches the pipe and a pidfd. core.child_start(command, "r" | "w" | "") → token; its happening brings the child. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/check.h"
#include "lua/job.h"

#define CLASS "carillon.child"

struct child {
    struct engine *engine;
    struct child *next, **here;
    pid_t pid;
    int fd, pid_fd; /* -1 when closed */
    int status;     /* as waitpid gives it */
    bool over;
    bool orphan; /* nobody holds it any more: it is only reaped */
    struct loop_watch io, end;
    bool io_watched, end_watched;
    struct fiber *fiber; /* who waits, for io or for the end */
    uint64_t io_token, end_token;
};

struct spawn {
    char mode;
    pid_t pid;
    int fd;
};

/* --- on the helper --------------------------------------------------------------------------------------------------------- */

/* The shell gets every core that the machine has and ordinary signals again; descriptors of the engine are close-on-exec. */
static int shell_spawn(const char *command, int child_fd, int as, pid_t *pid)
{
    char *argv[] = { "sh", "-c", (char *)command, NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    cpu_set_t cpus;
    int error;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawn_file_actions_init(&actions);
    if (child_fd >= 0) posix_spawn_file_actions_adddup2(&actions, child_fd, as);
    error = posix_spawn(pid, "/bin/sh", &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (error) return error;
    CPU_ZERO(&cpus);
    for (long i = 0, n = sysconf(_SC_NPROCESSORS_CONF); i < n && i < CPU_SETSIZE; i++) CPU_SET((size_t)i, &cpus);
    sched_setaffinity(*pid, sizeof cpus, &cpus); /* fails only where the child is over already */
    return 0;
}

static void spawn_run(struct lua_job *job)
{
    struct spawn *spawn = job->own;
    int ends[2] = { -1, -1 };
    bool reads = spawn->mode == 'r';
    spawn->fd = -1;
    if (spawn->mode && pipe2(ends, O_CLOEXEC)) {
        job->error = errno;
        return;
    }
    job->error = shell_spawn(job->a, spawn->mode ? ends[reads] : -1, reads ? 1 : 0, &spawn->pid);
    if (!spawn->mode) return;
    close(ends[reads]);
    if (job->error) {
        close(ends[!reads]);
        return;
    }
    spawn->fd = ends[!reads];
    fcntl(spawn->fd, F_SETFL, O_NONBLOCK);
}

/* --- on the script thread ----------------------------------------------------------------------------------------------------- */

static void told(struct child *child, uint64_t *token)
{
    uint64_t t = *token;
    *token = 0;
    if (!t) return;
    fiber_post(child->fiber, &(struct happening) { .kind = HAPPENING_JOB, .token = t, .value = child->status });
}

static void io_ready(struct loop_watch *watch, uint32_t events)
{
    struct child *child = watch->context;
    loop_watch_remove(child->engine->loop, watch);
    child->io_watched = false;
    told(child, &child->io_token);
}

static void io_close(struct child *child)
{
    if (child->io_watched) loop_watch_remove(child->engine->loop, &child->io);
    child->io_watched = false;
    if (child->fd >= 0) close(child->fd);
    child->fd = -1;
}

static void child_free(struct child *child)
{
    io_close(child);
    if (child->end_watched) loop_watch_remove(child->engine->loop, &child->end);
    if (child->pid_fd >= 0) close(child->pid_fd);
    *child->here = child->next;
    if (child->next) child->next->here = child->here;
    fiber_unref(child->fiber);
    free(child);
}

static void end_ready(struct loop_watch *watch, uint32_t events)
{
    struct child *child = watch->context;
    loop_watch_remove(child->engine->loop, watch);
    child->end_watched = false;
    if (waitpid(child->pid, &child->status, WNOHANG) < 0) child->status = -1;
    child->over = true;
    told(child, &child->end_token);
    if (child->orphan) child_free(child);
}

static struct child *child_new(struct engine *engine, const struct spawn *spawn)
{
    struct child *child = calloc(1, sizeof *child);
    CHECK(child);
    child->engine = engine;
    child->pid = spawn->pid;
    child->fd = spawn->fd;
    child->pid_fd = pidfd_open(spawn->pid, 0);
    child->io = (struct loop_watch) { .fd = spawn->fd, .ready = io_ready, .context = child };
    child->end = (struct loop_watch) { .fd = child->pid_fd, .ready = end_ready, .context = child };
    child->end_watched = child->pid_fd >= 0 && !loop_watch_add(engine->loop, &child->end, EPOLLIN);
    child->next = engine->children;
    child->here = &engine->children;
    if (child->next) child->next->here = &child->next;
    engine->children = child;
    return child;
}

/* Its holder is gone: the pipe is closed, the program is left to end by itself and reaped then. */
static void child_drop(struct child *child)
{
    io_close(child);
    child->io_token = child->end_token = 0;
    child->orphan = true;
    if (child->over || !child->end_watched) child_free(child);
}

static void spawn_clean(struct lua_job *job)
{
    struct spawn *spawn = job->own;
    /* Nobody took it: its script ended while it was being started. */
    if (!job->error && spawn->pid > 0) child_drop(child_new(job->fiber->engine, spawn));
    free(spawn);
}

static void spawn_push(struct lua_job *job, lua_State *L)
{
    struct spawn *spawn = job->own;
    if (job->error) {
        lua_pushfstring(L, "cannot start /bin/sh: %s", strerror(job->error));
        return;
    }
    struct child **object = lua_newuserdata(L, sizeof(struct child *));
    *object = child_new(engine_of(L), spawn);
    spawn->pid = 0;
    luaL_getmetatable(L, CLASS);
    lua_setmetatable(L, -2);
}

static int lua_child_start(lua_State *L)
{
    size_t length;
    const char *command = luaL_checklstring(L, 1, &length), *mode = luaL_optstring(L, 2, "");
    struct lua_job *job;
    struct spawn *spawn;
    fiber_running(L);
    job = lua_job_new();
    spawn = calloc(1, sizeof *spawn);
    CHECK(spawn);
    spawn->mode = mode[0];
    job->own = spawn;
    job->a = strdup(command);
    job->run = spawn_run;
    job->push = spawn_push;
    job->clean = spawn_clean;
    return lua_job_start(L, job);
}

static struct child *child_check(lua_State *L)
{
    struct child **object = luaL_checkudata(L, 1, CLASS);
    if (!*object) luaL_error(L, "attempt to use a closed file");
    return *object;
}

static void waiter_set(lua_State *L, struct child *child)
{
    struct fiber *fiber = fiber_ref(fiber_running(L));
    fiber_unref(child->fiber);
    child->fiber = fiber;
}

/* child_read(child) → text, false at the end of file, or nil and a token: wait for it and try again. */
static int lua_child_read(lua_State *L)
{
    struct child *child = child_check(L);
    char part[16384];
    ssize_t n = child->fd < 0 ? 0 : read(child->fd, part, sizeof part);
    if (n > 0) {
        lua_pushlstring(L, part, (size_t)n);
        return 1;
    }
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        lua_pushboolean(L, false);
        return 1;
    }
    waiter_set(L, child);
    if (!child->io_watched) child->io_watched = !loop_watch_add(child->engine->loop, &child->io, EPOLLIN);
    child->io_token = ++child->engine->token;
    lua_pushnil(L);
    lua_pushnumber(L, (double)child->io_token);
    return 2;
}

/* child_write(child, text, from) → position after what was written, or nil and an error; with a token if there is more to write. */
static int lua_child_write(lua_State *L)
{
    struct child *child = child_check(L);
    size_t length, from = (size_t)luaL_optnumber(L, 3, 0);
    const char *text = luaL_checklstring(L, 2, &length);
    while (from < length) {
        ssize_t n = child->fd < 0 ? (errno = EPIPE, -1) : write(child->fd, text + from, length - from);
        if (n >= 0) {
            from += (size_t)n;
            continue;
        }
        if (errno == EINTR) continue;
        if (errno != EAGAIN) {
            lua_pushnil(L);
            lua_pushstring(L, strerror(errno));
            return 2;
        }
        waiter_set(L, child);
        if (!child->io_watched) child->io_watched = !loop_watch_add(child->engine->loop, &child->io, EPOLLOUT);
        child->io_token = ++child->engine->token;
        lua_pushnumber(L, (double)from);
        lua_pushnumber(L, (double)child->io_token);
        return 2;
    }
    lua_pushnumber(L, (double)from);
    return 1;
}

/* child_wait(child) → status (as wait(2) has it) if it is over, or nil and a token. Closes the pipe. */
static int lua_child_wait(lua_State *L)
{
    struct child *child = child_check(L);
    io_close(child);
    if (child->over || !child->end_watched) {
        lua_pushinteger(L, child->status);
        return 1;
    }
    waiter_set(L, child);
    child->end_token = ++child->engine->token;
    lua_pushnil(L);
    lua_pushnumber(L, (double)child->end_token);
    return 2;
}

static int lua_child_drop(lua_State *L)
{
    struct child **object = luaL_checkudata(L, 1, CLASS);
    if (*object) child_drop(*object);
    *object = NULL;
    return 0;
}

void child_free_all(struct engine *engine)
{
    for (struct child *child = engine->children, *next; child; child = next) {
        next = child->next;
        if (child->orphan) { /* the others go with their userdata */
            child_free(child);
            continue;
        }
        io_close(child);
        if (child->end_watched) loop_watch_remove(engine->loop, &child->end);
        child->end_watched = false;
    }
}

void child_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "child_start", lua_child_start }, { "child_read", lua_child_read }, { "child_write", lua_child_write },
        { "child_wait", lua_child_wait },   { "child_drop", lua_child_drop }, { NULL, NULL },
    };
    signal(SIGPIPE, SIG_IGN); /* a program that ends early makes write() fail, nothing else */
    luaL_setfuncs(L, functions, 0);
    luaL_newmetatable(L, CLASS);
    lua_pushcfunction(L, lua_child_drop);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}
