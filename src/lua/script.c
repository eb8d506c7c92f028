/* script.c: a user's script, from its start to what runs at its end. */
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "core/log.h"
#include "lua/private.h"

void script_data(lua_State *L, struct script *script)
{
    if (!script) {
        lua_pushnil(L);
        return;
    }
    if (script->data == LUA_NOREF) {
        lua_newtable(L);
        lua_rawgeti(L, LUA_REGISTRYINDEX, script->globals);
        lua_setfield(L, -2, "__globals");
        script->data = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, script->data);
}

static int lua_script_data(lua_State *L)
{
    struct fiber *fiber = engine_of(L)->running;
    script_data(L, fiber ? fiber->script : NULL);
    return 1;
}

/* --- errors ---------------------------------------------------------------------------------------------------------- */

/* The text of an error value at the top: a string, what __tostring says, or what it is. */
static void error_text(lua_State *L)
{
    if (lua_isstring(L, -1)) return;
    if (luaL_getmetafield(L, -1, "__tostring")) {
        lua_pushvalue(L, -2);
        if (lua_pcall(L, 1, 1, 0) == 0 && lua_isstring(L, -1)) return;
    }
    lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, -1));
}

/* What the state itself says has no place ("not enough memory", "stack overflow"): the innermost Lua function's is added. */
static void error_placed(lua_State *L, int status)
{
    const char *text = lua_tostring(L, -1);
    lua_Debug ar;
    if (status == LUA_ERRMEM && text && engine_of(L)->memory_place[0]) {
        lua_pushfstring(L, "%s: %s", engine_of(L)->memory_place, text);
        return;
    }
    if (!text || strcmp(text, "stack overflow") != 0) return;
    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline <= 0) continue;
        lua_pushfstring(L, "%s:%d: %s", ar.short_src, ar.currentline, text);
        return;
    }
}

/* A script is compiled as a function at line 1; readers know it as the main chunk. */
static char *main_chunk_named(const char *trace)
{
    static const char *const mark = "in function <";
    const char *at, *end, *last = NULL;
    char *copy;
    for (at = trace; (at = strstr(at, mark)); at = end) {
        end = strchr(at, '>');
        if (!end) break;
        if (end[-1] == '1' && end[-2] == ':') last = at;
    }
    copy = strdup(trace);
    if (!copy || !last) return copy;
    end = strchr(last, '>') + 1;
    size_t before = (size_t)(last - trace);
    sprintf(copy + before, "in main chunk%s", end); /* never longer: the mark alone is as long as the words */
    return copy;
}

void script_report(struct fiber *fiber, const char *uuid)
{
    lua_State *L = fiber->L, *main = fiber->engine->L;
    char *trace;
    if (fiber->kill_reason && strcmp(fiber->kill_reason, ENGINE_STOPPED) == 0) return; /* nobody's error */
    luaL_checkstack(L, 4, "report");
    error_text(L);
    const char *message = lua_tostring(L, -1);
    luaL_traceback(main, L, message ? message : "?", 0);
    trace = main_chunk_named(lua_tostring(main, -1));
    log_err(uuid && *uuid ? uuid : NULL, "%s", trace ? trace : message);
    free(trace);
    lua_pop(main, 1);
}

/* --- the end --------------------------------------------------------------------------------------------------------- */

static void ends_table(lua_State *L, struct script *script)
{
    if (script->ends == LUA_NOREF) {
        lua_newtable(L);
        script->ends = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    lua_rawgeti(L, LUA_REGISTRYINDEX, script->ends);
}

static int lua_on_end(lua_State *L)
{
    struct fiber *fiber = fiber_running(L);
    struct script *script = fiber->script;
    luaL_checktype(L, 1, LUA_TFUNCTION);
    if (!script) return luaL_error(L, "on_end: no script is running");
    ends_table(L, script);
    lua_pushvalue(L, 1);
    lua_rawseti(L, -2, (int)++script->next_end);
    lua_pushinteger(L, script->next_end);
    return 1;
}

static int lua_off_end(lua_State *L)
{
    struct fiber *fiber = engine_of(L)->running;
    if (!fiber || !fiber->script || fiber->script->ends == LUA_NOREF || !lua_isnumber(L, 1)) return 0;
    lua_rawgeti(L, LUA_REGISTRYINDEX, fiber->script->ends);
    lua_pushnil(L);
    lua_rawseti(L, -2, (int)lua_tointeger(L, 1));
    return 0;
}

/* core.on_end_at(number, f): f takes the place that end_slot gave. */
static int lua_on_end_at(lua_State *L)
{
    struct fiber *fiber = fiber_running(L);
    if (!fiber->script) return 0;
    ends_table(L, fiber->script);
    lua_pushvalue(L, 2);
    lua_rawseti(L, -2, (int)luaL_checkinteger(L, 1));
    return 0;
}

/* core.end_slot() → a number in the same order, for who keeps weak lists of his own (files). */
static int lua_end_slot(lua_State *L)
{
    struct fiber *fiber = engine_of(L)->running;
    if (!fiber || !fiber->script) return 0;
    lua_pushinteger(L, ++fiber->script->next_end);
    return 1;
}

static int by_number(const void *a, const void *b)
{
    lua_Integer x = *(const lua_Integer *)a, y = *(const lua_Integer *)b;
    return x < y ? -1 : x > y;
}

/* The numbers of all handlers in order; free() it. */
static lua_Integer *ends_sorted(lua_State *L, int table, size_t *count)
{
    lua_Integer *numbers = NULL;
    size_t n = 0, size = 0;
    for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
        if (n == size) {
            size = size ? size * 2 : 16;
            numbers = realloc(numbers, size * sizeof *numbers);
            CHECK(numbers);
        }
        numbers[n++] = lua_tointeger(L, -2);
    }
    if (n) qsort(numbers, n, sizeof *numbers, by_number);
    *count = n;
    return numbers;
}

static void ends_run(struct engine *engine, struct script *script)
{
    lua_State *L = engine->L;
    size_t count;
    if (script->data != LUA_NOREF) { /* files go into the same order */
        lua_rawgeti(L, LUA_REGISTRYINDEX, engine->core);
        lua_getfield(L, -1, "files_at_end");
        if (lua_isfunction(L, -1) && lua_pcall(L, 0, 0, 0)) {
            log_err(script->uuid, "closing files: %s", lua_tostring(L, -1));
            lua_pop(L, 1);
        }
        lua_settop(L, 0);
    }
    if (script->ends == LUA_NOREF) return;
    lua_rawgeti(L, LUA_REGISTRYINDEX, script->ends);
    lua_Integer *numbers = ends_sorted(L, 1, &count);
    while (count) {
        lua_rawgeti(L, 1, (int)numbers[--count]);
        if (lua_isfunction(L, -1) && lua_pcall(L, 0, 0, 0)) {
            error_text(L);
            log_err(script->uuid, "at the script's end: %s", lua_tostring(L, -1));
        }
        lua_settop(L, 1);
    }
    free(numbers);
    lua_settop(L, 0);
}

static void asker_told(struct engine *engine, struct script *script, int status, lua_State *L)
{
    lua_State *main = engine->L;
    bool ok = !status && !script->failure;
    if (!script->asker) return;
    lua_createtable(main, 0, 2);
    lua_pushboolean(main, ok);
    lua_setfield(main, -2, "ok");
    if (!ok) {
        const char *text = script->failure ? script->failure : L ? lua_tostring(L, -1) : NULL;
        lua_pushstring(main, text ? text : "error");
        lua_setfield(main, -2, "error");
    }
    mailbox_post_value(script->asker, HAPPENING_WAKE, script->asker_token);
}

static void script_free(struct engine *engine, struct script *script)
{
    lua_State *L = engine->L;
    const int references[] = { script->globals, script->string, script->data, script->base_metatables, script->ends };
    for (size_t i = 0; i < ARRAY_SIZE(references); i++) luaL_unref(L, LUA_REGISTRYINDEX, references[i]);
    if (engine->strings == script) basetypes_switch(engine, NULL);
    fiber_unref(script->asker);
    meter_end(script->meter);
    free(script->failure);
    free(script);
}

/* Whatever the script did: its error is one line, its handles are closed, its asker is told, in this order. The handlers of the end
 * run as the engine's code; the fiber is still the running one, so that they find the script's data. */
void script_over(struct fiber *fiber, int status)
{
    struct engine *engine = fiber->engine;
    struct script *script = fiber->script;
    struct fiber *before = engine->running;
    if (status) error_placed(fiber->L, status);
    if (status && engine->in_pass) script_report(fiber, script->uuid);
    engine->running = fiber;
    basetypes_switch(engine, NULL);
    ends_run(engine, script);
    engine->running = before;
    asker_told(engine, script, status, fiber->L);
    engine->scripts--;
    fiber->script = NULL;
    script_free(engine, script);
}

/* --- the start ------------------------------------------------------------------------------------------------------- */

static struct script *script_new(struct engine *engine)
{
    struct script *script = calloc(1, sizeof *script);
    CHECK(script);
    script->meter = meter_new(engine);
    CHECK(script->meter);
    script->data = script->base_metatables = script->ends = script->globals = script->string = LUA_NOREF;
    engine->scripts++;
    return script;
}

/* script_new(name, uuid | nil) → fiber, globals: a script that does not run yet. */
static int lua_script_new(lua_State *L)
{
    struct engine *engine = engine_of(L);
    const char *name = luaL_checkstring(L, 1), *uuid = luaL_optstring(L, 2, "");
    struct meter *charged = engine->charged;
    struct script *script = script_new(engine);
    snprintf(script->uuid, sizeof script->uuid, "%s", uuid);
    engine->charged = script->meter;
    struct fiber *fiber = fiber_new(engine, name);
    fiber->script = script;
    isolate_globals(L, script);
    lua_pushvalue(L, -1);
    lua_xmove(L, fiber->L, 1);
    lua_replace(fiber->L, LUA_GLOBALSINDEX);
    engine->charged = &engine->meter;
    fiber_push(L, fiber);
    lua_insert(L, -2);
    engine->charged = charged;
    return 2;
}

static void asker_set(lua_State *L, struct script *script, uint64_t token)
{
    struct fiber *asker = engine_of(L)->running;
    script->asker_token = token;
    script->asker = fiber_ref(asker);
}

/* script_start(fiber, chunk, token | nil, ...): chunk(...) with the fiber's globals; its end wakes us with that token. */
static int lua_script_start(lua_State *L)
{
    struct engine *engine = engine_of(L);
    struct fiber *fiber = fiber_check(L, 1);
    struct meter *charged = engine->charged;
    int arguments = lua_gettop(L) - 3;
    luaL_checktype(L, 2, LUA_TFUNCTION);
    CHECK(fiber->script && fiber->L && lua_gettop(fiber->L) == 0);
    if (!lua_isnil(L, 3)) asker_set(L, fiber->script, (uint64_t)lua_tonumber(L, 3));
    lua_remove(L, 3);
    engine->charged = fiber->script->meter;
    luaL_checkstack(fiber->L, arguments + 1, "script arguments");
    lua_xmove(L, fiber->L, arguments + 1);
    lua_pushvalue(fiber->L, LUA_GLOBALSINDEX);
    lua_setfenv(fiber->L, 1);
    engine->charged = charged;
    fiber_start(fiber, arguments);
    return 0;
}

static int lua_script_uuid(lua_State *L)
{
    struct fiber *fiber = engine_of(L)->running;
    if (!fiber || !fiber->script) return 0;
    if (lua_isstring(L, 1)) snprintf(fiber->script->uuid, sizeof fiber->script->uuid, "%s", lua_tostring(L, 1));
    lua_pushstring(L, fiber->script->uuid);
    return 1;
}

/* script_failed(text): the running script is to end as one with this error, which is logged already. */
static int lua_script_failed(lua_State *L)
{
    struct fiber *fiber = fiber_running(L);
    if (!fiber->script || fiber->script->failure) return 0;
    fiber->script->failure = strdup(luaL_checkstring(L, 1));
    return 0;
}

/* script_name() → what it was started by: its file, or the name of its text. */
static int lua_script_name(lua_State *L)
{
    struct fiber *fiber = engine_of(L)->running;
    if (!fiber || !fiber->script) return 0;
    lua_pushstring(L, fiber->name);
    return 1;
}

static int lua_memory(lua_State *L)
{
    struct engine *engine = engine_of(L);
    struct fiber *fiber = engine->running;
    lua_pushnumber(L, (double)(fiber && fiber->script ? fiber->script->meter->bytes : engine->memory));
    return 1;
}

void script_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "script_data", lua_script_data },   { "on_end", lua_on_end },           { "off_end", lua_off_end },
        { "end_slot", lua_end_slot },         { "on_end_at", lua_on_end_at },     { "script_new", lua_script_new },
        { "script_start", lua_script_start }, { "script_uuid", lua_script_uuid }, { "script_failed", lua_script_failed },
        { "script_name", lua_script_name },   { "memory", lua_memory },           { NULL, NULL },
    };
    luaL_setfuncs(L, functions, 0);
}
