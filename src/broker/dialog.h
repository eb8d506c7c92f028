/* dialog.h: what both sides' calls know of their dialog, and the SDP that messages carry. */
#ifndef BROKER_DIALOG_H
#define BROKER_DIALOG_H

#include "broker/state.h"

/* From a 2xx to our INVITE: remote tag, route set and target, into leg and call. */
void dialog_establish(struct call *call, const sip_t *sip);
/* The leg's route set and target into the call's texts (for the slot). */
void dialog_copy_route(struct call *call);
/* A message's SDP: NULL if it has none (or another type). */
const char *dialog_sdp(const sip_t *sip, size_t *length);
/* ACK of a 2xx to our INVITE. */
void ack_send(struct call *call, uint32_t cseq);
/* ACK of a final response that is no 2xx, where its transaction died with the broker before. */
void ack_refusal_send(struct call *call, const sip_t *sip);

#endif
