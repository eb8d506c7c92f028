/* module.c: ESL.so, for plain lua5.1 and luajit: `require "ESL"`. Everything but the sockets is Lua (src/lua/fs/esl.lua), which is in here,
 * too.
 *
 * It is built without a Lua library: the interpreter that loads it brings its own. */
#include <errno.h>
#include <lauxlib.h>
#include <lua.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "esl/embedded.h"

#define CLASS "carillon.esl.tcp"

/* connect(host, port) → connection, or nil and why not. */
static int tcp_attach_fd(lua_State *L, int fd)
{
    int one = 1;
    *(int *)lua_newuserdata(L, sizeof(int)) = fd;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    luaL_getmetatable(L, CLASS);
    lua_setmetatable(L, -2);
    return 1;
}

static int tcp_connect(lua_State *L)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all = NULL;
    int rc = getaddrinfo(luaL_checkstring(L, 1), luaL_checkstring(L, 2), &hints, &all), fd = -1, error = 0;
    if (rc != 0) {
        lua_pushnil(L);
        lua_pushstring(L, gai_strerror(rc));
        return 2;
    }
    for (const struct addrinfo *at = all; at != NULL && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, at->ai_addr, at->ai_addrlen) == 0) continue;
        error = errno;
        close(fd);
        fd = -1;
    }
    freeaddrinfo(all);
    if (fd >= 0) return tcp_attach_fd(L, fd);
    lua_pushnil(L);
    lua_pushstring(L, strerror(error));
    return 2;
}

static int tcp_attach(lua_State *L) { return tcp_attach_fd(L, (int)luaL_checkinteger(L, 1)); }

static int *tcp_check(lua_State *L) { return luaL_checkudata(L, 1, CLASS); }

static int tcp_send(lua_State *L)
{
    int fd = *tcp_check(L);
    size_t length;
    const char *text = luaL_checklstring(L, 2, &length);
    while (length > 0) {
        ssize_t n = send(fd, text, length, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return 0;
        text += n;
        length -= (size_t)n;
    }
    lua_pushboolean(L, 1);
    return 1;
}

/* receive(connection, ms | nil) → text, false = closed, nil = the time is over. */
static int tcp_receive(lua_State *L)
{
    int fd = *tcp_check(L);
    struct pollfd watch = { .fd = fd, .events = POLLIN };
    char part[16384];
    int rc = poll(&watch, 1, lua_isnoneornil(L, 2) ? -1 : (int)lua_tonumber(L, 2));
    if (rc == 0 || (rc < 0 && errno == EINTR)) return 0;
    ssize_t n = rc < 0 ? -1 : recv(fd, part, sizeof part, 0);
    if (n > 0)
        lua_pushlstring(L, part, (size_t)n);
    else
        lua_pushboolean(L, 0);
    return 1;
}

static int tcp_descriptor(lua_State *L)
{
    lua_pushinteger(L, *tcp_check(L));
    return 1;
}

static int tcp_close(lua_State *L)
{
    int *fd = tcp_check(L);
    if (*fd >= 0) close(*fd);
    *fd = -1;
    return 0;
}

static int now(lua_State *L)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    lua_pushnumber(L, (double)at.tv_sec * 1e3 + (double)at.tv_nsec / 1e6);
    return 1;
}

/* Runs a source with the table `core` at the top of the stack as its argument; its result stays above it. */
static void source_run(lua_State *L, const char *name)
{
    for (const struct embedded_lua *at = embedded_esl; at->name != NULL; at++) {
        if (strcmp(at->name, name) != 0) continue;
        if (luaL_loadbuffer(L, at->source, at->length, name) != 0) lua_error(L);
        lua_pushvalue(L, -2);
        lua_call(L, 1, 1);
        return;
    }
    luaL_error(L, "ESL: %s is missing", name);
}

int luaopen_ESL(lua_State *L);

__attribute__((visibility("default"))) int luaopen_ESL(lua_State *L)
{
    static const struct {
        const char *name;
        lua_CFunction f;
    } functions[] = { { "connect", tcp_connect }, { "attach", tcp_attach },         { "send", tcp_send },
                      { "receive", tcp_receive }, { "descriptor", tcp_descriptor }, { "close", tcp_close } };
    luaL_newmetatable(L, CLASS);
    lua_pushcfunction(L, tcp_close);
    lua_setfield(L, -2, "__gc");
    lua_newtable(L); /* core */
    lua_newtable(L);
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        lua_pushcfunction(L, functions[i].f);
        lua_setfield(L, -2, functions[i].name);
    }
    lua_setfield(L, -2, "tcp");
    lua_newtable(L);
    lua_setfield(L, -2, "fs");
    lua_pushcfunction(L, now);
    lua_setfield(L, -2, "now");
    source_run(L, "event_types");
    lua_pop(L, 1);
    source_run(L, "esl");
    lua_call(L, 0, 1);
    lua_pushvalue(L, -1);
    lua_setglobal(L, "ESL"); /* as FreeSWITCH's module does */
    return 1;
}
