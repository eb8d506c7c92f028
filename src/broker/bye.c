/* bye.c: see bye.h. */
#include "broker/bye.h"

#include "broker/auth.h"
#include "broker/call.h"
#include "core/log.h"

static int bye_response(struct call *call, nta_outgoing_t *orq, const sip_t *sip)
{
    int status = sip && sip->sip_status ? sip->sip_status->st_status : nta_outgoing_status(orq);
    if (status < 200) return 0;
    nta_outgoing_destroy(orq);
    call->bye = NULL;
    if ((status == 401 || status == 407) && !call->bye_challenged && auth_challenged(call, sip)) {
        call->bye_challenged = true;
        bye_send(call, call->cause);
        return 0;
    }
    if (status == 408) log_debug(call->channel_text, "BYE was never answered");
    call_check_over(call);
    return 0;
}

void bye_send(struct call *call, int cause)
{
    char reason[96];
    if (!call->leg || call->bye) return;
    if (call->offer) {
        call->bye_due = true;
        return;
    }
    call->bye_due = false;
    cause_write_reason(cause, reason, sizeof reason);
    call->local_cseq++;
    slot_mirror(call);
    sip_header_t *credentials = auth_headers(call, "BYE", call->target);
    call->bye = nta_outgoing_tcreate(call->leg, bye_response, call, NULL, SIP_METHOD_BYE, NULL, TPTAG_IDENT(call->listener->name),
                                     SIPTAG_USER_AGENT(call->broker->agent.user_agent), TAG_IF(*reason, SIPTAG_REASON_STR(reason)),
                                     TAG_IF(credentials, SIPTAG_HEADER(credentials)),
                                     TAG_IF(call->end_headers, SIPTAG_HEADER_STR(call->end_headers)), TAG_END());
    if (!call->bye) log_err(call->channel_text, "BYE could not be sent");
}

void cancel_send(struct call *call, int cause)
{
    char reason[96];
    if (!call->invite || call->cancelled) return;
    call->cancelled = true;
    cause_write_reason(cause, reason, sizeof reason);
    nta_outgoing_t *cancel = nta_outgoing_tcancel(call->invite, NULL, NULL, TAG_IF(*reason, SIPTAG_REASON_STR(reason)),
                                                  TAG_IF(call->end_headers, SIPTAG_HEADER_STR(call->end_headers)), TAG_END());
    if (cancel) nta_outgoing_destroy(cancel);
}

void refuse_send(struct call *call, int cause, int status, const char *phrase)
{
    char reason[96];
    if (!call->offer) return;
    if (status < 300 || status > 699) status = cause_to_sip(cause), phrase = NULL;
    cause_write_reason(cause, reason, sizeof reason);
    call->sip_status = status;
    nta_incoming_treply(call->offer, status, phrase && *phrase ? phrase : sip_phrase_of(status), TAG_IF(*reason, SIPTAG_REASON_STR(reason)),
                        TAG_IF(call->end_headers, SIPTAG_HEADER_STR(call->end_headers)), TAG_END());
    nta_incoming_destroy(call->offer);
    call->offer = NULL;
}
