/* refer.c: blind transfer: REFER of ours, and the NOTIFYs that tell how it went (RFC 3515). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "broker/call.h"
#include "broker/lane.h"
#include "broker/request.h"

static int refer_response(struct call *call, nta_outgoing_t *orq, const sip_t *sip)
{
    int status = sip && sip->sip_status ? sip->sip_status->st_status : nta_outgoing_status(orq);
    if (status < 200 || call->request != orq) return 0;
    nta_outgoing_destroy(orq);
    call->request = NULL;
    if (status >= 300) lane_reply_status(call, status); /* accepted: the NOTIFY says what came of it */
    call_check_over(call);
    return 0;
}

int refer_send(struct call *call, const char *to, uint64_t ticket)
{
    char target[BUS_URI_MAX];
    if (call->state != CALL_TALKING || call->request || call->request_ticket) return -EBUSY;
    if (!to || strpbrk(to, "<>\"\r\n ") || strlen(to) > 200) return -EINVAL;
    if (strncasecmp(to, "sip:", 4))
        snprintf(target, sizeof target, strchr(to, '@') ? "<sip:%s>" : "<sip:%s@%s>", to,
                 call->trunk ? call->trunk->domain : call->listener->advertised);
    else
        snprintf(target, sizeof target, "<%s>", to);
    call->local_cseq++;
    slot_mirror(call);
    call->request = nta_outgoing_tcreate(call->leg, refer_response, call, NULL, SIP_METHOD_REFER, NULL, TPTAG_IDENT(call->listener->name),
                                         SIPTAG_CONTACT(call->listener->contact[call->transport]), SIPTAG_REFER_TO_STR(target),
                                         SIPTAG_REFERRED_BY_STR(call->listener->contact_text[call->transport]), TAG_END());
    if (!call->request) return -EIO;
    call->request_ticket = ticket;
    return 0;
}

/* message/sipfrag: "SIP/2.0 200 OK". A provisional one is waited out. */
int refer_notified(struct call *call, const sip_t *sip)
{
    const sip_payload_t *body = sip->sip_payload;
    char line[32];
    if (!body || !body->pl_data || body->pl_len < 12) return 200;
    snprintf(line, sizeof line, "%.*s", (int)(body->pl_len < 30 ? body->pl_len : 30), body->pl_data);
    int status = strncasecmp(line, "SIP/2.0 ", 8) ? 0 : atoi(line + 8);
    if (status >= 200 && status <= 699) lane_reply_status(call, status);
    return 200;
}
