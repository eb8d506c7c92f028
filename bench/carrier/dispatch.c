/* Which transaction and which call a message belongs to. */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "call.h"

#define ALLOW "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE\r\n"

static const struct str any = {NULL, 0};

static void response_in(struct carrier *c, const struct sip_message *m)
{
	struct ctxn *t = ctxn_find(c, m);
	struct call *call;

	if (t) {
		ctxn_response(t, m);
		return;
	}
	call = call_find(c, m->call_id, m->from_tag, any);
	if (call && m->cseq_method == SIP_INVITE && m->status >= 200 && m->status < 300)
		uac_repeat_ack(call);
	else
		c->totals.stray_responses++;
}

static void ack_in(struct carrier *c, const struct sip_message *m)
{
	struct stxn *t = stxn_find(c, m, SIP_INVITE);
	struct call *call;

	if (t && t->status >= 300) {
		bool first = !t->acked;

		stxn_acked(t);
		call = t->call;
		if (!call || !first)
			return;
		call_mark(call, true, SIP_ACK, 0);
		if (call->state == CALL_FINAL && call->invite == t) {
			call->ack_us = arrival_utc_us(c);
			uas_final_done(call);
		}
		return;
	}
	call = call_find(c, m->call_id, m->to_tag, any);
	if (call && m->to_tag.n)
		uas_ack(call, m);
	else
		c->totals.stray_requests++;
}

static void cancel_in(struct carrier *c, const struct sip_message *m, const struct peer *from)
{
	struct stxn *invite = stxn_find(c, m, SIP_INVITE);
	struct stxn *t;

	if (!invite) {
		c->totals.stray_requests++;
		stxn_respond(stxn_create(c, m, from, NULL, "none"), 481, NULL, NULL, NULL);
		return;
	}
	t = stxn_create(c, m, from, invite->call, invite->call ? invite->call->local_tag : "ended");
	stxn_respond(t, 200, NULL, NULL, NULL);
	if (invite->call && invite->call->invite == invite && invite->status < 200)
		uas_cancel(invite->call);
}

static void dialog_request(struct call *call, const struct sip_message *m, const struct peer *from)
{
	struct carrier *c = call->carrier;
	struct stxn *t = stxn_create(c, m, from, call, NULL);

	if (m->cseq < call->cseq_in) {
		stxn_respond(t, 500, NULL, NULL, NULL);          /* out of order, RFC 3261 §12.2.2 */
		return;
	}
	call->cseq_in = m->cseq;
	switch (m->method) {
	case SIP_BYE: uas_bye(call, t, m); break;
	case SIP_INVITE:
	case SIP_UPDATE: uas_reinvite(call, t, m); break;
	case SIP_INFO: uas_info(call, t, m); break;
	case SIP_OPTIONS:
	case SIP_PRACK: stxn_respond(t, 200, ALLOW, NULL, NULL); break;
	default: stxn_respond(t, 405, ALLOW, NULL, NULL); break;
	}
}

static void request_in(struct carrier *c, const struct sip_message *m, const struct peer *from)
{
	struct stxn *t;
	struct call *call;

	if (m->method == SIP_ACK) {
		ack_in(c, m);
		return;
	}
	t = stxn_find(c, m, m->method);
	if (t) {
		c->totals.retransmissions_in++;
		if (t->call)
			call_mark_again(t->call, t->mark_in);
		stxn_repeat(t);
		return;
	}
	if (c->txn_count > c->options.calls_max * 8) {
		c->totals.ignored++;     /* a flood: transactions linger for half a minute, so their number has a limit too */
		return;
	}
	if (m->method == SIP_CANCEL) {
		cancel_in(c, m, from);
	} else if (m->to_tag.n) {
		call = call_find(c, m->call_id, m->to_tag, m->from_tag);
		if (call) {
			dialog_request(call, m, from);
			return;
		}
		c->totals.stray_requests++;
		stxn_respond(stxn_create(c, m, from, NULL, NULL), 481, NULL, NULL, NULL);
	} else if (m->method == SIP_INVITE) {
		uas_invite(c, m, from);
	} else if (m->method == SIP_OPTIONS) {
		stxn_respond(stxn_create(c, m, from, NULL, "options"), 200, ALLOW "Accept: application/sdp\r\n", NULL, NULL);
	} else {
		c->totals.stray_requests++;
		stxn_respond(stxn_create(c, m, from, NULL, "none"), m->method == SIP_REGISTER || m->method == SIP_OTHER ? 405 : 481, ALLOW, NULL, NULL);
	}
}

void sip_input(struct carrier *c, char *data, size_t n, const struct peer *from)
{
	struct sip_message m;
	size_t blank = 0;

	while (blank < n && (data[blank] == '\r' || data[blank] == '\n'))
		blank++;
	if (blank == n)
		return;                  /* a keep-alive */
	if (sip_parse(&m, data + blank, n - blank)) {
		c->totals.malformed++;
		return;
	}
	if (m.request)
		request_in(c, &m, from);
	else
		response_in(c, &m);
}
