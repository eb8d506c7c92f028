/* inbound.c: see inbound.h. */
#include "broker/inbound.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/bye.h"
#include "broker/call.h"
#include "broker/dialog.h"
#include "broker/guard.h"
#include "broker/headers.h"
#include "broker/invite.h"
#include "broker/lane.h"
#include "broker/media.h"
#include "broker/mwi.h"
#include "broker/nat.h"
#include "broker/registrar.h"
#include "broker/request.h"
#include "broker/tap.h"
#include "broker/user_call.h"
#include "core/clock.h"
#include "core/log.h"

/* --- who may ask ---------------------------------------------------------------------------------------------------- */

/* A call of ours to our own listener comes from that listener's address, which may be a trunk's host as well; it is
 * nobody's trunk. */
static bool source_find(struct broker *broker, msg_t *msg, struct source_found *found)
{
    const struct sockaddr *source = (const struct sockaddr *)msg_addrinfo(msg)->ai_addr;
    memset(found, 0, sizeof *found);
    found->listener = listener_of(&broker->agent, NULL, msg, &found->transport);
    if (!found->listener || !source) return false;
    bool own = listener_at(&broker->agent, source) != NULL;
    found->trunk = own ? NULL : trunk_of_source(&broker->trunks, source);
    return found->trunk || found->listener->anybody || found->listener->users.on;
}

static void reply(struct broker *broker, msg_t *msg, int status, const char *phrase, const char *retry_after)
{
    nta_msg_treply(broker->agent.nta, msg, status, phrase, TAG_IF(retry_after, SIPTAG_RETRY_AFTER_STR(retry_after)),
                   SIPTAG_USER_AGENT(broker->agent.user_agent), SIPTAG_ALLOW(broker->agent.allow), TAG_END());
}

/* --- a new call ----------------------------------------------------------------------------------------------------- */

/* All or none: with one missing, a response would go the wrong way. */
static void vias_take(struct call *call, const sip_t *sip)
{
    size_t n = 0;
    for (const sip_via_t *via = sip->sip_via; via; via = via->v_next) {
        char one[BUS_VIA_MAX];
        issize_t length = msg_header_field_e(one, sizeof one, (msg_header_t const *)via, 0);
        bool fits = length > 0 && (size_t)length < sizeof one && n + (size_t)length + 3 < sizeof call->via;
        if (!fits) {
            call->via[0] = 0;
            return;
        }
        n += (size_t)snprintf(call->via + n, sizeof call->via - n, "%s%.*s", n ? ", " : "", (int)length, one);
    }
}

static void texts_take(struct call *call, const sip_t *sip)
{
    snprintf(call->call_id, sizeof call->call_id, "%s", sip->sip_call_id->i_id);
    tap_name(call);
    snprintf(call->remote_tag, sizeof call->remote_tag, "%s", sip->sip_from->a_tag ? sip->sip_from->a_tag : "");
    url_e(call->local_uri, sizeof call->local_uri - 2, sip->sip_to->a_url);
    url_e(call->remote_uri, sizeof call->remote_uri - 2, sip->sip_from->a_url);
    snprintf(call->branch, sizeof call->branch, "%s", sip->sip_via && sip->sip_via->v_branch ? sip->sip_via->v_branch : "");
    vias_take(call, sip);
    snprintf(call->number, sizeof call->number, "%s", sip->sip_request->rq_url->url_user ? sip->sip_request->rq_url->url_user : "");
    call->remote_cseq = sip->sip_cseq->cs_seq;
}

/* Fields of fixed size: what does not fit makes a call that could not be adopted or ended, so it is refused. */
static bool sizes_fit(const sip_t *sip)
{
    if (!sip->sip_call_id || !sip->sip_from || !sip->sip_to || !sip->sip_cseq || !sip->sip_contact) return false;
    if (strlen(sip->sip_call_id->i_id) >= BUS_CALL_ID_MAX) return false;
    return !sip->sip_from->a_tag || strlen(sip->sip_from->a_tag) < BUS_TAG_MAX;
}

/* 0, or the status that refuses the offer. */
static int offer_take(struct call *call, const struct trunk *trunk, const sip_t *sip)
{
    size_t length;
    if (trunk) {
        call->codecs = trunk->codecs;
    } else {
        sdp_codecs_parse(&call->codecs, "PCMU,PCMA");
        sdp_crypto_parse(&call->codecs.crypto, "optional"); /* as FreeSWITCH takes incoming calls */
    }
    sdp_crypto_begin(&call->codecs.crypto, NULL, &call->codecs.crypto);
    const char *sdp = dialog_sdp(sip, &length);
    if (!sdp) {
        call->offerless = true;
        return 0;
    }
    if (sdp_offer_read(sdp, length, &call->codecs, &call->media, &call->streams) < 0) return 488;
    call->media.nat = call->nat || (trunk && trunk->nat);
    call->media_agreed = true;
    return 0;
}

static int leg_make(struct call *call, msg_t *msg, sip_t *sip)
{
    nta_agent_t *nta = call->broker->agent.nta;
    char cseq[24];
    snprintf(cseq, sizeof cseq, "%u INVITE", call->local_cseq);
    call->leg = nta_leg_tcreate(nta, call_request, call, SIPTAG_CALL_ID(sip->sip_call_id), SIPTAG_FROM((sip_from_t *)sip->sip_to),
                                SIPTAG_TO((sip_to_t *)sip->sip_from), NTATAG_REMOTE_CSEQ(sip->sip_cseq->cs_seq), SIPTAG_CSEQ_STR(cseq),
                                TAG_END());
    if (!call->leg || !nta_leg_tag(call->leg, call->local_tag)) {
        nta_msg_discard(nta, msg);
        return -1;
    }
    su_home_t home[1] = { SU_HOME_INIT(home) };
    su_home_init(home);
    const su_sockaddr_t *source = (const su_sockaddr_t *)(const void *)msg_addrinfo(msg)->ai_addr;
    nta_leg_server_route(call->leg, sip->sip_record_route,
                         call->nat ? nat_contact_of_request(home, sip, source, call->transport == TRANSPORT_UDP) : sip->sip_contact);
    su_home_deinit(home);
    dialog_copy_route(call);
    call->offer = nta_incoming_create(nta, call->leg, msg, sip, TAG_END());
    if (!call->offer) return -1;
    nta_incoming_bind(call->offer, inbound_ack_cancel, call);
    return 0;
}

/* What a call runs: its trunk's, its user's, or its listener's. */
static const char *script_of(const struct source_found *found)
{
    if (found->trunk) return found->trunk->inbound_script;
    return kv_get(found->user, "v.user_context") ? "" : found->listener->script;
}

static const char *context_of(const struct source_found *found)
{
    if (found->trunk) return found->trunk->inbound_context;
    const char *context = kv_get_or(found->user, "v.user_context", found->listener->context);
    return *context || !found->user.length ? context : "default";
}

static void offer_to_worker(struct broker *broker, struct call *call, const struct source_found *found, const sip_t *sip)
{
    uint32_t worker;
    if (worker_least(broker, &worker) < 0 || slot_lease(broker, call, worker) < 0) {
        log_warning(call->channel_text, "no worker takes calls now; inbound call refused");
        nta_incoming_treply(call->offer, SIP_503_SERVICE_UNAVAILABLE, SIPTAG_RETRY_AFTER_STR("5"), TAG_END());
        nta_incoming_destroy(call->offer);
        call->offer = NULL;
        call->asked_by_worker = false;
        call_end(call, CAUSE_NORMAL_CIRCUIT_CONGESTION, false, NULL);
        return;
    }
    call->capped = true;
    broker->cap.active++;
    COUNT(broker, calls_inbound, 1);
    slot_mirror(call);
    nta_incoming_treply(call->offer, SIP_100_TRYING, TAG_END());
    lane_tell_offered(call, sip, script_of(found), context_of(found), found->user);
}

void inbound_call_take(struct broker *broker, const struct source_found *found, msg_t *msg, sip_t *sip)
{
    struct call *call = call_new(broker, NULL, true);
    if (!call) return reply(broker, msg, SIP_503_SERVICE_UNAVAILABLE, "10");
    call->state = CALL_OFFERED;
    call->listener = found->listener;
    call->transport = found->transport;
    call->trunk = found->trunk;
    call->nat = found->user.length > 0;
    call->max_s = broker->permit.max_call_s;
    call->at.claimed = call->at.invite = clock_utc_us();
    snprintf(call->caller_number, sizeof call->caller_number, "%s", sip->sip_from->a_url->url_user ? sip->sip_from->a_url->url_user : "");
    texts_take(call, sip);
    call->reliable = reliable_wanted(call, sip);
    int refused = offer_take(call, found->trunk, sip);
    struct session_headers session;
    if (!refused) refused = session_asked(call, sip, &session);
    session_stop(call); /* it begins with the answer */
    if (leg_make(call, msg, sip) < 0) {
        call_drop(call);
        return;
    }
    if (refused) {
        nta_incoming_treply(call->offer, refused, sip_phrase_of(refused), TAG_IF(refused == 422, SIPTAG_MIN_SE_STR(session.min)),
                            TAG_END());
        call_drop(call);
        return;
    }
    loop_timer_set(broker->loop, &call->timer, clock_mono_ns() + (int64_t)180 * NS_PER_S);
    offer_to_worker(broker, call, found, sip);
}

/* What they require that we cannot do: 420 says which (RFC 3261 §8.2.2.3). True = answered. */
static bool extension_refused(struct broker *broker, msg_t *msg, const sip_t *sip)
{
    static const char ours[] = "timer, 100rel";
    su_home_t home[1] = { SU_HOME_INIT(home) };
    su_home_init(home);
    sip_unsupported_t *lacking = sip_has_unsupported(home, sip_supported_make(home, ours), sip->sip_require);
    if (lacking)
        nta_msg_treply(broker->agent.nta, msg, SIP_420_BAD_EXTENSION, SIPTAG_UNSUPPORTED(lacking), SIPTAG_SUPPORTED_STR(ours),
                       SIPTAG_USER_AGENT(broker->agent.user_agent), TAG_END());
    su_home_deinit(home);
    return lacking != NULL;
}

/* A loop of transfers and bridges ends here: what comes in with nothing left is not passed on (RFC 3261 §16.3). */
static bool hops_used_up(const sip_t *sip) { return sip->sip_max_forwards && sip->sip_max_forwards->mf_count == 0; }

/* A call that this engine makes to itself was held to its limits where it was made. */
static bool from_ourselves(struct broker *broker, const sip_t *sip)
{
    return sip->sip_call_id && call_by_call_id(broker, sip->sip_call_id->i_id);
}

/* A body that is no session description and holds none (RFC 3261 §8.2.3). True = answered. */
static bool body_refused(struct broker *broker, msg_t *msg, const sip_t *sip)
{
    size_t length;
    if (!sip->sip_payload || !sip->sip_payload->pl_len || dialog_sdp(sip, &length)) return false;
    nta_msg_treply(broker->agent.nta, msg, SIP_415_UNSUPPORTED_MEDIA, SIPTAG_ACCEPT_STR("application/sdp, multipart/mixed"),
                   SIPTAG_USER_AGENT(broker->agent.user_agent), TAG_END());
    return true;
}

/* Spread, so that those refused together do not come back together. */
static void turn_away(struct broker *broker, msg_t *msg)
{
    char after[8];
    snprintf(after, sizeof after, "%ld", 5 + random() % 11);
    reply(broker, msg, SIP_503_SERVICE_UNAVAILABLE, after);
}

static void inbound_invite(struct broker *broker, const struct source_found *found, msg_t *msg, sip_t *sip)
{
    const struct trunk *trunk = found->trunk;
    if (trunk && !*trunk->inbound_script && !*trunk->inbound_context) {
        log_info(NULL, "trunk %s has no `inbound`; its call is refused", trunk->name);
        reply(broker, msg, SIP_403_FORBIDDEN, NULL);
    } else if (!sizes_fit(sip)) {
        reply(broker, msg, SIP_400_BAD_REQUEST, NULL);
    } else if (hops_used_up(sip)) {
        reply(broker, msg, SIP_483_TOO_MANY_HOPS, NULL);
    } else if (extension_refused(broker, msg, sip) || body_refused(broker, msg, sip)) {
        return;
    } else if (broker->terminating || segment_draining(broker->segment) || !cap_free(&broker->cap) ||
               (!from_ourselves(broker, sip) &&
                guard_refuses(broker, (const struct sockaddr *)msg_addrinfo(msg)->ai_addr, trunk != NULL))) {
        turn_away(broker, msg);
    } else {
        if (found->trunk || found->listener->anybody)
            inbound_call_take(broker, found, msg, sip);
        else
            user_call_take(broker, found, msg, sip);
    }
}

/* --- the message callback ------------------------------------------------------------------------------------------- */

/* Responses with no transaction: 2xx again or from another fork, and all that a broker before this one had asked for. */
static void inbound_response(struct broker *broker, msg_t *msg, sip_t *sip)
{
    int status = sip->sip_status->st_status;
    bool invite = sip->sip_cseq && sip->sip_cseq->cs_method == sip_method_invite && sip->sip_call_id;
    if (invite && status >= 200 && status < 300) {
        invite_orphan(broker, msg, sip);
        return;
    }
    struct call *call = invite && status >= 300 ? call_by_call_id(broker, sip->sip_call_id->i_id) : NULL;
    if (call && call->adopted) {
        ack_refusal_send(call, sip);
        call->cancel_due = false;
        call_check_over(call);
    }
    nta_msg_discard(broker->agent.nta, msg);
}

static void inbound_request(struct broker *broker, const struct source_found *found, msg_t *msg, sip_t *sip)
{
    sip_method_t method = sip->sip_request->rq_method;
    bool in_dialog = sip->sip_to && sip->sip_to->a_tag;
    if (method == sip_method_ack)
        nta_msg_discard(broker->agent.nta, msg);
    else if (sip->sip_request->rq_url->url_type == url_unknown)
        reply(broker, msg, SIP_416_UNSUPPORTED_URI, NULL);
    else if (in_dialog || method == sip_method_cancel || method == sip_method_bye)
        reply(broker, msg, SIP_481_NO_TRANSACTION, NULL);
    else if (method == sip_method_invite)
        inbound_invite(broker, found, msg, sip);
    else if (method == sip_method_register && found->listener->users.on)
        register_take(broker, found->listener, found->transport, msg, sip);
    else if (method == sip_method_subscribe && found->listener->users.on)
        mwi_subscribe(broker, found->listener, found->transport, msg, sip);
    else if (method == sip_method_options)
        reply(broker, msg, SIP_200_OK, NULL);
    else
        reply(broker, msg, SIP_405_METHOD_NOT_ALLOWED, NULL);
}

int inbound_message(struct broker *broker, nta_agent_t *nta, msg_t *msg, sip_t *sip)
{
    struct source_found found;
    if (!sip->sip_request) {
        if (sip->sip_status)
            inbound_response(broker, msg, sip);
        else
            nta_msg_discard(nta, msg);
        return 0;
    }
    bool heard = source_find(broker, msg, &found);
    if (heard && found.listener->users.on && !found.trunk)
        heard = registrar_admits(broker, (const struct sockaddr *)msg_addrinfo(msg)->ai_addr);
    if (!heard) {
        guard_dropped(broker, (const struct sockaddr *)msg_addrinfo(msg)->ai_addr, sip->sip_request->rq_method_name);
        nta_msg_discard(nta, msg);
        return 0;
    }
    inbound_request(broker, &found, msg, sip);
    return 0;
}
