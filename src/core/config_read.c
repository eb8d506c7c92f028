/* config_read.c: runs a configuration file: Lua without any library, two functions, and bounds on instructions, memory,
 * files and depth. The table that it returns becomes raw nodes. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <lauxlib.h>
#include <libgen.h>
#include <limits.h>
#include <lua.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/config_tree.h"

#define SECRET_BYTES_MAX 4096

struct reader {
    struct config *config;
    struct buf *errors;
    size_t memory; /* bytes that Lua holds */
    bool out_of_memory;
    int include_depth;
    size_t current[CONFIG_INCLUDE_DEPTH_MAX + 1]; /* stack of file indexes that are being run */
    struct line_map *maps[CONFIG_FILES_MAX];      /* per file of config->files */
    size_t nodes;
    const char *too_much; /* a bound that was hit while making nodes */
};

static void *read_alloc(void *context, void *block, size_t old, size_t size)
{
    struct reader *reader = context;
    if (block == NULL) old = 0;
    if (size == 0) {
        free(block);
        reader->memory -= old;
        return NULL;
    }
    if (size > old && reader->memory + (size - old) > CONFIG_MEMORY_BYTES_MAX) {
        reader->out_of_memory = true;
        return NULL;
    }
    void *new = realloc(block, size);
    if (new != NULL) reader->memory += size - old;
    return new;
}

static void read_hook(lua_State *L, lua_Debug *ar)
{
    luaL_error(L, "this file computes for too long (more than %d instructions)", CONFIG_INSTRUCTIONS_MAX);
}

static struct reader *reader_of(lua_State *L) { return lua_touserdata(L, lua_upvalueindex(1)); }

/* env(NAME[, otherwise]): the environment's text; where `otherwise` is a number or a boolean, turned into one. */
static int read_env(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const char *value = getenv(name);
    if (value == NULL) {
        if (lua_gettop(L) < 2)
            return luaL_error(L, "the environment variable %s is not set; set it, or write env(\"%s\", otherwise)", name, name);
        lua_settop(L, 2);
        return 1;
    }
    if (lua_type(L, 2) == LUA_TNUMBER) {
        lua_pushstring(L, value);
        if (!lua_isnumber(L, -1)) return luaL_error(L, "the environment variable %s must be a number, found \"%s\"", name, value);
        lua_pushnumber(L, lua_tonumber(L, -1));
        return 1;
    }
    if (lua_isboolean(L, 2)) {
        if (strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
            return luaL_error(L, "the environment variable %s must be true or false, found \"%s\"", name, value);
        lua_pushboolean(L, strcmp(value, "true") == 0);
        return 1;
    }
    lua_pushstring(L, value);
    return 1;
}

/* Reads a whole file into malloc'ed memory; NULL with a reason. */
static char *slurp(const char *path, size_t *length, char *reason, size_t reason_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) {
        snprintf(reason, reason_size, "cannot read it: %s", strerror(errno));
        if (fd >= 0) close(fd);
        return NULL;
    }
    if (!S_ISREG(st.st_mode)) {
        snprintf(reason, reason_size, "it is not a regular file");
        close(fd);
        return NULL;
    }
    if (st.st_size > (off_t)CONFIG_FILE_BYTES_MAX) {
        snprintf(reason, reason_size, "it is larger than %u MB", CONFIG_FILE_BYTES_MAX >> 20);
        close(fd);
        return NULL;
    }
    char *data = malloc((size_t)st.st_size + 1);
    size_t got = 0;
    while (data != NULL && got < (size_t)st.st_size) {
        ssize_t n = read(fd, data + got, (size_t)st.st_size - got);
        if (n <= 0) break;
        got += (size_t)n;
    }
    close(fd);
    if (data == NULL) {
        snprintf(reason, reason_size, "no memory");
        return NULL;
    }
    data[got] = 0;
    *length = got;
    return data;
}

/* Loads and runs a file; its table is left on the stack. Raises Lua errors, so it must run under pcall. `data` is owned
 * by a userdata meanwhile, for an error jumps over any free. */
static int run_file(lua_State *L, struct reader *reader, const char *path)
{
    struct config *config = reader->config;
    char reason[128];
    size_t length = 0;
    if (config->file_count == CONFIG_FILES_MAX) return luaL_error(L, "more than %d included files", CONFIG_FILES_MAX);
    char *data = slurp(path, &length, reason, sizeof reason);
    if (data == NULL) return luaL_error(L, "%s: %s", path, reason);
    size_t index = config->file_count;
    config->files[index] = strdup(path);
    if (config->files[index] == NULL || line_map_new(&reader->maps[index], data, length) < 0) {
        free(data);
        return luaL_error(L, "no memory");
    }
    config->file_count++;
    /* A text chunk only: bytecode could break out of any bound. */
    int rc = length > 0 && data[0] == '\033' ? LUA_ERRSYNTAX : 0;
    if (rc != 0) {
        lua_pushfstring(L, "%s: it is compiled Lua; only source is read", path);
    } else {
        char *chunk_name = NULL;
        rc = asprintf(&chunk_name, "@%s", path) < 0 ? LUA_ERRMEM : luaL_loadbuffer(L, data, length, chunk_name);
        free(chunk_name);
    }
    free(data);
    if (rc != 0) return lua_error(L);
    lua_newtable(L);
    lua_pushlightuserdata(L, reader);
    lua_getfield(L, LUA_REGISTRYINDEX, "carillon.env");
    lua_setfield(L, -3, "env");
    lua_getfield(L, LUA_REGISTRYINDEX, "carillon.include");
    lua_setfield(L, -3, "include");
    lua_getfield(L, LUA_REGISTRYINDEX, "carillon.secret");
    lua_setfield(L, -3, "secret");
    lua_pop(L, 1);
    lua_setfenv(L, -2);
    reader->current[reader->include_depth] = index;
    lua_call(L, 0, 1);
    if (!lua_istable(L, -1))
        return luaL_error(L, "%s: the file must return a table (`return { … }`), it returned %s", path, luaL_typename(L, -1));
    /* So that the nodes made of this table know their file. */
    lua_getfield(L, LUA_REGISTRYINDEX, "carillon.files");
    lua_pushvalue(L, -2);
    lua_pushinteger(L, (lua_Integer)index);
    lua_rawset(L, -3);
    lua_pop(L, 1);
    return 1;
}

/* A path relative to the file that runs. */
static void path_resolve(lua_State *L, const struct reader *reader, const char *name, char path[PATH_MAX])
{
    const char *from = reader->config->files[reader->current[reader->include_depth]];
    const char *slash = strrchr(from, '/');
    int n = name[0] == '/' || slash == NULL ? snprintf(path, PATH_MAX, "%s", name)
                                            : snprintf(path, PATH_MAX, "%.*s/%s", (int)(slash - from), from, name);
    if (n < 0 || n >= PATH_MAX) luaL_error(L, "the path is too long");
}

/* secret(FILE): its first line, so that a password stands neither here nor in the environment. */
static int read_secret(lua_State *L)
{
    char path[PATH_MAX], reason[200];
    size_t length;
    path_resolve(L, reader_of(L), luaL_checkstring(L, 1), path);
    char *text = slurp(path, &length, reason, sizeof reason);
    if (text == NULL) return luaL_error(L, "%s: %s", path, reason);
    size_t line = strcspn(text, "\r\n");
    bool good = line > 0 && line <= SECRET_BYTES_MAX && line <= length;
    if (good) lua_pushlstring(L, text, line);
    free(text);
    return good ? 1 : luaL_error(L, "%s: its first line must be a secret of 1 to %d characters", path, SECRET_BYTES_MAX);
}

/* include(FILE): relative to the file that includes. */
static int read_include(lua_State *L)
{
    struct reader *reader = reader_of(L);
    const char *name = luaL_checkstring(L, 1);
    if (reader->include_depth == CONFIG_INCLUDE_DEPTH_MAX)
        return luaL_error(L, "include() is nested more than %d deep (does a file include itself?)", CONFIG_INCLUDE_DEPTH_MAX);
    char path[PATH_MAX];
    path_resolve(L, reader, name, path);
    reader->include_depth++;
    run_file(L, reader, path);
    reader->include_depth--;
    return 1;
}

static struct config_node *make_node(lua_State *L, struct reader *reader, const char *name, const char *path, size_t file, int line,
                                     int depth);

static int make_children(lua_State *L, struct reader *reader, struct config_node *node, const char *path, size_t file, int line, int depth)
{
    size_t length = lua_objlen(L, -1), numbered = 0;
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        char name[256], child_path[512];
        if (lua_type(L, -2) == LUA_TNUMBER) {
            double key = lua_tonumber(L, -2);
            if (key == floor(key) && fabs(key) < 1e15)
                snprintf(name, sizeof name, "%.0f", key);
            else
                snprintf(name, sizeof name, "%.14g", key);
            numbered += key >= 1 && key <= (double)length && key == floor(key);
        } else if (lua_type(L, -2) == LUA_TSTRING) {
            snprintf(name, sizeof name, "%s", lua_tostring(L, -2));
        } else {
            snprintf(name, sizeof name, "(%s)", luaL_typename(L, -2));
        }
        snprintf(child_path, sizeof child_path, "%.250s%s%.250s", path, *path ? "." : "", name);
        struct config_node *child = make_node(L, reader, name, child_path, file, line, depth + 1);
        if (child == NULL || node_add(node, child) < 0) {
            node_free(child);
            lua_pop(L, 2);
            return -ENOMEM;
        }
        lua_pop(L, 1);
    }
    node->is_list = node->count > 0 && numbered == node->count;
    node_sort(node);
    return 0;
}

/* A node from the value on top of the stack (left there). `path` is relative to the file's own table. */
static struct config_node *make_node(lua_State *L, struct reader *reader, const char *name, const char *path, size_t file, int line,
                                     int depth)
{
    if (depth > CONFIG_DEPTH_MAX || ++reader->nodes > CONFIG_NODES_MAX || !lua_checkstack(L, 4)) {
        reader->too_much = depth > CONFIG_DEPTH_MAX ? "tables are nested too deeply (does a table hold itself?)" : "too many keys";
        return NULL;
    }
    int own = line_map_find(reader->maps[file], path);
    int type = lua_type(L, -1);
    struct config_node *node = node_new(NODE_OTHER, name);
    if (node == NULL) return NULL;
    node->line = own != 0 ? own : line;
    node->file = reader->config->files[file];
    int rc = 0;
    char text[40];
    if (type == LUA_TTABLE) {
        node->type = NODE_TABLE;
        lua_getfield(L, LUA_REGISTRYINDEX, "carillon.files");
        lua_pushvalue(L, -2);
        lua_rawget(L, -2);
        bool included = lua_isnumber(L, -1);
        size_t from = included ? (size_t)lua_tointeger(L, -1) : file;
        lua_pop(L, 2);
        bool other = included && from != file;
        rc = make_children(L, reader, node, other ? "" : path, from, other ? 1 : node->line, depth);
    } else if (type == LUA_TSTRING) {
        size_t length;
        const char *string = lua_tolstring(L, -1, &length);
        node->type = NODE_TEXT;
        rc = node_text_set(node, string, length);
    } else if (type == LUA_TNUMBER) {
        double number = lua_tonumber(L, -1);
        if (number == floor(number) && fabs(number) < 9e15) {
            node->type = NODE_INT;
            node->integer = (int64_t)number;
            snprintf(text, sizeof text, "%" PRId64, node->integer);
        } else {
            node->type = NODE_NUM;
            node->number = number;
            snprintf(text, sizeof text, "%.14g", number);
        }
        rc = node_text_set(node, text, strlen(text));
    } else if (type == LUA_TBOOLEAN) {
        node->type = NODE_BOOL;
        node->integer = lua_toboolean(L, -1);
        rc = node_text_set(node, node->integer ? "true" : "false", node->integer ? 4 : 5);
    } else {
        rc = node_text_set(node, luaL_typename(L, -1), strlen(luaL_typename(L, -1)));
    }
    if (rc < 0) {
        node_free(node);
        return NULL;
    }
    return node;
}

struct protected_run {
    struct reader *reader;
    const char *path;
};

static int run_protected(lua_State *L)
{
    struct protected_run *run = lua_touserdata(L, 1);
    lua_settop(L, 0);
    lua_pushlightuserdata(L, run->reader);
    lua_pushcclosure(L, read_env, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "carillon.env");
    lua_pushlightuserdata(L, run->reader);
    lua_pushcclosure(L, read_include, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "carillon.include");
    lua_pushlightuserdata(L, run->reader);
    lua_pushcclosure(L, read_secret, 1);
    lua_setfield(L, LUA_REGISTRYINDEX, "carillon.secret");
    lua_newtable(L);
    lua_setfield(L, LUA_REGISTRYINDEX, "carillon.files");
    run_file(L, run->reader, run->path);
    /* Nodes are made here too, as the table walk itself can raise out of memory. */
    size_t main_file = 0;
    run->reader->config->root = make_node(L, run->reader, "", "", main_file, 1, 0);
    return 0;
}

/* "path: text" of a Lua error, with the hint that most mistakes need. */
static void report(struct reader *reader, const char *path, const char *text)
{
    if (reader->out_of_memory)
        buf_printf(reader->errors, "%s: this file needs too much memory (more than %u MB)\n", path, CONFIG_MEMORY_BYTES_MAX >> 20);
    else if (strstr(text, "global '") != NULL)
        buf_printf(reader->errors, "%s; only env(NAME[, otherwise]), secret(FILE) and include(FILE) exist here\n", text);
    else
        buf_printf(reader->errors, "%s\n", text);
}

int config_read(struct config *config, const char *path, struct buf *errors)
{
    struct reader reader = { .config = config, .errors = errors };
    char folder[PATH_MAX], resolved[PATH_MAX];
    if (strlen(path) >= sizeof folder) {
        buf_puts(errors, "the configuration file's path is too long\n");
        return -EINVAL;
    }
    strcpy(folder, path);
    if (realpath(dirname(folder), resolved) == NULL) {
        buf_printf(errors, "%s: cannot read it: %s\n", path, strerror(errno));
        return -EINVAL;
    }
    config->folder = strdup(resolved);
    lua_State *L = config->folder == NULL ? NULL : lua_newstate(read_alloc, &reader);
    if (L == NULL) {
        buf_puts(errors, "no memory for reading the configuration\n");
        return -ENOMEM;
    }
    lua_sethook(L, read_hook, LUA_MASKCOUNT, CONFIG_INSTRUCTIONS_MAX);
    struct protected_run run = { &reader, path };
    int rc = 0;
    if (lua_cpcall(L, run_protected, &run) != 0) {
        report(&reader, path, lua_tostring(L, -1) != NULL ? lua_tostring(L, -1) : "unknown error");
        rc = -EINVAL;
    } else if (config->root == NULL) {
        buf_printf(errors, "%s: %s\n", path, reader.too_much != NULL ? reader.too_much : "no memory");
        rc = -EINVAL;
    }
    lua_close(L);
    for (size_t i = 0; i < CONFIG_FILES_MAX; i++) line_map_free(reader.maps[i]);
    return rc;
}
