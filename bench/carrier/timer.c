#include "timer.h"

#include "base.h"

static void heap_put(struct timers *h, uint32_t i, struct timer *t)
{
	h->v[i] = t;
	t->pos = i + 1;
}

static void heap_up(struct timers *h, uint32_t i, struct timer *t)
{
	while (i > 0 && h->v[(i - 1) / 2]->at_us > t->at_us) {
		heap_put(h, i, h->v[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_put(h, i, t);
}

static void heap_down(struct timers *h, uint32_t i, struct timer *t)
{
	for (;;) {
		uint32_t kid = 2 * i + 1;

		if (kid >= h->n)
			break;
		if (kid + 1 < h->n && h->v[kid + 1]->at_us < h->v[kid]->at_us)
			kid++;
		if (h->v[kid]->at_us >= t->at_us)
			break;
		heap_put(h, i, h->v[kid]);
		i = kid;
	}
	heap_put(h, i, t);
}

void timer_clear(struct timers *h, struct timer *t)
{
	uint32_t i;
	struct timer *last;

	if (!t->pos)
		return;
	i = t->pos - 1;
	ENSURE(i < h->n && h->v[i] == t);
	t->pos = 0;
	last = h->v[--h->n];
	if (last == t)
		return;
	if (i > 0 && h->v[(i - 1) / 2]->at_us > last->at_us)
		heap_up(h, i, last);
	else
		heap_down(h, i, last);
}

void timer_set(struct timers *h, struct timer *t, int64_t at_us, void (*fire)(void *), void *owner)
{
	timer_clear(h, t);
	if (h->n == h->cap) {
		h->cap = h->cap ? h->cap * 2 : 1024;
		h->v = mem_grow(h->v, h->cap * sizeof *h->v);
	}
	t->at_us = at_us;
	t->fire = fire;
	t->owner = owner;
	h->n++;
	heap_up(h, h->n - 1, t);
}

int64_t timers_run(struct timers *h, int64_t now_us)
{
	while (h->n && h->v[0]->at_us <= now_us) {
		struct timer *t = h->v[0];

		timer_clear(h, t);
		t->fire(t->owner);
	}
	return h->n ? h->v[0]->at_us - now_us : -1;
}
