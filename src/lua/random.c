/* random.c: math.random and math.randomseed, a generator per script: one script's seed is not another's. */
#include <math.h>
#include <sys/random.h>

#include "core/clock.h"
#include "lua/private.h"

/* splitmix64: spreads a seed over the generator's state. */
static uint64_t spread(uint64_t *at)
{
    uint64_t z = (*at += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static void seed(struct script *script, uint64_t from)
{
    for (int i = 0; i < 4; i++) script->random[i] = spread(&from);
    script->random_ready = true;
}

static uint64_t rotate(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

/* xoshiro256** (Blackman, Vigna). */
static uint64_t next(uint64_t s[4])
{
    uint64_t result = rotate(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

static double uniform(struct script *script)
{
    if (!script->random_ready) {
        uint64_t from = (uint64_t)clock_mono_ns();
        if (getrandom(&from, sizeof from, GRND_NONBLOCK) < 0) from ^= (uintptr_t)script;
        seed(script, from);
    }
    return (double)(next(script->random) >> 11) * 0x1p-53;
}

static int safe_random(lua_State *L)
{
    struct script *script = fiber_running(L)->script;
    double r, low = 1, high;
    if (!script) return luaL_error(L, "random: no script is running");
    r = uniform(script);
    switch (lua_gettop(L)) {
    case 0:
        lua_pushnumber(L, r);
        return 1;
    case 1:
        high = luaL_checknumber(L, 1);
        break;
    default:
        low = luaL_checknumber(L, 1);
        high = luaL_checknumber(L, 2);
    }
    low = floor(low);
    high = floor(high);
    luaL_argcheck(L, low <= high, lua_gettop(L) == 1 ? 1 : 2, "interval is empty");
    lua_pushnumber(L, floor(r * (high - low + 1)) + low);
    return 1;
}

static int safe_randomseed(lua_State *L)
{
    union {
        double d;
        uint64_t u;
    } from = { .d = luaL_optnumber(L, 1, 0) };
    struct script *script = fiber_running(L)->script;
    if (script) seed(script, from.u);
    return 0;
}

void random_open(lua_State *L)
{
    lua_pushcfunction(L, safe_random);
    lua_setfield(L, -2, "safe_random");
    lua_pushcfunction(L, safe_randomseed);
    lua_setfield(L, -2, "safe_randomseed");
}
