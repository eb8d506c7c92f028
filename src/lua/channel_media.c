/* channel_media.c: a channel's methods for what is played, recorded, sent and heard. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/check.h"
#include "lua/private.h"

static int result(lua_State *L, int error)
{
    if (!error) {
        lua_pushboolean(L, true);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, error == -ENOTCONN ? "the call is over" : strerror(-error));
    return 2;
}

static uint64_t token_check(lua_State *L, int index) { return (uint64_t)luaL_checknumber(L, index); }

/* ch:play(token, source, start_sample, loop, "beside" | "mix" | nil) */
static int m_play(lua_State *L)
{
    struct channel *channel = channel_check(L, 1);
    uint64_t token = token_check(L, 2), start = (uint64_t)luaL_optnumber(L, 4, 0);
    const char *place = luaL_optstring(L, 6, "");
    uint32_t flags = lua_toboolean(L, 5) ? PLAY_LOOP : 0;
    flags |= !strcmp(place, "beside") ? PLAY_BESIDE : !strcmp(place, "mix") ? PLAY_BESIDE | PLAY_MIX : 0;
    return result(L, channel_play(channel, fiber_running(L), token, luaL_checkstring(L, 3), start, flags));
}

static const char *text_field(lua_State *L, const char *name)
{
    lua_getfield(L, 3, name); /* stays on the stack: the text with it */
    return lua_tostring(L, -1);
}

static uint32_t number_field(lua_State *L, const char *name)
{
    lua_getfield(L, 3, name);
    double n = lua_tonumber(L, -1);
    lua_pop(L, 1);
    return n > 0 ? (uint32_t)n : 0;
}

static bool flag_field(lua_State *L, const char *name)
{
    lua_getfield(L, 3, name);
    bool yes = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return yes;
}

/* ch:record(token, table): the fields of struct record_params by their names. */
static int m_record(lua_State *L)
{
    struct channel *channel = channel_check(L, 1);
    uint64_t token = token_check(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    lua_settop(L, 3);
    luaL_checkstack(L, 12, "record");
    struct record_params params = {
        .path = text_field(L, "path"),
        .limit_ms = number_field(L, "limit_ms"),
        .silence_threshold = number_field(L, "silence_threshold"),
        .silence_ms = number_field(L, "silence_ms"),
        .rate = number_field(L, "rate"),
        .append = flag_field(L, "append"),
        .stereo = flag_field(L, "stereo"),
        .read = flag_field(L, "read"),
        .write = flag_field(L, "write"),
        .both_directions = flag_field(L, "both_directions"),
        .min_ms = number_field(L, "min_ms"),
        .comfort_noise = flag_field(L, "comfort_noise"),
        .title = text_field(L, "title"),
        .artist = text_field(L, "artist"),
        .comment = text_field(L, "comment"),
        .copyright = text_field(L, "copyright"),
        .software = text_field(L, "software"),
        .date = text_field(L, "date"),
    };
    if (!params.path) return luaL_argerror(L, 3, "path is missing");
    if (!params.read && !params.write) params.read = true;
    return result(L, channel_record(channel, fiber_running(L), token, &params));
}

static int m_send_digits(lua_State *L)
{
    struct channel *channel = channel_check(L, 1);
    return result(
        L, channel_send_digits(channel, fiber_running(L), token_check(L, 2), luaL_checkstring(L, 3), (uint32_t)luaL_optnumber(L, 4, 0)));
}

static int m_control(lua_State *L)
{
    static const char *const words[] = { "pause_toggle", "restart",  "speed", "speed_by", "volume", "volume_by", "seek_ms",
                                         "seek_by_ms",   "truncate", "mask",  "unmask",   "pause",  "resume" };
    struct channel *channel = channel_check(L, 1);
    const char *word = luaL_checkstring(L, 3);
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (!strcmp(word, words[i]))
            return result(L, channel_operation_control(channel, token_check(L, 2), (int)i, (int64_t)luaL_optnumber(L, 4, 0)));
    return luaL_argerror(L, 3, "no such control word");
}

static int m_stop(lua_State *L) { return result(L, channel_operation_stop(channel_check(L, 1), token_check(L, 2))); }

static int m_bridge(lua_State *L) { return result(L, channel_bridge(channel_check(L, 1), channel_check(L, 2))); }

static int m_unbridge(lua_State *L) { return result(L, channel_unbridge(channel_check(L, 1))); }

static int m_echo(lua_State *L)
{
    return result(L, channel_echo(channel_check(L, 1), lua_toboolean(L, 2), (uint32_t)luaL_optnumber(L, 3, 0)));
}

/* ch:room_join(number, table): the fields of struct room_member by their names. */
static int m_room_join(lua_State *L)
{
    struct channel *channel = channel_check(L, 1);
    uint32_t room = (uint32_t)luaL_checknumber(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    lua_settop(L, 3);
    struct room_member member = { .rate = number_field(L, "rate"),
                                  .energy = number_field(L, "energy"),
                                  .muted = flag_field(L, "muted"),
                                  .deaf = flag_field(L, "deaf"),
                                  .mute_detect = flag_field(L, "mute_detect"),
                                  .voice = flag_field(L, "voice") };
    return result(L, channel_room_join(channel, room, &member));
}

static int m_room_leave(lua_State *L) { return result(L, channel_room_leave(channel_check(L, 1))); }

static int m_digits(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)channel_digits_waiting(channel_check(L, 1)));
    return 1;
}

static int m_take_digit(lua_State *L)
{
    char digit;
    uint32_t samples = 0;
    if (!channel_digit_take(channel_check(L, 1), &digit, &samples)) return 0;
    lua_pushlstring(L, &digit, 1);
    lua_pushnumber(L, samples);
    return 2;
}

static int m_flush_digits(lua_State *L)
{
    channel_digits_flush(channel_check(L, 1));
    return 0;
}

static int m_queue_digit(lua_State *L)
{
    channel_digit_queue(channel_check(L, 1), *luaL_checkstring(L, 2), (uint32_t)luaL_optnumber(L, 3, 800));
    return 0;
}

/* ch:mute(read, write) */
static int m_mute(lua_State *L) { return result(L, channel_mute(channel_check(L, 1), lua_toboolean(L, 2), lua_toboolean(L, 3))); }

/* ch:gain(read, level) */
static int m_gain(lua_State *L) { return result(L, channel_gain(channel_check(L, 1), lua_toboolean(L, 2), (int)luaL_checknumber(L, 3))); }

/* ch:listen(target | nil = stop, whisper_target, whisper_partner) */
static int m_listen(lua_State *L)
{
    struct channel *listener = channel_check(L, 1);
    struct channel *target = lua_isnoneornil(L, 2) ? NULL : channel_check(L, 2);
    return result(L, channel_listen(listener, target, lua_toboolean(L, 3), lua_toboolean(L, 4)));
}

static void numbers_field(lua_State *L, const char *name, uint32_t *out, size_t count)
{
    lua_getfield(L, 3, name);
    for (size_t i = 0; lua_istable(L, -1) && i < count; i++) {
        lua_rawgeti(L, -1, (int)i + 1);
        double n = lua_tonumber(L, -1);
        out[i] = n > 0 ? (uint32_t)n : 0;
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

/* ch:detect(token, { what = "tone" | "inband" | "energy" | "progress" | "answer", hz = {…}, write =, threshold =, hits =, classifier =,
 * answer = {…} }) */
static int m_detect(lua_State *L)
{
    static const char *const kinds[] = { "tone", "inband", "energy", "progress", "answer", NULL };
    struct channel *channel = channel_check(L, 1);
    uint64_t token = token_check(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    lua_settop(L, 3);
    struct detect_params params = { .write = flag_field(L, "write"),
                                    .threshold = number_field(L, "threshold"),
                                    .hits = number_field(L, "hits") };
    const char *what = text_field(L, "what"), *classifier = text_field(L, "classifier");
    while (kinds[params.what] && (!what || strcmp(what, kinds[params.what]))) params.what++;
    if (!kinds[params.what]) return luaL_argerror(L, 3, "no such detector");
    snprintf(params.classifier, sizeof params.classifier, "%s", classifier ? classifier : "");
    numbers_field(L, "hz", params.hz, ARRAY_SIZE(params.hz));
    numbers_field(L, "answer", params.answer, ARRAY_SIZE(params.answer));
    return result(L, channel_detect(channel, fiber_running(L), token, &params));
}

void channel_media_methods(lua_State *L)
{
    static const luaL_Reg methods[] = {
        { "play", m_play },
        { "record", m_record },
        { "send_digits", m_send_digits },
        { "control", m_control },
        { "stop", m_stop },
        { "bridge", m_bridge },
        { "unbridge", m_unbridge },
        { "echo", m_echo },
        { "room_join", m_room_join },
        { "room_leave", m_room_leave },
        { "digits", m_digits },
        { "take_digit", m_take_digit },
        { "flush_digits", m_flush_digits },
        { "mute", m_mute },
        { "gain", m_gain },
        { "listen", m_listen },
        { "detect", m_detect },
        { "queue_digit", m_queue_digit },
        { NULL, NULL },
    };
    luaL_setfuncs(L, methods, 0);
}
