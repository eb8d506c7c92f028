/* channel.c: a call's object: identity, references, facts, and who is told when they change. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/check.h"
#include "core/clock.h"
#include "core/log.h"
#include "worker/host_private.h"

/* After our own hangup the broker answers with CALL_ENDED within milliseconds; a broker that died meanwhile may never. */
#define END_GUARD_NS (3 * NS_PER_S)

static uint32_t uuid_bucket(const char *uuid)
{
    uint32_t h = 2166136261u;
    for (; *uuid; uuid++) h = (h ^ (uint32_t)tolower((unsigned char)*uuid)) * 16777619u;
    return h & (BUCKETS - 1);
}

struct channel *channel_by_uuid(struct host *host, const char *uuid)
{
    if (!uuid) return NULL;
    for (struct channel *c = host->buckets[uuid_bucket(uuid)]; c; c = c->bucket_next)
        if (strcasecmp(c->facts.uuid_text, uuid) == 0) return c;
    return NULL;
}

/* The end of a uuid is random. */
static struct channel **id_bucket(struct host *host, const struct uuid *id)
{
    uint32_t h;
    memcpy(&h, id->bytes + 12, sizeof(h));
    return &host->id_buckets[h & (BUCKETS - 1)];
}

struct channel *channel_by_id(struct host *host, const struct uuid *id)
{
    for (struct channel *c = *id_bucket(host, id); c; c = c->id_next)
        if (uuid_equal(&c->facts.uuid, id)) return c;
    return NULL;
}

static void channel_link(struct channel *channel)
{
    struct host *host = channel->host;
    struct channel **bucket = &host->buckets[uuid_bucket(channel->facts.uuid_text)];
    struct channel **by_id = id_bucket(host, &channel->facts.uuid);
    channel->id_next = *by_id;
    *by_id = channel;
    channel->bucket_next = *bucket;
    *bucket = channel;
    channel->previous = host->last;
    *(host->last ? &host->last->next : &host->first) = channel;
    host->last = channel;
    host->channels++;
}

static void channel_unlink(struct channel *channel)
{
    struct host *host = channel->host;
    struct channel **at = &host->buckets[uuid_bucket(channel->facts.uuid_text)];
    while (*at != channel) at = &(*at)->bucket_next;
    *at = channel->bucket_next;
    at = id_bucket(host, &channel->facts.uuid);
    while (*at != channel) at = &(*at)->id_next;
    *at = channel->id_next;
    *(channel->previous ? &channel->previous->next : &host->first) = channel->next;
    *(channel->next ? &channel->next->previous : &host->last) = channel->previous;
    host->channels--;
}

static void end_guard_fired(struct loop_timer *timer)
{
    struct channel *channel = timer->context;
    log_warning(channel->facts.uuid_text, "the broker did not confirm the end of the call within 3 s");
    channel_settled(channel);
}

static struct channel *channel_make(struct host *host, const char *uuid_or_null, enum channel_kind kind, bool outbound, bool hidden)
{
    struct channel *channel = calloc(1, sizeof(*channel));
    if (!channel) return NULL;
    channel->host = host;
    channel->references = 1; /* the host's own, given back when it is settled */
    channel->leg.number = LEG_NONE;
    channel->digit_form = DIGIT_NONE;
    channel->end_guard = (struct loop_timer) { .fire = end_guard_fired, .context = channel };
    struct channel_facts *facts = &channel->facts;
    bool usable = uuid_or_null && uuid_or_null[0] && strlen(uuid_or_null) < UUID_TEXT_SIZE &&
                  (hidden || !channel_by_uuid(host, uuid_or_null));
    if (usable && uuid_parse(&facts->uuid, uuid_or_null) == 0) {
        memcpy(facts->uuid_text, uuid_or_null, strlen(uuid_or_null) + 1);
    } else if (usable) { /* FreeSWITCH takes any word as origination_uuid; the bus still needs 16 bytes */
        facts->uuid = uuid_make_v4();
        memcpy(facts->uuid_text, uuid_or_null, strlen(uuid_or_null) + 1);
    } else {
        facts->uuid = uuid_make_v4();
        uuid_text(&facts->uuid, facts->uuid_text);
    }
    facts->kind = kind;
    facts->state = CS_INIT;
    facts->outbound = outbound;
    facts->up = true;
    facts->created_us = clock_utc_us();
    names_set(&channel->profile, "uuid", facts->uuid_text);
    names_set(&channel->profile, "direction", outbound ? "outbound" : "inbound");
    channel->hidden = hidden;
    if (!hidden) channel_link(channel);
    return channel;
}

struct channel *channel_new(struct host *host, const char *uuid_or_null, enum channel_kind kind, bool outbound)
{
    return channel_make(host, uuid_or_null, kind, outbound, false);
}

struct channel *channel_new_hidden(struct host *host, const char *uuid_or_null, enum channel_kind kind, bool outbound)
{
    return channel_make(host, uuid_or_null, kind, outbound, true);
}

void channel_hidden_release(struct channel *channel)
{
    if (!channel->hidden || channel->over_told) return;
    channel->over_told = true;
    guest_forget(channel);
    channel->facts.up = channel->facts.media_ready = false;
    if (!channel->facts.cause) channel->facts.cause = 16; /* NORMAL_CLEARING */
    channel_leg_clear(channel);
    channel_unref(channel);
}

struct channel *channel_ref(struct channel *channel)
{
    channel->references++;
    return channel;
}

static void channel_free(struct channel *channel)
{
    struct host *host = channel->host;
    if (!channel->hidden) channel_unlink(channel);
    channel_loan_free(channel);
    channel_leg_clear(channel);
    loop_timer_clear(host->loop, &channel->end_guard);
    channel_end_forget(channel);
    if (channel->peer) channel->peer->peer = NULL;
    while (channel->watchers) {
        struct watcher *watcher = channel->watchers;
        channel->watchers = watcher->next;
        fiber_unref(watcher->fiber);
        free(watcher);
    }
    while (channel->operations) {
        struct operation *operation = channel->operations;
        channel->operations = operation->next;
        fiber_unref(operation->fiber);
        free(operation);
    }
    fiber_unref(channel->owner);
    fiber_unref(channel->dialler);
    names_free(&channel->variables);
    names_free(&channel->profile);
    free(channel->digits);
    free(channel);
}

void channel_unref(struct channel *channel)
{
    if (!channel) return;
    CHECK(channel->references > 0);
    if (--channel->references == 0) channel_free(channel);
}

struct channel *channel_find(struct host *host, const char *uuid)
{
    struct channel *channel = channel_by_uuid(host, uuid);
    return channel ? channel_ref(channel) : NULL;
}

struct channel *channel_next(struct host *host, struct channel *after) { return after ? after->next : host->first; }

const struct channel_facts *channel_facts(const struct channel *channel) { return &channel->facts; }

void channel_tell(struct channel *channel, const struct happening *happening) { fiber_post(channel->owner, happening); }

void channel_changed(struct channel *channel)
{
    channel->facts.sequence++;
    guest_tell_facts(channel);
    struct happening happening = { .kind = HAPPENING_STATE, .channel = channel };
    fiber_post(channel->owner, &happening);
    if (channel->dialler != channel->owner) fiber_post(channel->dialler, &happening);
    for (struct watcher *w = channel->watchers; w; w = w->next)
        if (w->fiber != channel->owner && w->fiber != channel->dialler) fiber_post(w->fiber, &happening);
}

void channel_mark_over(struct channel *channel, int cause, int64_t end_us)
{
    struct channel_facts *facts = &channel->facts;
    if (!facts->up) return;
    channel_media_variables(channel); /* as of the last second, for hangup hooks; the end's own figures follow */
    facts->up = false;
    facts->cause = cause;
    facts->media_ready = false;
    facts->bridged = false;
    facts->state = CS_HANGUP;
    facts->hangup_us = end_us ? end_us : clock_utc_us();
    channel_changed(channel);
    if (!channel->ended) loop_timer_set(channel->host->loop, &channel->end_guard, loop_now_ns(channel->host->loop) + END_GUARD_NS);
}

/* The engine is told from the loop, never from within a call of its own. */
static void over_posted(void *context)
{
    struct channel *channel = context;
    engine_channel_over(channel->host->engine, channel);
    channel_unref(channel);
}

void channel_settled(struct channel *channel)
{
    channel->ended = true;
    loop_timer_clear(channel->host->loop, &channel->end_guard);
    if (channel->over_told || channel->facts.up) return;
    channel->over_told = true;
    channel_media_variables(channel);
    channel_leg_clear(channel);
    loop_post(channel->host->loop, over_posted, channel); /* takes the host's reference along */
}

void channel_owner_set(struct channel *channel, struct fiber *fiber)
{
    struct fiber *before = channel->owner;
    channel->owner = fiber_ref(fiber);
    fiber_unref(before);
}

struct fiber *channel_owner(const struct channel *channel) { return channel->owner; }

void channel_watch(struct channel *channel, struct fiber *fiber, bool on)
{
    for (struct watcher **at = &channel->watchers; *at; at = &(*at)->next) {
        if ((*at)->fiber != fiber) continue;
        if (!on) {
            struct watcher *watcher = *at;
            *at = watcher->next;
            fiber_unref(fiber);
            free(watcher);
        }
        return;
    }
    if (!on) return;
    struct watcher *watcher = calloc(1, sizeof(*watcher));
    if (!watcher) return;
    *watcher = (struct watcher) { .fiber = fiber_ref(fiber), .next = channel->watchers };
    channel->watchers = watcher;
}

int channel_state_set(struct channel *channel, enum channel_state state)
{
    if (!channel->facts.up && state < CS_HANGUP) return -ENOTCONN;
    if (channel->facts.state == state) return 0;
    channel->facts.state = state;
    channel_changed(channel);
    return 0;
}

int channel_transferring_set(struct channel *channel, bool on)
{
    if (channel->facts.transferring == on) return 0;
    channel->facts.transferring = on;
    channel_changed(channel);
    return 0;
}

void channel_break(struct channel *channel, bool all)
{
    if (guest_tell_break(channel, all)) return;
    channel_tell(channel, &(struct happening) { .kind = HAPPENING_BREAK, .channel = channel, .value = all });
}

void channel_event_queue(struct channel *channel, const struct kv *event)
{
    if (guest_tell_event(channel, event)) return;
    channel_tell(channel, &(struct happening) { .kind = HAPPENING_EVENT, .channel = channel, .pairs = kv_view(event) });
}
