/* call.h: a call's life: made, found, ended, over.
 *
 *   dial ─▶ CLAIMED ─▶ WAITING ─▶ INVITING ─▶ RINGING ─▶ TALKING ─┐
 *                         ▲  credentials, failover │              ├─▶ ENDING ─▶ OVER ─▶ freed
 *   INVITE came ─▶ OFFERED ─▶ ANSWERING ─▶ TALKING ───────────────┘
 *
 * call_end decides the outcome, once. ENDING lasts until the INVITE transaction had its final response, the media
 * thread gave the slot back and the script said its last word; then the row is written. OVER lasts until the far end
 * has answered our BYE. Handlers of all kinds may be called in each state. */
#ifndef BROKER_CALL_H
#define BROKER_CALL_H

#include "broker/reason.h"
#include "broker/state.h"

int calls_open(struct broker *broker);
void calls_close(struct broker *broker);
/* Frees the calls that are through; called where no handler is on the stack. */
void calls_reap(struct broker *broker);

/* A new call with no slot; channel nil = made here. NULL if memory is short. */
struct call *call_new(struct broker *broker, const struct uuid *channel, bool inbound);
struct call *call_new_adopted(struct broker *broker, const struct uuid *channel, const struct uuid *attempt, bool inbound);
/* Drops a call that nobody was told of. */
void call_drop(struct call *call);
struct call *call_by_channel(struct broker *broker, const char *uuid);
struct call *call_by_call_id(struct broker *broker, const char *call_id); /* outgoing ones: the attempt's text */
/* For hooks of a walk over all calls. */
#define CALLS_EACH(broker, call, following)                                                                                                \
    for (struct call *call = (broker)->calls.first, *following; call && (following = call->next, true); call = following)

/* We end it, in any state: BYE, CANCEL or a final response; harmless if it has ended. status 0 = by the cause. */
void call_hangup(struct call *call, int cause, int status, const char *phrase);
/* The outcome is decided: tells whoever waits, stops the media. `sip` may be NULL: the message that ended it. */
void call_end(struct call *call, int cause, bool by_them, const sip_t *sip);
/* Looks whether all that ENDING and OVER wait for has come. */
void call_check_over(struct call *call);

#endif
