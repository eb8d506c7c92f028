/* engine.c: the engine as a whole: its state, its table of primitives, and the worker's doors. */
#include <errno.h>
#include <luajit.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

#include "bus/limits.h"
#include "bus/protocol.h"
#include "core/check.h"
#include "core/config.h"
#include "core/log.h"
#include "lua/embedded.h"
#include "lua/private.h"

/* --- the embedded sources ---------------------------------------------------------------------------------------------- */

const struct embedded_lua *embedded_source(const char *name)
{
    for (const struct embedded_lua *e = embedded_lua; e->name; e++)
        if (!strcmp(e->name, name)) return e;
    return NULL;
}

/* core.load(name) → what fs/NAME.lua returns, called with core; nil if there is no such file. */
static int lua_load_embedded(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const struct embedded_lua *source = embedded_source(name);
    if (!source) return 0;
    lua_settop(L, 1);
    lua_pushfstring(L, "=fs/%s.lua", name);
    if (luaL_loadbuffer(L, source->source, source->length, lua_tostring(L, -1))) return lua_error(L);
    lua_rawgeti(L, LUA_REGISTRYINDEX, engine_of(L)->core);
    lua_call(L, 1, LUA_MULTRET);
    return lua_gettop(L) - 2;
}

/* --- making and ending --------------------------------------------------------------------------------------------------- */

static int weak_table(lua_State *L, const char *mode)
{
    lua_newtable(L);
    if (mode) {
        lua_newtable(L);
        lua_pushstring(L, mode);
        lua_setfield(L, -2, "__mode");
        lua_setmetatable(L, -2);
    }
    return luaL_ref(L, LUA_REGISTRYINDEX);
}

static void registry_open(struct engine *engine)
{
    lua_State *L = engine->L;
    engine->core = weak_table(L, NULL);
    engine->layer = weak_table(L, NULL);
    engine->base = weak_table(L, NULL);
    engine->proxies = weak_table(L, NULL);
    engine->lazies = weak_table(L, NULL);
    engine->chunks = weak_table(L, NULL);
    engine->graves = weak_table(L, NULL);
    engine->guarded = weak_table(L, "k");
    engine->channels = weak_table(L, "v");
    engine->living = weak_table(L, NULL);
}

static void core_open(lua_State *L)
{
    void (*const parts[])(lua_State *) = {
        fiber_open,  preempt_open, collect_open,   script_open,  isolate_open, basetypes_open, environment_open, chunk_open,
        object_open, hostlib_open, subscribe_open, channel_open, job_open,     curl_open,      child_open,       regex_open,
        xml_open,    tools_open,   pattern_open,   random_open,  dbh_open,     isolated_open,  tcp_open,
    };
    lua_rawgeti(L, LUA_REGISTRYINDEX, engine_of(L)->core);
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) parts[i](L);
    lua_pushcfunction(L, lua_load_embedded);
    lua_setfield(L, -2, "load");
    lua_pop(L, 1);
}

static int traceback(lua_State *L)
{
    luaL_traceback(L, L, lua_tostring(L, 1), 1);
    return 1;
}

static int open_all(lua_State *L)
{
    struct engine *engine = engine_of(L);
    luaL_openlibs(L);
    luaJIT_setmode(L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF); /* a hook waits for the end of a compiled loop */
    registry_open(engine);
    core_open(L);
    lua_pushcfunction(L, lua_load_embedded);
    lua_pushliteral(L, "init");
    lua_call(L, 1, 1);
    luaL_checktype(L, -1, LUA_TTABLE);
    lua_rawseti(L, LUA_REGISTRYINDEX, engine->layer);
    return 0;
}

static void pass(struct loop_hook *hook) { fiber_run_all(hook->context); }

static void wake_fired(struct loop_timer *timer) { fiber_run_all(timer->context); }

static void settings_read(struct engine *engine)
{
    const struct config_node *config = host_config(engine->host);
    engine->memory_limit = (size_t)config_int(config, "scripts.memory_mb", 64) << 20;
    engine->script_dir = strdup(config_str(config, "scripts.dir", "scripts"));
}

int engine_new(struct engine **out, struct host *host)
{
    struct engine *engine = calloc(1, sizeof *engine);
    int status;
    if (!engine) return -ENOMEM;
    engine->host = host;
    engine->loop = host_loop(host);
    engine->ready_end = &engine->ready;
    engine->charged = &engine->meter;
    engine->wake = (struct loop_timer) { .fire = wake_fired, .context = engine };
    settings_read(engine);
    engine->L = lua_newstate(meter_allocate, engine);
    if (!engine->L) {
        free(engine->script_dir);
        free(engine);
        return -ENOMEM;
    }
    preempt_start(engine);
    lua_pushcfunction(engine->L, traceback);
    lua_pushcfunction(engine->L, open_all);
    status = lua_pcall(engine->L, 0, 0, 1);
    if (status) {
        log_crit(NULL, "the script engine cannot start: %s", lua_tostring(engine->L, -1));
        engine_free(engine);
        return -EINVAL;
    }
    lua_settop(engine->L, 0);
    engine->hook = (struct loop_hook) { .run = pass, .context = engine };
    loop_hook_add(engine->loop, &engine->hook);
    *out = engine;
    return 0;
}

/* The loop has no way to remove a hook: the engine goes when its loop has stopped. */
void engine_free(struct engine *engine)
{
    if (!engine) return;
    fiber_free_all(engine);
    isolated_free_all(engine);
    subscribe_free_all(engine);
    child_free_all(engine);
    object_bury(engine);
    preempt_stop(engine);
    loop_timer_clear(engine->loop, &engine->wake);
    lua_close(engine->L);
    channel_unrefs(engine);
    free(engine->unrefs);
    free(engine->script_dir);
    free(engine);
}

size_t engine_scripts(const struct engine *engine) { return engine->scripts; }

size_t engine_memory(const struct engine *engine) { return engine->memory; }

/* --- the worker's doors ---------------------------------------------------------------------------------------------------- */

/* A new fiber with the layer's function on its stack; NULL if the layer has none of that name. */
static struct fiber *door_open(struct engine *engine, const char *name)
{
    struct fiber *fiber;
    lua_rawgeti(engine->L, LUA_REGISTRYINDEX, engine->layer);
    lua_getfield(engine->L, -1, name);
    lua_remove(engine->L, -2);
    if (!lua_isfunction(engine->L, -1)) {
        lua_pop(engine->L, 1);
        log_err(NULL, "the script layer has no %s", name);
        return NULL;
    }
    fiber = fiber_new(engine, name);
    lua_xmove(engine->L, fiber->L, 1);
    return fiber;
}

static void report_if_failed(struct fiber *fiber, int status, void *context)
{
    struct channel *channel = context;
    if (status) script_report(fiber, channel ? channel_facts(channel)->uuid_text : NULL);
    channel_unref(channel);
}

void engine_channel_start(struct engine *engine, struct channel *channel)
{
    struct fiber *fiber = door_open(engine, "channel_start");
    if (!fiber) return;
    channel_push(fiber->L, channel);
    fiber->over = report_if_failed;
    fiber->over_context = channel_ref(channel);
    fiber_start(fiber, 1);
}

/* channel_run returned ok, error: the broker hears of it. */
static void run_over(struct fiber *fiber, int status, void *context)
{
    struct channel *channel = context;
    lua_State *L = fiber->L;
    struct kv pairs = KV_INIT;
    bool ok = !status && (lua_gettop(L) < 1 || lua_isnil(L, 1) || lua_toboolean(L, 1));
    const char *error = status ? lua_tostring(L, -1) : ok ? NULL : lua_tostring(L, 2);
    kv_add(&pairs, "uuid", channel_facts(channel)->uuid_text);
    kv_add(&pairs, "lead", channel_variable(channel, "lead"));
    kv_add(&pairs, "disposition", channel_variable(channel, "disposition"));
    kv_add(&pairs, "digits", channel_variable(channel, "carillon_digits"));
    kv_add(&pairs, "result", ok ? "ok" : "script_error");
    if (error) kv_add_bytes(&pairs, "error", error, strcspn(error, "\n"));
    if (host_note(fiber->engine->host, BUS_BROKER, MSG_CALL_SCRIPT_DONE, &pairs) < 0)
        log_err(channel_facts(channel)->uuid_text,
                "the broker cannot be told how the script ended: its row will lack keys and disposition");
    kv_free(&pairs);
    report_if_failed(fiber, status, channel);
}

void engine_channel_run(struct engine *engine, struct channel *channel, const char *script, const char *arguments)
{
    struct fiber *fiber = door_open(engine, "channel_run");
    if (!fiber) return;
    channel_push(fiber->L, channel);
    lua_pushstring(fiber->L, script);
    lua_pushstring(fiber->L, arguments);
    fiber->over = run_over;
    fiber->over_context = channel_ref(channel);
    fiber_start(fiber, 3);
}

static void over_over(struct fiber *fiber, int status, void *context)
{
    channel_forget(fiber->engine, context);
    report_if_failed(fiber, status, context);
}

void engine_channel_over(struct engine *engine, struct channel *channel)
{
    struct fiber *fiber = door_open(engine, "channel_over");
    if (!fiber) {
        channel_forget(engine, channel);
        return;
    }
    channel_push(fiber->L, channel);
    fiber->over = over_over;
    fiber->over_context = channel_ref(channel);
    fiber_start(fiber, 1);
}

struct api_call {
    void (*reply)(void *context, const char *text, size_t length);
    void *context;
};

static void api_over(struct fiber *fiber, int status, void *context)
{
    struct api_call *call = context;
    size_t length = 0;
    const char *text = !status && lua_gettop(fiber->L) ? lua_tolstring(fiber->L, 1, &length) : NULL;
    if (status) {
        script_report(fiber, NULL);
        text = "-ERR the command failed (see the log)\n";
        length = strlen(text);
    }
    call->reply(call->context, text ? text : "", length);
    free(call);
}

/* Pushes { { NAME, value }, … } of what an HTTP request brings; nothing if there is none of it. How many values it pushed. */
static int push_env(lua_State *L, struct kv_view pairs)
{
    struct kv_pair pair;
    size_t at = 0;
    int count = 0;
    while (kv_next(pairs, &at, &pair)) {
        bool body = strcmp(pair.name, "body") == 0;
        if (!body && strncmp(pair.name, "e.", 2) != 0) continue;
        if (count == 0) lua_newtable(L);
        lua_createtable(L, 2, 0);
        lua_pushstring(L, body ? "_body" : pair.name + 2);
        lua_rawseti(L, -2, 1);
        lua_pushlstring(L, pair.value, pair.value_length);
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, -2, ++count);
    }
    return count > 0;
}

void engine_api_env(struct engine *engine, const char *command, const char *arguments, struct kv_view pairs,
                    void (*reply)(void *context, const char *text, size_t length), void *context)
{
    struct fiber *fiber = door_open(engine, "api");
    struct api_call *call = malloc(sizeof *call);
    CHECK(call);
    if (!fiber) {
        free(call);
        reply(context, "-ERR no commands here\n", 22);
        return;
    }
    *call = (struct api_call) { reply, context };
    lua_pushstring(fiber->L, command);
    lua_pushstring(fiber->L, arguments);
    int more = push_env(fiber->L, pairs);
    fiber->over = api_over;
    fiber->over_context = call;
    fiber_start(fiber, 2 + more);
}

void engine_api(struct engine *engine, const char *command, const char *arguments,
                void (*reply)(void *context, const char *text, size_t length), void *context)
{
    engine_api_env(engine, command, arguments, (struct kv_view) { 0 }, reply, context);
}

struct method_call {
    void (*reply)(void *context, int status, const struct kv *pairs);
    void *context;
};

static int results_read(lua_State *L)
{
    pairs_read(L, 1, lua_touserdata(L, 2));
    return 0;
}

static void method_over(struct fiber *fiber, int status, void *context)
{
    struct method_call *call = context;
    struct kv pairs = KV_INIT;
    lua_State *L = fiber->L;
    if (status) {
        script_report(fiber, NULL);
        status = -EIO;
    } else if (lua_gettop(L) && lua_istable(L, 1)) {
        lua_settop(L, 1);
        lua_pushcfunction(L, results_read);
        lua_insert(L, 1);
        lua_pushlightuserdata(L, &pairs);
        if (lua_pcall(L, 2, 0, 0)) status = -EIO;
    }
    call->reply(call->context, status, &pairs);
    kv_free(&pairs);
    free(call);
}

void engine_call_method(struct engine *engine, uint32_t from, struct kv_view pairs,
                        void (*reply)(void *context, int status, const struct kv *pairs), void *context)
{
    struct fiber *fiber = door_open(engine, "call_method");
    struct method_call *call = malloc(sizeof *call);
    CHECK(call);
    *call = (struct method_call) { reply, context };
    if (!fiber) {
        free(call);
        reply(context, -EOPNOTSUPP, NULL);
        return;
    }
    lua_pushinteger(fiber->L, from);
    pairs_push_map(fiber->L, pairs);
    fiber->over = method_over;
    fiber->over_context = call;
    fiber_start(fiber, 2);
}

void engine_process_gone(struct engine *engine, uint32_t process)
{
    struct fiber *fiber = door_open(engine, "process_gone");
    if (!fiber) return;
    lua_pushinteger(fiber->L, process);
    fiber->over = report_if_failed;
    fiber_start(fiber, 1);
}
