/* bye.h: our ways of ending a call: BYE, CANCEL, a refusal; and theirs, where it takes more than 200. */
#ifndef BROKER_BYE_H
#define BROKER_BYE_H

#include "broker/state.h"

/* BYE on the dialog; waits for the ACK of our 200 if that is still out. */
void bye_send(struct call *call, int cause);
/* CANCEL of our INVITE; the stack holds it back until a provisional response came. */
void cancel_send(struct call *call, int cause);
/* Final response to an unanswered inbound INVITE. status 0 = by the cause. */
void refuse_send(struct call *call, int cause, int status, const char *phrase);

#endif
