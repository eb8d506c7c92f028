/* reinvite.c: a session changed in mid-call, by them or by us (RFC 3261 §14, RFC 3264 §8, RFC 3311), or only refreshed (RFC 4028).
 *
 * One offer at a time: while ours is out theirs gets 491, while theirs waits for its ACK another of theirs gets 500 with Retry-After. A 491
 * to ours is tried again after a time that depends on who made the Call-ID, so that the two sides do not meet again (§14.1). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/call.h"
#include "broker/dialog.h"
#include "broker/lane.h"
#include "broker/media.h"
#include "broker/request.h"
#include "core/clock.h"
#include "core/log.h"

#define GLARES_MAX    6
#define GLARE_BUSY_NS (200 * NS_PER_MS) /* theirs is not through yet */

/* `changed`: another version of our description. A mere refresh says what was said before. */
static void local_fill(struct call *call, struct sdp_local *local, const char *direction, bool changed)
{
    if (changed) call->sdp_version++;
    *local = (struct sdp_local) { .session = call->sdp_session, .version = call->sdp_version, .direction = direction };
    media_local(call, &local->address, &local->port);
}

/* What was agreed anew: the trunk's rules stay. */
static void media_change(struct call *call, const struct slot_media *media)
{
    bool nat = call->media.nat;
    call->media = *media;
    call->media.nat = nat;
    call->media_agreed = true;
    media_run(call);
    lane_tell_media_changed(call);
}

/* --- theirs --------------------------------------------------------------------------------------------------------- */

static int reoffer_ack(struct call *call, nta_incoming_t *irq, const sip_t *sip)
{
    size_t length;
    struct slot_media media;
    if (call->reoffer != irq) return 0;
    bool acknowledged = sip && sip->sip_request && sip->sip_request->rq_method == sip_method_ack;
    nta_incoming_destroy(irq);
    call->reoffer = NULL;
    const char *sdp = acknowledged && call->reoffer_offerless ? dialog_sdp(sip, &length) : NULL;
    if (!acknowledged && !call_is_ended(call))
        call_hangup(call, CAUSE_RECOVERY_ON_TIMER_EXPIRE, 0, NULL);
    else if (sdp && !call_is_ended(call) && sdp_answer_read(sdp, length, &call->codecs, &media) == 0)
        media_change(call, &media);
    call_check_over(call);
    return 0;
}

static int answer_write(struct call *call, const sip_t *sip, char *out, size_t size, struct slot_media *media, bool *offerless)
{
    size_t length;
    struct sdp_local local;
    struct sdp_streams streams;
    const char *sdp = dialog_sdp(sip, &length);
    *offerless = sdp == NULL;
    if (!sdp) {
        local_fill(call, &local, "sendrecv", true);
        return sdp_offer_write(out, size, &local, &call->codecs);
    }
    int err = sdp_offer_read(sdp, length, &call->codecs, media, &streams);
    if (err < 0) return err;
    local_fill(call, &local, "sendrecv", true);
    return sdp_answer_write(out, size, &local, media, &streams);
}

static void accept_send(struct call *call, nta_incoming_t *irq, const char *sdp, const struct session_headers *session)
{
    struct agent *agent = &call->broker->agent;
    slot_mirror(call);
    nta_incoming_treply(irq, SIP_200_OK, SIPTAG_CONTACT(call->listener->contact[call->transport]), SIPTAG_ALLOW(agent->allow),
                        SIPTAG_SUPPORTED_STR("timer"), TAG_IF(*session->expires, SIPTAG_SESSION_EXPIRES_STR(session->expires)),
                        TAG_IF(session->require, SIPTAG_REQUIRE_STR("timer")), TAG_IF(sdp, SIPTAG_CONTENT_TYPE(agent->sdp_type)),
                        TAG_IF(sdp, SIPTAG_PAYLOAD_STR(sdp)), TAG_END());
}

static int too_brief(nta_incoming_t *irq, const struct session_headers *session)
{
    nta_incoming_treply(irq, 422, "Session Interval Too Small", SIPTAG_MIN_SE_STR(session->min), TAG_END());
    nta_incoming_destroy(irq);
    return 0;
}

/* 0, or the status that an offer of theirs gets now. */
static int offer_closed(const struct call *call)
{
    if (call_is_ended(call)) return 481;
    if (call->reoffer || (call->offer && !call->agreed_reliably)) return 500;
    bool settled = call->state == CALL_TALKING || call->agreed_reliably;
    return (call->request && call->request_offers) || !settled ? 491 : 0;
}

static int turn_away(nta_incoming_t *irq, int status)
{
    char after[8];
    if (status != 500) return status;
    snprintf(after, sizeof after, "%ld", random() % 11); /* RFC 3261 §14.2 */
    nta_incoming_treply(irq, SIP_500_INTERNAL_SERVER_ERROR, SIPTAG_RETRY_AFTER_STR(after), TAG_END());
    nta_incoming_destroy(irq);
    return 0;
}

static void target_refresh(struct call *call, const sip_t *sip)
{
    if (!sip->sip_contact || call->nat) return; /* behind a NAT, what it says of itself leads nowhere */
    nta_leg_server_route(call->leg, NULL, sip->sip_contact);
    dialog_copy_route(call);
}

int reinvite_take(struct call *call, nta_incoming_t *irq, const sip_t *sip)
{
    char sdp[SDP_TEXT_MAX];
    struct slot_media media;
    struct session_headers session;
    bool offerless;
    int closed = call->state == CALL_TALKING || call_is_ended(call) || call->reoffer || call->offer ? offer_closed(call) : 491;
    if (closed) return turn_away(irq, closed);
    if (session_asked(call, sip, &session)) return too_brief(irq, &session);
    if (answer_write(call, sip, sdp, sizeof sdp, &media, &offerless) < 0) return 488;
    target_refresh(call, sip);
    call->reoffer = irq;
    call->reoffer_offerless = offerless;
    nta_incoming_bind(irq, reoffer_ack, call);
    accept_send(call, irq, sdp, &session);
    if (!offerless) media_change(call, &media);
    return 0;
}

int dialog_offer(struct call *call, nta_incoming_t *irq, const sip_t *sip)
{
    char sdp[SDP_TEXT_MAX];
    struct slot_media media;
    struct session_headers session;
    bool offerless;
    size_t length;
    bool has_sdp = dialog_sdp(sip, &length) != NULL;
    bool update = sip->sip_request->rq_method == sip_method_update;
    int closed = has_sdp ? offer_closed(call) : call_is_ended(call) ? 481 : 0;
    if (closed) return turn_away(irq, closed);
    memset(&session, 0, sizeof session);
    if (update && session_asked(call, sip, &session)) return too_brief(irq, &session);
    if (has_sdp && answer_write(call, sip, sdp, sizeof sdp, &media, &offerless) < 0) return 488;
    if (update && call->answered) target_refresh(call, sip);
    accept_send(call, irq, has_sdp ? sdp : NULL, &session);
    nta_incoming_destroy(irq);
    if (!has_sdp) return 0;
    media_change(call, &media);
    early_dialog_changed(call, sip->sip_from ? sip->sip_from->a_tag : NULL, &call->media);
    return 0;
}

/* --- ours ----------------------------------------------------------------------------------------------------------- */

static void answered_ours(struct call *call, const sip_t *sip)
{
    size_t length;
    struct slot_media media;
    const char *sdp = dialog_sdp(sip, &length);
    ack_send(call, sip->sip_cseq->cs_seq);
    if (!call->nat) nta_leg_client_reroute(call->leg, NULL, sip->sip_contact, 0);
    dialog_copy_route(call);
    session_answered(call, sip);
    if (!sdp || call_is_ended(call) || sdp_answer_read(sdp, length, &call->codecs, &media) < 0) return;
    if (call->request_direction && strcmp(call->request_direction, "sendonly") == 0)
        media.receive = false; /* we hold: what they still send is not heard */
    media_change(call, &media);
}

static int offer_send(struct call *call, bool changed);
static void again_due(struct loop_timer *timer);

/* RFC 3261 §14.1: who made the Call-ID waits 2.1 to 4 s, the other one up to 2 s, in steps of 10 ms. */
static bool glare_wait(struct call *call)
{
    if (call->glares >= GLARES_MAX || call_is_ended(call)) return false;
    call->glares++;
    int64_t ms = call->inbound ? random() % 201 * 10 : 2100 + random() % 191 * 10;
    call->glare = (struct loop_timer) {
        .at_ns = call->glare.at_ns, .heap_index = call->glare.heap_index, .fire = again_due, .context = call
    };
    loop_timer_set(call->broker->loop, &call->glare, clock_mono_ns() + ms * NS_PER_MS);
    return true;
}

static void again_due(struct loop_timer *timer)
{
    struct call *call = timer->context;
    if (call_is_ended(call)) return;
    if (call->reoffer || call->request)
        loop_timer_set(call->broker->loop, timer, clock_mono_ns() + GLARE_BUSY_NS);
    else if (offer_send(call, true) < 0)
        lane_reply_status(call, 491);
}

/* What is final for the request, whatever it was. */
static void request_failed(struct call *call, int status, const sip_t *sip)
{
    bool brief = status == 422 && session_too_brief(call, sip);
    if (status == 491 && call->request_offers && glare_wait(call)) return;
    if (brief && call->request_offers && offer_send(call, false) == 0) return;
    lane_reply_status(call, status);
    if (brief && refresh_send(call, call->session.update) == 0) return;
    /* 408 and 481: the dialog is gone (RFC 3261 §12.2.1.2). */
    if ((status == 408 || status == 481) && !call_is_ended(call))
        call_hangup(call, cause_from_sip(status), 0, NULL);
    else if (!call_is_ended(call))
        session_refresh_failed(call);
}

static int reinvite_response(struct call *call, nta_outgoing_t *orq, const sip_t *sip)
{
    int status = sip && sip->sip_status ? sip->sip_status->st_status : nta_outgoing_status(orq);
    if (status < 200 || call->request != orq) return 0;
    if (status < 300) answered_ours(call, sip);
    call->request = NULL;
    if (status < 300) {
        call->glares = 0;
        lane_reply_status(call, status);
    } else {
        request_failed(call, status, sip);
    }
    nta_outgoing_destroy(orq);
    call_check_over(call);
    return 0;
}

static int offer_send(struct call *call, bool changed)
{
    char sdp[SDP_TEXT_MAX];
    struct sdp_local local;
    struct session_headers session;
    struct agent *agent = &call->broker->agent;
    if (!call->request_direction) call->request_direction = "sendrecv";
    local_fill(call, &local, call->request_direction, changed);
    if (sdp_offer_write(sdp, sizeof sdp, &local, &call->codecs) < 0) return -EMSGSIZE;
    session_offer_write(call, &session);
    call->local_cseq++;
    slot_mirror(call);
    call->request_offers = true;
    call->request = nta_outgoing_tcreate(
        call->leg, reinvite_response, call, NULL, SIP_METHOD_INVITE, NULL, TPTAG_IDENT(call->listener->name),
        SIPTAG_CONTACT(call->listener->contact[call->transport]), SIPTAG_ALLOW(agent->allow), SIPTAG_SUPPORTED_STR("timer"),
        TAG_IF(*session.expires, SIPTAG_SESSION_EXPIRES_STR(session.expires)), TAG_IF(*session.min, SIPTAG_MIN_SE_STR(session.min)),
        SIPTAG_CONTENT_TYPE(agent->sdp_type), SIPTAG_PAYLOAD_STR(sdp), TAG_END());
    return call->request ? 0 : -EIO;
}

static bool offer_busy(const struct call *call)
{
    return call->state != CALL_TALKING || call->request || call->reoffer || call->glare.heap_index;
}

int reinvite_send(struct call *call, const char *action, const char *codecs, uint64_t ticket)
{
    if (offer_busy(call)) return -EBUSY;
    bool hold = !strcmp(action, "hold");
    if (!hold && strcmp(action, "unhold") && strcmp(action, "codec")) return -EINVAL;
    if (codecs && !strcmp(action, "codec") && sdp_codecs_parse(&call->codecs, codecs) < 0) return -EINVAL;
    call->request_direction = hold ? "sendonly" : "sendrecv";
    int err = offer_send(call, true);
    if (err == 0) call->request_ticket = ticket;
    return err;
}

/* --- refreshing ----------------------------------------------------------------------------------------------------- */

static int update_response(struct call *call, nta_outgoing_t *orq, const sip_t *sip)
{
    int status = sip && sip->sip_status ? sip->sip_status->st_status : nta_outgoing_status(orq);
    if (status < 200 || call->request != orq) return 0;
    call->request = NULL;
    if (status < 300)
        session_answered(call, sip);
    else
        request_failed(call, status, sip);
    nta_outgoing_destroy(orq);
    call_check_over(call);
    return 0;
}

int refresh_send(struct call *call, bool update)
{
    struct session_headers session;
    if (offer_busy(call)) return -EBUSY;
    if (!update) return offer_send(call, false);
    session_offer_write(call, &session);
    call->local_cseq++;
    slot_mirror(call);
    call->request_offers = false;
    call->request = nta_outgoing_tcreate(call->leg, update_response, call, NULL, SIP_METHOD_UPDATE, NULL, TPTAG_IDENT(call->listener->name),
                                         SIPTAG_CONTACT(call->listener->contact[call->transport]), SIPTAG_SUPPORTED_STR("timer"),
                                         TAG_IF(*session.expires, SIPTAG_SESSION_EXPIRES_STR(session.expires)),
                                         TAG_IF(*session.min, SIPTAG_MIN_SE_STR(session.min)), TAG_END());
    return call->request ? 0 : -EIO;
}
