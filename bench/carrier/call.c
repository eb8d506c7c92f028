#include "call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t bucket_of(struct str call_id)
{
	return hash_bytes(call_id.p, call_id.n, 2) % CALL_BUCKETS;
}

struct call *call_create(struct carrier *c, struct str call_id, struct str remote_tag)
{
	struct call *call;
	uint64_t at;
	char tag[20];

	if (c->call_count >= c->options.calls_max) {
		c->totals.calls_refused++;
		return NULL;
	}
	call = mem_new(sizeof *call);
	call->carrier = c;
	call->call_id = str_copy(call_id);
	at = bucket_of(str_of(call->call_id));
	call->remote_tag = str_copy(remote_tag);
	snprintf(tag, sizeof tag, "%016llx", (unsigned long long)rng_next(&c->rng));
	call->local_tag = str_copy(str_of(tag));
	call->media.call = call;
	call->media.sock = -1;
	call->sdp_id = (unsigned long)(rng_next(&c->rng) >> 33);
	call->begun_us = clock_mono_us();
	call->next = c->call_buckets[at];
	c->call_buckets[at] = call;
	call->list_next = c->calls;
	if (c->calls)
		c->calls->list_prev = call;
	c->calls = call;
	c->totals.calls++;
	if (++c->call_count > c->call_peak)
		c->call_peak = c->call_count;
	return call;
}

struct call *call_find(struct carrier *c, struct str call_id, struct str local_tag, struct str remote_tag)
{
	for (struct call *call = c->call_buckets[bucket_of(call_id)]; call; call = call->next)
		if (str_is(call_id, call->call_id) && (!local_tag.p || str_is(local_tag, call->local_tag)) &&
		    (!remote_tag.p || str_is(remote_tag, call->remote_tag)))
			return call;
	return NULL;
}

static void call_unlink(struct call *call)
{
	struct carrier *c = call->carrier;
	struct call **at = &c->call_buckets[bucket_of(str_of(call->call_id))];

	for (; *at != call; at = &(*at)->next)
		ENSURE(*at);
	*at = call->next;
	if (call->list_next)
		call->list_next->list_prev = call->list_prev;
	if (call->list_prev)
		call->list_prev->list_next = call->list_next;
	else
		c->calls = call->list_next;
	c->call_count--;
}

void call_end(struct call *call, const char *end)
{
	struct carrier *c = call->carrier;
	struct timer *timers[] = {&call->step, &call->repeat, &call->hangup, &call->press, &call->reinvite, &call->limit};

	media_close(c, &call->media);
	c->totals.rtp_missing += rtp_missing(&call->media.rx);
	c->totals.rtp_late += call->media.rx.late_5ms;
	c->totals.rtp_duplicate += call->media.rx.duplicates;
	book_call(c, call, end);
	for (size_t i = 0; i < sizeof timers / sizeof *timers; i++)
		timer_clear(&c->timers, timers[i]);
	while (call->stxns) {
		struct stxn *t = call->stxns;

		call->stxns = t->call_next;
		stxn_forget_call(t);
	}
	while (call->ctxns) {
		struct ctxn *t = call->ctxns;

		call->ctxns = t->call_next;
		ctxn_forget_call(t);
	}
	call_unlink(call);
	free(call->call_id);
	free(call->number);
	free(call->from_user);
	free(call->local_tag);
	free(call->remote_tag);
	free(call->local_uri);
	free(call->remote_uri);
	free(call->remote_target);
	free(call->route_set);
	free(call->ack);
	free(call->digit);
	free(call->media.tx.echo);
	free(call);
}

int call_mark(struct call *call, bool in, enum sip_method method, int status)
{
	struct mark *m;

	if (call->marks == CALL_MARKS_MAX) {
		call->marks_more++;
		return -1;
	}
	m = &call->mark[call->marks];
	*m = (struct mark){in ? arrival_utc_us(call->carrier) : clock_utc_us(), (int16_t)status, (uint8_t)method, in, 0};
	return (int)call->marks++;
}

void call_mark_again(struct call *call, int mark)
{
	if (mark >= 0 && call->mark[mark].again < UINT16_MAX)
		call->mark[mark].again++;
}

void call_digit(struct call *call, bool in, char digit, enum press_how how, unsigned duration_ms, bool ended, int64_t t_us)
{
	if (call->digits == CALL_DIGITS_MAX)
		return;
	if (!call->digit)
		call->digit = mem_new(CALL_DIGITS_MAX * sizeof *call->digit);
	call->digit[call->digits++] = (struct digit_mark){
		t_us, digit, (uint8_t)how, in, ended, (uint16_t)(duration_ms > UINT16_MAX ? UINT16_MAX : duration_ms)};
}

void call_timer(struct call *call, struct timer *t, int64_t in_us, void (*fire)(void *))
{
	timer_set(&call->carrier->timers, t, clock_mono_us() + (in_us > 0 ? in_us : 0), fire, call);
}

void call_up(struct call *call)
{
	const struct rule *r = call->rule;

	call->up_us = clock_mono_us();
	if (r->hangs_up)
		call_timer(call, &call->hangup, range_draw(r->talk, &call->draw), uac_hangup_fire);
	if (r->presses) {
		call->press_base_us = range_draw(r->press[0].at, &call->draw);
		call_timer(call, &call->press, call->press_base_us, uac_press_fire);
	}
	if (r->reinvites)
		call_timer(call, &call->reinvite, range_draw(r->reinvite[0].at, &call->draw), uac_reinvite_fire);
}
