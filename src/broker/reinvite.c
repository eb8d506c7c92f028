/* reinvite.c: a session changed in mid-call, by them or by us (RFC 3261 §14, RFC 3264 §8). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "broker/call.h"
#include "broker/dialog.h"
#include "broker/lane.h"
#include "broker/media.h"
#include "broker/request.h"
#include "core/log.h"

static void local_fill(struct call *call, struct sdp_local *local, const char *direction)
{
    *local = (struct sdp_local){ .session = call->sdp_session, .version = ++call->sdp_version, .direction = direction };
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
    if (!acknowledged && !call_is_ended(call)) call_hangup(call, CAUSE_RECOVERY_ON_TIMER_EXPIRE, 0, NULL);
    else if (sdp && !call_is_ended(call) && sdp_answer_read(sdp, length, &call->codecs, &media) == 0) media_change(call, &media);
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
        local_fill(call, &local, "sendrecv");
        return sdp_offer_write(out, size, &local, &call->codecs);
    }
    int err = sdp_offer_read(sdp, length, &call->codecs, media, &streams);
    if (err < 0) return err;
    local_fill(call, &local, "sendrecv");
    return sdp_answer_write(out, size, &local, media, &streams);
}

static void accept_send(struct call *call, nta_incoming_t *irq, const char *sdp)
{
    struct agent *agent = &call->broker->agent;
    slot_mirror(call);
    nta_incoming_treply(irq, SIP_200_OK, SIPTAG_CONTACT(call->listener->contact[call->transport]), SIPTAG_ALLOW(agent->allow),
                        SIPTAG_CONTENT_TYPE(agent->sdp_type), SIPTAG_PAYLOAD_STR(sdp), TAG_END());
}

int reinvite_take(struct call *call, nta_incoming_t *irq, const sip_t *sip)
{
    char sdp[SDP_TEXT_MAX];
    struct slot_media media;
    bool offerless;
    if (call_is_ended(call)) return 481;
    if (call->reoffer || call->offer) return 500;
    if (call->request || call->state != CALL_TALKING) return 491;
    if (answer_write(call, sip, sdp, sizeof sdp, &media, &offerless) < 0) return 488;
    if (sip->sip_contact) {
        nta_leg_server_route(call->leg, NULL, sip->sip_contact);
        dialog_copy_route(call);
    }
    call->reoffer = irq;
    call->reoffer_offerless = offerless;
    nta_incoming_bind(irq, reoffer_ack, call);
    accept_send(call, irq, sdp);
    if (!offerless) media_change(call, &media);
    return 0;
}

int dialog_update(struct call *call, nta_incoming_t *irq, const sip_t *sip)
{
    char sdp[SDP_TEXT_MAX];
    struct slot_media media;
    bool offerless;
    size_t length;
    if (call_is_ended(call)) return 481;
    if (!dialog_sdp(sip, &length)) return 200;
    if (call->request || call->state != CALL_TALKING) return 491;
    if (answer_write(call, sip, sdp, sizeof sdp, &media, &offerless) < 0) return 488;
    accept_send(call, irq, sdp);
    nta_incoming_destroy(irq);
    media_change(call, &media);
    return 0;
}

/* --- ours ----------------------------------------------------------------------------------------------------------- */

static void answered_ours(struct call *call, const sip_t *sip)
{
    size_t length;
    struct slot_media media;
    const char *sdp = dialog_sdp(sip, &length);
    ack_send(call, sip->sip_cseq->cs_seq);
    nta_leg_client_reroute(call->leg, NULL, sip->sip_contact, 0);
    dialog_copy_route(call);
    if (!sdp || call_is_ended(call) || sdp_answer_read(sdp, length, &call->codecs, &media) < 0) return;
    if (strcmp(call->request_direction, "sendonly") == 0) media.receive = false; /* we hold: what they still send is not heard */
    media_change(call, &media);
}

static int reinvite_response(struct call *call, nta_outgoing_t *orq, const sip_t *sip)
{
    int status = sip && sip->sip_status ? sip->sip_status->st_status : nta_outgoing_status(orq);
    if (status < 200 || call->request != orq) return 0;
    if (status < 300) answered_ours(call, sip);
    nta_outgoing_destroy(orq);
    call->request = NULL;
    lane_reply_status(call, status);
    /* 408 and 481: the dialog is gone (RFC 3261 §12.2.1.2). */
    if ((status == 408 || status == 481) && !call_is_ended(call)) call_hangup(call, cause_from_sip(status), 0, NULL);
    call_check_over(call);
    return 0;
}

int reinvite_send(struct call *call, const char *action, const char *codecs, uint64_t ticket)
{
    char sdp[SDP_TEXT_MAX];
    struct sdp_local local;
    struct agent *agent = &call->broker->agent;
    if (call->state != CALL_TALKING || call->request || call->reoffer) return -EBUSY;
    bool hold = !strcmp(action, "hold");
    if (!hold && strcmp(action, "unhold") && strcmp(action, "codec")) return -EINVAL;
    if (codecs && !strcmp(action, "codec") && sdp_codecs_parse(&call->codecs, codecs) < 0) return -EINVAL;
    call->request_direction = hold ? "sendonly" : "sendrecv";
    local_fill(call, &local, call->request_direction);
    if (sdp_offer_write(sdp, sizeof sdp, &local, &call->codecs) < 0) return -EMSGSIZE;
    call->local_cseq++;
    slot_mirror(call);
    call->request = nta_outgoing_tcreate(call->leg, reinvite_response, call, NULL, SIP_METHOD_INVITE, NULL, TPTAG_IDENT(call->listener->name),
                                         SIPTAG_CONTACT(call->listener->contact[call->transport]), SIPTAG_ALLOW(agent->allow),
                                         SIPTAG_CONTENT_TYPE(agent->sdp_type), SIPTAG_PAYLOAD_STR(sdp), TAG_END());
    if (!call->request) return -EIO;
    call->request_ticket = ticket;
    return 0;
}
