/* channel_lend.c: a channel's methods for being lent to another worker, the guests that are lent to this one, and voices of rooms (host.h,
 * fs/loan.lua). */
#include <errno.h>
#include <string.h>

#include "lua/private.h"

/* ch:lend(process): what makes a guest there, as a list of pairs; or nil and why not. */
static int m_lend(lua_State *L)
{
    struct kv pairs = KV_INIT;
    int error = channel_lend(channel_check(L, 1), (uint32_t)luaL_checkinteger(L, 2), &pairs);
    if (error) {
        lua_pushnil(L);
        lua_pushstring(L, error == -ENOBUFS    ? "no audio link is free"
                          : error == -ENOTCONN ? "it has no audio"
                          : error == -EBUSY    ? "it is lent already"
                                               : strerror(-error));
    } else {
        pairs_push_list(L, kv_view(&pairs));
    }
    kv_free(&pairs);
    return error ? 2 : 1;
}

static int m_recall(lua_State *L)
{
    channel_recall(channel_check(L, 1));
    return 0;
}

static int m_reclaim(lua_State *L)
{
    channel_reclaim(channel_check(L, 1));
    return 0;
}

/* A guest or voice is let go: nothing of it lives on. */
static int m_release(lua_State *L)
{
    struct channel *channel = channel_check(L, 1);
    channel_hidden_release(channel);
    channel_forget(engine_of(L), channel);
    return 0;
}

/* core.guest(process, loan): the guest that a request brought. */
static int lua_guest(lua_State *L)
{
    channel_push(L, channel_guest(engine_of(L)->host, (uint32_t)luaL_checkinteger(L, 1), luaL_checkstring(L, 2)));
    return 1;
}

/* core.voice(rate): for a room. */
static int lua_voice(lua_State *L)
{
    struct channel *channel = channel_new_voice(engine_of(L)->host, (uint32_t)luaL_checkinteger(L, 1));
    channel_push(L, channel);
    channel_unref(channel);
    return 1;
}

void channel_lend_open(lua_State *L)
{
    lua_pushcfunction(L, lua_voice);
    lua_setfield(L, -2, "voice");
    lua_pushcfunction(L, lua_guest);
    lua_setfield(L, -2, "guest");
}

void channel_lend_methods(lua_State *L)
{
    static const luaL_Reg methods[] = {
        { "lend", m_lend }, { "recall", m_recall }, { "reclaim", m_reclaim }, { "release", m_release }, { NULL, NULL }
    };
    luaL_setfuncs(L, methods, 0);
}
