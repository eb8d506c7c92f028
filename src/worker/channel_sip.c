/* channel_sip.c: a SIP call's side of a channel: dialling, and what its owner asks of the broker. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/causes.h"
#include "core/clock.h"
#include "core/log.h"
#include "worker/host_private.h"

/* The broker ends a DIAL by itself at its timeout; this only guards against a broker that forgot. */
#define DIAL_GUARD_NS (3600 * NS_PER_S)

static void variable_from(struct channel *channel, const char *variable, struct kv_view pairs, const char *pair)
{
    const char *value = kv_get(pairs, pair);
    if (value) channel_variable_set(channel, variable, value);
}

void channel_sip_slot(struct channel *channel, struct kv_view pairs)
{
    struct host *host = channel->host;
    int64_t slot = kv_get_int(pairs, "slot", -1);
    int64_t generation = kv_get_int(pairs, "generation", -1);
    if (slot < 0 || generation < 0) return;
    uint32_t each = segment_slots_each(host->segment);
    if ((uint64_t)slot / each != host->worker) return;
    channel->has_slot = true;
    channel->slot = (uint32_t)slot;
    channel->generation = (uint32_t)generation;
    channel_leg_set(channel, (uint32_t)slot - host->worker * each, (uint32_t)generation);
}

void channel_sip_media_variables(struct channel *channel, struct kv_view pairs)
{
    static const struct {
        const char *variable, *pair;
    } map[] = {
        { "sip_call_id", "sip_call_id" },   { "local_media_ip", "media_ip" },       { "local_media_port", "media_port" },
        { "remote_media_ip", "remote_ip" }, { "remote_media_port", "remote_port" }, { "read_codec", "codec" },
        { "write_codec", "codec" },         { "sip_gateway_name", "trunk" },
    };
    for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++) variable_from(channel, map[i].variable, pairs, map[i].pair);
    if (kv_get(pairs, "codec")) {
        channel_variable_set(channel, "read_rate", kv_get_or(pairs, "rate", "8000"));
        channel_variable_set(channel, "write_rate", kv_get_or(pairs, "rate", "8000"));
    }
}

/* Pairs named h.X become variables PREFIXX: sip_h_X-Account from an INVITE, sip_rh_… from a response, sip_bye_h_… from a BYE. */
void channel_sip_headers(struct channel *channel, struct kv_view pairs, const char *prefix)
{
    size_t at = 0;
    struct kv_pair pair;
    while (kv_next(pairs, &at, &pair)) {
        if (strncmp(pair.name, "h.", 2) != 0) continue;
        char name[160];
        if (strcasecmp(pair.name + 2, "Reason") == 0)
            channel_variable_set(channel, "sip_reason", pair.value);
        else if ((size_t)snprintf(name, sizeof(name), "%s%s", prefix, pair.name + 2) < sizeof(name))
            channel_variable_set(channel, name, pair.value);
    }
}

static void dial_failed(struct channel *channel, struct kv_view pairs)
{
    int status = (int)kv_get_int(pairs, "sip_status", 0);
    int cause = cause_number(kv_get_or(pairs, "cause", "NORMAL_TEMPORARY_FAILURE"));
    if (status > 0) {
        channel_variable_set(channel, "sip_term_status", kv_get(pairs, "sip_status"));
        char text[32];
        snprintf(text, sizeof(text), "sip:%d", status);
        channel_variable_set(channel, "proto_specific_hangup_cause", text);
        channel_variable_set(channel, "sip_invite_failure_status", kv_get(pairs, "sip_status"));
        channel_variable_set(channel, "sip_invite_failure_phrase", kv_get(pairs, "sip_phrase"));
        snprintf(text, sizeof(text), "%d", cause);
        channel_variable_set(channel, "sip_term_cause", text);
        channel_variable_set(channel, "sip_hangup_disposition", "recv_refuse");
    }
    variable_from(channel, "carillon_refused", pairs, "refused");
    channel_sip_headers(channel, pairs, "sip_rh_");
    channel_mark_over(channel, cause, 0);
}

void channel_sip_answered(struct channel *channel)
{
    struct channel_facts *facts = &channel->facts;
    if (!facts->up || facts->answered) return;
    facts->answered = facts->media_ready = true;
    facts->answered_us = clock_utc_us();
    channel_variable_set(channel, "endpoint_disposition", "ANSWER");
}

void channel_sip_early(struct channel *channel)
{
    struct channel_facts *facts = &channel->facts;
    if (!facts->up || facts->answered || facts->early) return;
    facts->early = facts->media_ready = true;
    facts->progress_media_us = clock_utc_us();
    channel_variable_set(channel, "endpoint_disposition", "EARLY MEDIA");
}

static void dial_answered(void *context, int status, struct kv_view pairs)
{
    struct channel *channel = context;
    struct fiber *dialler = channel->dialler;
    channel->dial_request = 0;
    const char *result = status == 0 ? kv_get_or(pairs, "result", "failed") : "failed";
    channel_sip_media_variables(channel, pairs);
    if (strcmp(result, "failed") == 0) {
        if (status < 0) log_err(channel->facts.uuid_text, "the broker did not take the call: %s", strerror(-status));
        dial_failed(channel, pairs);
        channel->ended = true;
    } else {
        channel_sip_slot(channel, pairs);
        channel_sip_headers(channel, pairs, "sip_rh_");
        if (channel->facts.up) {
            if (strcmp(result, "early") == 0)
                channel_sip_early(channel);
            else
                channel_sip_answered(channel);
        } else { /* hung up while the answer was on its way */
            channel_hangup(channel, channel->facts.cause);
        }
        channel_changed(channel);
    }
    struct happening happening = { .kind = HAPPENING_DIALLED, .channel = channel, .status = status, .pairs = pairs };
    fiber_post(dialler, &happening);
    channel->dialler = NULL;
    fiber_unref(dialler);
    if (channel->ended) channel_settled(channel);
    channel_unref(channel);
}

static struct channel *dial_started(struct channel *channel, struct fiber *fiber, struct kv *all)
{
    struct host *host = channel->host;
    channel->dialler = fiber_ref(fiber);
    int error = post_request(host->post, BUS_BROKER, MSG_DIAL, all, DIAL_GUARD_NS, dial_answered, channel_ref(channel),
                             &channel->dial_request);
    if (error == 0) return channel;
    log_err(channel->facts.uuid_text, "the broker does not take calls just now: %s", strerror(-error));
    channel_mark_over(channel, 41 /* NORMAL_TEMPORARY_FAILURE */, 0);
    fiber_post(fiber, &(struct happening) { .kind = HAPPENING_DIALLED, .channel = channel, .status = error });
    channel->dialler = NULL;
    fiber_unref(fiber);
    channel_settled(channel);
    channel_unref(channel);
    return channel;
}

struct channel *channel_dial(struct host *host, struct fiber *fiber, const char *uuid_or_null, const struct kv *pairs)
{
    struct channel *channel = channel_new(host, uuid_or_null, CHANNEL_SIP, true);
    if (!channel) return NULL;
    struct kv all = KV_INIT;
    size_t at = 0;
    struct kv_pair pair;
    struct kv_view view = kv_view(pairs);
    char text[UUID_TEXT_SIZE];
    kv_add(&all, "uuid", uuid_text(&channel->facts.uuid, text));
    while (kv_next(view, &at, &pair)) kv_add_bytes(&all, pair.name, pair.value, pair.value_length);
    channel_ref(channel); /* the caller's; dial_started's failure path gives back the request's */
    dial_started(channel, fiber, &all);
    kv_free(&all);
    return channel;
}

static void call_pairs(struct kv *pairs, struct channel *channel)
{
    char text[UUID_TEXT_SIZE];
    kv_add(pairs, "uuid", uuid_text(&channel->facts.uuid, text));
    if (channel->has_slot) {
        kv_add_int(pairs, "slot", channel->slot);
        kv_add_int(pairs, "generation", channel->generation);
    }
}

/* Variables PREFIXname go out as header "name". */
static void headers_from_variables(struct kv *pairs, struct channel *channel, const char *prefix)
{
    size_t at = 0, length = strlen(prefix);
    const char *name, *value;
    while (names_next(&channel->variables, &at, &name, &value)) {
        char header[140];
        if (strncasecmp(name, prefix, length) != 0 || !name[length]) continue;
        if ((size_t)snprintf(header, sizeof(header), "h.%s", name + length) < sizeof(header)) kv_add(pairs, header, value);
    }
}

void channel_dial_cancel(struct channel *channel, const char *cause)
{
    if (!channel->dial_request) return;
    struct kv pairs = KV_INIT;
    call_pairs(&pairs, channel);
    kv_add(&pairs, "cause", cause);
    post_note(channel->host->post, BUS_BROKER, MSG_DIAL_CANCEL, &pairs);
    kv_free(&pairs);
}

static int sip_hangup(struct channel *channel, int cause)
{
    if (channel->dial_request) {
        channel_variable_set(channel, "sip_hangup_disposition", "send_cancel");
        channel_dial_cancel(channel, cause_name(cause));
        return 0;
    }
    struct kv pairs = KV_INIT;
    call_pairs(&pairs, channel);
    kv_add(&pairs, "cause", cause_name(cause));
    kv_add_int(&pairs, "q850", cause);
    bool answered = channel->facts.answered;
    headers_from_variables(&pairs, channel, answered ? "sip_bye_h_" : "sip_rh_");
    if (names_get(&channel->variables, "disable_q850_reason")) kv_add(&pairs, "no_reason", "1");
    int error = post_note(channel->host->post, BUS_BROKER, MSG_CALL_HANGUP, &pairs);
    kv_free(&pairs);
    bool refuse = !answered && !channel->facts.outbound;
    channel_variable_set(channel, "sip_hangup_disposition", answered ? "send_bye" : refuse ? "send_refuse" : "send_cancel");
    return error;
}

int channel_hangup(struct channel *channel, int cause)
{
    bool sip = channel->facts.kind == CHANNEL_SIP;
    if (channel->facts.kind == CHANNEL_GUEST) return guest_hangup(channel, cause);
    if (!channel->facts.up && !(sip && channel->has_slot && !channel->ended)) return -ENOTCONN;
    bool was_up = channel->facts.up;
    if (sip)
        sip_hangup(channel, cause);
    else
        channel->ended = true;
    channel_mark_over(channel, cause, 0);
    if (!sip && was_up) {
        channel_loopback_ended(channel);
        channel_settled(channel);
    }
    return 0;
}

static int sip_note(struct channel *channel, enum message_kind kind, const char *header_prefix)
{
    struct kv pairs = KV_INIT;
    call_pairs(&pairs, channel);
    headers_from_variables(&pairs, channel, header_prefix);
    int error = post_note(channel->host->post, BUS_BROKER, kind, &pairs);
    kv_free(&pairs);
    return error;
}

/* The loopback twin of each: what the b-leg does, the dialling a-leg sees. */
static void mark_ringing(struct channel *channel)
{
    if (channel->facts.ringing || channel->facts.answered) return;
    channel->facts.ringing = true;
    channel->facts.progress_us = clock_utc_us();
    channel_changed(channel);
}

int channel_ring(struct channel *channel)
{
    if (!channel->facts.up) return -ENOTCONN;
    if (channel->facts.answered || channel->facts.early || channel->facts.ringing) return 0;
    if (channel->facts.kind == CHANNEL_SIP && !channel->facts.outbound) sip_note(channel, MSG_CALL_RING, "sip_ph_");
    guest_ask(channel, "ring");
    mark_ringing(channel);
    if (channel->peer) mark_ringing(channel->peer);
    return 0;
}

static void mark_early(struct channel *channel)
{
    if (channel->facts.early || channel->facts.answered) return;
    channel->facts.early = channel->facts.media_ready = true;
    channel->facts.progress_media_us = clock_utc_us();
    channel_changed(channel);
}

int channel_early(struct channel *channel)
{
    if (!channel->facts.up) return -ENOTCONN;
    if (channel->facts.early || channel->facts.answered) return 0;
    if (channel->facts.kind == CHANNEL_SIP && !channel->facts.outbound) sip_note(channel, MSG_CALL_EARLY, "sip_ph_");
    guest_ask(channel, "early");
    mark_early(channel);
    if (channel->peer) mark_early(channel->peer);
    return 0;
}

static void mark_answered(struct channel *channel)
{
    if (channel->facts.answered) return;
    channel->facts.answered = channel->facts.media_ready = true;
    channel->facts.answered_us = clock_utc_us();
    channel_variable_set(channel, "endpoint_disposition", "ANSWER");
    channel_changed(channel);
}

int channel_answer(struct channel *channel)
{
    if (!channel->facts.up) return -ENOTCONN;
    if (channel->facts.answered) return 0;
    if (channel->facts.kind == CHANNEL_SIP && !channel->facts.outbound) sip_note(channel, MSG_CALL_ANSWER, "sip_rh_");
    guest_ask(channel, "answer");
    mark_answered(channel);
    if (channel->peer) mark_answered(channel->peer);
    return 0;
}

int channel_respond(struct channel *channel, int status, const char *phrase, const char *contact)
{
    if (channel->facts.kind == CHANNEL_GUEST) return guest_respond(channel, status, phrase, contact);
    if (!channel->facts.up || channel->facts.kind != CHANNEL_SIP || channel->facts.outbound || channel->facts.answered) return -ENOTCONN;
    struct kv pairs = KV_INIT;
    call_pairs(&pairs, channel);
    kv_add_int(&pairs, "status", status);
    kv_add(&pairs, "phrase", phrase);
    kv_add(&pairs, "contact", contact);
    kv_add(&pairs, "cause", cause_name(cause_from_sip(status)));
    headers_from_variables(&pairs, channel, "sip_rh_");
    int error = post_note(channel->host->post, BUS_BROKER, MSG_CALL_HANGUP, &pairs);
    kv_free(&pairs);
    channel_variable_set(channel, "sip_hangup_disposition", "send_refuse");
    channel_mark_over(channel, cause_from_sip(status), 0);
    return error;
}
