/* object.c: the userdata that scripts hold (Session, Event, Dbh …). Its state is a Lua table of the layer's.
 *
 * A finaliser runs in the middle of anybody's allocation, so it only moves the state to a list; the class's __gc is called
 * with it after the pass, as the engine's code. */
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "lua/private.h"

/* The finaliser of all classes: the state and its class's metatable go to the graves. */
static int object_gc(lua_State *L)
{
    struct engine *engine = engine_of(L);
    struct meter *charged = engine->charged;
    engine->charged = &engine->meter;
    lua_rawgeti(L, LUA_REGISTRYINDEX, engine->graves);
    lua_getmetatable(L, 1);
    lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
    lua_getfenv(L, 1);
    lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
    engine->charged = charged;
    return 0;
}

/* mod_lua's own classes stand in its namespace LUA, those of FreeSWITCH's core (Event, API …) in none. */
static int object_tostring(lua_State *L)
{
    lua_getmetatable(L, 1);
    lua_getfield(L, -1, ".class");
    const char *name = lua_tostring(L, -1);
    bool own = strcmp(name, "Session") == 0 || strcmp(name, "Dbh") == 0 || strcmp(name, "JSON") == 0;
    lua_pushfstring(L, "<userdata of type '%s%s *' at %p>", own ? "LUA::" : "", name, lua_touserdata(L, 1));
    return 1;
}

/* A class's metatable as the layer gave it becomes the engine's: its __gc is kept aside. */
static void class_prepare(lua_State *L, int metatable, int name)
{
    if (isolate_guarded(L, metatable)) return;
    lua_pushvalue(L, name);
    lua_setfield(L, metatable, ".class");
    lua_getfield(L, metatable, "__gc");
    lua_setfield(L, metatable, ".gc");
    lua_pushcfunction(L, object_gc);
    lua_setfield(L, metatable, "__gc");
    lua_getfield(L, metatable, "__tostring");
    if (lua_isnil(L, -1)) {
        lua_pushcfunction(L, object_tostring);
        lua_setfield(L, metatable, "__tostring");
    }
    lua_pop(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, engine_of(L)->guarded);
    lua_pushvalue(L, metatable);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

static int lua_object(lua_State *L)
{
    luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    luaL_checktype(L, 3, LUA_TTABLE);
    class_prepare(L, 2, 1);
    lua_newuserdata(L, 1);
    lua_pushvalue(L, 3);
    lua_setfenv(L, -2);
    lua_pushvalue(L, 2);
    lua_setmetatable(L, -2);
    return 1;
}

/* Is the value one of ours? Leaves its metatable on the stack if so. */
static bool is_object(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index)) return false;
    lua_pushliteral(L, "__gc");
    lua_rawget(L, -2);
    bool yes = lua_tocfunction(L, -1) == object_gc;
    lua_pop(L, yes ? 1 : 2);
    return yes;
}

static int lua_object_state(lua_State *L)
{
    if (!is_object(L, 1)) return 0;
    lua_getfenv(L, 1);
    return 1;
}

static int lua_class_of(lua_State *L)
{
    if (!is_object(L, 1)) return 0;
    lua_getfield(L, -1, ".class");
    return 1;
}

void object_bury(struct engine *engine)
{
    lua_State *L = engine->L;
    int top = lua_gettop(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, engine->graves);
    int count = (int)lua_objlen(L, -1);
    if (!count) {
        lua_settop(L, top);
        return;
    }
    lua_newtable(L); /* the next ones' */
    lua_rawseti(L, LUA_REGISTRYINDEX, engine->graves);
    for (int i = 1; i < count; i += 2) {
        lua_rawgeti(L, top + 1, i);
        lua_getfield(L, -1, ".gc");
        lua_rawgeti(L, top + 1, i + 1);
        if (lua_isfunction(L, -2) && lua_pcall(L, 1, 0, 0)) log_err(NULL, "a finaliser: %s", lua_tostring(L, -1));
        lua_settop(L, top + 1);
    }
    lua_settop(L, top);
}

/* --- newproxy: the only finalisers that a script can make itself ------------------------------------------------------- */

/* The finaliser of a script's proxy: its function waits in the graves like the others; an error in it is nobody else's. */
static int proxy_gc(lua_State *L)
{
    struct engine *engine = engine_of(L);
    struct meter *charged = engine->charged;
    engine->charged = &engine->meter;
    lua_rawgeti(L, LUA_REGISTRYINDEX, engine->graves);
    lua_createtable(L, 0, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_setfield(L, -2, ".gc");
    lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
    engine->charged = charged;
    return 0;
}

/* __newindex of a proxy's metatable: __gc = f is taken in hand. */
static int proxy_newindex(lua_State *L)
{
    const char *key = lua_type(L, 2) == LUA_TSTRING ? lua_tostring(L, 2) : "";
    lua_settop(L, 3);
    if (key[0] == '_' && !lua_isnil(L, 3) && lua_isfunction(L, 3) && key[1] == '_' && key[2] == 'g' && key[3] == 'c' && !key[4])
        lua_pushcclosure(L, proxy_gc, 1);
    lua_rawset(L, 1);
    return 0;
}

static int safe_newproxy(lua_State *L)
{
    lua_settop(L, 1);
    lua_newuserdata(L, 0);
    if (lua_isuserdata(L, 1)) {
        /* The metatable of a real object on an empty one would be a trap. */
        if (!lua_getmetatable(L, 1) || isolate_guarded(L, -1)) return luaL_argerror(L, 1, "boolean or proxy expected");
        lua_setmetatable(L, 2);
        return 1;
    }
    if (!lua_toboolean(L, 1)) return 1;
    lua_newtable(L);
    lua_createtable(L, 0, 2);
    lua_pushcfunction(L, proxy_newindex);
    lua_setfield(L, -2, "__newindex");
    lua_pushboolean(L, 0);
    lua_setfield(L, -2, "__metatable");
    lua_setmetatable(L, -2);
    lua_setmetatable(L, 2);
    return 1;
}

void object_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "object", lua_object }, { "state", lua_object_state }, { "class_of", lua_class_of }, { "safe_newproxy", safe_newproxy },
        { NULL, NULL },
    };
    luaL_setfuncs(L, functions, 0);
}
