/* clock.h: the two clocks. */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define NS_PER_MS 1000000LL
#define NS_PER_S  1000000000LL

/* CLOCK_MONOTONIC in nanoseconds: the same in all processes of the machine; for timers and deadlines. */
int64_t clock_mono_ns(void);
/* UTC in microseconds since 1970, for rows and logs. Within one process it never runs backwards: a step of the wall
 * clock forwards is followed at once, a step backwards is waited out (the clock runs on at the monotonic rate). */
int64_t clock_utc_us(void);
/* "2026-11-23T06:30:00.123456Z" into out (at least 28 bytes); returns out. */
char *clock_utc_text(int64_t utc_us, char *out, size_t size);

#endif
