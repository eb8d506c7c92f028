/* hostlib.c: the worker's services for Lua: global variables, configuration, requests, events out, the log. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/limits.h"
#include "bus/protocol.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/config.h"
#include "core/log.h"
#include "lua/private.h"

/* --- pairs ------------------------------------------------------------------------------------------------------------- */

void pairs_push_map(lua_State *L, struct kv_view view)
{
    struct kv_pair pair;
    size_t at = 0;
    lua_newtable(L);
    while (view.length && kv_next(view, &at, &pair)) {
        lua_pushlstring(L, pair.value, pair.value_length);
        lua_setfield(L, -2, pair.name);
    }
}

void pairs_push_list(lua_State *L, struct kv_view view)
{
    struct kv_pair pair;
    size_t at = 0;
    int n = 0;
    lua_newtable(L);
    while (view.length && kv_next(view, &at, &pair)) {
        lua_createtable(L, 2, 0);
        lua_pushstring(L, pair.name);
        lua_rawseti(L, -2, 1);
        lua_pushlstring(L, pair.value, pair.value_length);
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, -2, ++n);
    }
}

/* A pair whose value is at the top; numbers and booleans become text. */
static int pair_add(lua_State *L, struct kv *out, const char *name)
{
    size_t length;
    const char *value;
    if (lua_isnil(L, -1)) return 0;
    if (lua_isboolean(L, -1)) return kv_add(out, name, lua_toboolean(L, -1) ? "true" : "false");
    value = lua_tolstring(L, -1, &length);
    if (!value) return -EINVAL;
    return kv_add_bytes(out, name, value, length);
}

static int list_read(lua_State *L, int index, struct kv *out)
{
    int error = 0;
    for (int i = 1; !error; i++) {
        lua_rawgeti(L, index, i);
        if (!lua_istable(L, -1)) break;
        lua_rawgeti(L, -1, 1);
        lua_rawgeti(L, -2, 2);
        error = lua_type(L, -2) == LUA_TSTRING && *lua_tostring(L, -2) ? pair_add(L, out, lua_tostring(L, -2)) : -EINVAL;
        lua_pop(L, 3);
    }
    if (!error) lua_pop(L, 1);
    return error;
}

static int map_read(lua_State *L, int index, struct kv *out)
{
    int error = 0;
    for (lua_pushnil(L); !error && lua_next(L, index); lua_pop(L, 1))
        error = lua_type(L, -2) == LUA_TSTRING && *lua_tostring(L, -2) ? pair_add(L, out, lua_tostring(L, -2)) : -EINVAL;
    if (error) lua_pop(L, 1);
    return error;
}

void pairs_read(lua_State *L, int index, struct kv *out)
{
    int error;
    if (lua_isnoneornil(L, index)) return;
    luaL_checktype(L, index, LUA_TTABLE);
    lua_rawgeti(L, index, 1);
    bool list = lua_istable(L, -1);
    lua_pop(L, 1);
    error = list ? list_read(L, index, out) : map_read(L, index, out);
    if (!error) return;
    kv_free(out);
    luaL_error(L, "pairs: {name = text} or a list of {name, text} expected");
}

/* --- globals and configuration --------------------------------------------------------------------------------------------- */

static int lua_global_get(lua_State *L)
{
    lua_pushstring(L, host_global_get(engine_of(L)->host, luaL_checkstring(L, 1)));
    return 1;
}

static int lua_global_set(lua_State *L)
{
    host_global_set(engine_of(L)->host, luaL_checkstring(L, 1), luaL_optstring(L, 2, NULL));
    return 0;
}

static int lua_globals(lua_State *L)
{
    const char *name, *value;
    size_t at = 0;
    lua_newtable(L);
    while (host_global_next(engine_of(L)->host, &at, &name, &value)) {
        lua_pushstring(L, value);
        lua_setfield(L, -2, name);
    }
    return 1;
}

static void push_config(lua_State *L, const struct config_node *node)
{
    size_t count = config_count(node);
    if (!count) {
        lua_pushstring(L, config_text(node));
        return;
    }
    luaL_checkstack(L, 4, "configuration");
    lua_newtable(L);
    for (size_t i = 0; i < count; i++) {
        const struct config_node *child = config_child(node, i);
        const char *name = config_name(child);
        char *end;
        long number = strtol(name, &end, 10);
        push_config(L, child);
        if (*name && !*end)
            lua_rawseti(L, -2, (int)number);
        else
            lua_setfield(L, -2, name);
    }
}

/* config(path[, default]) → text of a value, table of a table (lists are lists). */
static int lua_config(lua_State *L)
{
    const struct config_node *node = config_get(host_config(engine_of(L)->host), luaL_checkstring(L, 1));
    lua_settop(L, 2);
    if (node) push_config(L, node);
    return 1;
}

static int lua_worker(lua_State *L)
{
    lua_pushinteger(L, host_worker(engine_of(L)->host));
    return 1;
}

static int lua_workers(lua_State *L)
{
    lua_pushinteger(L, host_workers(engine_of(L)->host));
    return 1;
}

/* call_worker(uuid) → the worker's number, nil if the directory does not know the call. */
static int lua_call_worker(lua_State *L)
{
    int worker = host_call_worker(engine_of(L)->host, luaL_checkstring(L, 1));
    if (worker < 0) return 0;
    lua_pushinteger(L, worker);
    return 1;
}

/* --- other processes --------------------------------------------------------------------------------------------------------- */

static uint32_t process_check(lua_State *L, int index)
{
    if (lua_type(L, index) == LUA_TNUMBER) return (uint32_t)lua_tointeger(L, index);
    const char *name = luaL_checkstring(L, index);
    if (!strcmp(name, "broker")) return BUS_BROKER;
    if (!strcmp(name, "control")) return BUS_CONTROL;
    if (!strcmp(name, "supervisor")) return BUS_SUPERVISOR;
    return (uint32_t)luaL_argerror(L, index, "broker, control or a process number expected");
}

static int kind_check(lua_State *L, int index)
{
    static const struct {
        const char *name;
        int kind;
    } kinds[] = {
        { "DIAL", MSG_DIAL },
        { "DIAL_CANCEL", MSG_DIAL_CANCEL },
        { "CALL_HANGUP", MSG_CALL_HANGUP },
        { "CALL_SCRIPT_DONE", MSG_CALL_SCRIPT_DONE },
        { "API", MSG_API },
        { "ENGINE", MSG_ENGINE },
        { "GLOBAL_SET", MSG_GLOBAL_SET },
        { "TABLE", MSG_TABLE },
        { "CALL_METHOD", MSG_CALL_METHOD },
        { "CALL_REINVITE", MSG_CALL_REINVITE },
        { "CALL_INFO", MSG_CALL_INFO },
        { "CALL_REFER", MSG_CALL_REFER },
    };
    if (lua_type(L, index) == LUA_TNUMBER) return (int)lua_tointeger(L, index);
    const char *name = luaL_checkstring(L, index);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (!strcmp(name, kinds[i].name)) return kinds[i].kind;
    return luaL_argerror(L, index, "no such kind of message (bus/protocol.h); a number is taken as it is");
}

/* request(to, kind, pairs, timeout_ms) → token. What cannot be sent is answered as well: status < 0. */
static int lua_request(lua_State *L)
{
    struct engine *engine = engine_of(L);
    struct fiber *fiber = fiber_running(L);
    uint32_t to = process_check(L, 1);
    int kind = kind_check(L, 2), error;
    double timeout_ms = luaL_optnumber(L, 4, 5000);
    struct kv pairs = KV_INIT;
    uint64_t token = ++engine->token;
    pairs_read(L, 3, &pairs);
    error = host_request(engine->host, fiber, token, to, kind, &pairs, (int64_t)(timeout_ms * NS_PER_MS));
    kv_free(&pairs);
    if (error) fiber_post(fiber, &(struct happening) { .kind = HAPPENING_REPLY, .token = token, .status = error });
    lua_pushnumber(L, (double)token);
    return 1;
}

static int lua_note(lua_State *L)
{
    struct kv pairs = KV_INIT;
    uint32_t to = process_check(L, 1);
    int kind = kind_check(L, 2), error;
    pairs_read(L, 3, &pairs);
    error = host_note(engine_of(L)->host, to, kind, &pairs);
    kv_free(&pairs);
    lua_pushboolean(L, error == 0);
    if (!error) return 1;
    lua_pushstring(L, strerror(-error));
    return 2;
}

/* --- events out, the log ------------------------------------------------------------------------------------------------------- */

static int lua_publish(lua_State *L)
{
    uint16_t type = (uint16_t)luaL_checkinteger(L, 1);
    struct channel *channel = lua_isnoneornil(L, 2) ? NULL : channel_check(L, 2);
    struct kv pairs = KV_INIT;
    pairs_read(L, 3, &pairs);
    host_event_publish(engine_of(L)->host, type, channel, &pairs);
    kv_free(&pairs);
    return 0;
}

static int lua_event_wanted(lua_State *L)
{
    lua_pushboolean(L, host_event_wanted(engine_of(L)->host, (uint16_t)luaL_checkinteger(L, 1)));
    return 1;
}

/* Scripts' lines: their level by number, the uuid, and no rate limit by source other than the log's own. */
static int lua_log(lua_State *L)
{
    int level = (int)luaL_checkinteger(L, 1);
    const char *text = luaL_checkstring(L, 2), *uuid = luaL_optstring(L, 3, NULL);
    if (level < LOG_CONSOLE || level > LOG_DEBUG) level = LOG_DEBUG;
    log_at((enum log_level)level, uuid, "%s", text);
    return 0;
}

static int lua_log_raw(lua_State *L)
{
    log_at(LOG_DEBUG, NULL, "%s", luaL_checkstring(L, 1));
    return 0;
}

static int lua_now(lua_State *L)
{
    lua_pushnumber(L, (double)clock_mono_ns() / NS_PER_MS);
    return 1;
}

static int lua_utc_us(lua_State *L)
{
    lua_pushnumber(L, (double)clock_utc_us());
    return 1;
}

static int lua_script_dir(lua_State *L)
{
    lua_pushstring(L, engine_of(L)->script_dir);
    return 1;
}

static int lua_figures(lua_State *L)
{
    struct engine *engine = engine_of(L);
    lua_pushnumber(L, (double)engine->scripts);
    lua_pushnumber(L, (double)engine->fibers);
    lua_pushnumber(L, (double)engine->memory);
    return 3;
}

void hostlib_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "global_get", lua_global_get },
        { "global_set", lua_global_set },
        { "globals", lua_globals },
        { "config", lua_config },
        { "worker", lua_worker },
        { "workers", lua_workers },
        { "call_worker", lua_call_worker },
        { "request", lua_request },
        { "note", lua_note },
        { "publish", lua_publish },
        { "event_wanted", lua_event_wanted },
        { "log", lua_log },
        { "log_raw", lua_log_raw },
        { "now", lua_now },
        { "utc_us", lua_utc_us },
        { "script_dir", lua_script_dir },
        { "figures", lua_figures },
        { NULL, NULL },
    };
    luaL_setfuncs(L, functions, 0);
}
