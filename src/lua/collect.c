/* collect.c: a whole collection, in small steps between the scripts' turns.
 *
 * A script that holds too much, garbage included, and one that calls collectgarbage(), need the garbage gone before they go on; nobody
 * else does, and the heap is everybody's. So they are put aside while each turn of the loop does a few milliseconds of it. */
#include "core/clock.h"
#include "lua/private.h"

#define STEP_NS (2 * NS_PER_MS)
#define CYCLES  2 /* the one that is under way may have passed what became garbage since; the next sees it */

void collect_begin(struct engine *engine)
{
    if (!engine->cycles) engine->cycles = CYCLES;
}

static void collect_over(struct engine *engine)
{
    for (struct fiber *fiber = engine->all; fiber; fiber = fiber->next) {
        if (fiber->collecting) {
            fiber->collecting = false;
            fiber->collected = true;
            fiber_ready(fiber);
        }
        if (fiber->collect_token) {
            fiber_post(fiber, &(struct happening) { .kind = HAPPENING_WAKE, .token = fiber->collect_token });
            fiber->collect_token = 0;
        }
    }
}

void collect_run(struct engine *engine)
{
    int64_t until = clock_mono_ns() + STEP_NS;
    while (engine->cycles) {
        if (lua_gc(engine->L, LUA_GCSTEP, 0) && --engine->cycles == 0) collect_over(engine);
        if (clock_mono_ns() >= until) return;
    }
}

/* collect() → token of the happening that tells its end; nothing outside a fiber. */
static int lua_collect(lua_State *L)
{
    struct engine *engine = engine_of(L);
    struct fiber *fiber = engine->running;
    if (!fiber || !lua_isyieldable(L)) return 0;
    fiber->collect_token = ++engine->token;
    collect_begin(engine);
    lua_pushnumber(L, (double)fiber->collect_token);
    return 1;
}

void collect_open(lua_State *L)
{
    lua_pushcfunction(L, lua_collect);
    lua_setfield(L, -2, "collect");
}
