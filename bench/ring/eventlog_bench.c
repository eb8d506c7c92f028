/* eventlog_bench.c: what publishing an event of 400 bytes costs, with and without a reader. */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "bus/eventlog.h"
#include "bus/limits.h"
#include "core/check.h"
#include "core/clock.h"

enum { EVENTS = 3000000 };

struct shared {
    struct eventlog *log;
    volatile uint64_t *counts; /* read, missed, stop */
};

static void reader(void *context)
{
    struct shared *s = context;
    struct eventlog_cursor c = { 0 };
    struct event_head head;
    struct kv pairs = KV_INIT;
    uint64_t missed;
    eventlog_seek_end(s->log, &c);
    s->counts[3] = 1;
    for (;;) {
        int got = eventlog_read(s->log, &c, &head, &pairs, &missed);
        if (got > 0) s->counts[0]++;
        if (got < 0) s->counts[1] += missed;
        if (!got && s->counts[2]) break;
        if (!got) bench_relax();
    }
}

static void publish(bool with_reader)
{
    struct shared s = { bench_shared(eventlog_bytes(BUS_LOG_BYTES_DEFAULT)), bench_shared(4096) };
    struct event_head head = { 0 };
    static char pairs[400];
    char note[80] = "";
    int64_t began, took;
    pid_t pid = 0;
    eventlog_init(s.log, 3, BUS_LOG_BYTES_DEFAULT);
    if (with_reader) pid = bench_fork(reader, &s);
    while (with_reader && !s.counts[3]) bench_relax();
    began = clock_mono_ns();
    for (int n = 0; n < EVENTS; n++) CHECK(!eventlog_publish(s.log, &head, (struct kv_view) { pairs, sizeof pairs }));
    took = clock_mono_ns() - began;
    s.counts[2] = 1;
    if (with_reader) {
        bench_join(pid);
        CHECK(s.counts[0] + s.counts[1] == EVENTS);
        snprintf(note, sizeof note, "(%.1f %% read, the rest counted as lapped)", 100.0 * (double)s.counts[0] / EVENTS);
    }
    bench_rate(with_reader ? "event log: publish 400 bytes, one reader" : "event log: publish 400 bytes, no reader",
               EVENTS / ((double)took / 1e9), note);
}

void bench_eventlog(void)
{
    publish(false);
    publish(true);
}
