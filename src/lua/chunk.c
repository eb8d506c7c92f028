/* chunk.c: a script's text is compiled once per worker; each run gets a new closure over the same bytecode.
 *
 * It is compiled first as it is, so that a syntax error reads as Lua says it; then as the body of a function that is returned.
 * Files are looked at (mtime, size, inode) before each run. A text that was compiled just now is told by a second result, true. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/buf.h"
#include "lua/private.h"

#define HEAD       "return function(...) "
#define TAIL       "\nend"
#define TEXT_MAX   (64u << 20)
#define INLINE_MAX 256 /* inline texts kept; then all are dropped */

/* A UTF-8 mark is skipped; a first line that begins with # becomes empty. */
static void text_begin(const char **text, size_t *length)
{
    if (*length >= 3 && !memcmp(*text, "\xEF\xBB\xBF", 3)) {
        *text += 3;
        *length -= 3;
    }
    if (!*length || **text != '#') return;
    while (*length && **text != '\n') {
        ++*text;
        --*length;
    }
}

/* Pushes a function that returns a new closure each time, or the message; returns Lua's status. Runs on the main state. */
static int factory_compile(lua_State *L, const char *text, size_t length, const char *name)
{
    struct buf wrapped = BUF_INIT;
    int status;
    text_begin(&text, &length);
    status = luaL_loadbuffer(L, text, length, name);
    if (status) return status;
    lua_pop(L, 1);
    buf_puts(&wrapped, HEAD);
    buf_put(&wrapped, text, length);
    buf_puts(&wrapped, TAIL);
    status = luaL_loadbuffer(L, wrapped.data, wrapped.length, name);
    buf_free(&wrapped);
    return status;
}

static void entry_keep(lua_State *L, const char *key, size_t key_length, const char *stamp)
{
    struct engine *engine = engine_of(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, engine->chunks);
    lua_pushlstring(L, key, key_length);
    lua_createtable(L, 2, 0);
    lua_pushvalue(L, -4);
    lua_rawseti(L, -2, 1);
    lua_pushstring(L, stamp);
    lua_rawseti(L, -2, 2);
    lua_rawset(L, -3);
    lua_pop(L, 1);
}

/* Pushes the factory kept under that key if its stamp is the same. */
static bool entry_find(lua_State *L, const char *key, size_t key_length, const char *stamp)
{
    struct engine *engine = engine_of(L);
    int top = lua_gettop(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, engine->chunks);
    lua_pushlstring(L, key, key_length);
    lua_rawget(L, -2);
    if (lua_istable(L, -1)) {
        lua_rawgeti(L, -1, 2);
        if (!strcmp(lua_tostring(L, -1), stamp)) {
            lua_rawgeti(L, -2, 1);
            lua_replace(L, top + 1);
            lua_settop(L, top + 1);
            return true;
        }
    }
    lua_settop(L, top);
    return false;
}

/* The factory at the top is replaced by a closure of its making. All blocks made by compiling are the engine's. */
static int closure_make(lua_State *L)
{
    int status = lua_pcall(L, 0, 1, 0);
    return status;
}

static int failed(lua_State *L)
{
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
}

/* Bytecode (string.dump) cannot be wrapped: it is loaded anew each time. */
static int bytecode_load(lua_State *L, const char *text, size_t length, const char *name)
{
    return luaL_loadbuffer(L, text, length, name) ? failed(L) : 1;
}

static int text_compile(lua_State *L, const char *text, size_t length, const char *name, const char *key, size_t key_length,
                        const char *stamp)
{
    if (length && text[0] == '\033') return bytecode_load(L, text, length, name);
    if (factory_compile(L, text, length, name)) return failed(L);
    entry_keep(L, key, key_length, stamp);
    if (closure_make(L)) return failed(L);
    lua_pushboolean(L, true);
    return 2;
}

static int file_read(FILE *file, struct buf *out)
{
    char part[16384];
    size_t n;
    while ((n = fread(part, 1, sizeof part, file)) > 0)
        if (out->length + n > TEXT_MAX || buf_put(out, part, n)) return -EFBIG;
    return ferror(file) ? -errno : 0;
}

static int file_compile(lua_State *L, const char *path, const char *stamp)
{
    struct buf text = BUF_INIT;
    FILE *file = fopen(path, "re");
    int error = file ? file_read(file, &text) : -errno, results;
    if (file) fclose(file);
    if (error) {
        buf_free(&text);
        lua_pushnil(L);
        lua_pushfstring(L, "cannot %s %s: %s", file ? "read" : "open", path, strerror(-error));
        return 2;
    }
    lua_pushfstring(L, "@%s", path);
    results = text_compile(L, buf_text(&text), text.length, lua_tostring(L, -1), path, strlen(path), stamp);
    buf_free(&text);
    lua_remove(L, -1 - results);
    return results;
}

int chunk_file(lua_State *L, const char *path)
{
    struct stat st;
    char stamp[96];
    if (stat(path, &st)) {
        lua_pushnil(L);
        lua_pushfstring(L, "cannot open %s: %s", path, strerror(errno));
        return 2;
    }
    if (S_ISDIR(st.st_mode)) {
        lua_pushnil(L);
        lua_pushfstring(L, "cannot read %s: %s", path, strerror(EISDIR));
        return 2;
    }
    snprintf(stamp, sizeof stamp, "%lld.%09ld %lld %llu", (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (long long)st.st_size,
             (unsigned long long)st.st_ino);
    if (entry_find(L, path, strlen(path), stamp)) return closure_make(L) ? failed(L) : 1;
    return file_compile(L, path, stamp);
}

static void inline_bounded(lua_State *L)
{
    struct engine *engine = engine_of(L);
    if (++engine->inline_chunks <= INLINE_MAX) return;
    engine->inline_chunks = 0;
    lua_newtable(L); /* files are compiled again at their next run */
    lua_rawseti(L, LUA_REGISTRYINDEX, engine->chunks);
}

int chunk_text(lua_State *L, const char *text, size_t length, const char *name)
{
    struct buf key = BUF_INIT;
    int results;
    buf_puts(&key, "=");
    buf_puts(&key, name);
    buf_putc(&key, 0);
    buf_put(&key, text, length);
    if (entry_find(L, key.data, key.length, "")) {
        results = closure_make(L) ? failed(L) : 1;
    } else {
        inline_bounded(L);
        results = text_compile(L, text, length, name, key.data, key.length, "");
    }
    buf_free(&key);
    return results;
}

/* The new closure is made on the main state, paid by the engine, and given the caller's globals. */
static int loaded(lua_State *L, int results)
{
    lua_State *main = engine_of(L)->L;
    lua_xmove(main, L, results);
    if (!lua_isfunction(L, -results)) return results;
    lua_pushvalue(L, LUA_GLOBALSINDEX);
    lua_setfenv(L, -1 - results);
    return results;
}

static int lua_chunk_file(lua_State *L)
{
    struct engine *engine = engine_of(L);
    const char *path = luaL_checkstring(L, 1);
    struct meter *charged = engine->charged;
    engine->charged = &engine->meter;
    int results = chunk_file(engine->L, path);
    engine->charged = charged;
    return loaded(L, results);
}

static int lua_chunk_text(lua_State *L)
{
    struct engine *engine = engine_of(L);
    size_t length;
    const char *text = luaL_checklstring(L, 1, &length);
    const char *name = luaL_checkstring(L, 2);
    struct meter *charged = engine->charged;
    engine->charged = &engine->meter;
    int results = chunk_text(engine->L, text, length, name);
    engine->charged = charged;
    return loaded(L, results);
}

void chunk_open(lua_State *L)
{
    lua_pushcfunction(L, lua_chunk_file);
    lua_setfield(L, -2, "chunk_file");
    lua_pushcfunction(L, lua_chunk_text);
    lua_setfield(L, -2, "chunk_text");
}
