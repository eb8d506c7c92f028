/* The callee's side of a call: from the INVITE to its final response. uas_dialog.c goes on from there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "call.h"

static void silent_over(void *owner)
{
	call_end(owner, "silent");
}

static void challenge_over(void *owner)
{
	call_end(owner, "challenged");
}

static void contact_write(struct call *call, struct text *t)
{
	text_add(t, "Contact: <sip:carrier@%s:%d%s>\r\n", net_host(call->carrier, &call->peer), call->carrier->listeners[call->peer.listener].port,
		 call->peer.conn >= 0 ? ";transport=tcp" : "");
}

/* A final failure; extra header lines may be NULL. The call ends when its ACK comes. */
void uas_reject(struct call *call, int status, const char *extra)
{
	struct carrier *c = call->carrier;

	timer_clear(&c->timers, &call->step);
	call->state = CALL_FINAL;
	call->final_status = status;
	call->final_us = clock_utc_us();
	if (call->invite->invite >= 0)
		call->invite_list[call->invite->invite].status = status;
	if (status == 487)
		c->totals.cancelled++;
	else
		c->totals.rejected++;
	media_close(c, &call->media);
	stxn_respond(call->invite, status, extra, NULL, NULL);
}

static void reject_by_rule(struct call *call)
{
	const struct rule *r = call->rule;
	struct text extra = {0};

	if (r->retry_after_s)
		text_add(&extra, "Retry-After: %d\r\n", r->retry_after_s);
	if (r->cause)
		text_add(&extra, "Reason: Q.850;cause=%d\r\n", r->cause);
	if (r->code >= 300 && r->code < 400)
		contact_write(call, &extra);
	uas_reject(call, r->code, extra.p);
	text_free(&extra);
}

/* A 2xx to INVITE is repeated until its ACK (RFC 3261 §13.3.1.4), on TCP too. */
static void repeat_fire(void *owner)
{
	struct call *call = owner;
	struct carrier *c = call->carrier;

	if (clock_mono_us() >= call->repeat_end_us || !call->invite) {
		c->totals.timeouts++;
		if (call->state == CALL_ANSWERED || call->state == CALL_UP)
			uac_bye(call);
		return;
	}
	stxn_repeat(call->invite);
	call->repeat_us = call->repeat_us * 2 > c->options.t2_us ? c->options.t2_us : call->repeat_us * 2;
	call_timer(call, &call->repeat, call->repeat_us, repeat_fire);
}

void uas_respond_2xx(struct call *call, struct stxn *t, const char *sdp)
{
	struct carrier *c = call->carrier;
	struct text extra = {0};

	contact_write(call, &extra);
	text_add(&extra, "Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, PRACK, UPDATE\r\n");
	stxn_respond(t, 200, extra.p, "application/sdp", sdp);
	text_free(&extra);
	if (t->method != SIP_INVITE)
		return;
	call->invite = t;
	call->repeat_us = c->options.t1_us;
	call->repeat_end_us = clock_mono_us() + 64 * c->options.t1_us;
	call_timer(call, &call->repeat, call->repeat_us, repeat_fire);
}

void uas_answer(struct call *call)
{
	struct carrier *c = call->carrier;
	struct text sdp = {0};

	timer_clear(&c->timers, &call->step);
	if (uac_sdp(call, &sdp, call->direction) != 0) {
		uas_reject(call, 503, NULL);
		return;
	}
	call->state = CALL_ANSWERED;
	call->answer_us = clock_utc_us();
	call->final_status = 200;
	if (call->invite->invite >= 0)
		call->invite_list[call->invite->invite].status = 200;
	c->totals.answered++;
	uas_respond_2xx(call, call->invite, sdp.p);
	text_free(&sdp);
	if (call->has_sdp)
		media_play(c, &call->media, &call->rule->sound, rng_next(&call->draw));
}

static void provisional(struct call *call, bool early)
{
	struct carrier *c = call->carrier;
	struct text extra = {0}, sdp = {0};

	contact_write(call, &extra);
	if (!call->provisional_us)
		call->provisional_us = clock_utc_us();
	if (early && call->has_sdp && uac_sdp(call, &sdp, call->direction) == 0) {
		call->early_sent = true;
		stxn_respond(call->invite, 183, extra.p, "application/sdp", sdp.p);
		media_play(c, &call->media, &call->rule->early_sound, rng_next(&call->draw));
	} else {
		stxn_respond(call->invite, early ? 183 : 180, extra.p, NULL, NULL);
	}
	text_free(&extra);
	text_free(&sdp);
}

static void step_fire(void *owner);

static void step_next(struct call *call)
{
	if (call->step_next < call->step_count)
		timer_set(&call->carrier->timers, &call->step, call->begun_us + call->steps[call->step_next].at_us, step_fire, call);
}

static void step_fire(void *owner)
{
	struct call *call = owner;
	enum step_what what = call->steps[call->step_next++].what;

	if (what != STEP_FINAL) {
		provisional(call, what == STEP_EARLY);
		step_next(call);
	} else if (call->rule->kind == PLAN_REJECT) {
		reject_by_rule(call);
	} else {
		uas_answer(call);
	}
}

static void step_add(struct call *call, int64_t at_us, enum step_what what)
{
	unsigned i = call->step_count++;

	for (; i > 0 && call->steps[i - 1].at_us > at_us; i--)
		call->steps[i] = call->steps[i - 1];
	call->steps[i] = (struct call_step){at_us, what};
}

/* Draws everything between INVITE and final code. What would come after the final code is left out. */
static void steps_plan(struct call *call)
{
	const struct rule *r = call->rule;
	int64_t after = range_draw(r->after, &call->draw), at;
	bool finite = r->kind == PLAN_ANSWER || r->kind == PLAN_REJECT;

	for (unsigned i = 0; i < r->rings && !r->early; i++) {
		at = range_draw(r->ring[i], &call->draw);
		if (!finite || at < after)
			step_add(call, at, STEP_RING);
	}
	if (r->early && (at = range_draw(r->early_at, &call->draw)) < after)
		step_add(call, at, STEP_EARLY);
	if (finite)
		step_add(call, after, STEP_FINAL);
}

/* Who calls whom, from where, with which routes: from the INVITE that is let in. */
static void learn_invite(struct call *call, const struct sip_message *m)
{
	struct text to = {0}, routes = {0};
	struct str contact = sip_get(m, HDR_CONTACT);

	text_add(&to, "%.*s;tag=%s", (int)m->to.n, m->to.p, call->local_tag);
	for (unsigned i = 0; i < m->header_count; i++)
		if (m->headers[i].id == HDR_RECORD_ROUTE)
			text_add(&routes, "Route: %.*s\r\n", (int)m->headers[i].value.n, m->headers[i].value.p);
	free(call->local_uri);
	free(call->remote_uri);
	free(call->remote_target);
	free(call->route_set);
	call->local_uri = to.p;
	call->remote_uri = str_copy(m->from);
	call->remote_target = str_copy(sip_uri(contact.n ? contact : m->from));
	call->route_set = routes.p ? routes.p : str_copy(str_of(""));
}

static uint32_t retry_count(struct carrier *c, const char *number)
{
	return c->retries ? c->retries[hash_bytes(number, strlen(number), 3) % RETRY_BUCKETS]++ : 0;
}

static void admit(struct call *call, const struct sip_message *m)
{
	struct carrier *c = call->carrier;
	const char *why;

	learn_invite(call, m);
	call->nth = retry_count(c, call->number);
	call->rule = plan_choose(&c->plan, call->number, call->nth, &call->draw);
	if (call->rule->kind == PLAN_SILENT) {
		call_timer(call, &call->limit, 64 * c->options.t1_us, silent_over);
		return;
	}
	stxn_respond(call->invite, 100, NULL, NULL, NULL);
	if (m->body.n) {
		why = sdp_parse(&call->remote_sdp, m->body);
		if (why || media_open(c, &call->media, call->remote_sdp.rtp.sa.sa_family) != 0) {
			uas_reject(call, 488, "Warning: 304 carrier \"no usable audio\"\r\n");
			return;
		}
		call->has_sdp = true;
		media_remote(c, &call->media, &call->remote_sdp);
		call->direction = call->remote_sdp.direction == SDP_SENDONLY   ? SDP_RECVONLY
				  : call->remote_sdp.direction == SDP_RECVONLY ? SDP_SENDONLY
									       : call->remote_sdp.direction;
	} else if (media_open(c, &call->media, call->peer.addr.sa.sa_family) != 0) {
		uas_reject(call, 503, NULL);
		return;
	}
	steps_plan(call);
	step_next(call);
}

/* True when the INVITE may go on; else it has its answer. */
static bool authenticated(struct call *call, const struct sip_message *m)
{
	struct carrier *c = call->carrier;
	enum auth_result result = c->options.auth_code && !c->options.place ? auth_check(c, m) : AUTH_OK;
	struct text header = {0};

	if (result == AUTH_OK)
		return true;
	if (result == AUTH_WRONG) {
		c->totals.forbidden++;
		uas_reject(call, 403, NULL);
		return false;
	}
	c->totals.challenged++;
	auth_challenge(c, &header, result == AUTH_STALE);
	call->state = CALL_CHALLENGED;
	call->invite_list[call->invite->invite < 0 ? 0 : call->invite->invite].status = c->options.auth_code;
	stxn_respond(call->invite, c->options.auth_code, header.p, NULL, NULL);
	text_free(&header);
	call_timer(call, &call->limit, 64 * c->options.t1_us, challenge_over);
	return false;
}

static void invite_note(struct call *call, struct stxn *t, bool credentials)
{
	int64_t now = arrival_utc_us(call->carrier);

	if (!call->invite_us)
		call->invite_us = now;
	if (call->invites < CALL_INVITES_MAX) {
		t->invite = (int)call->invites;
		call->invite_list[call->invites++] = (struct invite_mark){now, t->peer.listener, credentials, 0};
	}
	book_invite(call->carrier, now, call->call_id, call->number, credentials);
}

void uas_invite(struct carrier *c, const struct sip_message *m, const struct peer *from)
{
	struct call *call = call_find(c, m->call_id, (struct str){NULL, 0}, m->from_tag.p ? m->from_tag : (struct str){"", 0});
	bool credentials = sip_get(m, HDR_AUTHORIZATION).n || sip_get(m, HDR_PROXY_AUTHORIZATION).n;

	c->totals.invites++;
	/* A failover to another listener of ours may overtake the ACK to the failure: it is a new call. */
	if (call && call->state == CALL_FINAL)
		call = NULL;
	if (call && call->state != CALL_CHALLENGED) {
		stxn_respond(stxn_create(c, m, from, call, call->local_tag), 482, NULL, NULL, NULL);
		return;
	}
	if (!call) {
		call = c->stopping ? NULL : call_create(c, m->call_id, m->from_tag);
		if (!call) {
			struct str user = sip_uri_user(m->uri);
			char *id = str_copy(m->call_id), *number = str_copy(user);

			book_invite(c, arrival_utc_us(c), id, number, credentials);
			free(id);
			free(number);
			stxn_respond(stxn_create(c, m, from, NULL, "full"), 503, "Retry-After: 1\r\n", NULL, NULL);
			return;
		}
		call->number = str_copy(sip_uri_user(m->uri));
		call->from_user = str_copy(sip_uri_user(sip_uri(m->from)));
	}
	timer_clear(&c->timers, &call->limit);
	call->state = CALL_PROCEEDING;
	call->begun_us = clock_mono_us();
	call->peer = *from;
	call->cseq_in = m->cseq;
	call->invite = stxn_create(c, m, from, call, call->local_tag);
	invite_note(call, call->invite, credentials);
	if (authenticated(call, m))
		admit(call, m);
}
