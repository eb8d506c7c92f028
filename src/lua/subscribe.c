/* subscribe.c: events of the whole engine for Lua functions. They are called outside any fiber, as the engine's code. */
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "core/log.h"
#include "core/uuid.h"
#include "lua/private.h"

struct subscription_of_engine {
    struct engine *engine;
    struct subscription_of_engine *next;
    uint32_t id;
    int function; /* registry reference */
};

static void push_head(lua_State *L, const struct event_head *head)
{
    struct uuid uuid;
    char text[UUID_TEXT_SIZE];
    memcpy(uuid.bytes, head->call, sizeof uuid.bytes);
    lua_createtable(L, 0, 6);
    lua_pushinteger(L, head->type);
    lua_setfield(L, -2, "type");
    lua_pushinteger(L, head->producer);
    lua_setfield(L, -2, "producer");
    lua_pushnumber(L, (double)head->sequence);
    lua_setfield(L, -2, "sequence");
    lua_pushnumber(L, (double)head->utc_us);
    lua_setfield(L, -2, "utc_us");
    if (!uuid_is_nil(&uuid)) {
        lua_pushstring(L, uuid_text(&uuid, text));
        lua_setfield(L, -2, "uuid");
    }
}

/* Pushes the pairs as a list: the same table for each of an event's subscribers, who only read it. */
static void push_pairs(struct engine *engine, const struct event_head *head, struct kv_view pairs)
{
    struct event_told *told = &engine->told;
    lua_State *L = engine->L;
    if (told->list && told->sequence == head->sequence && told->producer == head->producer && told->epoch == head->epoch) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, told->list);
        return;
    }
    pairs_push_list(L, pairs);
    if (told->list) luaL_unref(L, LUA_REGISTRYINDEX, told->list);
    lua_pushvalue(L, -1);
    *told = (struct event_told) {
        .producer = head->producer, .epoch = head->epoch, .sequence = head->sequence, .list = luaL_ref(L, LUA_REGISTRYINDEX)
    };
}

/* The host may deliver in the middle of a fiber's turn: its place is kept. */
static void deliver(void *context, const struct event_head *head, struct kv_view pairs)
{
    struct subscription_of_engine *s = context;
    struct engine *engine = s->engine;
    struct fiber *running = engine->running;
    struct meter *charged = engine->charged;
    struct script *strings = engine->strings;
    lua_State *L = engine->L;
    int top = lua_gettop(L);
    engine->running = NULL;
    engine->charged = &engine->meter;
    basetypes_switch(engine, NULL);
    luaL_checkstack(L, 10, "event");
    lua_rawgeti(L, LUA_REGISTRYINDEX, s->function);
    push_pairs(engine, head, pairs);
    push_head(L, head);
    if (lua_pcall(L, 2, 0, 0)) log_err(NULL, "an event's function: %s", lua_tostring(L, -1));
    lua_settop(L, top);
    engine->running = running;
    engine->charged = charged;
    if (running) basetypes_switch(engine, strings);
}

static void types_read(lua_State *L, int index, uint64_t types[2])
{
    if (!lua_istable(L, index)) {
        types[0] = types[1] = UINT64_MAX;
        return;
    }
    types[0] = types[1] = 0;
    for (int i = 1;; i++) {
        lua_rawgeti(L, index, i);
        if (lua_isnil(L, -1)) break;
        unsigned type = (unsigned)lua_tointeger(L, -1);
        if (type < 128) types[type / 64] |= 1ULL << (type % 64);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
}

static int lua_subscribe(lua_State *L)
{
    struct engine *engine = engine_of(L);
    uint64_t types[2];
    struct subscription_of_engine *s;
    luaL_checktype(L, 2, LUA_TFUNCTION);
    types_read(L, 1, types);
    s = calloc(1, sizeof *s);
    CHECK(s);
    s->engine = engine;
    lua_pushvalue(L, 2);
    s->function = luaL_ref(L, LUA_REGISTRYINDEX);
    s->id = host_event_subscribe(engine->host, types, deliver, s);
    s->next = engine->subscriptions;
    engine->subscriptions = s;
    lua_pushnumber(L, s->id);
    return 1;
}

static int lua_subscribe_types(lua_State *L)
{
    uint64_t types[2];
    types_read(L, 2, types);
    host_event_mask(engine_of(L)->host, (uint32_t)luaL_checknumber(L, 1), types);
    return 0;
}

static void subscription_free(struct engine *engine, struct subscription_of_engine **at)
{
    struct subscription_of_engine *s = *at;
    *at = s->next;
    host_event_unsubscribe(engine->host, s->id);
    luaL_unref(engine->L, LUA_REGISTRYINDEX, s->function);
    free(s);
}

static int lua_unsubscribe(lua_State *L)
{
    struct engine *engine = engine_of(L);
    uint32_t id = (uint32_t)luaL_checknumber(L, 1);
    for (struct subscription_of_engine **at = &engine->subscriptions; *at; at = &(*at)->next)
        if ((*at)->id == id) {
            subscription_free(engine, at);
            break;
        }
    return 0;
}

void subscribe_free_all(struct engine *engine)
{
    while (engine->subscriptions) subscription_free(engine, &engine->subscriptions);
}

void subscribe_open(lua_State *L)
{
    static const luaL_Reg functions[] = {
        { "subscribe", lua_subscribe },
        { "subscribe_types", lua_subscribe_types },
        { "unsubscribe", lua_unsubscribe },
        { NULL, NULL },
    };
    luaL_setfuncs(L, functions, 0);
}
