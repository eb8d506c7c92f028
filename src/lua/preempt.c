/* preempt.c: no script keeps the others waiting.
 *
 * A timer on the script thread's own CPU clock ticks every few milliseconds *of CPU*: an idle thread has no ticks, a resume costs
 * nothing. A tick arms a count hook (lua_sethook may be called from a signal handler, as LuaJIT's own command line does); at the next
 * instruction the hook yields, whatever the script is in the middle of, and the others have their turn. A script
 * that used up its budget without waiting gets an error there instead, and again at each instruction until it is gone.
 *
 * The hook never yields in the engine's own Lua code: that may be in the middle of changing what fibers share. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/check.h"
#include "core/clock.h"
#include "core/config.h"
#include "core/log.h"
#include "lua/private.h"

#define TICK_MS        4
#define PREEMPT_SIGNAL (SIGRTMIN + 3)
#define LOOK_AGAIN     200 /* instructions, where it could not act */

/* The handler's only way to its engine: the thread's own, NULL before and after. */
static _Thread_local struct engine *volatile ticking_engine;

static bool in_engine_code(lua_State *L, lua_Debug *ar)
{
    bool trusted;
    if (!lua_getinfo(L, "f", ar)) return false;
    trusted = isolate_trusted(L, -1);
    lua_pop(L, 1);
    return trusted;
}

/* Raises with the place of the instruction that is being executed. */
static void raise_here(lua_State *L, lua_Debug *ar, const char *text)
{
    lua_getinfo(L, "Sl", ar);
    if (ar->currentline > 0)
        lua_pushfstring(L, "%s:%d: %s", ar->short_src, ar->currentline, text);
    else
        lua_pushstring(L, text);
    engine_of(L)->hook_error = lua_tostring(L, -1);
    lua_error(L);
}

/* from_hook(error): was it raised by the hook? A handler of xpcall's then runs within the hook, where no hook can end it; so
 * scripts' xpcall (fs/stdlib.lua) does not call it. */
static int lua_from_hook(lua_State *L)
{
    lua_pushboolean(L, lua_type(L, 1) == LUA_TSTRING && lua_tostring(L, 1) == engine_of(L)->hook_error);
    return 1;
}

void preempt_open(lua_State *L)
{
    lua_pushcfunction(L, lua_from_hook);
    lua_setfield(L, -2, "from_hook");
}

/* Is the script to be put aside for a collection? Where it cannot be (within a C function) the collection is made at once. */
static bool memory_wants_pause(lua_State *L, struct engine *engine, struct fiber *fiber)
{
    if (!engine->judge) return false;
    engine->judge = false;
    if (fiber->collected || !meter_over(fiber->script->meter)) return false;
    if (lua_isyieldable(L)) return true;
    lua_gc(L, LUA_GCCOLLECT, 0);
    fiber->collected = true;
    return false;
}

static void hook(lua_State *L, lua_Debug *ar)
{
    struct engine *engine = engine_of(L);
    struct fiber *fiber = engine->running;
    char why[128];
    engine->hook_busy = 1;
    lua_sethook(engine->L, NULL, 0, 0);
    engine->hook_busy = 0;
    if (!fiber || !fiber->script || !fiber->L) return;
    if (in_engine_code(L, ar)) {
        preempt_arm(engine, LOOK_AGAIN);
        return;
    }
    if (memory_wants_pause(L, engine, fiber)) {
        fiber->suspending = fiber->collecting = true;
        collect_begin(engine);
        lua_yield(L, 0);
        return;
    }
    if (fiber->collected) {
        fiber->collected = false;
        if (!meter_judge(fiber->script->meter, why, sizeof why)) raise_here(L, ar, why);
    }
    if (!fiber->killed && fiber->ticks > engine->ticks_max) {
        snprintf(why, sizeof why, "the script computed for %u ms without waiting (scripts.budget_ms)", engine->ticks_max * TICK_MS);
        fiber_kill(fiber, why);
    }
    if (fiber->killed) {
        preempt_arm(engine, 1);
        raise_here(L, ar, fiber->kill_reason);
    }
    if (!lua_isyieldable(L)) return; /* in a comparison of sort's, a finaliser …: the next tick tries again */
    fiber->suspending = true;
    lua_yield(L, 0);
}

void preempt_arm(struct engine *engine, int instructions)
{
    engine->hook_busy = 1;
    lua_sethook(engine->L, hook, LUA_MASKCOUNT, instructions);
    engine->hook_busy = 0;
}

static void tick(int number, siginfo_t *info, void *context)
{
    struct engine *engine = ticking_engine;
    struct fiber *fiber;
    if (!engine) return;
    fiber = engine->running;
    if (!fiber) return;
    fiber->ticks++;
    if (!engine->hook_busy) lua_sethook(engine->L, hook, LUA_MASKCOUNT, 1);
}

bool preempt_exhausted(struct engine *engine)
{
    return engine->running && engine->running->script && engine->running->ticks > engine->ticks_max;
}

void preempt_start(struct engine *engine)
{
    struct sigaction action = { .sa_sigaction = tick, .sa_flags = SA_SIGINFO | SA_RESTART };
    struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = PREEMPT_SIGNAL };
    const struct itimerspec every = { { 0, TICK_MS * NS_PER_MS }, { 0, TICK_MS * NS_PER_MS } };
    sigset_t set;
    int64_t budget_ms = config_int(host_config(engine->host), "scripts.budget_ms", 10000);
    engine->ticks_max = budget_ms / TICK_MS > 0 ? (uint32_t)(budget_ms / TICK_MS) : 1;
    ticking_engine = engine;
    sigaction(PREEMPT_SIGNAL, &action, NULL);
    sigemptyset(&set);
    sigaddset(&set, PREEMPT_SIGNAL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    event._sigev_un._tid = (int)syscall(SYS_gettid);
    if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &engine->timer) || timer_settime(engine->timer, 0, &every, NULL)) {
        log_err(NULL, "scripts cannot be preempted: no timer on the thread's CPU clock (%s)", strerror(errno));
        return;
    }
    engine->ticking = true;
}

void preempt_stop(struct engine *engine)
{
    ticking_engine = NULL;
    if (engine->ticking) timer_delete(engine->timer);
    engine->ticking = false;
}
