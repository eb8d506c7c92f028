/* dbh.c: databases for the FreeSWITCH layer (fs/dbh.lua): sessions and cursors of store/pool.h as userdata. What ends is told by a
 * "wake" with the token that the caller gave; what came is then read from the userdata. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/config.h"
#include "lua/private.h"
#include "store/pool.h"

#define SESSION_TYPE "carillon.db_session"
#define CURSOR_TYPE  "carillon.db_cursor"

/* Who waits. It outlives the userdata: the pool answers at most once, and frees it. */
struct db_wait {
    struct fiber *fiber;
    uint64_t token;
};

struct db_session {
    struct session *session; /* NULL once closed */
    struct db_wait *wait;
};
struct db_cursor {
    struct cursor *cursor;
    struct db_wait *wait;
    struct host *host;
    int64_t asked_ns; /* 0 = its answer came */
};

static void wait_free(struct db_wait **wait)
{
    if (!*wait) return;
    fiber_unref((*wait)->fiber);
    free(*wait);
    *wait = NULL;
}

static void wait_over(struct db_wait **wait)
{
    if (*wait) fiber_post((*wait)->fiber, &(struct happening) { .kind = HAPPENING_WAKE, .token = (*wait)->token });
    wait_free(wait);
}

static void session_told(void *context)
{
    struct db_session *session = context;
    wait_over(&session->wait);
}

static void cursor_told(void *context)
{
    struct db_cursor *cursor = context;
    if (cursor->asked_ns) host_query_took(cursor->host, (clock_mono_ns() - cursor->asked_ns) / 1000);
    cursor->asked_ns = 0;
    wait_over(&cursor->wait);
}

static int wait_begin(lua_State *L, struct db_wait **wait, int token)
{
    wait_free(wait);
    struct fiber *fiber = fiber_running(L);
    *wait = malloc(sizeof(**wait));
    if (!*wait) return -ENOMEM;
    **wait = (struct db_wait) { .fiber = fiber_ref(fiber), .token = (uint64_t)luaL_checknumber(L, token) };
    return 0;
}

static struct pool *pool_of(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, "carillon.db_pool");
    struct pool *pool = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (pool) return pool;
    struct engine *engine = engine_of(L);
    const struct config_node *config = host_config(engine->host);
    struct pool_params params = {
        .loop = host_loop(engine->host),
        .jobs = host_jobs(engine->host),
        .folder = config_str(config, "data_dir", "."),
        .connections_max = (uint32_t)config_int(config, "scripts.database_connections", 0),
    };
    if (pool_new(&pool, &params) < 0) return NULL;
    lua_pushlightuserdata(L, pool);
    lua_setfield(L, LUA_REGISTRYINDEX, "carillon.db_pool");
    return pool;
}

/* nil and a text for the caller. */
static int refused(lua_State *L, int error)
{
    lua_pushnil(L);
    lua_pushstring(L, error == -EINVAL ? "no such driver" : strerror(-error));
    return 2;
}

/* db_open(dsn, token) → session */
static int db_open(lua_State *L)
{
    const char *dsn = luaL_checkstring(L, 1);
    struct db_session *session = lua_newuserdata(L, sizeof(*session));
    *session = (struct db_session) { 0 };
    luaL_getmetatable(L, SESSION_TYPE);
    lua_setmetatable(L, -2);
    int error = wait_begin(L, &session->wait, 2);
    if (error == 0) error = session_open(&session->session, pool_of(L), dsn, session_told, session);
    if (error == 0) return 1;
    wait_free(&session->wait);
    return refused(L, error);
}

static struct db_session *session_at(lua_State *L, int index) { return luaL_checkudata(L, index, SESSION_TYPE); }

static struct db_cursor *cursor_at(lua_State *L, int index) { return luaL_checkudata(L, index, CURSOR_TYPE); }

/* db_session_error(session) → text | nil */
static int db_session_error(lua_State *L)
{
    struct db_session *session = session_at(L, 1);
    lua_pushstring(L, session->session ? session_error(session->session) : "closed");
    return 1;
}

static int db_session_close(lua_State *L)
{
    struct db_session *session = session_at(L, 1);
    session_close(session->session);
    session->session = NULL;
    wait_free(&session->wait);
    return 0;
}

/* db_query(session, sql, token) → cursor */
static int db_query(lua_State *L)
{
    struct db_session *session = session_at(L, 1);
    const char *sql = luaL_checkstring(L, 2);
    if (!session->session) return refused(L, -ENOTCONN);
    struct db_cursor *cursor = lua_newuserdata(L, sizeof(*cursor));
    *cursor = (struct db_cursor) { 0 };
    luaL_getmetatable(L, CURSOR_TYPE);
    lua_setmetatable(L, -2);
    lua_createtable(L, 1, 0); /* a cursor keeps its session */
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, 1);
    lua_setfenv(L, -2);
    int error = wait_begin(L, &cursor->wait, 3);
    cursor->host = engine_of(L)->host;
    cursor->asked_ns = clock_mono_ns();
    if (error == 0) error = cursor_open(&cursor->cursor, session->session, sql, cursor_told, cursor);
    if (error == 0) return 1;
    wait_free(&cursor->wait);
    return refused(L, error);
}

static struct cursor *living(lua_State *L, struct db_cursor *cursor)
{
    if (!cursor->cursor) luaL_error(L, "the cursor is closed");
    lua_getfenv(L, 1);
    lua_rawgeti(L, -1, 1);
    struct db_session *session = lua_touserdata(L, -1);
    lua_pop(L, 2);
    if (!session->session) luaL_error(L, "the session is closed");
    return cursor->cursor;
}

/* db_rows(cursor, null) → list of {column=text}; NULL becomes `null` (nil = left out) */
static int db_rows(lua_State *L)
{
    struct cursor *cursor = living(L, cursor_at(L, 1));
    lua_settop(L, 2);
    size_t rows = cursor_rows(cursor);
    lua_createtable(L, (int)rows, 0);
    for (size_t row = 0; row < rows; row++) {
        size_t columns = cursor_columns(cursor, row);
        lua_createtable(L, 0, (int)columns);
        for (size_t i = 0; i < columns; i++) {
            size_t length;
            const char *value = cursor_value(cursor, row, i, &length);
            lua_pushstring(L, cursor_column(cursor, row, i));
            if (value) /* as FreeSWITCH has them: a text ends at its first zero byte */
                lua_pushlstring(L, value, strnlen(value, length));
            else
                lua_pushvalue(L, 2);
            lua_rawset(L, -3);
        }
        lua_rawseti(L, -2, (int)row + 1);
    }
    return 1;
}

/* db_next(cursor, token) → true: more is on its way; false: that was all */
static int db_next(lua_State *L)
{
    struct db_cursor *cursor = cursor_at(L, 1);
    if (cursor_ended(living(L, cursor))) {
        lua_pushboolean(L, false);
        return 1;
    }
    int error = wait_begin(L, &cursor->wait, 2);
    if (error == 0) error = cursor_next(cursor->cursor, cursor_told, cursor);
    if (error < 0) return refused(L, error);
    lua_pushboolean(L, true);
    return 1;
}

/* db_result(cursor) → error text | nil, affected rows */
static int db_result(lua_State *L)
{
    struct cursor *cursor = living(L, cursor_at(L, 1));
    lua_pushstring(L, cursor_error(cursor));
    lua_pushnumber(L, (lua_Number)cursor_affected(cursor));
    return 2;
}

static int db_cursor_close(lua_State *L)
{
    struct db_cursor *cursor = cursor_at(L, 1);
    lua_getfenv(L, 1);
    lua_rawgeti(L, -1, 1);
    struct db_session *session = lua_touserdata(L, -1);
    if (session && session->session) /* a closed session has closed its cursors */
        cursor_close(cursor->cursor);
    cursor->cursor = NULL;
    wait_free(&cursor->wait);
    return 0;
}

/* db_load_extension(session, path, token) → true */
static int db_load_extension(lua_State *L)
{
    struct db_session *session = session_at(L, 1);
    const char *path = luaL_checkstring(L, 2);
    if (!session->session) return refused(L, -ENOTCONN);
    int error = wait_begin(L, &session->wait, 3);
    if (error == 0) error = session_load_extension(session->session, path, session_told, session);
    if (error < 0) {
        wait_free(&session->wait);
        return refused(L, error);
    }
    lua_pushboolean(L, true);
    return 1;
}

static void type_make(lua_State *L, const char *name, lua_CFunction collected)
{
    luaL_newmetatable(L, name);
    lua_pushcfunction(L, collected);
    lua_setfield(L, -2, "__gc");
    lua_pop(L, 1);
}

/* Adds to the table of primitives at the top. */
void dbh_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "db_open", db_open },
        { "db_session_error", db_session_error },
        { "db_session_close", db_session_close },
        { "db_query", db_query },
        { "db_rows", db_rows },
        { "db_next", db_next },
        { "db_result", db_result },
        { "db_cursor_close", db_cursor_close },
        { "db_load_extension", db_load_extension },
        { NULL, NULL },
    };
    type_make(L, SESSION_TYPE, db_session_close);
    type_make(L, CURSOR_TYPE, db_cursor_close);
    for (const luaL_Reg *f = functions; f->name; f++) {
        lua_pushcfunction(L, f->func);
        lua_setfield(L, -2, f->name);
    }
}

void dbh_close(lua_State *L)
{
    lua_getfield(L, LUA_REGISTRYINDEX, "carillon.db_pool");
    struct pool *pool = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (pool) pool_free(pool);
}
