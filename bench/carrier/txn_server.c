#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"

#define KEY_MAX (SIP_ID_MAX * 4)

/* RFC 3261 §17.2.3: branch, sent-by and method; without the magic cookie Call-ID, CSeq and From tag stand in for the branch. */
static uint64_t key_of(const struct sip_message *m, enum sip_method method, char key[KEY_MAX])
{
	struct text t = {.p = key, .cap = KEY_MAX, .fixed = true};

	if (m->branch.n > 7 && memcmp(m->branch.p, "z9hG4bK", 7) == 0) {
		text_str(&t, m->branch);
	} else {
		text_str(&t, m->call_id);
		text_add(&t, "|%u|", m->cseq);
		text_str(&t, m->from_tag);
	}
	text_add(&t, "|%.*s:%d|", (int)(m->via_host.n > 255 ? 255 : m->via_host.n), m->via_host.p, m->via_port);
	if (method == SIP_OTHER)
		text_add(&t, "%.*s", (int)m->cseq_name.n, m->cseq_name.p);
	else
		text_add(&t, "%s", sip_method_name(method));
	return hash_bytes(key, t.n, 1);
}

struct stxn *stxn_find(struct carrier *c, const struct sip_message *m, enum sip_method method)
{
	char key[KEY_MAX];
	uint64_t hash = key_of(m, method, key);

	for (struct stxn *t = c->stxn_buckets[hash % TXN_BUCKETS]; t; t = t->next)
		if (t->hash == hash && strcmp(t->key, key) == 0)
			return t;
	return NULL;
}

static void stxn_free(void *owner)
{
	struct stxn *t = owner, **at;
	struct carrier *c = t->carrier;

	timer_clear(&c->timers, &t->again);
	timer_clear(&c->timers, &t->linger);
	for (at = &c->stxn_buckets[t->hash % TXN_BUCKETS]; *at != t; at = &(*at)->next)
		ENSURE(*at);
	*at = t->next;
	if (t->call) {
		for (at = &t->call->stxns; *at != t; at = &(*at)->call_next)
			ENSURE(*at);
		*at = t->call_next;
		if (t->call->invite == t)
			t->call->invite = NULL;
	}
	c->txn_count--;
	free(t->key);
	free(t->echo);
	free(t->record_route);
	free(t->response);
	free(t);
}

/* The top Via with what RFC 3261 §18.2.1 and RFC 3581 add. */
static void echo_top_via(struct text *e, const struct sip_message *m, const struct peer *from, struct str whole)
{
	char ip[64];
	struct str rest = {m->via.p + m->via.n, (size_t)(whole.p + whole.n - m->via.p - m->via.n)};

	net_addr_text(&from->addr, false, ip, sizeof ip);
	text_add(e, "Via: ");
	if (m->rport) {
		const char *at = memmem(m->via.p, m->via.n, "rport", 5);
		size_t head = at ? (size_t)(at - m->via.p) + 5 : m->via.n;
		size_t skip = head;

		while (skip < m->via.n && m->via.p[skip] != ';')
			skip++;
		text_bytes(e, m->via.p, head);
		text_add(e, "=%d", net_addr_port(&from->addr));
		text_bytes(e, m->via.p + skip, m->via.n - skip);
	} else {
		text_str(e, m->via);
	}
	if (m->rport || !str_is(m->via_host, ip)) {
		size_t n = strlen(ip);

		/* No brackets in received= */
		text_add(e, ";received=%.*s", (int)(ip[0] == '[' ? n - 2 : n), ip[0] == '[' ? ip + 1 : ip);
	}
	text_str(e, rest);
	text_add(e, "\r\n");
}

static char *echo_write(const struct sip_message *m, const struct peer *from, const char *to_tag)
{
	struct text e = {0};
	bool top = true;

	for (unsigned i = 0; i < m->header_count; i++) {
		const struct sip_header *h = &m->headers[i];

		if (h->id != HDR_VIA)
			continue;
		if (top)
			echo_top_via(&e, m, from, h->value);
		else
			text_add(&e, "Via: %.*s\r\n", (int)h->value.n, h->value.p);
		top = false;
	}
	text_add(&e, "From: %.*s\r\nTo: %.*s", (int)m->from.n, m->from.p, (int)m->to.n, m->to.p);
	if (!m->to_tag.n && to_tag)
		text_add(&e, ";tag=%s", to_tag);
	text_add(&e, "\r\nCall-ID: %.*s\r\nCSeq: %u %.*s\r\n", (int)m->call_id.n, m->call_id.p, m->cseq, (int)m->cseq_name.n, m->cseq_name.p);
	return e.p;
}

static char *record_route_write(const struct sip_message *m)
{
	struct text t = {0};

	for (unsigned i = 0; i < m->header_count; i++)
		if (m->headers[i].id == HDR_RECORD_ROUTE)
			text_add(&t, "Record-Route: %.*s\r\n", (int)m->headers[i].value.n, m->headers[i].value.p);
	return t.p;
}

struct stxn *stxn_create(struct carrier *c, const struct sip_message *m, const struct peer *from, struct call *call, const char *to_tag)
{
	struct stxn *t = mem_new(sizeof *t);
	char key[KEY_MAX];

	t->carrier = c;
	t->hash = key_of(m, m->method, key);
	t->key = str_copy(str_of(key));
	t->method = m->method;
	t->cseq = m->cseq;
	t->peer = *from;
	if (from->conn < 0 && !m->rport)
		net_addr_port_set(&t->peer.addr, m->via_port ? m->via_port : 5060);
	t->echo = echo_write(m, from, to_tag);
	t->record_route = record_route_write(m);
	t->mark_in = t->mark_out = t->invite = -1;
	t->next = c->stxn_buckets[t->hash % TXN_BUCKETS];
	c->stxn_buckets[t->hash % TXN_BUCKETS] = t;
	c->txn_count++;
	if (call) {
		t->call = call;
		t->call_next = call->stxns;
		call->stxns = t;
		t->mark_in = call_mark(call, true, m->method, 0);
	}
	/* An INVITE may ring for long; its call sets the end. Everything else is answered at once. */
	timer_set(&c->timers, &t->linger, clock_mono_us() + (m->method == SIP_INVITE ? 3600000000ll : 64 * c->options.t1_us), stxn_free, t);
	return t;
}

void stxn_repeat(struct stxn *t)
{
	if (!t->response)
		return;
	net_send(t->carrier, &t->peer, t->response, t->response_n);
	t->carrier->totals.retransmissions_out++;
	if (t->call)
		call_mark_again(t->call, t->mark_out);
}

/* Timer G: a failure is repeated until its ACK. */
static void again_fire(void *owner)
{
	struct stxn *t = owner;
	struct carrier *c = t->carrier;

	stxn_repeat(t);
	t->again_us = t->again_us * 2 > c->options.t2_us ? c->options.t2_us : t->again_us * 2;
	timer_set(&c->timers, &t->again, clock_mono_us() + t->again_us, again_fire, t);
}

/* Timer H: the ACK never came. */
static void unacked_fire(void *owner)
{
	struct stxn *t = owner;

	if (t->call && t->call->state == CALL_FINAL && t->call->invite == t)
		uas_final_done(t->call);
	stxn_free(t);
}

void stxn_respond(struct stxn *t, int status, const char *extra, const char *type, const char *body)
{
	struct carrier *c = t->carrier;
	struct text r = {0};
	int64_t now = clock_mono_us();
	bool udp = t->peer.conn < 0;

	ENSURE(t->echo);
	text_add(&r, "SIP/2.0 %d %s\r\n%s", status, sip_phrase(status), t->echo);
	if (t->record_route && t->method == SIP_INVITE && status > 100 && status < 300)
		text_add(&r, "%s", t->record_route);
	text_add(&r, "Server: carillon-carrier\r\n%s", extra ? extra : "");
	if (body)
		text_add(&r, "Content-Type: %s\r\n", type);
	text_add(&r, "Content-Length: %zu\r\n\r\n%s", body ? strlen(body) : 0, body ? body : "");
	free(t->response);
	t->response = r.p;
	t->response_n = r.n;
	t->status = status;
	net_send(c, &t->peer, r.p, r.n);
	if (t->call)
		t->mark_out = call_mark(t->call, false, t->method, status);
	if (status < 200)
		return;
	free(t->echo);           /* a final response is the last one */
	free(t->record_route);
	t->echo = t->record_route = NULL;
	if (t->method == SIP_INVITE && status >= 300) {
		t->again_us = c->options.t1_us;
		if (udp)
			timer_set(&c->timers, &t->again, now + t->again_us, again_fire, t);
		timer_set(&c->timers, &t->linger, now + 64 * c->options.t1_us, unacked_fire, t);
	} else {
		timer_set(&c->timers, &t->linger, now + (udp || t->method == SIP_INVITE ? 64 * c->options.t1_us : 1000000), stxn_free, t);
	}
}

void stxn_acked(struct stxn *t)
{
	struct carrier *c = t->carrier;

	t->acked = true;
	timer_clear(&c->timers, &t->again);
	timer_set(&c->timers, &t->linger, clock_mono_us() + 10 * c->options.t1_us, stxn_free, t);    /* T4 */
}

/* The call ends: what lingers answers repetitions by itself; what was never answered has nothing to say. */
void stxn_forget_call(struct stxn *t)
{
	struct carrier *c = t->carrier;

	t->call = NULL;
	if (t->status < 200)
		timer_set(&c->timers, &t->linger, clock_mono_us() + 64 * c->options.t1_us, stxn_free, t);
}

void stxn_free_all(struct carrier *c)
{
	for (int i = 0; i < TXN_BUCKETS; i++)
		while (c->stxn_buckets[i])
			stxn_free(c->stxn_buckets[i]);
}
