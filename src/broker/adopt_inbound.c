/* adopt_inbound.c: a caller whose INVITE another broker had taken and not answered. Its transaction died with that broker, so the stack is
 * given the request again as far as a response needs it: the Vias that it came with, tags, CSeq. */
#include <stdio.h>
#include <string.h>

#include "broker/adopt_own.h"
#include "broker/call.h"
#include "core/log.h"

#define RETRY_AFTER_S "5"

static int request_write(const struct call *call, char *out, size_t size)
{
    int n = snprintf(
        out, size,
        "INVITE %s SIP/2.0\r\nVia: %s\r\nFrom: <%s>;tag=%s\r\nTo: <%s>\r\nCall-ID: %s\r\nCSeq: %u INVITE\r\nMax-Forwards: 70\r\n"
        "Content-Length: 0\r\n\r\n",
        call->local_uri, call->via, call->remote_uri, call->remote_tag, call->local_uri, call->call_id, call->remote_cseq);
    return n > 0 && (size_t)n < size ? n : -1;
}

static msg_t *request_parse(const char *text, int length)
{
    /* Not by the agent's own parser: its gate looks at where a message came from. */
    msg_t *msg = msg_make(sip_default_mclass(), 0, text, length);
    sip_t *sip = msg ? sip_object(msg) : NULL;
    if (sip && sip->sip_request && sip->sip_via && sip->sip_from && sip->sip_to && sip->sip_call_id && sip->sip_cseq) return msg;
    if (msg) msg_destroy(msg);
    return NULL;
}

void adopt_refuse(struct call *call)
{
    char text[2048];
    struct broker *broker = call->broker;
    int length = *call->via ? request_write(call, text, sizeof text) : -1;
    msg_t *msg = length > 0 ? request_parse(text, length) : NULL;
    tport_t *tport = call->listener->tport[call->transport];
    nta_incoming_t *irq = msg ? nta_incoming_create(broker->agent.nta, call->leg, msg, sip_object(msg), NTATAG_TPORT(tport), TAG_END())
                              : NULL;
    if (!irq) {
        log_warning(call->channel_text, "the caller's INVITE cannot be answered any more; it ends by the caller's own timeout");
        return;
    }
    nta_incoming_treply(irq, SIP_503_SERVICE_UNAVAILABLE, SIPTAG_RETRY_AFTER_STR(RETRY_AFTER_S),
                        SIPTAG_USER_AGENT(broker->agent.user_agent), TAG_END());
    nta_incoming_destroy(irq); /* the transaction itself waits for its ACK */
    call->sip_status = 503;
}
