/* mailbox.c: happenings, copied for a fiber and turned into Lua values when it takes them. */
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "lua/private.h"

struct mail {
    struct mail *next;
    struct happening what;
    int value; /* registry reference of a Lua value, LUA_NOREF if none */
    char pairs[];
};

static bool mail_fits(const struct fiber *fiber, const struct mail *mail) { return !fiber->filter || mail->what.token == fiber->filter; }

static void mail_free(struct engine *engine, struct mail *mail)
{
    luaL_unref(engine->L, LUA_REGISTRYINDEX, mail->value);
    channel_unref(mail->what.channel);
    free(mail);
}

static struct mail *mail_new(const struct happening *happening)
{
    struct mail *mail = malloc(sizeof *mail + happening->pairs.length);
    CHECK(mail);
    mail->next = NULL;
    mail->what = *happening;
    mail->value = LUA_NOREF;
    if (happening->channel) channel_ref(happening->channel);
    if (happening->pairs.length) memcpy(mail->pairs, happening->pairs.data, happening->pairs.length);
    mail->what.pairs.data = mail->pairs;
    return mail;
}

static void mail_queue(struct fiber *fiber, struct mail *mail)
{
    *fiber->last = mail;
    fiber->last = &mail->next;
    if (fiber->waiting && mail_fits(fiber, mail)) fiber_ready(fiber);
}

void fiber_post(struct fiber *fiber, const struct happening *happening)
{
    if (!fiber || !fiber->L || happening->kind == HAPPENING_NONE) return;
    mail_queue(fiber, mail_new(happening));
}

void mailbox_post_value(struct fiber *fiber, enum happening_kind kind, uint64_t token)
{
    lua_State *L = fiber->engine->L;
    if (!fiber->L) {
        lua_pop(L, 1);
        return;
    }
    struct mail *mail = mail_new(&(struct happening) { .kind = kind, .token = token });
    mail->value = luaL_ref(L, LUA_REGISTRYINDEX);
    mail_queue(fiber, mail);
}

void mailbox_clear(struct fiber *fiber)
{
    while (fiber->first) {
        struct mail *mail = fiber->first;
        fiber->first = mail->next;
        mail_free(fiber->engine, mail);
    }
    fiber->last = &fiber->first;
}

bool mailbox_has(const struct fiber *fiber)
{
    for (const struct mail *mail = fiber->first; mail; mail = mail->next)
        if (mail_fits(fiber, mail)) return true;
    return false;
}

static void push_done(lua_State *L, const struct happening *h)
{
    static const char *const reasons[] = { "finished",    "stopped",    "replaced", "gone",    "not_found",
                                           "cannot_open", "bad_source", "limit",    "silence", "disk" };
    lua_createtable(L, 0, 6);
    lua_pushstring(L, h->reason >= 0 && h->reason <= MEDIA_DISK ? reasons[h->reason] : "finished");
    lua_setfield(L, -2, "reason");
    const struct {
        const char *name;
        double value;
    } fields[] = {
        { "samples", h->samples },   { "rate", h->rate },   { "ms", h->ms },
        { "position", h->position }, { "bytes", h->bytes }, { "lost", h->lost },
    };
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
        lua_pushnumber(L, fields[i].value);
        lua_setfield(L, -2, fields[i].name);
    }
}

static void push_reply(lua_State *L, const struct happening *h)
{
    lua_createtable(L, 0, 2);
    lua_pushinteger(L, h->status);
    lua_setfield(L, -2, "status");
    pairs_push_map(L, h->pairs);
    lua_setfield(L, -2, "pairs");
}

static void push_x(lua_State *L, const struct mail *mail)
{
    const struct happening *h = &mail->what;
    if (mail->value != LUA_NOREF) {
        lua_rawgeti(L, LUA_REGISTRYINDEX, mail->value);
        return;
    }
    switch (h->kind) {
    case HAPPENING_DONE:
        push_done(L, h);
        break;
    case HAPPENING_DIALLED:
        pairs_push_map(L, h->pairs);
        break;
    case HAPPENING_EVENT:
        pairs_push_list(L, h->pairs);
        break;
    case HAPPENING_BREAK:
        lua_pushboolean(L, h->value != 0);
        break;
    case HAPPENING_REPLY:
        push_reply(L, h);
        break;
    case HAPPENING_JOB:
    case HAPPENING_WAKE:
        lua_pushnumber(L, (double)h->value);
        break;
    default:
        lua_pushnil(L);
    }
}

int mailbox_take(lua_State *L, struct fiber *fiber)
{
    static const char *const names[] = { "none", "done", "digit", "state", "dialled", "event", "break", "reply", "job", "wake" };
    struct mail **at = &fiber->first, *mail;
    while (*at && !mail_fits(fiber, *at)) at = &(*at)->next;
    mail = *at;
    if (!mail) return 0;
    luaL_checkstack(L, 8, "mailbox");
    *at = mail->next;
    if (fiber->last == &mail->next) fiber->last = at;
    lua_pushstring(L, names[mail->what.kind <= HAPPENING_WAKE ? mail->what.kind : 0]);
    channel_push(L, mail->what.channel);
    if (mail->what.token)
        lua_pushnumber(L, (double)mail->what.token);
    else
        lua_pushnil(L);
    push_x(L, mail);
    mail_free(fiber->engine, mail);
    return 4;
}
