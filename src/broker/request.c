/* request.c: requests within a dialog. */
#include "broker/request.h"

#include <string.h>

#include "broker/call.h"
#include "broker/headers.h"
#include "broker/lane.h"
#include "core/log.h"

static int bye_take(struct call *call, const sip_t *sip)
{
    int cause = CAUSE_NORMAL_CLEARING;
    headers_reason(sip, &cause);
    if (call->state == CALL_OFFERED && call->offer) { /* RFC 3261 §15.1.2: the INVITE ends with 487 */
        nta_incoming_treply(call->offer, SIP_487_REQUEST_CANCELLED, TAG_END());
        nta_incoming_destroy(call->offer);
        call->offer = NULL;
    }
    if (call->offer) { /* 200 out, no ACK: none will come any more */
        nta_incoming_destroy(call->offer);
        call->offer = NULL;
        call->bye_due = false;
    }
    call_end(call, cause, true, sip);
    call_check_over(call);
    return 200;
}

static int info_take(struct call *call, const sip_t *sip)
{
    const char *type = sip->sip_content_type && sip->sip_content_type->c_type ? sip->sip_content_type->c_type : "";
    const sip_payload_t *body = sip->sip_payload;
    if (!call_is_ended(call)) lane_tell_info(call, type, body ? body->pl_data : "", body ? body->pl_len : 0);
    return 200;
}

int call_request(struct call *call, nta_leg_t *leg, nta_incoming_t *irq, const sip_t *sip)
{
    if (sip->sip_cseq && sip->sip_cseq->cs_seq > call->remote_cseq) call->remote_cseq = sip->sip_cseq->cs_seq;
    switch (sip->sip_request->rq_method) {
    case sip_method_bye:
        return bye_take(call, sip);
    case sip_method_invite:
        return reinvite_take(call, irq, sip);
    case sip_method_info:
        return info_take(call, sip);
    case sip_method_options:
        return 200;
    case sip_method_update:
        return dialog_offer(call, irq, sip);
    case sip_method_notify:
        return refer_notified(call, sip);
    case sip_method_message:
        return 200;
    case sip_method_refer:
        return refer_take(call, irq, sip);
    case sip_method_ack:
        return 0;
    case sip_method_cancel:
        return 481;
    default:
        return 405;
    }
}

/* Its answer is not waited for: sofia sends it again as long as it must. */
void info_send(struct call *call, const char *content_type, const char *body)
{
    if (!call->leg || call->state != CALL_TALKING) return;
    call->local_cseq++;
    slot_mirror(call);
    nta_outgoing_t *info = nta_outgoing_tcreate(call->leg, NULL, NULL, NULL, SIP_METHOD_INFO, NULL, TPTAG_IDENT(call->listener->name),
                                                SIPTAG_CONTENT_TYPE_STR(content_type), SIPTAG_PAYLOAD_STR(body), TAG_END());
    if (info)
        nta_outgoing_destroy(info);
    else
        log_warning(call->channel_text, "INFO could not be sent");
}
