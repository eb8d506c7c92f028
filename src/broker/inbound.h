/* inbound.h: what comes in outside a dialog: new calls above all. */
#ifndef BROKER_INBOUND_H
#define BROKER_INBOUND_H

#include "broker/sofia.h"

/* The agent's message callback: requests with no leg and responses with no transaction. Takes msg. */
int inbound_message(struct broker *broker, nta_agent_t *nta, msg_t *msg, sip_t *sip);

/* What comes for an INVITE that is under way: ACK, CANCEL, or (sip NULL) neither in time. */
int inbound_ack_cancel(struct call *call, nta_incoming_t *irq, const sip_t *sip);
/* The worker's wishes for a call that it was offered. */
void inbound_ring(struct call *call, const char *headers);
void inbound_early(struct call *call, const char *headers);
void inbound_answer(struct call *call, const char *headers);

#endif
