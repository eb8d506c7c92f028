/* inbound_answer.c: an inbound call rings, has early media, is answered: as its worker wishes; and what its caller says to that: PRACK,
 * ACK, CANCEL, or nothing. */
#include <stdio.h>
#include <string.h>

#include "broker/bye.h"
#include "broker/call.h"
#include "broker/dialog.h"
#include "broker/inbound.h"
#include "broker/lane.h"
#include "broker/media.h"
#include "broker/request.h"
#include "core/clock.h"
#include "core/log.h"

/* --- the worker's wishes -------------------------------------------------------------------------------------------- */

static bool sdp_write(struct call *call, char *sdp, size_t size)
{
    struct sdp_local local = { .session = call->sdp_session, .version = call->sdp_version, .direction = "sendrecv" };
    media_local(call, &local.address, &local.port);
    int n = call->offerless ? sdp_offer_write(sdp, size, &local, &call->codecs)
                            : sdp_answer_write(sdp, size, &local, &call->media, &call->streams);
    return n > 0;
}

static bool take_late_answer(struct call *call, const sip_t *sip);

/* PRACK of one of our responses; NULL: none came in 32 s, which the stack answers with 503. An offerless caller answers our offer in it,
 * others may bring a new offer (RFC 3262 §5). */
static int pracked(nta_reliable_magic_t *magic, nta_reliable_t *reliable, nta_incoming_t *prack, const sip_t *sip)
{
    struct call *call = (struct call *)magic;
    size_t length;
    nta_reliable_destroy(reliable);
    if (!sip || call_is_ended(call)) return 200;
    if (sip->sip_cseq && sip->sip_cseq->cs_seq > call->remote_cseq) call->remote_cseq = sip->sip_cseq->cs_seq;
    bool has_sdp = dialog_sdp(sip, &length) != NULL;
    if (call->offerless && call->offered_reliably && !call->agreed_reliably) {
        call->agreed_reliably = has_sdp && take_late_answer(call, sip);
    } else if (has_sdp && call->agreed_reliably) {
        int status = dialog_offer(call, prack, sip);
        if (status < 300) return status;
        nta_incoming_treply(prack, status, sip_phrase_of(status), TAG_END()); /* the stack would make it a 200 */
        nta_incoming_destroy(prack);
        return 0;
    }
    return 200;
}

static void provisional_reliably(struct call *call, int status, const char *phrase, const char *sdp, const char *headers)
{
    struct agent *agent = &call->broker->agent;
    if (sdp) call->offered_reliably = true;
    nta_reliable_t *sent = nta_reliable_treply(
        call->offer, pracked, (nta_reliable_magic_t *)call, status, phrase, SIPTAG_CONTACT(call->listener->contact[call->transport]),
        SIPTAG_USER_AGENT(agent->user_agent), SIPTAG_ALLOW(agent->allow), TAG_IF(headers, SIPTAG_HEADER_STR(headers)),
        TAG_IF(sdp, SIPTAG_CONTENT_TYPE(agent->sdp_type)), TAG_IF(sdp, SIPTAG_PAYLOAD_STR(sdp)), TAG_END());
    if (!sent)
        log_warning(call->channel_text, "%d could not be sent reliably", status);
    else if (sdp && !call->offerless)
        call->agreed_reliably = true;
}

static void provisional(struct call *call, int status, const char *phrase, const char *sdp, const char *headers)
{
    struct agent *agent = &call->broker->agent;
    if (!call->at.ring) call->at.ring = clock_utc_us();
    if (call->reliable) return provisional_reliably(call, status, phrase, sdp, headers);
    nta_incoming_treply(call->offer, status, phrase, SIPTAG_CONTACT(call->listener->contact[call->transport]),
                        SIPTAG_USER_AGENT(agent->user_agent), TAG_IF(headers, SIPTAG_HEADER_STR(headers)),
                        TAG_IF(sdp, SIPTAG_CONTENT_TYPE(agent->sdp_type)), TAG_IF(sdp, SIPTAG_PAYLOAD_STR(sdp)), TAG_END());
}

void inbound_ring(struct call *call, const char *headers)
{
    char sdp[SDP_TEXT_MAX];
    if (call->state != CALL_OFFERED || !call->offer) return;
    /* To a caller without SDP the first reliable response must bring our offer (RFC 3262 §5). */
    bool offer = call->reliable && call->offerless && !call->offered_reliably && sdp_write(call, sdp, sizeof sdp);
    provisional(call, SIP_180_RINGING, offer ? sdp : NULL, headers);
}

void inbound_early(struct call *call, const char *headers)
{
    char sdp[SDP_TEXT_MAX];
    if (call->state != CALL_OFFERED || !call->offer) return;
    /* Without their SDP there is nobody to send to yet: a plain 183 keeps the call's progress. */
    bool offer = call->offerless && call->reliable && !call->offered_reliably;
    bool said = call->offerless ? !offer : call->agreed_reliably;
    const char *body = !said && sdp_write(call, sdp, sizeof sdp) && (!call->offerless || offer) ? sdp : NULL;
    if (call->media_agreed) media_run(call);
    provisional(call, SIP_183_SESSION_PROGRESS, body, headers);
}

void inbound_answer(struct call *call, const char *headers)
{
    char sdp[SDP_TEXT_MAX];
    struct agent *agent = &call->broker->agent;
    if (call->state != CALL_OFFERED || !call->offer) return;
    struct session_headers session;
    bool silent = call->offered_reliably; /* offer or answer went out with a response before */
    if (!silent && !sdp_write(call, sdp, sizeof sdp)) return call_hangup(call, CAUSE_INCOMPATIBLE_DESTINATION, 488, NULL);
    session_accept(call, &session);
    call->state = CALL_ANSWERING;
    call->answered = true;
    call->at.answer = clock_utc_us();
    call->sip_status = 200;
    loop_timer_set(call->broker->loop, &call->timer, clock_mono_ns() + (int64_t)call->max_s * NS_PER_S);
    if (call->media_agreed)
        media_run(call);
    else
        slot_mirror(call);
    nta_incoming_treply(call->offer, SIP_200_OK, SIPTAG_CONTACT(call->listener->contact[call->transport]),
                        SIPTAG_USER_AGENT(agent->user_agent), SIPTAG_ALLOW(agent->allow), SIPTAG_SUPPORTED_STR("timer, 100rel"),
                        TAG_IF(headers, SIPTAG_HEADER_STR(headers)), TAG_IF(*session.expires, SIPTAG_SESSION_EXPIRES_STR(session.expires)),
                        TAG_IF(session.require, SIPTAG_REQUIRE_STR("timer")), TAG_IF(!silent, SIPTAG_CONTENT_TYPE(agent->sdp_type)),
                        TAG_IF(!silent, SIPTAG_PAYLOAD_STR(sdp)), TAG_END());
}

/* --- ACK, CANCEL, or neither ---------------------------------------------------------------------------------------- */

static void offer_done(struct call *call)
{
    nta_incoming_destroy(call->offer);
    call->offer = NULL;
}

/* The answer to the offer in our 200. */
static bool take_late_answer(struct call *call, const sip_t *sip)
{
    size_t length;
    const char *sdp = dialog_sdp(sip, &length);
    if (!call->offerless) return true;
    if (!sdp || sdp_answer_read(sdp, length, &call->codecs, &call->media) < 0) return false;
    call->media.nat = call->nat || (call->trunk && call->trunk->nat);
    call->media_agreed = true;
    media_run(call);
    lane_tell_media_changed(call);
    return true;
}

static void acknowledged(struct call *call, const sip_t *sip)
{
    offer_done(call);
    if (call->bye_due) {
        bye_send(call, call->cause);
        call_check_over(call);
        return;
    }
    if (call_is_ended(call)) return call_check_over(call);
    call->state = CALL_TALKING;
    if (!call->offered_reliably && !take_late_answer(call, sip)) call_hangup(call, CAUSE_INCOMPATIBLE_DESTINATION, 0, NULL);
}

int inbound_ack_cancel(struct call *call, nta_incoming_t *irq, const sip_t *sip)
{
    if (call->offer != irq) return 0;
    if (sip && sip->sip_request && sip->sip_request->rq_method == sip_method_ack) {
        acknowledged(call, sip);
    } else if (sip && sip->sip_request) { /* CANCEL, whose Reason says why the caller gave up, not how the call ended */
        call->sip_status = 487;
        nta_incoming_treply(irq, SIP_487_REQUEST_CANCELLED, TAG_END());
        offer_done(call);
        call_end(call, CAUSE_ORIGINATOR_CANCEL, true, sip);
    } else { /* no ACK within 32 s */
        offer_done(call);
        call->bye_due = false;
        if (call_is_ended(call))
            bye_send(call, call->cause);
        else
            call_hangup(call, CAUSE_RECOVERY_ON_TIMER_EXPIRE, 0, NULL);
        call_check_over(call);
    }
    return 0;
}
