/* basetypes.c: the metatables of strings, numbers, functions …: one per type for the whole state, so they are switched when another
 * script's turn comes.
 *
 * Nearly all scripts need no more than that "x":upper() finds their own `string`: one field of one shared metatable. A script that asks
 * for getmetatable("") or sets a metatable on a basic type gets a set of its own (script->base_metatables: type name → metatable). */
#include "core/check.h"
#include "lua/private.h"

static const int types[] = { LUA_TSTRING, LUA_TNUMBER, LUA_TBOOLEAN, LUA_TFUNCTION, LUA_TNIL, LUA_TTHREAD };

static int no_operation(lua_State *L) { return 0; }

static void value_push(lua_State *L, int type)
{
    switch (type) {
    case LUA_TSTRING:
        lua_pushliteral(L, "");
        break;
    case LUA_TNUMBER:
        lua_pushinteger(L, 0);
        break;
    case LUA_TBOOLEAN:
        lua_pushboolean(L, 0);
        break;
    case LUA_TFUNCTION:
        lua_pushcfunction(L, no_operation);
        break;
    case LUA_TTHREAD:
        lua_pushthread(L);
        break;
    default:
        lua_pushnil(L);
    }
}

/* Sets all of them from the table at the top of L; a type that is absent there has none, strings the shared one. */
static void own_install(struct engine *engine, lua_State *L)
{
    int set = lua_gettop(L);
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        value_push(L, types[i]);
        lua_pushstring(L, lua_typename(L, types[i]));
        lua_rawget(L, set);
        if (lua_isnil(L, -1) && types[i] == LUA_TSTRING) {
            lua_pop(L, 1);
            lua_rawgeti(L, LUA_REGISTRYINDEX, engine->string_metatable);
        }
        lua_setmetatable(L, -2);
        lua_pop(L, 1);
    }
}

static bool has_own(const struct script *script) { return script && script->base_metatables != LUA_NOREF; }

static void string_index_set(struct engine *engine, struct script *script)
{
    lua_State *L = engine->L;
    lua_rawgeti(L, LUA_REGISTRYINDEX, engine->string_metatable);
    lua_pushliteral(L, "__index");
    if (script) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, script->string);
    } else {
        lua_pushliteral(L, "string");
        lua_rawget(L, LUA_GLOBALSINDEX);
    }
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

void basetypes_switch(struct engine *engine, struct script *script)
{
    lua_State *L = engine->L;
    bool had = has_own(engine->strings);
    if (engine->strings == script) return;
    engine->strings = script;
    if (has_own(script)) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, script->base_metatables);
        own_install(engine, L);
        lua_pop(L, 1);
        return;
    }
    if (had) {
        lua_newtable(L);
        own_install(engine, L);
        lua_pop(L, 1);
    }
    string_index_set(engine, script);
}

/* Pushes the script's set, made now if need be: from then on the script has its own metatable of strings. */
static void own_set(lua_State *L, struct script *script)
{
    if (!has_own(script)) {
        lua_newtable(L);
        lua_newtable(L);
        lua_rawgeti(L, LUA_REGISTRYINDEX, script->string);
        lua_setfield(L, -2, "__index");
        lua_setfield(L, -2, "string");
        script->base_metatables = luaL_ref(L, LUA_REGISTRYINDEX);
        lua_rawgeti(L, LUA_REGISTRYINDEX, script->base_metatables);
        own_install(engine_of(L), L);
        return;
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, script->base_metatables);
}

/* of_base(value) → its metatable, unprotected; for a string the script's own. */
static int of_base(lua_State *L)
{
    struct fiber *fiber = engine_of(L)->running;
    if (lua_type(L, 1) == LUA_TSTRING && fiber && fiber->script) {
        own_set(L, fiber->script);
        lua_getfield(L, -1, "string");
        return 1;
    }
    if (!lua_getmetatable(L, 1)) lua_pushnil(L);
    return 1;
}

/* debug.setmetatable(value, metatable) for a script. */
static int safe_debug_setmetatable(lua_State *L)
{
    struct fiber *fiber = fiber_running(L);
    int type = lua_type(L, 1);
    luaL_checkany(L, 1);
    luaL_argcheck(L, lua_isnil(L, 2) || lua_istable(L, 2), 2, "nil or table expected");
    lua_settop(L, 2);
    if (type == LUA_TTABLE) {
        isolate_materialise(L, 1);
        lua_setmetatable(L, 1);
    } else if (type == LUA_TUSERDATA) {
        return luaL_argerror(L, 1, "the metatable of an object cannot be replaced");
    } else if (fiber->script) {
        own_set(L, fiber->script);
        lua_pushstring(L, lua_typename(L, type));
        lua_pushvalue(L, 2);
        lua_rawset(L, -3);
        own_install(engine_of(L), L);
    }
    lua_settop(L, 1);
    return 1;
}

void basetypes_open(lua_State *L)
{
    struct engine *engine = engine_of(L);
    lua_pushliteral(L, "");
    CHECK(lua_getmetatable(L, -1));
    engine->string_metatable = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pop(L, 1);
    lua_pushcfunction(L, of_base);
    lua_setfield(L, -2, "of_base");
    lua_pushcfunction(L, safe_debug_setmetatable);
    lua_setfield(L, -2, "safe_debug_setmetatable");
}
