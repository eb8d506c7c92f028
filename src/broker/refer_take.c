/* refer_take.c: REFER from the far end: its partner in the bridge is to be connected elsewhere (RFC 3515, blind transfer).
 *
 *   REFER Refer-To: <sip:100@…> ──▶ 202, NOTIFY 100      the worker: who is the partner? uuid_transfer PARTNER 100 XML CONTEXT
 *                                   NOTIFY 200 | 403 | 503
 *
 * What may be reached is the context's business, and an INVITE that comes of it passes the permit like any other. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "broker/call.h"
#include "broker/request.h"
#include "core/clock.h"
#include "core/log.h"

#define ANSWER_NS     (10 * NS_PER_S)
#define EXTENSION_MAX 64

/* One transfer that a worker is asked about; the call may end meanwhile. */
struct referral {
    struct broker *broker;
    char channel[UUID_TEXT_SIZE], extension[EXTENSION_MAX], context[BUS_NAME_MAX];
    uint32_t worker, id; /* id = CSeq of the REFER */
};

static void notify(const struct referral *referral, const char *status, bool last)
{
    char body[64], event[32];
    struct call *call = call_by_channel(referral->broker, referral->channel);
    if (!call || call->state != CALL_TALKING) return;
    snprintf(body, sizeof body, "SIP/2.0 %s\r\n", status);
    snprintf(event, sizeof event, "refer;id=%u", referral->id);
    call->local_cseq++;
    slot_mirror(call);
    nta_outgoing_t *sent = nta_outgoing_tcreate(call->leg, NULL, NULL, NULL, SIP_METHOD_NOTIFY, NULL, TPTAG_IDENT(call->listener->name),
                                                SIPTAG_CONTACT(call->listener->contact[call->transport]), SIPTAG_EVENT_STR(event),
                                                SIPTAG_SUBSCRIPTION_STATE_STR(last ? "terminated;reason=noresource" : "active;expires=60"),
                                                SIPTAG_CONTENT_TYPE_STR("message/sipfrag;version=2.0"), SIPTAG_PAYLOAD_STR(body),
                                                TAG_END());
    if (sent) nta_outgoing_destroy(sent);
}

static void finish(struct referral *referral, const char *status)
{
    notify(referral, status, true);
    free(referral);
}

static int ask(struct referral *referral, const char *command, const char *args, post_answer *answer)
{
    struct kv pairs = KV_INIT;
    kv_add(&pairs, "command", command);
    kv_add(&pairs, "args", args);
    int err = post_request(referral->broker->post, BUS_WORKER_0 + referral->worker, MSG_API, &pairs, ANSWER_NS, answer, referral, NULL);
    kv_free(&pairs);
    return err;
}

static void transferred(void *context, int status, struct kv_view pairs)
{
    bool done = status == 0 && !strncmp(kv_get_or(pairs, "text", ""), "+OK", 3);
    finish(context, done ? "200 OK" : "503 Service Unavailable");
}

static void partner_told(void *context, int status, struct kv_view pairs)
{
    struct referral *referral = context;
    struct uuid partner;
    char uuid[UUID_TEXT_SIZE], args[256];
    snprintf(uuid, sizeof uuid, "%.36s", status == 0 ? kv_get_or(pairs, "text", "") : "");
    if (uuid_parse(&partner, uuid) < 0) return finish(referral, "403 Forbidden"); /* nobody is bridged with it */
    snprintf(args, sizeof args, "%s %s XML %s", uuid, referral->extension, referral->context);
    if (ask(referral, "uuid_transfer", args, transferred) < 0) finish(referral, "503 Service Unavailable");
}

static bool extension_read(const sip_t *sip, char *out, size_t size)
{
    const char *user = sip->sip_refer_to ? sip->sip_refer_to->r_url->url_user : NULL;
    size_t n = user ? strlen(user) : 0;
    if (!n || n >= size) return false;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)user[i]) && !strchr("+-_.*#", user[i])) return false;
    memcpy(out, user, n + 1);
    return true;
}

int refer_take(struct call *call, nta_incoming_t *irq, const sip_t *sip)
{
    const char *context = call->trunk ? call->trunk->refer_context : "";
    if (call->state != CALL_TALKING) return 481;
    if (!*context) return 603; /* a far end does not dial at our cost unless the trunk says so */
    if (sip->sip_refer_to && sip->sip_refer_to->r_url->url_headers) return 501; /* Replaces: an attended transfer */
    struct referral *referral = calloc(1, sizeof *referral);
    if (!referral || !extension_read(sip, referral->extension, sizeof referral->extension)) {
        free(referral);
        return 400;
    }
    referral->broker = call->broker;
    referral->worker = call->worker;
    referral->id = sip->sip_cseq->cs_seq;
    snprintf(referral->channel, sizeof referral->channel, "%s", call->channel_text);
    snprintf(referral->context, sizeof referral->context, "%s", context);
    nta_incoming_treply(irq, SIP_202_ACCEPTED, SIPTAG_CONTACT(call->listener->contact[call->transport]), TAG_END());
    nta_incoming_destroy(irq);
    notify(referral, "100 Trying", false);
    char args[80];
    snprintf(args, sizeof args, "%s signal_bond", call->channel_text);
    if (ask(referral, "uuid_getvar", args, partner_told) < 0) finish(referral, "503 Service Unavailable");
    return 0;
}
