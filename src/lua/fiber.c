/* fiber.c: the run queue, and the one place where Lua is resumed.
 *
 * A fiber waits in core.wait, written in Lua (fs/stdlib.lua) as arm – yield – take. No value crosses the yield, so that it may
 * pass through any number of a script's own coroutines on its way out and back in: whoever resumed such a coroutine
 * asks suspending() and yields in turn (fs/stdlib_coroutine.lua). */
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "core/clock.h"
#include "core/log.h"
#include "lua/private.h"

#define PASS_NS (8 * NS_PER_MS) /* of scripts in one turn of the loop; then timers and sockets have theirs */

struct fiber *fiber_ref(struct fiber *fiber)
{
    if (fiber) fiber->references++;
    return fiber;
}

void fiber_unref(struct fiber *fiber)
{
    if (!fiber || --fiber->references) return;
    CHECK(!fiber->L);
    free(fiber->name);
    free(fiber->kill_reason);
    free(fiber);
}

static void timer_fired(struct loop_timer *timer)
{
    struct fiber *fiber = timer->context;
    fiber->timed_out = true;
    fiber_ready(fiber);
}

struct fiber *fiber_new(struct engine *engine, const char *name)
{
    struct fiber *fiber = calloc(1, sizeof *fiber);
    CHECK(fiber);
    fiber->engine = engine;
    fiber->references = 1;
    fiber->name = strdup(name ? name : "?");
    fiber->last = &fiber->first;
    fiber->handle = LUA_NOREF;
    fiber->timer = (struct loop_timer) { .fire = timer_fired, .context = fiber };
    fiber->L = lua_newthread(engine->L);
    fiber->thread = luaL_ref(engine->L, LUA_REGISTRYINDEX);
    fiber->next = engine->all;
    fiber->here = &engine->all;
    if (engine->all) engine->all->here = &fiber->next;
    engine->all = fiber;
    engine->fibers++;
    return fiber;
}

static void wake_loop(struct engine *engine)
{
    if (!engine->in_pass && !engine->wake.heap_index) loop_timer_set(engine->loop, &engine->wake, loop_now_ns(engine->loop));
}

void fiber_ready(struct fiber *fiber)
{
    struct engine *engine = fiber->engine;
    if (fiber->ready || !fiber->L) return;
    fiber->ready = true;
    fiber->next_ready = NULL;
    *engine->ready_end = fiber;
    engine->ready_end = &fiber->next_ready;
    wake_loop(engine);
}

void fiber_start(struct fiber *fiber, int arguments)
{
    fiber->arguments = arguments;
    fiber_ready(fiber);
}

void fiber_kill(struct fiber *fiber, const char *reason)
{
    if (!fiber->L || fiber->killed) return;
    fiber->killed = true;
    fiber->kill_reason = strdup(reason ? reason : "killed");
    if (fiber->waiting) fiber_ready(fiber);
}

/* The Lua side goes at once, the struct with its last reference. */
static void fiber_over(struct fiber *fiber, int status)
{
    struct engine *engine = fiber->engine;
    loop_timer_clear(engine->loop, &fiber->timer);
    if (fiber->script) script_over(fiber, status);
    if (fiber->over) fiber->over(fiber, status, fiber->over_context);
    mailbox_clear(fiber);
    luaL_unref(engine->L, LUA_REGISTRYINDEX, fiber->thread);
    luaL_unref(engine->L, LUA_REGISTRYINDEX, fiber->handle);
    fiber->L = NULL;
    *fiber->here = fiber->next;
    if (fiber->next) fiber->next->here = fiber->here;
    engine->fibers--;
    fiber_unref(fiber);
}

/* The single resume site. */
static void fiber_resume(struct engine *engine, struct fiber *fiber)
{
    int arguments = fiber->arguments, status;
    fiber->arguments = 0;
    fiber->suspending = fiber->waiting = false;
    engine->running = fiber;
    engine->charged = fiber->script ? fiber->script->meter : &engine->meter;
    basetypes_switch(engine, fiber->script);
    if (fiber->killed || fiber->collected) preempt_arm(engine, 1);
    status = lua_resume(fiber->L, arguments);
    engine->charged = &engine->meter;
    engine->running = NULL;
    if (status != LUA_YIELD)
        fiber_over(fiber, status);
    else if (!fiber->waiting && !fiber->collecting)
        fiber_ready(fiber); /* preempted: the others first */
}

static struct fiber *ready_take(struct engine *engine)
{
    struct fiber *fiber = engine->ready;
    if (!fiber) return NULL;
    engine->ready = fiber->next_ready;
    if (!engine->ready) engine->ready_end = &engine->ready;
    fiber->ready = false;
    return fiber;
}

void fiber_run_all(struct engine *engine)
{
    struct fiber *fiber;
    int64_t until;
    if (engine->in_pass || (!engine->ready && !engine->cycles)) return;
    until = clock_mono_ns() + PASS_NS;
    engine->in_pass = true;
    loop_timer_clear(engine->loop, &engine->wake);
    while (clock_mono_ns() < until && (fiber = ready_take(engine))) fiber_resume(engine, fiber);
    if (engine->cycles) collect_run(engine);
    object_bury(engine);
    channel_unrefs(engine);
    engine->in_pass = false;
    if (engine->ready || engine->cycles) wake_loop(engine);
}

void fiber_free_all(struct engine *engine)
{
    engine->in_pass = true; /* nothing is to run any more but what ends */
    while (engine->all) {
        struct fiber *fiber = engine->all;
        fiber->killed = true;
        free(fiber->kill_reason);
        fiber->kill_reason = strdup(ENGINE_STOPPED);
        lua_pushliteral(fiber->L, ENGINE_STOPPED);
        fiber_over(fiber, LUA_ERRRUN);
    }
    engine->ready = NULL;
    engine->ready_end = &engine->ready;
    basetypes_switch(engine, NULL);
}

/* --- for Lua --------------------------------------------------------------------------------------------------------- */

struct fiber *fiber_running(lua_State *L)
{
    struct fiber *fiber = engine_of(L)->running;
    if (!fiber) luaL_error(L, "this can be used within a fiber only");
    return fiber;
}

static int handle_gc(lua_State *L)
{
    struct fiber **handle = lua_touserdata(L, 1);
    fiber_unref(*handle);
    *handle = NULL;
    return 0;
}

void fiber_push(lua_State *L, struct fiber *fiber)
{
    if (!fiber) {
        lua_pushnil(L);
        return;
    }
    if (fiber->handle == LUA_NOREF || !fiber->L) {
        struct fiber **handle = lua_newuserdata(L, sizeof(struct fiber *));
        *handle = fiber_ref(fiber);
        luaL_getmetatable(L, "carillon.fiber");
        lua_setmetatable(L, -2);
        if (!fiber->L) return;
        lua_pushvalue(L, -1);
        fiber->handle = luaL_ref(L, LUA_REGISTRYINDEX);
        return;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, fiber->handle);
}

struct fiber *fiber_check(lua_State *L, int index)
{
    struct fiber **handle = luaL_checkudata(L, index, "carillon.fiber");
    return *handle;
}

static int killed_error(lua_State *L, struct fiber *fiber)
{
    preempt_arm(fiber->engine, 1); /* and again at each instruction of the script that catches it */
    return luaL_error(L, "%s", fiber->kill_reason);
}

/* arm(ms | nil, token | nil) → true: now yield. False: something is there already. */
static int lua_arm(lua_State *L)
{
    struct fiber *fiber = fiber_running(L);
    double ms = luaL_optnumber(L, 1, -1);
    if (fiber->killed) return killed_error(L, fiber);
    if (!lua_isyieldable(L))
        return luaL_error(L, "cannot wait here: called from within a C function, a finaliser, an error handler or a handler of the end");
    fiber->filter = (uint64_t)luaL_optnumber(L, 2, 0);
    fiber->timed_out = false;
    if (mailbox_has(fiber)) {
        lua_pushboolean(L, false);
        return 1;
    }
    fiber->waiting = fiber->suspending = true;
    fiber->ticks = 0;
    if (lua_isnoneornil(L, 1)) {
        ; /* for ever */
    } else if (ms > 0) {
        if (ms > 4e9) ms = 4e9; /* 46 days */
        loop_timer_set(fiber->engine->loop, &fiber->timer, clock_mono_ns() + (int64_t)(ms * NS_PER_MS));
    } else {
        fiber->timed_out = true;
        fiber_ready(fiber);
    }
    lua_pushboolean(L, true);
    return 1;
}

static int lua_take(lua_State *L)
{
    struct fiber *fiber = fiber_running(L);
    int n;
    loop_timer_clear(fiber->engine->loop, &fiber->timer);
    if (fiber->killed) return killed_error(L, fiber);
    n = mailbox_take(L, fiber);
    if (!n && !fiber->timed_out) return luaL_error(L, "the fiber was resumed without a happening");
    fiber->filter = 0;
    if (n) return n;
    lua_pushnil(L);
    return 1;
}

static int lua_suspending(lua_State *L)
{
    struct fiber *fiber = engine_of(L)->running;
    lua_pushboolean(L, fiber && fiber->suspending);
    return 1;
}

/* Is this the script's main coroutine, so that its own coroutine.yield has nobody to yield to? */
static int lua_at_bottom(lua_State *L)
{
    struct fiber *fiber = engine_of(L)->running;
    lua_pushboolean(L, !fiber || fiber->L == L);
    return 1;
}

/* Could arm() suspend here? */
static int lua_can_wait(lua_State *L)
{
    struct fiber *fiber = engine_of(L)->running;
    lua_pushboolean(L, fiber && !fiber->killed && lua_isyieldable(L));
    return 1;
}

/* Is this error what a killed fiber is ended with? Whoever catches errors lets it pass. */
static int lua_is_kill(lua_State *L)
{
    struct fiber *fiber = engine_of(L)->running;
    lua_pushboolean(L, fiber && fiber->killed);
    return 1;
}

static int lua_self(lua_State *L)
{
    fiber_push(L, engine_of(L)->running);
    return 1;
}

static int lua_alive(lua_State *L)
{
    lua_pushboolean(L, fiber_check(L, 1)->L != NULL);
    return 1;
}

static int lua_kill(lua_State *L)
{
    fiber_kill(fiber_check(L, 1), luaL_optstring(L, 2, NULL));
    return 0;
}

static int lua_wake(lua_State *L)
{
    struct fiber *fiber = fiber_check(L, 1);
    uint64_t token = (uint64_t)luaL_optnumber(L, 2, 0);
    lua_settop(L, 3);
    lua_xmove(L, fiber->engine->L, 1);
    mailbox_post_value(fiber, HAPPENING_WAKE, token);
    return 0;
}

static void spawned_over(struct fiber *fiber, int status, void *context)
{
    if (status) script_report(fiber, NULL);
}

static int lua_spawn(lua_State *L)
{
    struct engine *engine = engine_of(L);
    const char *name = luaL_checkstring(L, 1);
    struct meter *charged = engine->charged;
    int count = lua_gettop(L);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    engine->charged = &engine->meter;
    struct fiber *fiber = fiber_new(engine, name);
    fiber->over = spawned_over;
    luaL_checkstack(fiber->L, count, "spawn");
    lua_xmove(L, fiber->L, count - 1);
    fiber_start(fiber, count - 2);
    engine->charged = charged;
    fiber_push(L, fiber);
    return 1;
}

static int lua_token(lua_State *L)
{
    lua_pushnumber(L, (double)++engine_of(L)->token);
    return 1;
}

void fiber_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "arm", lua_arm },
        { "take", lua_take },
        { "suspending", lua_suspending },
        { "at_bottom", lua_at_bottom },
        { "self", lua_self },
        { "fiber_alive", lua_alive },
        { "kill", lua_kill },
        { "wake", lua_wake },
        { "spawn", lua_spawn },
        { "token", lua_token },
        { "can_wait", lua_can_wait },
        { "is_kill", lua_is_kill },
        { NULL, NULL },
    };
    luaL_newmetatable(L, "carillon.fiber");
    lua_pushcfunction(L, handle_gc);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
    luaL_setfuncs(L, functions, 0);
}
