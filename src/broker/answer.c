/* answer.c: provisional and successful responses to our INVITE. */
#include "broker/bye.h"
#include "broker/call.h"
#include "broker/charge.h"
#include "broker/dialog.h"
#include "broker/invite.h"
#include "broker/lane.h"
#include "broker/media.h"
#include "bus/histogram.h"
#include "core/clock.h"
#include "core/log.h"

#include <string.h>
#include <strings.h>

/* What a response agrees to: its own SDP, or what an earlier one of the same dialog said. */
static bool answer_read(struct call *call, const sip_t *sip, struct slot_media *media)
{
    size_t length;
    const char *sdp = dialog_sdp(sip, &length);
    bool final = sip->sip_status->st_status >= 200;
    struct early_dialog *dialog = sdp && final ? NULL : early_dialog_of(call, sip);
    if (sdp && sdp_answer_read(sdp, length, &call->codecs, media) < 0) return false;
    if (!sdp && (!dialog || !dialog->agreed)) return false;
    if (!sdp) *media = dialog->media;
    media->nat = call->nat || (call->trunk && call->trunk->nat);
    if (dialog) dialog->media = *media, dialog->agreed = true;
    return true;
}

static bool answer_take(struct call *call, const sip_t *sip)
{
    struct slot_media media;
    if (!answer_read(call, sip, &media)) return false;
    call->media = media;
    call->media_agreed = true;
    return true;
}

/* --- 1xx ------------------------------------------------------------------------------------------------------------ */

/* The first dialog that has early media is heard; of the others only what they agree to is kept. */
static void early_media(struct call *call, int status, const sip_t *sip)
{
    struct slot_media media;
    bool agreed = answer_read(call, sip, &media);
    call->agreed_reliably |= agreed && sip->sip_rseq;
    if (!agreed || call->early_told) return;
    call->media = media;
    call->media_agreed = true;
    if (call->early == DIAL_EARLY_IGNORE) return;
    call->early_told = true;
    media_run(call);
    lane_tell_early(call, status, sip);
}

static void ringing(struct call *call, int status)
{
    if (call->ringing_told) return;
    call->ringing_told = true;
    lane_tell_progress(call, "ringing", status);
    if (call->watched && call->watch.ringing) call->watch.ringing(call->watch.context, call);
}

static void delay_record(const struct call *call, enum histogram histogram, int64_t now_us)
{
    struct broker *broker = call->broker;
    if (call->at.invite)
        histogram_record(histogram_at(broker->segment, broker->args->process, histogram), histogram, now_us - call->at.invite);
}

void invite_progress(struct call *call, int status, const sip_t *sip)
{
    size_t length;
    if (status <= 100 || !reliable_take(call, sip)) return;
    if (call->state == CALL_INVITING) {
        call->state = CALL_RINGING;
        call->at.ring = clock_utc_us();
        trunk_delay(call);
        delay_record(call, HISTOGRAM_post_dial_delay, call->at.ring);
        loop_timer_clear(call->broker->loop, &call->second);
    }
    bool has_sdp = dialog_sdp(sip, &length) != NULL;
    if (has_sdp) {
        call->media_seen = true; /* they may send already: the slot's port rests afterwards */
        early_media(call, status, sip);
    }
    if (!has_sdp || call->early == DIAL_EARLY_IGNORE) ringing(call, status);
}

/* --- 2xx ------------------------------------------------------------------------------------------------------------ */

static void transaction_done(struct call *call)
{
    nta_outgoing_destroy(call->invite);
    call->invite = NULL;
}

void invite_answered(struct call *call, const sip_t *sip)
{
    struct broker *broker = call->broker;
    dialog_establish(call, sip);
    session_answered(call, sip);
    call->sip_status = sip->sip_status->st_status;
    call->answered = true;
    call->state = CALL_TALKING;
    call->at.answer = clock_utc_us();
    if (!call->at.ring) delay_record(call, HISTOGRAM_post_dial_delay, call->at.answer);
    delay_record(call, HISTOGRAM_answer_delay, call->at.answer);
    slot_mirror(call); /* before the ACK: a far end that has it repeats nothing, and a broker after this one must know the dialog */
    ack_send(call, call->invite_cseq);
    transaction_done(call);
    COUNT(broker, calls_answered, 1);
    if (call->trunk) call->trunk->answered++;
    trunk_delay(call);
    trunk_result(call, QUALITY_ANSWERED);
    charge_begin(call);
    loop_timer_clear(broker->loop, &call->second);
    loop_timer_set(broker->loop, &call->timer, clock_mono_ns() + (int64_t)call->max_s * NS_PER_S);
    if (!answer_take(call, sip)) {
        log_info(call->channel_text, "answered with no codec of ours");
        slot_mirror(call);
        call_hangup(call, CAUSE_INCOMPATIBLE_DESTINATION, 0, NULL);
        return;
    }
    early_dialogs_free(call);
    lane_tell_answered(call, sip);
    media_run(call);
    if (call->watched && call->watch.answered) call->watch.answered(call->watch.context, call);
}

/* The answer crossed our CANCEL: it is taken and ended at once. */
void invite_answered_late(struct call *call, const sip_t *sip)
{
    dialog_establish(call, sip);
    ack_send(call, call->invite_cseq);
    transaction_done(call);
    call->sip_status = sip->sip_status->st_status;
    log_info(call->channel_text, "answered after CANCEL; sending BYE");
    bye_send(call, call->cause);
    call_check_over(call);
}

void invite_orphan(struct broker *broker, msg_t *msg, sip_t *sip)
{
    struct call *call = sip->sip_call_id ? call_by_call_id(broker, sip->sip_call_id->i_id) : NULL;
    bool known = call && call->leg && call->answered && sip->sip_to && sip->sip_to->a_tag &&
                 !strcasecmp(sip->sip_to->a_tag, call->remote_tag);
    if (known) {
        ack_send(call, sip->sip_cseq->cs_seq);
        nta_msg_discard(broker->agent.nta, msg);
    } else if (nta_msg_ackbye(broker->agent.nta, msg) < 0) {
        nta_msg_discard(broker->agent.nta, msg);
    }
}
