/* Timers: one binary heap, ordered by due time. A timer lives inside its owner and is armed at most once. */
#ifndef CARRIER_TIMER_H
#define CARRIER_TIMER_H

#include <stdint.h>

struct timer {
	int64_t at_us;                   /* due, on the monotonic clock */
	uint32_t pos;                    /* place in the heap + 1; 0 = not armed */
	void (*fire)(void *owner);       /* may arm, clear or free any timer, its own too */
	void *owner;
};

struct timers {
	struct timer **v;
	uint32_t n, cap;
};

/* (Re)arms t to call fire(owner) at at_us. */
void timer_set(struct timers *h, struct timer *t, int64_t at_us, void (*fire)(void *), void *owner);
void timer_clear(struct timers *h, struct timer *t);
/* Fires what is due. Returns µs until the next one, or -1 when none is armed. */
int64_t timers_run(struct timers *h, int64_t now_us);

#endif
