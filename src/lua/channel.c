/* channel.c: a call, as the layer sees it: one userdata per channel, its facts and what it can be asked. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/causes.h"
#include "core/check.h"
#include "core/log.h"
#include "lua/private.h"

#define CLASS "carillon.channel"

static const char *const state_names[] = { "CS_NEW",       "CS_INIT",           "CS_ROUTING", "CS_SOFT_EXECUTE",
                                           "CS_EXECUTE",   "CS_EXCHANGE_MEDIA", "CS_PARK",    "CS_CONSUME_MEDIA",
                                           "CS_HIBERNATE", "CS_RESET",          "CS_HANGUP",  "CS_REPORTING",
                                           "CS_DESTROY" };

/* --- identity ---------------------------------------------------------------------------------------------------------- */

static void table_get(lua_State *L, int table, void *key)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, table);
    lua_pushlightuserdata(L, key);
    lua_rawget(L, -2);
    lua_remove(L, -2);
}

/* Pops the value. */
static void table_set(lua_State *L, int table, void *key)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, table);
    lua_pushlightuserdata(L, key);
    lua_pushvalue(L, -3);
    lua_rawset(L, -3);
    lua_pop(L, 2);
}

static void channel_object_new(lua_State *L, struct channel *channel)
{
    struct engine *engine = engine_of(L);
    struct channel **object = lua_newuserdata(L, sizeof(struct channel *));
    *object = channel_ref(channel);
    lua_newtable(L); /* ch:data() */
    lua_setfenv(L, -2);
    luaL_getmetatable(L, CLASS);
    lua_setmetatable(L, -2);
    lua_pushvalue(L, -1);
    table_set(L, engine->channels, channel);
    if (!channel_facts(channel)->up) return;
    lua_pushvalue(L, -1); /* held until the call is over, so that its table lives as long as the call */
    table_set(L, engine->living, channel);
}

void channel_push(lua_State *L, struct channel *channel)
{
    struct engine *engine = engine_of(L);
    struct meter *charged = engine->charged;
    if (!channel) {
        lua_pushnil(L);
        return;
    }
    luaL_checkstack(L, 8, "channel");
    table_get(L, engine->channels, channel);
    if (lua_isuserdata(L, -1)) return;
    lua_pop(L, 1);
    engine->charged = &engine->meter;
    channel_object_new(L, channel);
    engine->charged = charged;
}

struct channel *channel_check(lua_State *L, int index)
{
    struct channel **object = luaL_checkudata(L, index, CLASS);
    return *object;
}

void channel_forget(struct engine *engine, struct channel *channel)
{
    lua_pushnil(engine->L);
    table_set(engine->L, engine->living, channel);
}

/* The reference goes after the pass: the host is not called from within a collection. */
static int object_gc(lua_State *L)
{
    struct engine *engine = engine_of(L);
    struct channel **object = lua_touserdata(L, 1);
    if (engine->unref_count == engine->unref_size) {
        engine->unref_size = engine->unref_size ? engine->unref_size * 2 : 64;
        engine->unrefs = realloc(engine->unrefs, engine->unref_size * sizeof(struct channel *));
        CHECK(engine->unrefs);
    }
    engine->unrefs[engine->unref_count++] = *object;
    return 0;
}

void channel_unrefs(struct engine *engine)
{
    while (engine->unref_count) channel_unref(engine->unrefs[--engine->unref_count]);
}

/* --- facts --------------------------------------------------------------------------------------------------------------- */

static const struct channel_facts *facts_check(lua_State *L) { return channel_facts(channel_check(L, 1)); }

static int m_uuid(lua_State *L)
{
    lua_pushstring(L, facts_check(L)->uuid_text);
    return 1;
}

static int m_kind(lua_State *L)
{
    static const char *const names[] = { "sip", "null", "loopback", "guest" };
    lua_pushstring(L, names[facts_check(L)->kind]);
    return 1;
}

static int m_state(lua_State *L)
{
    lua_pushstring(L, state_names[facts_check(L)->state]);
    return 1;
}

#define FLAG(name)                                                                                                                         \
    static int m_##name(lua_State *L)                                                                                                      \
    {                                                                                                                                      \
        lua_pushboolean(L, facts_check(L)->name);                                                                                          \
        return 1;                                                                                                                          \
    }
FLAG(outbound)
FLAG(answered)
FLAG(early)
FLAG(ringing)
FLAG(media_ready)
FLAG(up)
FLAG(transferring)
FLAG(bridged)

static int m_cause(lua_State *L)
{
    int cause = facts_check(L)->cause;
    lua_pushstring(L, cause ? cause_name(cause) : NULL);
    return 1;
}

static int m_sequence(lua_State *L)
{
    lua_pushnumber(L, (double)facts_check(L)->sequence);
    return 1;
}

static int m_times(lua_State *L)
{
    const struct channel_facts *f = facts_check(L);
    const struct {
        const char *name;
        int64_t us;
    } times[] = {
        { "created", f->created_us },   { "progress", f->progress_us }, { "progress_media", f->progress_media_us },
        { "answered", f->answered_us }, { "bridged", f->bridged_us },   { "hangup", f->hangup_us },
    };
    lua_createtable(L, 0, ARRAY_SIZE(times));
    for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
        lua_pushnumber(L, (double)times[i].us);
        lua_setfield(L, -2, times[i].name);
    }
    return 1;
}

/* --- variables, profile, data -------------------------------------------------------------------------------------------- */

static int m_get(lua_State *L)
{
    lua_pushstring(L, channel_variable(channel_check(L, 1), luaL_checkstring(L, 2)));
    return 1;
}

static int m_set(lua_State *L)
{
    channel_variable_set(channel_check(L, 1), luaL_checkstring(L, 2), luaL_optstring(L, 3, NULL));
    return 0;
}

/* variables([begin]): all, or those whose names begin so, in any case. */
static int m_variables(lua_State *L)
{
    struct channel *channel = channel_check(L, 1);
    size_t at = 0, length;
    const char *begin = luaL_optlstring(L, 2, "", &length), *name, *value;
    int n = 0;
    lua_newtable(L);
    while (channel_variable_next(channel, &at, &name, &value)) {
        if (length && strncasecmp(name, begin, length) != 0) continue;
        lua_createtable(L, 2, 0);
        lua_pushstring(L, name);
        lua_rawseti(L, -2, 1);
        lua_pushstring(L, value);
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

static int m_profile(lua_State *L)
{
    lua_pushstring(L, channel_profile(channel_check(L, 1), luaL_checkstring(L, 2)));
    return 1;
}

static int m_profile_set(lua_State *L)
{
    channel_profile_set(channel_check(L, 1), luaL_checkstring(L, 2), luaL_optstring(L, 3, NULL));
    return 0;
}

static int m_data(lua_State *L)
{
    channel_check(L, 1);
    lua_getfenv(L, 1);
    return 1;
}

/* --- what it can be asked -------------------------------------------------------------------------------------------------- */

static int result(lua_State *L, int error)
{
    if (error) {
        lua_pushnil(L);
        lua_pushstring(L, error == -ENOTCONN ? "the call is over" : strerror(-error));
        return 2;
    }
    lua_pushboolean(L, true);
    return 1;
}

static int m_ring(lua_State *L) { return result(L, channel_ring(channel_check(L, 1))); }

static int m_early_media(lua_State *L) { return result(L, channel_early(channel_check(L, 1))); }

static int m_answer(lua_State *L) { return result(L, channel_answer(channel_check(L, 1))); }

static int m_hangup(lua_State *L)
{
    return result(L, channel_hangup(channel_check(L, 1), cause_number(luaL_optstring(L, 2, "NORMAL_CLEARING"))));
}

static int m_respond(lua_State *L)
{
    return result(
        L, channel_respond(channel_check(L, 1), (int)luaL_checkinteger(L, 2), luaL_optstring(L, 3, NULL), luaL_optstring(L, 4, NULL)));
}

static int m_state_set(lua_State *L)
{
    const char *name = luaL_checkstring(L, 2);
    for (size_t i = 0; i < ARRAY_SIZE(state_names); i++)
        if (!strcasecmp(name, state_names[i]) || !strcasecmp(name, state_names[i] + 3))
            return result(L, channel_state_set(channel_check(L, 1), (enum channel_state)i));
    return luaL_argerror(L, 2, "no such channel state");
}

static int m_transferring_set(lua_State *L) { return result(L, channel_transferring_set(channel_check(L, 1), lua_toboolean(L, 2))); }

static int m_own(lua_State *L)
{
    channel_owner_set(channel_check(L, 1), lua_isnoneornil(L, 2) ? NULL : fiber_check(L, 2));
    return 0;
}

static int m_owner(lua_State *L)
{
    fiber_push(L, channel_owner(channel_check(L, 1)));
    return 1;
}

static int m_watch(lua_State *L)
{
    channel_watch(channel_check(L, 1), fiber_check(L, 2), lua_toboolean(L, 3));
    return 0;
}

static int m_break_media(lua_State *L)
{
    channel_break(channel_check(L, 1), lua_toboolean(L, 2));
    return 0;
}

static int m_queue_event(lua_State *L)
{
    struct channel *channel = channel_check(L, 1);
    struct kv pairs = KV_INIT;
    pairs_read(L, 2, &pairs);
    channel_event_queue(channel, &pairs);
    kv_free(&pairs);
    return 0;
}

static int object_tostring(lua_State *L)
{
    lua_pushfstring(L, "channel %s", facts_check(L)->uuid_text);
    return 1;
}

/* --- finding and making ------------------------------------------------------------------------------------------------------ */

/* A reference of ours becomes the userdata's. */
static int push_owned(lua_State *L, struct channel *channel)
{
    channel_push(L, channel);
    channel_unref(channel);
    return 1;
}

static int lua_channel(lua_State *L) { return push_owned(L, channel_find(engine_of(L)->host, luaL_checkstring(L, 1))); }

static int lua_channels(lua_State *L)
{
    struct channel *channel = NULL;
    int n = 0;
    lua_newtable(L);
    while ((channel = channel_next(engine_of(L)->host, channel))) {
        channel_push(L, channel);
        lua_rawseti(L, -2, ++n);
    }
    return 1;
}

/* new_null(uuid, waits): with waits it is not answered until it is asked to. */
static int lua_new_null(lua_State *L)
{
    return push_owned(L, channel_new_null(engine_of(L)->host, luaL_optstring(L, 1, NULL), !lua_toboolean(L, 2)));
}

static int lua_new_loopback(lua_State *L)
{
    struct channel *b = NULL, *a = channel_new_loopback(engine_of(L)->host, luaL_optstring(L, 1, NULL), &b);
    push_owned(L, a);
    channel_push(L, b); /* borrowed: the pair holds it */
    return 2;
}

static int lua_dial(lua_State *L)
{
    struct fiber *fiber = fiber_running(L);
    const char *uuid = luaL_optstring(L, 1, NULL);
    struct kv pairs = KV_INIT;
    pairs_read(L, 2, &pairs);
    struct channel *channel = channel_dial(engine_of(L)->host, fiber, uuid, &pairs);
    kv_free(&pairs);
    return push_owned(L, channel);
}

static int lua_dial_cancel(lua_State *L)
{
    channel_dial_cancel(channel_check(L, 1), luaL_optstring(L, 2, "ORIGINATOR_CANCEL"));
    return 0;
}

void channel_open(lua_State *L)
{
    static const luaL_Reg functions[] = { { "channel", lua_channel },
                                          { "channels", lua_channels },
                                          { "new_null", lua_new_null },
                                          { "new_loopback", lua_new_loopback },
                                          { "dial", lua_dial },
                                          { "dial_cancel", lua_dial_cancel },
                                          { NULL, NULL } };
    static const luaL_Reg methods[] = {
        { "uuid", m_uuid },
        { "kind", m_kind },
        { "state", m_state },
        { "outbound", m_outbound },
        { "answered", m_answered },
        { "early", m_early },
        { "ringing", m_ringing },
        { "media_ready", m_media_ready },
        { "up", m_up },
        { "transferring", m_transferring },
        { "bridged", m_bridged },
        { "cause", m_cause },
        { "sequence", m_sequence },
        { "times", m_times },
        { "get", m_get },
        { "set", m_set },
        { "variables", m_variables },
        { "profile", m_profile },
        { "profile_set", m_profile_set },
        { "data", m_data },
        { "ring", m_ring },
        { "early_media", m_early_media },
        { "answer", m_answer },
        { "hangup", m_hangup },
        { "respond", m_respond },
        { "state_set", m_state_set },
        { "transferring_set", m_transferring_set },
        { "own", m_own },
        { "owner", m_owner },
        { "watch", m_watch },
        { "break_media", m_break_media },
        { "queue_event", m_queue_event },
        { NULL, NULL },
    };
    luaL_setfuncs(L, functions, 0);
    channel_lend_open(L);
    luaL_newmetatable(L, CLASS);
    lua_pushcfunction(L, object_gc);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, object_tostring);
    lua_setfield(L, -2, "__tostring");
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    channel_media_methods(L);
    channel_lend_methods(L);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
