/* The callee's side once there is a dialog: re-INVITE, ACK, CANCEL, BYE, INFO. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"

static const struct sound no_sound = {.kind = SOUND_NONE};

static void nobye_over(void *owner)
{
	call_end(owner, "nobye");
}

void uas_reinvite(struct call *call, struct stxn *t, const struct sip_message *m)
{
	struct carrier *c = call->carrier;
	struct text sdp = {0};
	struct str contact = sip_get(m, HDR_CONTACT);

	if (call->state != CALL_UP || (t->method == SIP_INVITE && call->invite && call->invite->status < 200) ||
	    (call->invite_out && !call->invite_out->final)) {
		stxn_respond(t, 491, NULL, NULL, NULL);
		return;
	}
	if (contact.n) {
		free(call->remote_target);
		call->remote_target = str_copy(sip_uri(contact));
	}
	if (m->body.n) {
		struct sdp offer;

		if (sdp_parse(&offer, m->body)) {
			stxn_respond(t, 488, NULL, NULL, NULL);
			return;
		}
		call->remote_sdp = offer;
		call->has_sdp = true;
		media_remote(c, &call->media, &offer);
		call->direction = offer.direction == SDP_SENDONLY   ? SDP_RECVONLY
				  : offer.direction == SDP_RECVONLY ? SDP_SENDONLY
								    : offer.direction;
	} else if (t->method == SIP_UPDATE) {
		uas_respond_2xx(call, t, NULL);
		return;
	}
	call->sdp_version++;
	uac_sdp(call, &sdp, call->direction);
	uas_respond_2xx(call, t, sdp.p);
	text_free(&sdp);
}

void uas_ack(struct call *call, const struct sip_message *m)
{
	struct carrier *c = call->carrier;
	struct stxn *t = call->invite;

	if (!t || t->cseq != m->cseq || t->status < 200)
		return;
	if (t->acked) {
		for (unsigned i = call->marks; i-- > 0;)
			if (call->mark[i].in && call->mark[i].method == SIP_ACK) {
				call_mark_again(call, (int)i);
				break;
			}
		return;
	}
	call_mark(call, true, SIP_ACK, 0);
	stxn_acked(t);
	timer_clear(&c->timers, &call->repeat);
	if (!call->has_sdp && m->body.n && !sdp_parse(&call->remote_sdp, m->body)) {
		call->has_sdp = true;
		media_remote(c, &call->media, &call->remote_sdp);
		media_play(c, &call->media, &call->rule->sound, rng_next(&call->draw));
	}
	if (call->state != CALL_ANSWERED)
		return;
	call->state = CALL_UP;
	call->ack_us = arrival_utc_us(c);
	call_up(call);
}

void uas_cancel(struct call *call)
{
	call->cancel_us = arrival_utc_us(call->carrier);
	if (call->state != CALL_PROCEEDING || call->rule->kind == PLAN_SILENT)
		return;
	if (call->rule->kind == PLAN_LATE200)
		uas_answer(call);
	else
		uas_reject(call, 487, NULL);
}

void uas_bye(struct call *call, struct stxn *t, const struct sip_message *m)
{
	struct carrier *c = call->carrier;
	struct str reason = sip_get(m, HDR_REASON);

	if (!call->bye_in_us)
		call->bye_in_us = arrival_utc_us(c);
	snprintf(call->bye_reason, sizeof call->bye_reason, "%.*s", (int)reason.n, reason.n ? reason.p : "");
	if (call->rule && call->rule->nobye) {
		media_play(c, &call->media, &no_sound, 0);
		timer_clear(&c->timers, &call->hangup);
		call->state = CALL_BYE_IGNORED;
		if (!call->limit.pos)
			call_timer(call, &call->limit, 64 * c->options.t1_us, nobye_over);
		return;
	}
	stxn_respond(t, 200, NULL, NULL, NULL);
	if (call->state == CALL_PROCEEDING && call->invite && call->invite->status < 200)
		uas_reject(call, 487, NULL);
	else
		call_end(call, call->state == CALL_BYE_SENT ? "bye-both" : "bye-in");
}

/* application/dtmf-relay "Signal=5\r\nDuration=160", application/dtmf "5" */
void uas_info(struct call *call, struct stxn *t, const struct sip_message *m)
{
	struct str line, body = m->body, key;
	bool relay = str_is_nocase(m->content_type, "application/dtmf-relay");
	int64_t duration = 0;
	char digit = 0;

	while (str_cut(&body, '\n', &line)) {
		line = str_trim(line);
		if (relay && str_cut(&line, '=', &key)) {
			line = str_trim(line);
			if (str_is_nocase(str_trim(key), "Signal") && line.n)
				digit = line.p[0];
			else if (str_is_nocase(str_trim(key), "Duration"))
				duration = str_number(line);
		} else if (!relay && line.n && !digit && str_is_nocase(m->content_type, "application/dtmf")) {
			digit = line.p[0];
		}
	}
	if (digit_index(digit) >= 0)
		call_digit(call, true, digit, relay ? PRESS_INFO_RELAY : PRESS_INFO_DTMF, duration > 0 ? (unsigned)duration : 0, true, clock_utc_us());
	stxn_respond(t, 200, NULL, NULL, NULL);
}

void uas_final_done(struct call *call)
{
	if (call->final_status == 487)
		call_end(call, call->bye_in_us ? "bye-in" : "cancelled");
	else
		call_end(call, call->final_status == 403 && call->carrier->options.auth_code ? "forbidden" : "rejected");
}
