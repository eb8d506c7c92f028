/* invite.h: our INVITE: sent when its turn came, answered by whatever comes. */
#ifndef BROKER_INVITE_H
#define BROKER_INVITE_H

#include "broker/state.h"

/* Durable now: into the trunk's queue; a URI call needs no trunk's pace and leaves at once. */
void invite_queue(struct call *call);
/* Its turn came. Asserts that the permit was given. */
void invite_send(struct call *call);
/* Its trunk takes no calls any more: the next one, or the end. */
void invite_unsendable(struct call *call);
/* The next trunk after `status`; false if there is none. The transaction before it is left to the stack. */
bool invite_fail_over(struct call *call, int status);

/* answer.c: what came. */
void invite_progress(struct call *call, int status, const sip_t *sip);
void invite_answered(struct call *call, const sip_t *sip);
void invite_answered_late(struct call *call, const sip_t *sip);
/* A 2xx outside every transaction (message callback). Takes msg. */
void invite_orphan(struct broker *broker, msg_t *msg, sip_t *sip);
/* redirect.c: a 3xx: true = the INVITE goes on to one of its contacts. */
bool redirect_follow(struct call *call, int status, const sip_t *sip);
/* refuse.c */
void invite_refused(struct call *call, int status, const sip_t *sip);

#endif
