/* lane_dial.c: MSG_DIAL: a worker's wish for an outgoing call, checked and started. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "broker/call.h"
#include "broker/dial.h"
#include "broker/headers.h"
#include "broker/identity.h"
#include "broker/lane.h"

static enum dial_early early_of(const char *word, const struct call *call)
{
    if (!word) return call->trunk_count ? call->trunks[0]->early : DIAL_EARLY_ANSWER;
    return !strcmp(word, "answer") ? DIAL_EARLY_ANSWER : !strcmp(word, "listen") ? DIAL_EARLY_LISTEN : DIAL_EARLY_IGNORE;
}

static bool uri_take(struct call *call, const char *uri)
{
    if (strlen(uri) > 200 || strpbrk(uri, "<>\"\\^`{|} \t\r\n")) return false;
    size_t size = strlen(uri) + 5;
    call->uri = malloc(size);
    if (!call->uri) return false;
    snprintf(call->uri, size, "%s%s", strncasecmp(uri, "sip:", 4) ? "sip:" : "", uri);
    char *host = strchr(call->uri, '@');
    return (host ? host[1] : call->uri[4]) != 0;
}

/* fs_path of a registered telephone: where its requests are sent in place of its URI. */
static bool route_take(struct call *call, const char *route)
{
    if (!route || !*route) return true;
    if (strlen(route) > 200 || strncasecmp(route, "sip:", 4) || strpbrk(route, "<>\"\\^`{|} \t\r\n,")) return false;
    snprintf(call->next_hop, sizeof call->next_hop, "%s", route);
    call->nat = true;
    return true;
}

/* Where to: 0, or the cause for a wish that can have no INVITE. */
static int target_take(struct call *call, struct kv_view pairs)
{
    const char *uri = kv_get(pairs, "uri"), *profile = kv_get(pairs, "profile");
    snprintf(call->number, sizeof call->number, "%s", kv_get_or(pairs, "number", ""));
    if (!uri) return dial_trunks(call, kv_get_or(pairs, "trunk", "")) < 0 ? CAUSE_INVALID_GATEWAY : 0;
    struct agent *agent = &call->broker->agent;
    call->listener = profile ? listener_named(agent, profile) : &agent->listeners[0];
    if (!call->listener) return CAUSE_INVALID_PROFILE;
    if (!uri_take(call, uri)) return CAUSE_INVALID_URL;
    if (!route_take(call, kv_get(pairs, "route"))) return CAUSE_INVALID_URL;
    const char *transport = strcasestr(*call->next_hop ? call->next_hop : call->uri, ";transport=");
    call->transport = transport ? transport_of(transport + strlen(";transport=")) : TRANSPORT_UDP;
    if (!call->listener->transports[call->transport]) return CAUSE_INVALID_PROFILE;
    return 0;
}

static char *copy_or_null(const char *text) { return text ? strndup(text, 200) : NULL; }

static void wishes_take(struct call *call, struct kv_view pairs)
{
    int64_t max_s = kv_get_int(pairs, "max_s", 0), timeout = kv_get_int(pairs, "timeout_ms", 0);
    uri_part_clean(kv_get(pairs, "cid_number"), call->caller_number, sizeof call->caller_number);
    uri_part_clean(kv_get(pairs, "from_user"), call->from_user, sizeof call->from_user);
    uri_part_clean(kv_get(pairs, "from_domain"), call->from_domain, sizeof call->from_domain);
    display_clean(kv_get(pairs, "cid_name"), call->caller_name, sizeof call->caller_name);
    display_clean(kv_get(pairs, "to_display"), call->to_display, sizeof call->to_display);
    snprintf(call->campaign_name, sizeof call->campaign_name, "%s", kv_get_or(pairs, "campaign", ""));
    call->lead = kv_get_int(pairs, "lead", 0);
    call->max_asked_s = max_s > 0 && max_s < 86400 ? (uint32_t)max_s : 0;
    call->ring_timeout_ms = timeout > 0 && timeout < 3600000 ? (uint32_t)timeout : 0;
    timeout = kv_get_int(pairs, "progress_timeout_ms", 0);
    call->progress_timeout_ms = timeout > 0 && timeout < 3600000 ? (uint32_t)timeout : 0;
    call->early = early_of(kv_get(pairs, "early"), call);
    const char *privacy = kv_get_or(pairs, "privacy", "");
    call->privacy = *privacy && strcmp(privacy, "no") && strcmp(privacy, "none") && strcmp(privacy, "false") && strcmp(privacy, "screen");
    call->identity = identity_parse(kv_get(pairs, "identity"));
    if (kv_get(pairs, "codecs")) sdp_codecs_parse(&call->codecs, kv_get(pairs, "codecs"));
    sdp_crypto_parse(&call->codecs.crypto, kv_get(pairs, "srtp"));
    call->auth_user = copy_or_null(kv_get(pairs, "auth_user"));
    call->auth_password = copy_or_null(kv_get(pairs, "auth_password"));
    call->headers = headers_from_pairs(pairs);
}

static void refuse_now(struct broker *broker, const struct post_message *message, int cause, const char *reason)
{
    struct kv pairs = KV_INIT;
    kv_add(&pairs, "result", "failed");
    kv_add(&pairs, "cause", cause_name(cause));
    kv_add_int(&pairs, "q850", cause);
    kv_add_int(&pairs, "sip_status", 0);
    kv_add(&pairs, "refused", reason);
    post_reply(broker->post, message->ticket, 0, &pairs);
    kv_free(&pairs);
}

void lane_dial(struct broker *broker, const struct post_message *message)
{
    struct uuid channel;
    const char *uuid = kv_get(message->pairs, "uuid");
    if (message->from < BUS_WORKER_0 || !uuid || uuid_parse(&channel, uuid) < 0 || call_by_channel(broker, uuid)) {
        post_reply(broker->post, message->ticket, -EINVAL, NULL);
        return;
    }
    struct call *call = call_new(broker, &channel, false);
    if (!call) return refuse_now(broker, message, CAUSE_SWITCH_CONGESTION, "memory");
    int cause = target_take(call, message->pairs);
    if (cause) {
        call_drop(call);
        return refuse_now(broker, message, cause,
                          cause == CAUSE_INVALID_GATEWAY   ? "trunk"
                          : cause == CAUSE_INVALID_PROFILE ? "profile"
                                                           : "uri");
    }
    wishes_take(call, message->pairs);
    call->worker = message->from - BUS_WORKER_0;
    call->asked_by_worker = true;
    call->ticket = message->ticket;
    if (dial_start(call, call->worker, false) < 0) dial_refuse(call, "slots", CAUSE_SWITCH_CONGESTION);
}
