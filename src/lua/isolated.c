/* isolated.c: the script thread's side of isolated scripts: starting their threads, whose turn it is, and their ends. */
#include "lua/isolated.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/check.h"
#include "core/clock.h"
#include "core/config.h"
#include "core/log.h"

#define CLASS       "carillon.isolated"
#define STACK_SIZE  (1u << 20)
#define WATCH_NS    NS_PER_S
#define REAP_NS     (50 * NS_PER_MS) /* the same, while a thread that was left is still there */
#define GRACE_NS    (2 * NS_PER_S)   /* from a spent budget's error to its script's end without the thread */
#define ANNOUNCE_NS (5 * NS_PER_S)
#define STOP_NS     (NS_PER_S / 2)

struct isolated_scripts {
    struct isolated *all;
    size_t count, count_max;
    int bell;
    struct loop_watch watch;
    struct loop_timer look; /* set while there are threads */
};

/* --- whose turn it is ---------------------------------------------------------------------------------------------------- */

static void bell_rang(struct loop_watch *watch, uint32_t events)
{
    struct engine *engine = watch->context;
    uint64_t count;
    while (read(watch->fd, &count, sizeof count) < 0 && errno == EINTR)
        ;
    for (struct isolated *i = engine->isolated->all; i; i = i->next) {
        if (!i->token || atomic_load(&i->turn) != TURN_SCRIPT) continue;
        lua_pushboolean(engine->L, 1);
        mailbox_post_value(i->fiber, HAPPENING_WAKE, i->token);
        i->token = 0;
    }
}

static struct isolated *isolated_check(lua_State *L)
{
    struct isolated **handle = luaL_checkudata(L, 1, CLASS);
    if (!*handle) luaL_error(L, "the isolated script was left");
    return *handle;
}

/* isolated_take(handle) → the thread's request, or nil and the token of its coming. "": nothing comes any more. */
static int lua_isolated_take(lua_State *L)
{
    struct isolated *isolated = isolated_check(L);
    if (atomic_load(&isolated->turn) == TURN_SCRIPT) {
        lua_pushlstring(L, buf_text(&isolated->request), isolated->request.length);
        return 1;
    }
    isolated->token = ++engine_of(L)->token;
    lua_pushnil(L);
    lua_pushnumber(L, (double)isolated->token);
    return 2;
}

static int lua_isolated_reply(lua_State *L)
{
    struct isolated *isolated = isolated_check(L);
    size_t length;
    const char *text = luaL_checklstring(L, 2, &length);
    CHECK(atomic_load(&isolated->turn) == TURN_SCRIPT);
    buf_clear(&isolated->reply);
    CHECK(!buf_put(&isolated->reply, text, length));
    atomic_store(&isolated->turn, TURN_THREAD);
    sem_post(&isolated->replied);
    return 0;
}

/* --- the start ------------------------------------------------------------------------------------------------------------- */

static void isolated_free(struct isolated *isolated)
{
    fiber_unref(isolated->fiber);
    sem_destroy(&isolated->replied);
    buf_free(&isolated->request);
    buf_free(&isolated->reply);
    free(isolated->name);
    free(isolated);
}

static int thread_start(struct isolated *isolated)
{
    pthread_attr_t attributes;
    int error;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    error = pthread_create(&isolated->thread, &attributes, isolated_thread, isolated);
    pthread_attr_destroy(&attributes);
    return error;
}

static struct isolated *isolated_new(struct engine *engine, struct fiber *fiber)
{
    struct isolated *isolated = calloc(1, sizeof *isolated);
    CHECK(isolated);
    isolated->engine = engine;
    isolated->bell = engine->isolated->bell;
    isolated->memory_limit = engine->memory_limit;
    isolated->budget_ms = (uint32_t)config_int(host_config(engine->host), "scripts.budget_ms", 10000);
    isolated->name = strdup(fiber->name);
    isolated->fiber = fiber_ref(fiber);
    sem_init(&isolated->replied, 0, 0);
    return isolated;
}

/* isolated_start() → handle, or nil and why not. The running fiber is its agent. */
static int lua_isolated_start(lua_State *L)
{
    struct engine *engine = engine_of(L);
    struct isolated_scripts *scripts = engine->isolated;
    struct isolated **handle, *isolated;
    int error;
    if (scripts->count >= scripts->count_max) {
        lua_pushnil(L);
        lua_pushfstring(L, "%d scripts run isolated already (scripts.isolated)", (int)scripts->count);
        return 2;
    }
    handle = lua_newuserdata(L, sizeof(struct isolated *));
    *handle = NULL;
    luaL_getmetatable(L, CLASS);
    lua_setmetatable(L, -2);
    isolated = isolated_new(engine, fiber_running(L));
    error = thread_start(isolated);
    if (error) {
        isolated_free(isolated);
        lua_pushnil(L);
        lua_pushfstring(L, "no thread for it: %s", strerror(error));
        return 2;
    }
    isolated->next = scripts->all;
    scripts->all = isolated;
    scripts->count++;
    if (!scripts->look.heap_index) loop_timer_set(engine->loop, &scripts->look, clock_mono_ns() + WATCH_NS);
    *handle = isolated;
    return 1;
}

/* --- the end --------------------------------------------------------------------------------------------------------------- */

static void isolated_leave(struct isolated *isolated)
{
    isolated->token = 0;
    isolated->left_ns = clock_mono_ns();
    if (atomic_exchange(&isolated->turn, TURN_LEFT) == TURN_SCRIPT)
        sem_post(&isolated->replied);
    else
        isolated_thread_alarm(isolated);
}

static void announce(struct isolated *isolated, const char *what)
{
    isolated->announced = true;
    log_crit(NULL, "%s: its script was ended, but its thread is stuck in a C module or in compiled code; %s", isolated->name, what);
}

/* A budget's error that does not come: the script ends without its thread. */
static void spent_look(struct isolated *isolated, int64_t now)
{
    if (!atomic_load(&isolated->spent) || atomic_load(&isolated->turn) != TURN_THREAD) {
        isolated->spent_ns = 0;
    } else if (!isolated->spent_ns) {
        isolated->spent_ns = now;
    } else if (now - isolated->spent_ns > GRACE_NS) {
        char why[160];
        snprintf(why, sizeof why,
                 "the script computed for more than %u ms without waiting (scripts.budget_ms), in compiled code or in a C module",
                 isolated->budget_ms);
        fiber_kill(isolated->fiber, why);
    }
}

/* Was it left, and is it gone? */
static bool reaped(struct isolated *isolated, int64_t now)
{
    if (!isolated->left_ns) return false;
    if (pthread_tryjoin_np(isolated->thread, NULL) == 0) return true;
    if (!isolated->announced && now - isolated->left_ns > ANNOUNCE_NS)
        announce(isolated, "it stays behind until it comes back, and counts for scripts.isolated");
    return false;
}

static void look(struct loop_timer *timer)
{
    struct engine *engine = timer->context;
    struct isolated **at = &engine->isolated->all;
    int64_t now = clock_mono_ns(), next = WATCH_NS;
    while (*at) {
        struct isolated *isolated = *at;
        if (reaped(isolated, now)) {
            *at = isolated->next;
            engine->isolated->count--;
            isolated_free(isolated);
            continue;
        }
        if (isolated->left_ns)
            next = REAP_NS;
        else
            spent_look(isolated, now);
        at = &isolated->next;
    }
    if (engine->isolated->all) loop_timer_set(engine->loop, timer, now + next);
}

/* isolated_leave(handle): its agent is over. */
static int lua_isolated_leave(lua_State *L)
{
    struct engine *engine = engine_of(L);
    struct isolated **handle = luaL_checkudata(L, 1, CLASS);
    if (!*handle) return 0;
    isolated_leave(*handle);
    *handle = NULL;
    loop_timer_set(engine->loop, &engine->isolated->look, clock_mono_ns());
    return 0;
}

/* All agents are over. A thread that does not come back keeps what is its own: the process is about to end. */
void isolated_free_all(struct engine *engine)
{
    struct isolated_scripts *scripts = engine->isolated;
    struct timespec until;
    if (!scripts) return;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += STOP_NS;
    until.tv_sec += until.tv_nsec / NS_PER_S;
    until.tv_nsec %= NS_PER_S;
    while (scripts->all) {
        struct isolated *isolated = scripts->all;
        scripts->all = isolated->next;
        if (!isolated->left_ns) isolated_leave(isolated);
        if (pthread_timedjoin_np(isolated->thread, NULL, &until) == 0)
            isolated_free(isolated);
        else
            announce(isolated, "the worker ends without it");
    }
    loop_timer_clear(engine->loop, &scripts->look);
    loop_watch_remove(engine->loop, &scripts->watch);
    close(scripts->bell);
    free(scripts);
    engine->isolated = NULL;
}

void isolated_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "isolated_start", lua_isolated_start },
        { "isolated_take", lua_isolated_take },
        { "isolated_reply", lua_isolated_reply },
        { "isolated_leave", lua_isolated_leave },
        { NULL, NULL },
    };
    struct engine *engine = engine_of(L);
    struct isolated_scripts *scripts = calloc(1, sizeof *scripts);
    CHECK(scripts);
    scripts->count_max = (size_t)config_int(host_config(engine->host), "scripts.isolated", 200);
    scripts->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CHECK(scripts->bell >= 0);
    scripts->watch = (struct loop_watch) { .fd = scripts->bell, .ready = bell_rang, .context = engine };
    scripts->look = (struct loop_timer) { .fire = look, .context = engine };
    CHECK(!loop_watch_add(engine->loop, &scripts->watch, EPOLLIN));
    engine->isolated = scripts;
    luaL_newmetatable(L, CLASS);
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
