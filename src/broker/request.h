/* request.h: requests within a dialog, theirs and ours. */
#ifndef BROKER_REQUEST_H
#define BROKER_REQUEST_H

#include "broker/state.h"

/* The legs' callback: a status that the stack sends, or 0 = answered here (now or later). */
int call_request(struct call *call, nta_leg_t *leg, nta_incoming_t *irq, const sip_t *sip);

/* INFO of ours; its answer is not waited for. */
void info_send(struct call *call, const char *content_type, const char *body);

/* reinvite.c */
/* UPDATE or PRACK: with SDP it is answered like a re-INVITE, without it is 200. */
int dialog_offer(struct call *call, nta_incoming_t *irq, const sip_t *sip);
int reinvite_take(struct call *call, nta_incoming_t *irq, const sip_t *sip);
/* Our re-INVITE: "hold", "unhold" or "codec". Ticket answered with sip_status. 0 or -errno (then nothing is answered). */
int reinvite_send(struct call *call, const char *action, const char *codecs, uint64_t ticket);

/* Our refresh of the session: UPDATE, or a re-INVITE that changes nothing. -EBUSY while another request is under way. */
int refresh_send(struct call *call, bool update);

/* refer_take.c: theirs. */
int refer_take(struct call *call, nta_incoming_t *irq, const sip_t *sip);

/* refer.c: ours. */
int refer_send(struct call *call, const char *to, uint64_t ticket);
int refer_notified(struct call *call, const sip_t *sip);

#endif
