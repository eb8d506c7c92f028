/* invite.c: see invite.h. */
#include "broker/invite.h"

#include <stdio.h>
#include <string.h>

#include "broker/auth.h"
#include "broker/bye.h"
#include "broker/call.h"
#include "broker/headers.h"
#include "broker/identity.h"
#include "broker/media.h"
#include "broker/request.h"
#include "broker/tap.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/log.h"

/* How long a trunk may say nothing at all before the next one is tried (four sends over UDP). Without a next one the
 * transaction's own 32 s hold. */
#define SILENT_TRUNK_NS (5 * NS_PER_S)

void invite_queue(struct call *call)
{
    call->state = CALL_WAITING;
    if (call->trunk)
        trunk_queue(call->trunk, call);
    else
        invite_send(call);
}

/* --- addresses ------------------------------------------------------------------------------------------------------ */

static void addresses_write(struct call *call)
{
    char name[64];
    if (call->uri)
        snprintf(call->target, sizeof call->target, "%s", call->uri);
    else
        snprintf(call->target, sizeof call->target, "sip:%s@%s", call->dialled, call->trunk->domain);
    display_clean(call->to_display, name, sizeof name);
    int plain = (int)strcspn(call->target, ";?");
    snprintf(call->remote_uri, sizeof call->remote_uri, "%s%s%s<%.*s>", *name ? "\"" : "", name, *name ? "\" " : "",
             plain > 150 ? 150 : plain, call->target);
    identity_from_write(call, call->local_uri, sizeof call->local_uri);
}

static int leg_make(struct call *call)
{
    char cseq[24];
    addresses_write(call);
    snprintf(cseq, sizeof cseq, "%u INVITE", call->local_cseq);
    call->leg = nta_leg_tcreate(call->broker->agent.nta, call_request, call, SIPTAG_CALL_ID_STR(call->call_id),
                                SIPTAG_FROM_STR(call->local_uri), SIPTAG_TO_STR(call->remote_uri), SIPTAG_CSEQ_STR(cseq), TAG_END());
    return call->leg ? 0 : -1;
}

/* --- sending -------------------------------------------------------------------------------------------------------- */

static int invite_response(struct call *call, nta_outgoing_t *orq, const sip_t *sip);

/* Ours, so that it stands in the slot before the request leaves: the attempt's own random bytes and the CSeq. */
static void branch_make(struct call *call)
{
    const uint8_t *b = call->attempt.bytes;
    snprintf(call->branch, sizeof call->branch, "z9hG4bK%02x%02x%02x%02x%02x%02x%02x%02x%02x%02x.%u", b[6], b[7], b[8], b[9], b[10], b[11],
             b[12], b[13], b[14], b[15], call->local_cseq);
}

static int offer_write(struct call *call, char *sdp, size_t size)
{
    struct sdp_local local = { .session = call->sdp_session, .version = call->sdp_version, .direction = "sendrecv" };
    media_local(call, &local.address, &local.port);
    return sdp_offer_write(sdp, size, &local, &call->codecs);
}

static void times_start(struct call *call)
{
    int64_t now = clock_mono_ns();
    if (!call->at.invite) {
        call->at.invite = clock_utc_us();
        COUNT(call->broker, calls_started, 1);
        loop_timer_set(call->broker->loop, &call->timer, now + (int64_t)call->ring_timeout_ms * NS_PER_MS);
        if (call->progress_timeout_ms)
            loop_timer_set(call->broker->loop, &call->second, now + (int64_t)call->progress_timeout_ms * NS_PER_MS);
    }
    bool another = call->trunk_at + 1 < call->trunk_count;
    if (another && !call->progress_timeout_ms) loop_timer_set(call->broker->loop, &call->second, now + SILENT_TRUNK_NS);
    COUNT(call->broker, invites_sent, 1);
    call->tries++;
}

static nta_outgoing_t *transaction(struct call *call, const char *sdp)
{
    struct agent *agent = &call->broker->agent;
    struct trunk *trunk = call->trunk;
    const char *route = call->redirected ? NULL : trunk ? trunk->route : *call->next_hop ? call->next_hop : NULL;
    sip_header_t *credentials = auth_headers(call, "INVITE", call->target);
    struct session_headers session;
    struct buf identity = BUF_INIT;
    enum reliable reliable = trunk ? trunk->reliable : RELIABLE_OFF;
    session_offer_write(call, &session);
    identity_headers_write(call, &identity);
    nta_outgoing_t *invite = nta_outgoing_tcreate(
        call->leg, invite_response, call, route ? URL_STRING_MAKE(route) : NULL, SIP_METHOD_INVITE, URL_STRING_MAKE(call->target),
        NTATAG_BRANCH_KEY(call->branch), TPTAG_IDENT(call->listener->name), SIPTAG_CONTACT(call->listener->contact[call->transport]),
        SIPTAG_USER_AGENT(agent->user_agent), SIPTAG_ALLOW(agent->allow), TAG_IF(credentials, SIPTAG_HEADER(credentials)),
        TAG_IF(trunk && trunk->headers, SIPTAG_HEADER_STR(trunk ? trunk->headers : NULL)),
        TAG_IF(call->headers, SIPTAG_HEADER_STR(call->headers)),
        TAG_IF(trunk && *trunk->proxy && route, SIPTAG_ROUTE_STR(trunk ? trunk->proxy : NULL)),
        SIPTAG_SUPPORTED_STR(reliable ? "timer, 100rel" : "timer"), TAG_IF(reliable == RELIABLE_REQUIRED, SIPTAG_REQUIRE_STR("100rel")),
        TAG_IF(*session.expires, SIPTAG_SESSION_EXPIRES_STR(session.expires)), TAG_IF(*session.min, SIPTAG_MIN_SE_STR(session.min)),
        TAG_IF(identity.length, SIPTAG_HEADER_STR(buf_text(&identity))), SIPTAG_CONTENT_TYPE(agent->sdp_type), SIPTAG_PAYLOAD_STR(sdp),
        TAG_END());
    buf_free(&identity);
    return invite;
}

void invite_send(struct call *call)
{
    char sdp[SDP_TEXT_MAX];
    CHECK(call->permitted && call->row_begun && !call->row_pending && !call->invite);
    CHECK(call->state == CALL_WAITING);
    call->state = CALL_INVITING;
    if (!call->leg) tap_name(call);
    bool ready = (call->leg || leg_make(call) == 0) && offer_write(call, sdp, sizeof sdp) > 0;
    if (ready) {
        call->invite_cseq = ++call->local_cseq;
        branch_make(call);
        times_start(call);
        call->sent_ns = clock_mono_ns();
        slot_mirror(call);
        call->invite = transaction(call, sdp);
    }
    if (!call->invite && !call_is_ended(call)) {
        log_err(call->channel_text, "INVITE to %s could not be made (bad number, header or address)", call->target);
        call_end(call, CAUSE_DESTINATION_OUT_OF_ORDER, false, NULL);
    }
}

/* --- the next trunk ------------------------------------------------------------------------------------------------- */

/* What the call was on the trunk before: its transaction goes on in the stack (a pending CANCEL, a late 2xx that
 * inbound_message then acknowledges and ends), its leg is not needed for that. */
static void trunk_leave(struct call *call)
{
    if (call->invite) {
        if (nta_outgoing_status(call->invite) < 200) {
            nta_outgoing_t *cancel = nta_outgoing_tcancel(call->invite, NULL, NULL, TAG_END());
            if (cancel) nta_outgoing_destroy(cancel);
        }
        nta_outgoing_destroy(call->invite);
        call->invite = NULL;
    }
    if (call->leg) nta_leg_destroy(call->leg);
    call->leg = NULL;
    if (call->credentials) call->credentials = NULL; /* their memory is the home's */
    call->challenged = call->agreed_reliably = call->redirected = false;
    early_dialogs_free(call);
    call->session = (struct session_timer) { 0 };
    call->trunk->cap.active--;
}

static bool trunk_takes(const struct call *call, const struct trunk *trunk, struct permit_verdict *verdict)
{
    struct permit_request request = { .number = call->number,
                                      .prefix_strip = trunk->strip,
                                      .prefix_add = trunk->add,
                                      .max_s = call->max_asked_s,
                                      .campaign = call->campaign_name,
                                      .rates = trunk->rates,
                                      .again = true,
                                      .now_us = clock_utc_us(),
                                      .draining = call->broker->terminating,
                                      .ledger_accepting = true,
                                      .trunk_usable = trunk_usable(trunk, clock_mono_ns()),
                                      .engine_free = true,
                                      .trunk_free = cap_free(&trunk->cap),
                                      .campaign_free = true };
    permit_check(&call->broker->permit, &request, verdict);
    return !verdict->refused;
}

static void tag_renew(struct call *call)
{
    size_t n = strlen(call->local_tag);
    snprintf(call->local_tag + (n > 16 ? 16 : n), sizeof call->local_tag - 16, "-%u", call->trunk_at);
}

bool invite_fail_over(struct call *call, int status)
{
    struct permit_verdict verdict;
    if (call->answered || call->early_replied || call_is_ended(call)) return false;
    for (unsigned i = call->trunk_at + 1u; i < call->trunk_count; i++) {
        struct trunk *next = call->trunks[i];
        if (!trunk_takes(call, next, &verdict)) continue;
        if (!(media_mask(call, next) >> (call->slot % call->broker->media_address_count) & 1)) {
            log_info(call->channel_text, "trunk %s is passed over: the call's audio has an address of another trunk's", next->name);
            continue;
        }
        log_info(call->channel_text, "trunk %s answered %d; trying %s", call->trunk->name, status, next->name);
        trunk_result(call, QUALITY_FAILED);
        trunk_cause_count(call, cause_from_sip(status));
        trunk_leave(call);
        call->trunk_at = (uint8_t)i;
        call->trunk = next;
        next->cap.active++;
        call->listener = next->listener;
        call->transport = next->transport;
        snprintf(call->dialled, sizeof call->dialled, "%s", verdict.dialled);
        tag_renew(call);
        call->at.ring = 0;
        invite_queue(call);
        return true;
    }
    return false;
}

void invite_unsendable(struct call *call)
{
    if (invite_fail_over(call, 503)) return;
    if (!call->at.invite) call->refused = "trunk_down";
    call->state = CALL_CLAIMED; /* it left the queue already */
    call_end(call, CAUSE_GATEWAY_DOWN, false, NULL);
}

/* --- responses ------------------------------------------------------------------------------------------------------ */

static int invite_response(struct call *call, nta_outgoing_t *orq, const sip_t *sip)
{
    int status = sip && sip->sip_status ? sip->sip_status->st_status : nta_outgoing_status(orq);
    if (call->invite != orq) return 0;
    if (sip && call->trunk && !call->redirected) trunk_learn_source(call->trunk, orq);
    if (status < 200) {
        if (!call_is_ended(call)) invite_progress(call, status, sip);
        return 0;
    }
    if (status >= 300) {
        invite_refused(call, status, sip);
        return 0;
    }
    if (call_is_ended(call))
        invite_answered_late(call, sip);
    else
        invite_answered(call, sip);
    return 0;
}
