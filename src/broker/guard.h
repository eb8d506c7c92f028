/* guard.h: what is not let in, and that it is said once and countably.
 *
 * Unknown sources get no answer at all; a source that asks too often, and everybody while the engine is overloaded, gets 503 with
 * Retry-After, so that it tries elsewhere. Calls in progress are never touched: only requests that would begin something pass here. A line
 * names each such source, at most a few times a minute, in the words that deploy/fail2ban knows:
 *
 *   WARNING  broker  - SIP INVITE from 192.0.2.7 refused: unknown source
 */
#ifndef BROKER_GUARD_H
#define BROKER_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/rate.h"
#include "broker/sofia.h"

struct guard {
    struct rate_table lines;   /* how often a source is named in the log */
    struct rate_table sources; /* calls per second and source */
    struct rate_table all;     /* one key: calls per second of all */
    bool sources_limited, all_limited;
    int64_t late_ns; /* how late the signalling thread's timers are, smoothed */
};

void guard_open(struct broker *broker);
void guard_close(struct broker *broker);
/* Dropped without an answer: counts, and names the source. `method` is bounded text from the wire. */
void guard_dropped(struct broker *broker, const struct sockaddr *source, const char *method);
/* A new call from there: NULL, or why it gets 503 (static text); counted and named. */
const char *guard_refuses(struct broker *broker, const struct sockaddr *source, bool trunk);
/* The heartbeat came so much later than it should. */
void guard_lateness(struct broker *broker, int64_t late_ns);

#endif
