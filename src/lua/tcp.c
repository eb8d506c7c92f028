/* tcp.c: TCP connections of scripts (the ESL module): a helper resolves and connects, the script thread only looks whether bytes are there.
 *
 * core.tcp_connect(host, port, ms) → token; its happening brings the connection, or a text why not. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/check.h"
#include "lua/job.h"

#define CLASS "carillon.tcp"

struct tcp {
    struct engine *engine;
    int fd; /* -1 = closed */
    struct loop_watch watch;
    bool watched;
    struct fiber *fiber; /* who waits */
    uint64_t token;
};

/* --- on the helper ---------------------------------------------------------------------------------------------------- */

static int connect_one(const struct addrinfo *at, int ms)
{
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error = 0;
    socklen_t size = sizeof error;
    if (fd < 0) return -errno;
    struct pollfd wait = { .fd = fd, .events = POLLOUT };
    if (connect(fd, at->ai_addr, at->ai_addrlen) && errno != EINPROGRESS)
        error = errno;
    else if (poll(&wait, 1, ms) <= 0)
        error = ETIMEDOUT;
    else
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (!error) return fd;
    close(fd);
    return -error;
}

static void connect_run(struct lua_job *job)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *all = NULL;
    int error = getaddrinfo(job->a, job->b, &hints, &all), fd = -EADDRNOTAVAIL, one = 1, ms = (int)job->number;
    job->number = -1;
    if (error) {
        buf_puts(&job->text, gai_strerror(error));
        return;
    }
    for (const struct addrinfo *at = all; at && fd < 0; at = at->ai_next) fd = connect_one(at, ms);
    freeaddrinfo(all);
    if (fd < 0) {
        buf_puts(&job->text, strerror(-fd));
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    job->number = fd;
}

/* --- on the script thread -------------------------------------------------------------------------------------------------- */

static void ready(struct loop_watch *watch, uint32_t events)
{
    struct tcp *tcp = watch->context;
    uint64_t token = tcp->token;
    loop_watch_remove(tcp->engine->loop, watch);
    tcp->watched = false;
    tcp->token = 0;
    if (token) fiber_post(tcp->fiber, &(struct happening) { .kind = HAPPENING_JOB, .token = token });
}

static void tcp_close(struct tcp *tcp)
{
    if (tcp->watched) loop_watch_remove(tcp->engine->loop, &tcp->watch);
    tcp->watched = false;
    tcp->token = 0;
    if (tcp->fd >= 0) close(tcp->fd);
    tcp->fd = -1;
    fiber_unref(tcp->fiber);
    tcp->fiber = NULL;
}

/* Nobody took it: its script ended while it was being connected. */
static void connect_clean(struct lua_job *job)
{
    if (job->number >= 0) close((int)job->number);
}

static void connect_push(struct lua_job *job, lua_State *L)
{
    if (job->number < 0) {
        lua_pushlstring(L, buf_text(&job->text), job->text.length);
        return;
    }
    struct tcp *tcp = lua_newuserdata(L, sizeof *tcp);
    *tcp = (struct tcp) { .engine = engine_of(L), .fd = (int)job->number };
    tcp->watch = (struct loop_watch) { .fd = tcp->fd, .ready = ready, .context = tcp };
    job->number = -1;
    luaL_getmetatable(L, CLASS);
    lua_setmetatable(L, -2);
}

static int lua_tcp_connect(lua_State *L)
{
    const char *host = luaL_checkstring(L, 1), *port = luaL_checkstring(L, 2);
    lua_Number ms = luaL_optnumber(L, 3, 10000);
    fiber_running(L);
    struct lua_job *job = lua_job_new();
    job->a = strdup(host);
    job->b = strdup(port);
    job->number = (int64_t)ms;
    job->run = connect_run;
    job->push = connect_push;
    job->clean = connect_clean;
    return lua_job_start(L, job);
}

static struct tcp *tcp_check(lua_State *L) { return luaL_checkudata(L, 1, CLASS); }

/* Pushes a token that comes when the connection is ready. */
static void wait_begin(lua_State *L, struct tcp *tcp, uint32_t events)
{
    struct fiber *fiber = fiber_ref(fiber_running(L));
    fiber_unref(tcp->fiber);
    tcp->fiber = fiber;
    if (tcp->watched) loop_watch_remove(tcp->engine->loop, &tcp->watch);
    tcp->watched = !loop_watch_add(tcp->engine->loop, &tcp->watch, events);
    tcp->token = ++tcp->engine->token;
    lua_pushnumber(L, (double)tcp->token);
}

/* tcp_read(tcp) → text, false when the other side closed, or nil and a token: wait for it and try again. */
static int lua_tcp_read(lua_State *L)
{
    struct tcp *tcp = tcp_check(L);
    char part[16384];
    ssize_t n = tcp->fd < 0 ? 0 : recv(tcp->fd, part, sizeof part, 0);
    if (n > 0) {
        lua_pushlstring(L, part, (size_t)n);
        return 1;
    }
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        lua_pushboolean(L, false);
        return 1;
    }
    lua_pushnil(L);
    wait_begin(L, tcp, EPOLLIN);
    return 2;
}

/* tcp_write(tcp, text, from) → position behind what was written, or nil and an error; with a token if there is more to write. */
static int lua_tcp_write(lua_State *L)
{
    struct tcp *tcp = tcp_check(L);
    size_t length, from = (size_t)luaL_optnumber(L, 3, 0);
    const char *text = luaL_checklstring(L, 2, &length);
    while (from < length) {
        ssize_t n = tcp->fd < 0 ? (errno = EPIPE, -1) : send(tcp->fd, text + from, length - from, MSG_NOSIGNAL);
        if (n >= 0) {
            from += (size_t)n;
        } else if (errno == EAGAIN) {
            lua_pushnumber(L, (double)from);
            wait_begin(L, tcp, EPOLLOUT);
            return 2;
        } else if (errno != EINTR) {
            lua_pushnil(L);
            lua_pushstring(L, strerror(errno));
            return 2;
        }
    }
    lua_pushnumber(L, (double)from);
    return 1;
}

/* tcp_fd(tcp) → its descriptor's number, -1 = closed. */
static int lua_tcp_fd(lua_State *L)
{
    lua_pushinteger(L, tcp_check(L)->fd);
    return 1;
}

static int lua_tcp_close(lua_State *L)
{
    tcp_close(tcp_check(L));
    return 0;
}

void tcp_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "tcp_connect", lua_tcp_connect }, { "tcp_read", lua_tcp_read },   { "tcp_write", lua_tcp_write },
        { "tcp_fd", lua_tcp_fd },           { "tcp_close", lua_tcp_close }, { NULL, NULL },
    };
    luaL_setfuncs(L, functions, 0);
    luaL_newmetatable(L, CLASS);
    lua_pushcfunction(L, lua_tcp_close);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}
