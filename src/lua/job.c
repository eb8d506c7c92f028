/* job.c: core.job: what can only block runs on a helper thread, and the fiber is told. */
#include "lua/job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/check.h"
#include "core/log.h"

#define FILE_MAX (256u << 20)

struct lua_job *lua_job_new(void)
{
    struct lua_job *job = calloc(1, sizeof *job);
    CHECK(job);
    return job;
}

static void job_free(struct lua_job *job)
{
    if (job->clean) job->clean(job);
    fiber_unref(job->fiber);
    free(job->a);
    free(job->b);
    buf_free(&job->text);
    free(job);
}

static void job_run(struct job *base)
{
    struct lua_job *job = base->context;
    job->run(job);
}

static void job_done(struct job *base)
{
    struct lua_job *job = base->context;
    if (job->fiber->L) {
        job->push(job, job->fiber->engine->L);
        mailbox_post_value(job->fiber, HAPPENING_JOB, job->token);
    }
    job_free(job);
}

int lua_job_start(lua_State *L, struct lua_job *job)
{
    struct engine *engine = engine_of(L);
    int error;
    job->fiber = fiber_ref(fiber_running(L));
    job->token = ++engine->token;
    job->job = (struct job) { .run = job_run, .done = job_done, .context = job };
    uint64_t token = job->token;
    error = jobs_submit(host_jobs(engine->host), &job->job);
    if (error) {
        job_free(job);
        return luaL_error(L, "no helper is free: %s", strerror(-error));
    }
    lua_pushnumber(L, (double)token);
    return 1;
}

/* --- results ------------------------------------------------------------------------------------------------------------ */

/* true, or { error = text, errno = number } */
static void push_ok(struct lua_job *job, lua_State *L)
{
    if (!job->error) {
        lua_pushboolean(L, true);
        return;
    }
    lua_createtable(L, 0, 2);
    lua_pushfstring(L, "%s: %s", job->a, strerror(job->error));
    lua_setfield(L, -2, "error");
    lua_pushinteger(L, job->error);
    lua_setfield(L, -2, "errno");
}

static void push_text(struct lua_job *job, lua_State *L)
{
    if (job->error)
        push_ok(job, L);
    else
        lua_pushlstring(L, buf_text(&job->text), job->text.length);
}

static void push_number(struct lua_job *job, lua_State *L) { lua_pushnumber(L, (double)job->number); }

/* --- files ---------------------------------------------------------------------------------------------------------------- */

static int descriptor_read(int fd, struct buf *out)
{
    char part[65536];
    ssize_t n;
    while ((n = read(fd, part, sizeof part)) != 0) {
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        if (out->length + (size_t)n > FILE_MAX) return EFBIG;
        if (buf_put(out, part, (size_t)n)) return ENOMEM;
    }
    return 0;
}

static void run_read(struct lua_job *job)
{
    int fd = open(job->a, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        job->error = errno;
        return;
    }
    job->error = descriptor_read(fd, &job->text);
    close(fd);
}

static int descriptor_write(int fd, const char *data, size_t length)
{
    while (length) {
        ssize_t n = write(fd, data, length);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        data += n;
        length -= (size_t)n;
    }
    return 0;
}

static int file_write(const char *path, int flags, const char *data, size_t length)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0644), error;
    if (fd < 0) return errno;
    error = descriptor_write(fd, data, length);
    if (close(fd) && !error) error = errno;
    return error;
}

static void run_write(struct lua_job *job) { job->error = file_write(job->a, job->number ? O_APPEND : O_TRUNC, job->b, job->b_length); }

static void run_copy(struct lua_job *job)
{
    run_read(job);
    if (!job->error) job->error = file_write(job->b, O_TRUNC, buf_text(&job->text), job->text.length);
}

static void run_rename(struct lua_job *job)
{
    if (rename(job->a, job->b)) job->error = errno;
}

static void run_remove(struct lua_job *job)
{
    if (remove(job->a)) job->error = errno;
}

/* --- commands: where the whole output is wanted at once. os.execute and io.popen are in child.c. -------------------------------- */

static void run_popen(struct lua_job *job)
{
    FILE *pipe = popen(job->a, "re");
    if (!pipe) {
        job->error = errno;
        return;
    }
    job->error = descriptor_read(fileno(pipe), &job->text);
    job->number = pclose(pipe);
}

static void run_system(struct lua_job *job) { job->number = system(job->a); }

/* The mail's text goes to the command's standard input; the result is its status. */
static void run_mailer(struct lua_job *job)
{
    FILE *pipe = popen(job->a, "we");
    if (!pipe) {
        job->number = -1;
        return;
    }
    job->error = descriptor_write(fileno(pipe), job->b, job->b_length);
    job->number = pclose(pipe);
    if (job->error) job->number = -1;
}

static const struct {
    const char *name;
    void (*run)(struct lua_job *job);
    void (*push)(struct lua_job *job, lua_State *L);
    int arguments;
} kinds[] = {
    { "read_file", run_read, push_text, 1 },  { "write_file", run_write, push_ok, 2 },  { "copy", run_copy, push_ok, 2 },
    { "rename", run_rename, push_ok, 2 },     { "remove", run_remove, push_ok, 1 },     { "popen_read", run_popen, push_text, 1 },
    { "system", run_system, push_number, 1 }, { "mailer", run_mailer, push_number, 2 },
};

static char *bytes_copy(const char *data, size_t length)
{
    char *copy = malloc(length + 1);
    CHECK(copy);
    memcpy(copy, data, length);
    copy[length] = 0;
    return copy;
}

/* job(name, …) → token */
static int lua_job_named(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    if (!strcmp(name, "curl")) {
        lua_getfield(L, lua_upvalueindex(1), "curl");
        lua_replace(L, 1);
        lua_call(L, lua_gettop(L) - 1, 1);
        return 1;
    }
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        size_t a, b = 0;
        if (strcmp(name, kinds[i].name)) continue;
        const char *first = luaL_checklstring(L, 2, &a), *second = kinds[i].arguments > 1 ? luaL_checklstring(L, 3, &b) : "";
        const char *mode = luaL_optstring(L, 4, "w");
        struct lua_job *job = lua_job_new();
        job->run = kinds[i].run;
        job->push = kinds[i].push;
        job->a = bytes_copy(first, job->a_length = a);
        job->b = bytes_copy(second, job->b_length = b);
        job->number = mode[0] == 'a';
        return lua_job_start(L, job);
    }
    return luaL_argerror(L, 1, "no such job");
}

void job_open(lua_State *L)
{
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, lua_job_named, 1);
    lua_setfield(L, -2, "job");
}
