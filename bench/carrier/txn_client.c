#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"

#define COOKIE "z9hG4bKcc"

uint64_t ctxn_branch(struct carrier *c)
{
	return ++c->next_branch ^ (c->options.seed << 40);
}

static void ctxn_free(void *owner)
{
	struct ctxn *t = owner, **at;
	struct carrier *c = t->carrier;

	timer_clear(&c->timers, &t->again);
	timer_clear(&c->timers, &t->limit);
	for (at = &c->ctxn_buckets[t->branch % TXN_BUCKETS]; *at != t; at = &(*at)->next)
		ENSURE(*at);
	*at = t->next;
	if (t->call) {
		for (at = &t->call->ctxns; *at != t; at = &(*at)->call_next)
			ENSURE(*at);
		*at = t->call_next;
		if (t->call->invite_out == t)
			t->call->invite_out = NULL;
	}
	c->txn_count--;
	free(t->request);
	free(t->ack);
	free(t);
}

static void again_fire(void *owner)
{
	struct ctxn *t = owner;
	struct carrier *c = t->carrier;

	net_send(c, &t->peer, t->request, t->request_n);
	c->totals.retransmissions_out++;
	if (t->call)
		call_mark_again(t->call, t->mark_out);
	t->again_us *= 2;
	if (t->method != SIP_INVITE && t->again_us > c->options.t2_us)
		t->again_us = c->options.t2_us;
	timer_set(&c->timers, &t->again, clock_mono_us() + t->again_us, again_fire, t);
}

static void finish(struct ctxn *t, const struct sip_message *m)
{
	struct call *call = t->call;
	ctxn_done *done = t->done;

	t->final = true;
	timer_clear(&t->carrier->timers, &t->again);
	t->done = NULL;
	if (done && call)
		done(call, t, m);
}

static void limit_fire(void *owner)
{
	struct ctxn *t = owner;
	struct carrier *c = t->carrier;

	if (!t->final) {
		c->totals.timeouts++;
		finish(t, NULL);         /* may end the call, which leaves the transaction to us */
	}
	ctxn_free(t);
}

struct ctxn *ctxn_send(struct carrier *c, struct call *call, enum sip_method method, uint32_t cseq, uint64_t branch, const struct peer *to,
                       const struct text *request, ctxn_done *done)
{
	struct ctxn *t = mem_new(sizeof *t);
	int64_t now = clock_mono_us();

	t->carrier = c;
	t->call = call;
	t->branch = branch;
	t->method = method;
	t->cseq = cseq;
	t->peer = *to;
	t->request = mem_new(request->n);
	memcpy(t->request, request->p, request->n);
	t->request_n = request->n;
	t->done = done;
	t->next = c->ctxn_buckets[branch % TXN_BUCKETS];
	c->ctxn_buckets[branch % TXN_BUCKETS] = t;
	t->call_next = call->ctxns;
	call->ctxns = t;
	c->txn_count++;
	t->mark_out = call_mark(call, false, method, 0);
	t->again_us = c->options.t1_us;
	if (to->conn < 0)
		timer_set(&c->timers, &t->again, now + t->again_us, again_fire, t);
	timer_set(&c->timers, &t->limit, now + 64 * c->options.t1_us, limit_fire, t);
	net_send(c, to, request->p, request->n);
	return t;
}

struct ctxn *ctxn_find(struct carrier *c, const struct sip_message *m)
{
	char text[32], *end;
	uint64_t branch;
	size_t head = sizeof COOKIE - 1;

	if (m->branch.n <= head || m->branch.n - head > 16 || memcmp(m->branch.p, COOKIE, head) != 0)
		return NULL;
	memcpy(text, m->branch.p + head, m->branch.n - head);
	text[m->branch.n - head] = 0;
	branch = strtoull(text, &end, 16);
	if (*end)
		return NULL;
	for (struct ctxn *t = c->ctxn_buckets[branch % TXN_BUCKETS]; t; t = t->next)
		if (t->branch == branch && t->method == m->cseq_method && t->cseq == m->cseq)
			return t;
	return NULL;
}

/* ACK to a failure: same branch, Request-URI and routes as the INVITE (RFC 3261 §17.1.1.3), To from the response. */
static void ack_failure(struct ctxn *t, const struct sip_message *m)
{
	struct text a = {0};
	struct str rest = {t->request, t->request_n}, line;

	text_add(&a, "ACK");
	for (bool first = true; str_cut(&rest, '\n', &line) && line.n > 1; first = false) {
		if (first)
			text_bytes(&a, line.p + 6, line.n - 6), text_add(&a, "\n");
		else if (line.n > 4 && memcmp(line.p, "To: ", 4) == 0)
			text_add(&a, "To: %.*s\r\n", (int)m->to.n, m->to.p);
		else if (line.n > 6 && memcmp(line.p, "CSeq: ", 6) == 0)
			text_add(&a, "CSeq: %u ACK\r\n", t->cseq);
		else if (memcmp(line.p, "Via:", 4) == 0 || memcmp(line.p, "Fro", 3) == 0 || memcmp(line.p, "Cal", 3) == 0 ||
			 memcmp(line.p, "Max", 3) == 0 || memcmp(line.p, "Rou", 3) == 0)
			text_bytes(&a, line.p, line.n), text_add(&a, "\n");
	}
	text_add(&a, "Content-Length: 0\r\n\r\n");
	t->ack = a.p;
	t->ack_n = a.n;
	net_send(t->carrier, &t->peer, a.p, a.n);
	if (t->call)
		call_mark(t->call, false, SIP_ACK, 0);
}

void ctxn_response(struct ctxn *t, const struct sip_message *m)
{
	struct carrier *c = t->carrier;
	int64_t now = clock_mono_us();

	if (t->final) {
		c->totals.retransmissions_in++;
		if (t->ack && m->status >= 300)
			net_send(c, &t->peer, t->ack, t->ack_n);
		else if (t->call && t->method == SIP_INVITE && m->status < 300 && m->status >= 200)
			uac_repeat_ack(t->call);
		return;
	}
	if (t->call && m->status > 100)
		call_mark(t->call, true, t->method, m->status);
	if (m->status < 200) {
		t->provisional = true;
		if (t->call && t->method == SIP_INVITE)
			uac_provisional(t->call, m);
		if (t->method == SIP_INVITE) {
			timer_clear(&c->timers, &t->again);
			timer_clear(&c->timers, &t->limit);      /* the caller's own ring timeout decides now */
		}
		return;
	}
	if (t->method == SIP_INVITE && m->status >= 300)
		ack_failure(t, m);
	timer_set(&c->timers, &t->limit, now + (t->method == SIP_INVITE ? 64 : 10) * c->options.t1_us, limit_fire, t);
	finish(t, m);
}

void ctxn_forget_call(struct ctxn *t)
{
	struct carrier *c = t->carrier;

	t->call = NULL;
	timer_clear(&c->timers, &t->again);
	timer_set(&c->timers, &t->limit, clock_mono_us() + 10 * c->options.t1_us, limit_fire, t);
	t->final = true;
}

void ctxn_free_all(struct carrier *c)
{
	for (int i = 0; i < TXN_BUCKETS; i++)
		while (c->ctxn_buckets[i])
			ctxn_free(c->ctxn_buckets[i]);
}
