/* environment.c: getfenv, setfenv and what of `debug` could reach into the engine or another script. */
#include "lua/private.h"

static void push_script_globals(lua_State *L)
{
    struct fiber *fiber = engine_of(L)->running;
    if (fiber && fiber->script)
        lua_rawgeti(L, LUA_REGISTRYINDEX, fiber->script->globals);
    else
        lua_pushvalue(L, LUA_GLOBALSINDEX);
}

/* Pushes the function that argument 1 names: a function or a level (1 = who called us). */
static void push_function(lua_State *L, int otherwise)
{
    lua_Debug ar;
    if (lua_isfunction(L, 1)) {
        lua_pushvalue(L, 1);
        return;
    }
    int level = otherwise >= 0 ? (int)luaL_optinteger(L, 1, otherwise) : (int)luaL_checkinteger(L, 1);
    luaL_argcheck(L, level >= 0, 1, "level must be non-negative");
    if (!lua_getstack(L, level, &ar)) luaL_argerror(L, 1, "invalid level");
    lua_getinfo(L, "f", &ar);
    if (lua_isnil(L, -1)) luaL_error(L, "no function environment for tail call at level %d", level);
}

static int safe_getfenv(lua_State *L)
{
    if (lua_isnumber(L, 1) && lua_tointeger(L, 1) == 0) {
        lua_pushvalue(L, LUA_GLOBALSINDEX); /* the thread's */
        return 1;
    }
    push_function(L, 1);
    if (isolate_trusted(L, -1))
        push_script_globals(L);
    else
        lua_getfenv(L, -1);
    return 1;
}

static int safe_setfenv(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TTABLE);
    if (lua_isnumber(L, 1) && lua_tointeger(L, 1) == 0) {
        lua_pushvalue(L, 2);
        lua_replace(L, LUA_GLOBALSINDEX);
        return 0;
    }
    push_function(L, -1);
    if (isolate_trusted(L, -1)) return luaL_error(L, "'setfenv' cannot change environment of given object");
    lua_pushvalue(L, 2);
    lua_setfenv(L, -2);
    return 1;
}

/* debug.getfenv(object) */
static int safe_debug_getfenv(lua_State *L)
{
    luaL_checkany(L, 1);
    if (lua_isuserdata(L, 1) || (lua_isfunction(L, 1) && isolate_trusted(L, 1)))
        push_script_globals(L);
    else
        lua_getfenv(L, 1);
    return 1;
}

static int safe_debug_setfenv(lua_State *L)
{
    luaL_checktype(L, 2, LUA_TTABLE);
    if (lua_isuserdata(L, 1) || (lua_isfunction(L, 1) && isolate_trusted(L, 1)))
        return luaL_error(L, "'setfenv' cannot change environment of given object");
    lua_settop(L, 2);
    if (!lua_setfenv(L, 1)) return luaL_error(L, "'setfenv' cannot change environment of given object");
    return 1;
}

/* core.trusted(function): is it the engine's own? */
static int trusted(lua_State *L)
{
    lua_pushboolean(L, lua_isfunction(L, 1) && isolate_trusted(L, 1));
    return 1;
}

/* core.level_trusted(thread | nil, level): is the function at that level the engine's own? Level 0 is ourselves, 1 our caller. */
static int level_trusted(lua_State *L)
{
    lua_State *of = lua_isthread(L, 1) ? lua_tothread(L, 1) : L;
    int level = (int)luaL_checkinteger(L, 2);
    lua_Debug ar;
    bool yes = false;
    if (level >= 0 && lua_getstack(of, level, &ar)) {
        lua_getinfo(of, "f", &ar);
        yes = lua_isfunction(of, -1) && isolate_trusted(of, -1);
        lua_pop(of, 1);
    }
    lua_pushboolean(L, yes);
    return 1;
}

/* core.raw(table, key): past every metatable. */
static int raw(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    lua_rawget(L, 1);
    return 1;
}

void environment_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "safe_getfenv", safe_getfenv },
        { "safe_setfenv", safe_setfenv },
        { "safe_debug_getfenv", safe_debug_getfenv },
        { "safe_debug_setfenv", safe_debug_setfenv },
        { "trusted", trusted },
        { "level_trusted", level_trusted },
        { "raw", raw },
        { NULL, NULL },
    };
    luaL_setfuncs(L, functions, 0);
}
