/* host_post.c: what the broker and control say to this worker. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/causes.h"
#include "core/clock.h"
#include "core/log.h"
#include "worker/host_private.h"

void channel_sip_answered(struct channel *channel);
void channel_sip_early(struct channel *channel);

/* The bus carries 16-byte uuids; a channel may have been given another name by origination_uuid. */
static struct channel *message_channel(struct host *host, struct kv_view pairs)
{
    const char *text = kv_get(pairs, "uuid");
    struct channel *channel = channel_by_uuid(host, text);
    struct uuid id;
    if (channel || !text || uuid_parse(&id, text) < 0) return channel;
    return channel_by_id(host, &id);
}

static void dial_progress(struct host *host, struct kv_view pairs)
{
    struct channel *channel = message_channel(host, pairs);
    if (!channel || !channel->facts.up) return;
    const char *what = kv_get_or(pairs, "what", "");
    channel_sip_media_variables(channel, pairs);
    if (strcmp(what, "early") == 0) {
        channel_sip_slot(channel, pairs);
        channel_sip_early(channel);
    } else if (strcmp(what, "ringing") == 0 && !channel->facts.ringing) {
        channel->facts.ringing = true;
        channel->facts.progress_us = clock_utc_us();
    }
    channel_changed(channel);
}

static void call_answered(struct host *host, struct kv_view pairs)
{
    struct channel *channel = message_channel(host, pairs);
    if (!channel) return;
    channel_sip_media_variables(channel, pairs);
    channel_sip_headers(channel, pairs, "sip_rh_");
    channel_sip_answered(channel);
    channel_changed(channel);
}

static void profile_from(struct channel *channel, const char *field, struct kv_view pairs, const char *pair)
{
    const char *value = kv_get(pairs, pair);
    if (value) names_set(&channel->profile, field, value);
}

static void variables_from(struct channel *channel, struct kv_view pairs)
{
    size_t at = 0;
    struct kv_pair pair;
    while (kv_next(pairs, &at, &pair))
        if (strncmp(pair.name, "v.", 2) == 0) channel_variable_set(channel, pair.name + 2, pair.value);
}

static void call_run(struct host *host, struct kv_view pairs)
{
    if (message_channel(host, pairs)) return; /* a broker that came back says it again */
    struct channel *channel = channel_new(host, kv_get(pairs, "uuid"), CHANNEL_SIP, true);
    if (!channel) return;
    channel_sip_slot(channel, pairs);
    channel_sip_media_variables(channel, pairs);
    profile_from(channel, "destination_number", pairs, "number");
    profile_from(channel, "caller_id_number", pairs, "cid_number");
    profile_from(channel, "caller_id_name", pairs, "cid_name");
    channel_variable_set(channel, "origination_caller_id_number", kv_get(pairs, "cid_number"));
    channel_variable_set(channel, "campaign", kv_get(pairs, "campaign"));
    channel_variable_set(channel, "lead", kv_get(pairs, "lead"));
    variables_from(channel, pairs);
    channel_sip_answered(channel);
    channel->facts.state = CS_SOFT_EXECUTE;
    engine_channel_run(host->engine, channel, kv_get_or(pairs, "script", ""), kv_get_or(pairs, "args", ""));
}

static void offered_variables(struct channel *channel, struct kv_view pairs)
{
    static const struct {
        const char *variable, *pair;
    } map[] = {
        { "sip_from_user", "from_user" },
        { "sip_from_display", "from_display" },
        { "sip_from_uri", "from" },
        { "sip_to_user", "to_user" },
        { "sip_req_user", "request_user" },
        { "sip_network_ip", "network_ip" },
        { "sip_network_port", "network_port" },
        { "sip_received_ip", "network_ip" },
        { "sip_received_port", "network_port" },
        { "carillon_script", "script" },
        { "sofia_profile_name", "profile" },
        { "sip_to_host", "to_host" },
        { "sip_from_host", "from_host" },
        { "sip_user_agent", "user_agent" },
        { "sip_req_uri", "request_uri" },
        { "sip_to_uri", "to" },
        { "sip_via_protocol", "transport" },
        { "sip_from_tag", "from_tag" },
    };
    for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++) channel_variable_set(channel, map[i].variable, kv_get(pairs, map[i].pair));
    channel_variable_set(channel, "direction", "inbound");
    channel_variable_set(channel, "endpoint_disposition", kv_get(pairs, "codec") ? "RECEIVED" : "RECEIVED_NOSDP");
}

static void call_offered(struct host *host, struct kv_view pairs)
{
    if (message_channel(host, pairs)) return;
    struct channel *channel = channel_new(host, kv_get(pairs, "uuid"), CHANNEL_SIP, false);
    if (!channel) return;
    channel_sip_slot(channel, pairs);
    channel_sip_media_variables(channel, pairs);
    offered_variables(channel, pairs);
    channel_sip_headers(channel, pairs, "sip_h_");
    const char *user = kv_get_or(pairs, "from_user", "0000000000"), *display = kv_get(pairs, "from_display");
    names_set(&channel->profile, "caller_id_number", user);
    names_set(&channel->profile, "caller_id_name", display && display[0] ? display : user);
    names_set(&channel->profile, "ani", user);
    names_set(&channel->profile, "username", user);
    names_set(&channel->profile, "source", "mod_sofia");
    names_set(&channel->profile, "dialplan", "XML");
    names_set(&channel->profile, "context", kv_get_or(pairs, "context", "default"));
    profile_from(channel, "destination_number", pairs, "request_user");
    profile_from(channel, "network_addr", pairs, "network_ip");
    variables_from(channel, pairs);
    engine_channel_start(host->engine, channel);
}

static void call_ended(struct host *host, struct kv_view pairs)
{
    struct channel *channel = message_channel(host, pairs);
    if (!channel || (channel->has_slot && channel->generation != (uint32_t)kv_get_int(pairs, "generation", channel->generation))) return;
    channel_end(channel, pairs);
}

static char info_digit(const char *type, const char *body, uint32_t *duration_samples)
{
    const char *at = body;
    *duration_samples = 2000;
    if (strncasecmp(type, "application/dtmf-relay", 22) == 0) {
        const char *signal = strcasestr(body, "signal=");
        const char *duration = strcasestr(body, "duration=");
        if (!signal) return 0;
        at = signal + 7;
        if (duration) *duration_samples = (uint32_t)strtoul(duration + 9, NULL, 10) * 8;
    } else if (strncasecmp(type, "application/dtmf", 16) != 0) {
        return 0;
    }
    while (*at == ' ') at++;
    if (at[0] == '1' && at[1] == '0') /* RFC 2833 event numbers as some peers write them */
        return '*';
    if (at[0] == '1' && at[1] == '1') return '#';
    return at[0] && strchr("0123456789*#ABCDabcd", at[0]) ? at[0] : 0;
}

static void call_info(struct host *host, struct kv_view pairs)
{
    struct channel *channel = message_channel(host, pairs);
    if (!channel) return;
    uint32_t duration;
    char digit = info_digit(kv_get_or(pairs, "content_type", ""), kv_get_or(pairs, "body", ""), &duration);
    if (digit) channel_digit_heard(channel, digit, duration, DIGIT_INFO);
}

static void media_changed(struct host *host, struct kv_view pairs)
{
    struct channel *channel = message_channel(host, pairs);
    if (!channel) return;
    channel_sip_media_variables(channel, pairs);
    channel_variable_set(channel, "carillon_on_hold", kv_get_int(pairs, "hold", 0) ? "true" : NULL);
    channel_changed(channel);
}

struct api_reply {
    struct host *host;
    uint64_t ticket;
};

static void api_replied(void *context, const char *text, size_t length)
{
    struct api_reply *reply = context;
    struct kv pairs = KV_INIT;
    kv_add_bytes(&pairs, "text", text ? text : "", length);
    post_reply(reply->host->post, reply->ticket, 0, &pairs);
    kv_free(&pairs);
    free(reply);
}

static void api_request(struct host *host, const struct post_message *message)
{
    struct api_reply *reply = malloc(sizeof(*reply));
    if (!reply) {
        post_reply(host->post, message->ticket, -ENOMEM, NULL);
        return;
    }
    *reply = (struct api_reply) { .host = host, .ticket = message->ticket };
    engine_api_env(host->engine, kv_get_or(message->pairs, "command", ""), kv_get_or(message->pairs, "args", ""), message->pairs,
                   api_replied, reply);
}

static void method_replied(void *context, int status, const struct kv *pairs)
{
    struct api_reply *reply = context;
    post_reply(reply->host->post, reply->ticket, status, pairs);
    free(reply);
}

/* A script of another worker uses a call of ours. Only "release" comes as a note. */
static void method_noted(void *context, int status, const struct kv *pairs) { (void)context, (void)status, (void)pairs; }

static void call_method(struct host *host, const struct post_message *message)
{
    if (strcmp(kv_get_or(message->pairs, "method", ""), ":lend") == 0) guest_new(host, message->from, message->pairs);
    if (!message->is_request) {
        engine_call_method(host->engine, message->from, message->pairs, method_noted, NULL);
        return;
    }
    struct api_reply *reply = malloc(sizeof(*reply));
    if (!reply) {
        post_reply(host->post, message->ticket, -ENOMEM, NULL);
        return;
    }
    *reply = (struct api_reply) { .host = host, .ticket = message->ticket };
    engine_call_method(host->engine, message->from, message->pairs, method_replied, reply);
}

static void global_set(struct host *host, struct kv_view pairs)
{
    const char *name = kv_get(pairs, "name");
    if (name) names_set(&host->globals, name, kv_get(pairs, "value"));
}

void host_message(void *context, const struct post_message *message)
{
    struct host *host = context;
    switch (message->kind) {
    case MSG_DIAL_PROGRESS:
        dial_progress(host, message->pairs);
        break;
    case MSG_CALL_ANSWERED:
        call_answered(host, message->pairs);
        break;
    case MSG_CALL_RUN:
        call_run(host, message->pairs);
        break;
    case MSG_CALL_OFFERED:
        call_offered(host, message->pairs);
        break;
    case MSG_CALL_ENDED:
        call_ended(host, message->pairs);
        break;
    case MSG_CALL_INFO_IN:
        call_info(host, message->pairs);
        break;
    case MSG_CALL_MEDIA_CHANGED:
        media_changed(host, message->pairs);
        break;
    case MSG_GLOBAL_SET:
        global_set(host, message->pairs);
        break;
    case MSG_API:
        api_request(host, message);
        break;
    case MSG_CALL_METHOD:
        call_method(host, message);
        break;
    case MSG_CALL_GUEST:
        guest_message(host, message->from, message->pairs);
        break;
    default:
        log_debug(NULL, "message %d from process %u is not for a worker", message->kind, message->from);
        if (message->is_request) post_reply(host->post, message->ticket, -EOPNOTSUPP, NULL);
        break;
    }
}
