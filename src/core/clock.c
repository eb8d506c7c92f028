/* clock.c: the two clocks. */
#include "core/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

static int64_t read_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

int64_t clock_mono_ns(void) { return read_ns(CLOCK_MONOTONIC); }

/* UTC − monotonic in ns, only ever growing: that is the whole trick. The monotonic clock is slewed together with UTC,
 * so the true difference changes by steps alone; a step backwards leaves ours where it was. */
static _Atomic int64_t utc_offset_ns = INT64_MIN;

int64_t clock_utc_us(void)
{
    int64_t utc = read_ns(CLOCK_REALTIME);
    int64_t mono = read_ns(CLOCK_MONOTONIC);
    /* The monotonic clock is read last: a pause between both reads makes the difference too small, never too large,
     * so that pauses do not ratchet it up. */
    int64_t seen = utc - mono;
    int64_t offset = atomic_load_explicit(&utc_offset_ns, memory_order_relaxed);
    while (seen > offset)
        if (atomic_compare_exchange_weak(&utc_offset_ns, &offset, seen)) offset = seen;
    return (mono + offset) / 1000;
}

char *clock_utc_text(int64_t utc_us, char *out, size_t size)
{
    time_t seconds = (time_t)(utc_us / 1000000);
    int micros = (int)(utc_us % 1000000);
    struct tm t;
    if (micros < 0) micros += 1000000, seconds--;
    gmtime_r(&seconds, &t);
    snprintf(out, size, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", t.tm_year + 1900, t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec,
             micros);
    return out;
}
