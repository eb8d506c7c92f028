/* dial.h: an outgoing call's way to its INVITE: trunk, permit, slot, caps, ledger, queue. In this order. */
#ifndef BROKER_DIAL_H
#define BROKER_DIAL_H

#include "broker/state.h"

/* The trunks of a comma-separated list (with their configured failovers behind) into the call. -EINVAL: unknown name. */
int dial_trunks(struct call *call, const char *names);
/* Starts a call whose wishes stand in it. A refusal by the permit is no error: the call ends by itself a moment
 * later. -EAGAIN: no slot or no worker (nothing was begun; the caller ends or drops the call). `retry_later`: refusals that time heals
 * (draining, caps, a pausing trunk) are -EAGAIN too. `worker` = UINT32_MAX: the one with the fewest calls. */
int dial_start(struct call *call, uint32_t worker, bool retry_later);
/* Ends a call of which nothing left, with a reason, a moment later. */
void dial_refuse(struct call *call, const char *reason, int cause);

#endif
