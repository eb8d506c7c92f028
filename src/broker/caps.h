/* caps.h: how many and how fast: a trunk's INVITE transactions, spaced.
 *
 * The promise is made to the carrier's own log: in no window of one second does it show more than cps + 1 INVITE
 * transactions. Sending exactly each 1/cps keeps it, but a thread that wakes late would lose rate for ever; allowing it
 * to catch up breaks the promise. So the spacing is the generic cell rate algorithm with a small tolerance that is paid for
 * in advance: the interval is (1 + tolerance + jitter)/cps seconds, and a send may come up to `tolerance` early. Any
 * window of one second then holds at most cps + 1 sends, also when the network or the carrier squeezes them by `jitter`. The
 * price is 4 % of the rate (seen: a carrier on the same two busy cores squeezes by 20 ms). */
#ifndef BROKER_CAPS_H
#define BROKER_CAPS_H

#include <stdbool.h>
#include <stdint.h>

#define CAPS_TOLERANCE_NS 5000000LL  /* how late our own timer may be and still catch up */
#define CAPS_JITTER_NS    35000000LL /* what network and far end may squeeze */

struct pace {
    double cps;          /* 0 = nothing may leave */
    int64_t interval_ns; /* derived */
    int64_t next_ns;     /* theoretical time of the next send, monotonic */
};

/* cps of 0 stops; at most 10,000. A lowered or raised rate holds from the next send on. */
void pace_set(struct pace *pace, double cps, int64_t now_ns);
/* When the next INVITE may leave: a time ≤ now means now; INT64_MAX if never. */
int64_t pace_when(const struct pace *pace);
/* One INVITE leaves now (pace_when() <= now). */
void pace_take(struct pace *pace, int64_t now_ns);
/* How many could leave until `until_ns` if nobody else takes any. */
uint32_t pace_room(const struct pace *pace, int64_t now_ns, int64_t until_ns);

/* Calls at once; max 0 = without a limit. */
struct cap {
    uint32_t active, max;
};
static inline bool cap_free(const struct cap *cap) { return !cap->max || cap->active < cap->max; }
static inline uint32_t cap_room(const struct cap *cap)
{
    if (!cap->max) return UINT32_MAX;
    return cap->active < cap->max ? cap->max - cap->active : 0;
}

#endif
