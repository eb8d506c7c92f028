/* lane_tell.c: broker → worker. */
#include <stdio.h>
#include <string.h>

#include "broker/call.h"
#include "broker/headers.h"
#include "broker/lane.h"
#include "broker/media.h"
#include "core/log.h"

static void note(struct call *call, enum message_kind kind, struct kv *pairs)
{
    if (post_note(call->broker->post, BUS_WORKER_0 + call->worker, kind, pairs) < 0) {
        COUNT(call->broker, lane_full, 1);
        log_warning(call->channel_text, "worker %u takes no notes (kind %d)", call->worker, (int)kind);
    }
    kv_free(pairs);
}

static void add_call(struct kv *pairs, const struct call *call)
{
    kv_add(pairs, "uuid", call->channel_text);
    if (call->slot == SLOT_NONE) return;
    kv_add_int(pairs, "slot", call->slot);
    kv_add_int(pairs, "generation", call->generation);
}

static void add_media(struct kv *pairs, struct call *call)
{
    char ip[64];
    uint16_t port;
    const char *address;
    if (call->slot == SLOT_NONE) return;
    media_local(call, &address, &port);
    kv_add(pairs, "media_ip", address);
    kv_add_int(pairs, "media_port", port);
    if (!call->media_agreed) return;
    sdp_remote_text(&call->media, ip, sizeof ip, &port);
    kv_add(pairs, "remote_ip", ip);
    kv_add_int(pairs, "remote_port", port);
    kv_add(pairs, "codec", call->media.codec);
    kv_add_int(pairs, "ptime", call->media.ptime_ms);
}

static void add_sip(struct kv *pairs, const struct call *call)
{
    kv_add_int(pairs, "sip_status", call->sip_status);
    kv_add(pairs, "sip_call_id", call->call_id);
    if (*call->sip_phrase) kv_add(pairs, "sip_phrase", call->sip_phrase);
    if (call->trunk) kv_add(pairs, "trunk", call->trunk->name);
}

static void add_end(struct kv *pairs, const struct call *call)
{
    kv_add(pairs, "cause", cause_name(call->cause));
    kv_add_int(pairs, "q850", call->cause);
    kv_add(pairs, "by", call->by_them ? "them" : "us");
    kv_add_int(pairs, "invite_us", call->at.invite);
    kv_add_int(pairs, "ring_us", call->at.ring);
    kv_add_int(pairs, "answer_us", call->at.answer);
    kv_add_int(pairs, "end_us", call->at.end);
    if (call->refused) kv_add(pairs, "refused", call->refused);
}

static void reply(struct call *call, const char *result, struct kv *pairs)
{
    kv_add(pairs, "result", result);
    post_reply(call->broker->post, call->ticket, 0, pairs);
    kv_free(pairs);
    call->replied = true;
}

void lane_tell_progress(struct call *call, const char *what, int status)
{
    if (!call->asked_by_worker || call->replied) return;
    struct kv pairs = KV_INIT;
    add_call(&pairs, call);
    kv_add(&pairs, "what", what);
    kv_add_int(&pairs, "sip_status", status);
    add_media(&pairs, call);
    note(call, MSG_DIAL_PROGRESS, &pairs);
}

void lane_tell_early(struct call *call, int status, const sip_t *sip)
{
    if (call->early != DIAL_EARLY_ANSWER) {
        lane_tell_progress(call, "early", status);
        return;
    }
    if (!call->asked_by_worker || call->replied) return;
    struct kv pairs = KV_INIT;
    call->sip_status = status;
    add_call(&pairs, call);
    add_sip(&pairs, call);
    add_media(&pairs, call);
    headers_to_pairs(&pairs, sip);
    call->early_replied = call->told_worker = true;
    reply(call, "early", &pairs);
}

static void append(struct kv *to, const struct kv *from)
{
    struct kv_pair pair;
    size_t at = 0;
    while (kv_next(kv_view(from), &at, &pair)) kv_add_bytes(to, pair.name, pair.value, pair.value_length);
}

static void tell_run(struct call *call, const sip_t *sip)
{
    struct kv pairs = KV_INIT;
    add_call(&pairs, call);
    kv_add(&pairs, "script", call->script);
    kv_add(&pairs, "args", call->arguments);
    kv_add(&pairs, "campaign", call->campaign_name);
    kv_add_int(&pairs, "lead", call->lead);
    kv_add(&pairs, "number", call->number);
    kv_add(&pairs, "cid_number", call->caller_number);
    add_sip(&pairs, call);
    add_media(&pairs, call);
    append(&pairs, &call->variables);
    headers_to_pairs(&pairs, sip);
    call->told_worker = call->script_running = true;
    kv_clear(&call->variables);
    note(call, MSG_CALL_RUN, &pairs);
}

void lane_tell_answered(struct call *call, const sip_t *sip)
{
    struct kv pairs = KV_INIT;
    if (call->script) {
        tell_run(call, sip);
        return;
    }
    if (!call->asked_by_worker) return;
    add_call(&pairs, call);
    add_sip(&pairs, call);
    add_media(&pairs, call);
    headers_to_pairs(&pairs, sip);
    call->told_worker = true;
    if (call->replied)
        note(call, MSG_CALL_ANSWERED, &pairs);
    else
        reply(call, "answered", &pairs);
}

void lane_tell_end(struct call *call, const sip_t *sip)
{
    if (call->ended_told) return;
    call->ended_told = true;
    bool unanswered = call->asked_by_worker && !call->replied;
    if (!unanswered && !call->told_worker) return;
    struct kv pairs = KV_INIT;
    add_call(&pairs, call);
    add_sip(&pairs, call);
    add_end(&pairs, call);
    headers_to_pairs(&pairs, sip);
    if (unanswered)
        reply(call, "failed", &pairs);
    else
        note(call, MSG_CALL_ENDED, &pairs);
}

static void add_parties(struct kv *pairs, const struct call *call, const sip_t *sip)
{
    char display[104];
    display_clean(sip->sip_from->a_display, display, sizeof display);
    kv_add(pairs, "from", call->remote_uri);
    kv_add(pairs, "from_user", sip->sip_from->a_url->url_user ? sip->sip_from->a_url->url_user : "");
    kv_add(pairs, "from_display", display);
    kv_add(pairs, "to_user", sip->sip_to->a_url->url_user ? sip->sip_to->a_url->url_user : "");
    kv_add(pairs, "request_user", call->number);
    kv_add(pairs, "sip_call_id", call->call_id);
}

static void add_source(struct kv *pairs, const struct call *call)
{
    msg_t *msg = nta_incoming_getrequest(call->offer);
    char ip[64] = "";
    if (!msg) return;
    const su_sockaddr_t *source = (const su_sockaddr_t *)(const void *)msg_addrinfo(msg)->ai_addr;
    if (source) su_inet_ntop(source->su_family, SU_ADDR(source), ip, sizeof ip);
    kv_add(pairs, "network_ip", ip);
    kv_add_int(pairs, "network_port", source ? ntohs(source->su_port) : 0);
    msg_destroy(msg);
}

/* The user's variables, and what FreeSWITCH says of one who showed a password. */
static void add_user(struct kv *pairs, struct kv_view user)
{
    struct kv_pair pair;
    size_t at = 0;
    if (!user.length) return;
    kv_add(pairs, "v.sip_authorized", "true");
    kv_add(pairs, "v.sip_number_alias", kv_get(user, "number_alias"));
    kv_add(pairs, "v.sip_auth_username", kv_get(user, "auth_username"));
    kv_add(pairs, "v.sip_auth_realm", kv_get(user, "auth_realm"));
    kv_add(pairs, "v.number_alias", kv_get(user, "number_alias"));
    kv_add(pairs, "v.user_name", kv_get(user, "id"));
    kv_add(pairs, "v.domain_name", kv_get(user, "domain"));
    while (kv_next(user, &at, &pair))
        if (!strncmp(pair.name, "v.", 2)) kv_add(pairs, pair.name, pair.value);
}

void lane_tell_offered(struct call *call, const sip_t *sip, const char *script, const char *context, struct kv_view user)
{
    struct kv pairs = KV_INIT;
    add_call(&pairs, call);
    kv_add(&pairs, "profile", call->listener->name);
    if (call->trunk) kv_add(&pairs, "trunk", call->trunk->name);
    kv_add(&pairs, *script ? "script" : "context", *script ? script : context);
    add_parties(&pairs, call, sip);
    add_source(&pairs, call);
    add_user(&pairs, user);
    add_media(&pairs, call);
    headers_to_pairs(&pairs, sip);
    call->told_worker = true;
    note(call, MSG_CALL_OFFERED, &pairs);
}

void lane_tell_info(struct call *call, const char *content_type, const char *body, size_t length)
{
    if (!call->told_worker) return;
    struct kv pairs = KV_INIT;
    add_call(&pairs, call);
    kv_add(&pairs, "content_type", content_type);
    kv_add_bytes(&pairs, "body", body, length);
    note(call, MSG_CALL_INFO_IN, &pairs);
}

void lane_tell_media_changed(struct call *call)
{
    if (!call->told_worker) return;
    struct kv pairs = KV_INIT;
    add_call(&pairs, call);
    add_media(&pairs, call);
    kv_add_int(&pairs, "hold", call->media.send ? 0 : 1);
    note(call, MSG_CALL_MEDIA_CHANGED, &pairs);
}

void lane_reply_status(struct call *call, int status)
{
    struct kv pairs = KV_INIT;
    if (!call->request_ticket) return;
    kv_add_int(&pairs, "sip_status", status);
    post_reply(call->broker->post, call->request_ticket, 0, &pairs);
    call->request_ticket = 0;
    kv_free(&pairs);
}
