/* inbound.h: what comes in outside a dialog: new calls above all. */
#ifndef BROKER_INBOUND_H
#define BROKER_INBOUND_H

#include "broker/listener.h"
#include "broker/sofia.h"
#include "core/kv.h"

struct trunk;

/* Who a request came from. */
struct source_found {
    struct listener *listener;
    enum transport transport;
    struct trunk *trunk; /* NULL: somebody, at a listener that takes anybody's calls or has users */
    struct kv_view user; /* the user that showed to be who it says, as in user_auth.h; empty = none */
};

/* The agent's message callback: requests with no leg and responses with no transaction. Takes msg. */
int inbound_message(struct broker *broker, nta_agent_t *nta, msg_t *msg, sip_t *sip);

/* What comes for an INVITE that is under way: ACK, CANCEL, or (sip NULL) neither in time. */
int inbound_ack_cancel(struct call *call, nta_incoming_t *irq, const sip_t *sip);
/* A call of a source that may make it: to a worker, or refused. Takes msg. */
void inbound_call_take(struct broker *broker, const struct source_found *found, msg_t *msg, sip_t *sip);

/* The worker's wishes for a call that it was offered. */
void inbound_ring(struct call *call, const char *headers);
void inbound_early(struct call *call, const char *headers);
void inbound_answer(struct call *call, const char *headers);

#endif
