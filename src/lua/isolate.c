/* isolate.c: one script cannot see another's changes, though they share one lua_State.
 *
 * What a script gets of the standard library and of `freeswitch` are *read-through* tables: its own empty ones, whose metatable
 * reads the shared one. They cost 56 bytes each and become whole tables of the script's own when it walks through them or
 * gives them a metatable. Metatables that objects share (of userdata) are never handed out: a script gets a copy of its own.
 *
 * Registry tables (weak where said):  proxies: metatable → shared table, and shared table → metatable;  lazies: shared table → function
 * that fills the script's own;  guarded: metatable → true (shared by objects of all scripts). */
#include <string.h>

#include "lua/private.h"

static void registry_get(lua_State *L, int table, int key)
{
    key = key < 0 ? lua_gettop(L) + 1 + key : key;
    lua_rawgeti(L, LUA_REGISTRYINDEX, table);
    lua_pushvalue(L, key);
    lua_rawget(L, -2);
    lua_remove(L, -2);
}

/* registry table[key at index] = value at the top, which is popped. */
static void registry_set(lua_State *L, int table, int key)
{
    key = key < 0 ? lua_gettop(L) + 1 + key : key;
    lua_rawgeti(L, LUA_REGISTRYINDEX, table);
    lua_pushvalue(L, key);
    lua_pushvalue(L, -3);
    lua_rawset(L, -3);
    lua_pop(L, 2);
}

/* --- read-through tables --------------------------------------------------------------------------------------------- */

static void proxy_new(lua_State *L, int shared);

/* __index of a read-through table whose shared one holds tables itself (freeswitch.Session): those are read through as well. */
static int index_deep(lua_State *L)
{
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    if (lua_istable(L, -1)) {
        proxy_new(L, lua_gettop(L));
        lua_pushvalue(L, 2);
        lua_pushvalue(L, -2);
        lua_rawset(L, 1);
        return 1;
    }
    if (!lua_isnil(L, -1)) return 1;
    lua_pop(L, 1);
    lua_pushvalue(L, 2);
    lua_gettable(L, lua_upvalueindex(1));
    return 1;
}

/* __newindex: what a script takes away must not show through again. */
static int newindex_own(lua_State *L)
{
    lua_settop(L, 3);
    if (lua_isnil(L, 3)) isolate_materialise(L, 1);
    lua_rawset(L, 1);
    return 0;
}

/* __index of a table that is filled per script at its first use (package). */
static int index_lazy(lua_State *L)
{
    lua_settop(L, 2);
    isolate_materialise(L, 1);
    lua_pushvalue(L, 2);
    lua_gettable(L, 1);
    return 1;
}

static int newindex_lazy(lua_State *L)
{
    lua_settop(L, 3);
    isolate_materialise(L, 1); /* or filling it would undo this */
    lua_rawset(L, 1);
    return 0;
}

static bool holds_tables(lua_State *L, int shared)
{
    bool found = lua_getmetatable(L, shared);
    if (found) {
        lua_pop(L, 1);
        return true;
    }
    for (lua_pushnil(L); lua_next(L, shared); lua_pop(L, 1))
        if (lua_istable(L, -1)) {
            lua_pop(L, 2);
            return true;
        }
    return false;
}

/* Pushes the copy of the shared table's own metatable, but for __index; nil if it has none. */
static void metatable_rest(lua_State *L, int shared)
{
    if (!lua_getmetatable(L, shared)) {
        lua_newtable(L);
        return;
    }
    int from = lua_gettop(L);
    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, from); lua_pop(L, 1)) {
        lua_pushvalue(L, -2);
        lua_pushvalue(L, -2);
        lua_rawset(L, from + 1);
    }
    lua_remove(L, from);
}

/* Pushes the metatable for read-through tables of the table at `shared`; made once. */
static void proxy_metatable(lua_State *L, int shared)
{
    struct engine *engine = engine_of(L);
    registry_get(L, engine->proxies, shared);
    if (lua_istable(L, -1)) return;
    lua_pop(L, 1);
    metatable_rest(L, shared);
    registry_get(L, engine->lazies, shared);
    if (!lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_pushcfunction(L, newindex_lazy);
        lua_setfield(L, -2, "__newindex");
        lua_pushcfunction(L, index_lazy);
    } else {
        lua_pop(L, 1);
        lua_pushvalue(L, shared);
        if (holds_tables(L, shared)) lua_pushcclosure(L, index_deep, 1);
    }
    lua_setfield(L, -2, "__index");
    lua_getfield(L, -1, "__newindex");
    if (lua_isnil(L, -1)) {
        lua_pushcfunction(L, newindex_own);
        lua_setfield(L, -3, "__newindex");
    }
    lua_pop(L, 1);
    lua_pushvalue(L, -1);
    registry_set(L, engine->proxies, shared);
    lua_pushvalue(L, shared);
    registry_set(L, engine->proxies, -2);
}

static void proxy_new(lua_State *L, int shared)
{
    struct engine *engine = engine_of(L);
    struct meter *charged = engine->charged;
    lua_newtable(L);
    engine->charged = &engine->meter;
    proxy_metatable(L, shared);
    engine->charged = charged;
    lua_setmetatable(L, -2);
}

/* Pushes the shared table that the table at index reads through to; false and nothing if it is an ordinary one. */
static bool proxy_shared(lua_State *L, int index)
{
    if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index)) return false;
    registry_get(L, engine_of(L)->proxies, -1);
    lua_remove(L, -2);
    if (lua_istable(L, -1)) return true;
    lua_pop(L, 1);
    return false;
}

static void proxy_fill(lua_State *L, int own, int shared)
{
    for (lua_pushnil(L); lua_next(L, shared); lua_pop(L, 1)) {
        lua_pushvalue(L, -2);
        lua_rawget(L, own);
        bool has = !lua_isnil(L, -1);
        lua_pop(L, 1);
        if (has) continue;
        lua_pushvalue(L, -2);
        if (lua_istable(L, -2))
            proxy_new(L, lua_gettop(L) - 1);
        else
            lua_pushvalue(L, -2);
        lua_rawset(L, own);
    }
}

bool isolate_materialise(lua_State *L, int index)
{
    struct engine *engine = engine_of(L);
    if (!proxy_shared(L, index)) return false;
    int shared = lua_gettop(L);
    registry_get(L, engine->lazies, shared);
    if (lua_isfunction(L, -1)) {
        lua_pushnil(L);
        lua_setmetatable(L, index);
        lua_pushvalue(L, index);
        lua_call(L, 1, 0);
    } else {
        lua_pop(L, 1);
        proxy_fill(L, index, shared);
        metatable_rest(L, shared);
        lua_setmetatable(L, index);
    }
    lua_settop(L, shared - 1);
    return true;
}

/* --- globals --------------------------------------------------------------------------------------------------------- */

static int globals_new(lua_State *L)
{
    struct engine *engine = engine_of(L);
    struct script *script = lua_touserdata(L, 1);
    lua_createtable(L, 0, engine->base_count + 8);
    int own = lua_gettop(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, engine->base);
    for (lua_pushnil(L); lua_next(L, own + 1); lua_pop(L, 1)) {
        lua_pushvalue(L, -2);
        if (lua_istable(L, -2))
            proxy_new(L, lua_gettop(L) - 1);
        else
            lua_pushvalue(L, -2);
        lua_rawset(L, own);
    }
    lua_settop(L, own);
    lua_pushvalue(L, own);
    lua_setfield(L, own, "_G");
    lua_getfield(L, own, "string");
    script->string = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, own);
    script->globals = luaL_ref(L, LUA_REGISTRYINDEX);
    return 1;
}

void isolate_globals(lua_State *L, struct script *script)
{
    lua_pushcfunction(L, globals_new);
    lua_pushlightuserdata(L, script);
    lua_call(L, 1, 1);
}

/* core.base_set(table): from now on each script begins with a flat copy of this. */
static int base_set(lua_State *L)
{
    struct engine *engine = engine_of(L);
    luaL_checktype(L, 1, LUA_TTABLE);
    engine->base_count = 0;
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) engine->base_count++;
    lua_pushvalue(L, 1);
    lua_rawseti(L, LUA_REGISTRYINDEX, engine->base);
    return 0;
}

/* core.lazy_table(fill) → a table for base: each script's own is filled by fill(own) when it is first used. */
static int lazy_table(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_newtable(L);
    lua_pushvalue(L, 1);
    registry_set(L, engine_of(L)->lazies, 2);
    return 1;
}

/* --- metatables that objects share ----------------------------------------------------------------------------------- */

bool isolate_guarded(lua_State *L, int index)
{
    registry_get(L, engine_of(L)->guarded, index);
    bool yes = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return yes;
}

static int guard(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_pushboolean(L, 1);
    registry_set(L, engine_of(L)->guarded, 1);
    return 0;
}

/* Two levels, which is what class metatables have (.fn, .get, .set, __index). */
static void copy_table(lua_State *L, int from, int depth)
{
    luaL_checkstack(L, 8, "metatable");
    lua_newtable(L);
    int to = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, from); lua_pop(L, 1)) {
        int value = lua_gettop(L);
        lua_pushvalue(L, value - 1);
        if (lua_istable(L, value) && lua_rawequal(L, value, from))
            lua_pushvalue(L, to);
        else if (lua_istable(L, value) && depth > 0)
            copy_table(L, value, depth - 1);
        else
            lua_pushvalue(L, value);
        lua_rawset(L, to);
    }
}

/* Of one of our objects the layer gives a view (its own copies of the methods, which calls find again); of others it is a plain copy. */
static void copy_new(lua_State *L, int metatable, int object)
{
    if (object) {
        lua_getfield(L, lua_upvalueindex(1), "object_view");
        lua_pushvalue(L, object);
        lua_call(L, 1, 1);
        if (lua_istable(L, -1)) return;
        lua_pop(L, 1);
    }
    copy_table(L, metatable, 2);
}

/* Pushes the script's own copy of the metatable at index, which is `object`'s (0: of nothing of ours). */
static void metatable_copy(lua_State *L, int index, int object)
{
    struct fiber *fiber = fiber_running(L);
    index = index < 0 ? lua_gettop(L) + 1 + index : index;
    script_data(L, fiber->script);
    lua_getfield(L, -1, "__metatables");
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setfield(L, -3, "__metatables");
    }
    lua_pushvalue(L, index);
    lua_rawget(L, -2);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        copy_new(L, index, object);
        lua_pushvalue(L, index);
        lua_pushvalue(L, -2);
        lua_rawset(L, -4);
    }
    lua_replace(L, -3);
    lua_pop(L, 1);
}

/* --- what scripts call ----------------------------------------------------------------------------------------------- */

static int safe_next(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) isolate_materialise(L, 1);
    if (lua_next(L, 1)) return 2;
    lua_pushnil(L);
    return 1;
}

/* Returns LuaJIT's own next, which its loops know. */
static int safe_pairs(lua_State *L)
{
    luaL_checkany(L, 1);
    if (lua_type(L, 1) == LUA_TTABLE) isolate_materialise(L, 1);
    if (luaL_getmetafield(L, 1, "__pairs")) { /* Lua 5.2 */
        lua_pushvalue(L, 1);
        lua_call(L, 1, 3);
        return 3;
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushvalue(L, 1);
    lua_pushnil(L);
    return 3;
}

static int safe_rawget(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkany(L, 2);
    lua_settop(L, 2);
    isolate_materialise(L, 1);
    lua_rawget(L, 1);
    return 1;
}

static int safe_setmetatable(lua_State *L)
{
    int type = lua_type(L, 2);
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argcheck(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table expected");
    if (!isolate_materialise(L, 1) && luaL_getmetafield(L, 1, "__metatable")) return luaL_error(L, "cannot change a protected metatable");
    lua_settop(L, 2);
    lua_setmetatable(L, 1);
    return 1;
}

static int safe_getmetatable(lua_State *L)
{
    luaL_checkany(L, 1);
    lua_settop(L, 1);
    if (lua_type(L, 1) == LUA_TTABLE && proxy_shared(L, 1)) {
        if (luaL_getmetafield(L, -1, "__metatable")) return 1;
        if (!lua_getmetatable(L, -1)) {
            lua_pushnil(L);
            return 1;
        }
        metatable_copy(L, -1, 0);
        return 1;
    }
    lua_getfield(L, lua_upvalueindex(1), "of_base");
    lua_pushvalue(L, 1);
    lua_call(L, 1, 1);
    if (lua_isnil(L, -1)) return 1;
    lua_getfield(L, -1, "__metatable");
    if (!lua_isnil(L, -1)) return 1;
    lua_pop(L, 1);
    if (isolate_guarded(L, -1)) metatable_copy(L, -1, 1);
    return 1;
}

bool isolate_trusted(lua_State *L, int index)
{
    bool same;
    lua_getfenv(L, index);
    lua_pushvalue(L, LUA_REGISTRYINDEX);
    lua_pushliteral(L, "carillon.globals");
    lua_rawget(L, -2);
    same = lua_rawequal(L, -1, -3);
    lua_pop(L, 3);
    return same;
}

void isolate_open(lua_State *L)
{
    static const luaL_Reg engine_functions[] = { { "base_set", base_set },
                                                 { "lazy_table", lazy_table },
                                                 { "guard", guard },
                                                 { "safe_next", safe_next },
                                                 { "safe_rawget", safe_rawget },
                                                 { "safe_setmetatable", safe_setmetatable },
                                                 { NULL, NULL } };
    luaL_setfuncs(L, engine_functions, 0);
    lua_getglobal(L, "next");
    lua_pushcclosure(L, safe_pairs, 1);
    lua_setfield(L, -2, "safe_pairs");
    lua_pushvalue(L, -1);
    lua_pushcclosure(L, safe_getmetatable, 1);
    lua_setfield(L, -2, "safe_getmetatable");
    lua_pushvalue(L, LUA_GLOBALSINDEX);
    lua_setfield(L, LUA_REGISTRYINDEX, "carillon.globals");
}
