/* Calls of our own: --place. The rule made of --digits, --talk, --sound says what they do once answered. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "call.h"

static void invite_done(struct call *call, struct ctxn *t, const struct sip_message *m);

static void invite_send(struct call *call, const char *credentials)
{
	struct carrier *c = call->carrier;
	struct text request = {0}, sdp = {0};
	struct peer to;
	uint64_t branch;

	if (uac_sdp(call, &sdp, SDP_SENDRECV) != 0) {
		call_end(call, "no-media");
		return;
	}
	branch = uac_request(call, SIP_INVITE, ++call->cseq_out, credentials, "application/sdp", sdp.p, &request, &to);
	to = call->peer;
	if (call->invites < CALL_INVITES_MAX)
		call->invite_list[call->invites++] = (struct invite_mark){clock_utc_us(), to.listener, credentials != NULL, 0};
	call->invite_out = ctxn_send(c, call, SIP_INVITE, call->cseq_out, branch, &to, &request, invite_done);
	text_free(&request);
	text_free(&sdp);
}

static void cancel_send(struct call *call)
{
	struct carrier *c = call->carrier;
	const struct ctxn *invite = call->invite_out;
	struct str rest, line;
	struct text request = {0};

	if (!invite || call->cancel_sent)
		return;
	call->cancel_sent = true;
	call->cancel_us = clock_utc_us();
	rest = (struct str){invite->request, invite->request_n};
	for (bool first = true; str_cut(&rest, '\n', &line) && line.n > 1; first = false) {
		if (first)
			text_add(&request, "CANCEL%.*s\n", (int)line.n - 6, line.p + 6);
		else if (strncmp(line.p, "CSeq:", 5) == 0)
			text_add(&request, "CSeq: %u CANCEL\r\n", invite->cseq);
		else if (strncmp(line.p, "Via:", 4) == 0 || strncmp(line.p, "From:", 5) == 0 || strncmp(line.p, "To:", 3) == 0 ||
			 strncmp(line.p, "Call-ID:", 8) == 0 || strncmp(line.p, "Max", 3) == 0 || strncmp(line.p, "Route:", 6) == 0)
			text_add(&request, "%.*s\n", (int)line.n, line.p);
	}
	text_add(&request, "Content-Length: 0\r\n\r\n");
	ctxn_send(c, call, SIP_CANCEL, invite->cseq, invite->branch, &invite->peer, &request, NULL);
	text_free(&request);
}

static void given_up(void *owner)
{
	call_end(owner, "timeout");
}

static void ring_over(void *owner)
{
	struct call *call = owner;

	call->cancel_wanted = true;
	if (call->invite_out && call->invite_out->provisional)
		cancel_send(call);
	call_timer(call, &call->limit, 64 * call->carrier->options.t1_us, given_up);
}

void uac_provisional(struct call *call, const struct sip_message *m)
{
	struct sdp early;

	if (!call->placed || call->state != CALL_CALLING)
		return;
	if (m->status > 100 && !call->provisional_us)
		call->provisional_us = arrival_utc_us(call->carrier);
	if (m->body.n && !sdp_parse(&early, m->body))
		media_remote(call->carrier, &call->media, &early);       /* so that early media is counted */
	if (call->cancel_wanted)
		cancel_send(call);
}

static void answered(struct call *call, struct ctxn *t, const struct sip_message *m)
{
	struct carrier *c = call->carrier;

	timer_clear(&c->timers, &call->limit);
	call->answer_us = arrival_utc_us(c);
	call->state = CALL_UP;
	c->totals.answered++;
	uac_learn(call, m);
	uac_ack(call, t->cseq);
	call->ack_us = clock_utc_us();
	if (call->cancel_wanted || c->stopping || !m->body.n || sdp_parse(&call->remote_sdp, m->body)) {
		uac_bye(call);
		return;
	}
	call->has_sdp = true;
	media_remote(c, &call->media, &call->remote_sdp);
	media_play(c, &call->media, &call->rule->sound, rng_next(&call->draw));
	call_up(call);
}

static void invite_done(struct call *call, struct ctxn *t, const struct sip_message *m)
{
	struct carrier *c = call->carrier;
	struct text header = {0};

	if (!m) {
		call_end(call, "timeout");
		return;
	}
	if (call->invites)
		call->invite_list[call->invites - 1].status = m->status;
	if ((m->status == 401 || m->status == 407) && !call->challenged_once &&
	    auth_answer(c, m, "INVITE", call->remote_target, &header)) {
		call->challenged_once = true;
		c->totals.challenged++;
		invite_send(call, header.p);
		text_free(&header);
		return;
	}
	call->final_status = m->status;
	call->final_us = arrival_utc_us(c);
	if (m->status < 300) {
		answered(call, t, m);
	} else {
		c->totals.rejected++;
		call_end(call, call->cancel_us ? "cancelled" : "rejected");
	}
}

/* "{n}" in numbers becomes the call's count, so that each call can have its own. */
static char *numbered(const char *pattern, unsigned n)
{
	const char *at = strstr(pattern, "{n}");
	struct text t = {0};

	if (!at)
		return str_copy(str_of(pattern));
	text_add(&t, "%.*s%u%s", (int)(at - pattern), pattern, n, at + 3);
	return t.p;
}

static void place_one(struct carrier *c)
{
	struct call *call;
	unsigned n = c->place.begun++;
	char id[80];
	struct text t = {0};

	snprintf(id, sizeof id, "place-%u-%016llx", n, (unsigned long long)rng_next(&c->rng));
	call = call_create(c, str_of(id), (struct str){"", 0});
	if (!call)
		return;
	call->placed = true;
	call->state = CALL_CALLING;
	call->rule = &c->place_rule;
	call->peer = c->place.peer;
	call->draw = hash_bytes(&n, sizeof n, c->options.seed);
	call->remote_target = numbered(c->options.place, n);
	call->number = str_copy(sip_uri_user(str_of(call->remote_target)));
	call->from_user = numbered(c->options.place_from, n);
	text_add(&t, "<%s>", call->remote_target);
	call->remote_uri = t.p;
	t = (struct text){0};
	text_add(&t, "<sip:%s@%s:%d>;tag=%s", call->from_user, net_host(c, &call->peer), c->listeners[call->peer.listener].port, call->local_tag);
	call->local_uri = t.p;
	call->invite_us = clock_utc_us();
	c->totals.placed++;
	if (media_open(c, &call->media, call->peer.addr.sa.sa_family) != 0) {
		call_end(call, "no-media");
		return;
	}
	call_timer(call, &call->limit, c->options.place_ring_us, ring_over);
	invite_send(call, NULL);
}

static void place_fire(void *owner)
{
	struct carrier *c = owner;
	int64_t now = clock_mono_us();

	if (c->stopping)
		return;
	while (c->place.begun < c->options.place_count &&
	       c->place.start_us + (int64_t)((double)c->place.begun * 1e6 / c->options.place_rate) <= now)
		place_one(c);
	if (c->place.begun < c->options.place_count)
		timer_set(&c->timers, &c->place.timer, c->place.start_us + (int64_t)((double)c->place.begun * 1e6 / c->options.place_rate), place_fire, c);
}

int place_start(struct carrier *c, char *err, size_t err_size)
{
	struct str host;
	union net_addr addr;
	int port, rc;

	if (!sip_uri_user(str_of(c->options.place)).n || !sip_uri_host(str_of(c->options.place), &host, &port) ||
	    !net_addr_parse(host, port ? port : 5060, &addr)) {
		snprintf(err, err_size, "--place %s: allowed: sip:NUMBER@IP[:PORT]", c->options.place);
		return -EINVAL;
	}
	rc = net_peer(c, &addr, c->options.place_tcp, &c->place.peer);
	if (rc) {
		snprintf(err, err_size, "--place %s: %s; is there a --listen of the same kind of address?", c->options.place, strerror(-rc));
		return rc;
	}
	c->place.start_us = clock_mono_us();
	timer_set(&c->timers, &c->place.timer, c->place.start_us, place_fire, c);
	return 0;
}

bool place_done(const struct carrier *c)
{
	return c->options.place && c->place.begun >= c->options.place_count && c->call_count == 0;
}
