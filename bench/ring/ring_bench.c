/* ring_bench.c: our ring beside ck_ring with records of the same 64 bytes. */
#include <ck_ring.h>

#include "bench.h"
#include "bus/ring.h"
#include "core/check.h"
#include "core/clock.h"

enum { RECORDS = 4096, RATE_COUNT = 20000000, LATENCY_COUNT = 100000 };

CK_RING_PROTOTYPE(record, ring_record)

/* Both behind the same two functions, so that the loops around them are the same. */
struct subject {
    const char *name;
    bool (*push)(struct subject *s, const struct ring_record *r);
    bool (*pop)(struct subject *s, struct ring_record *r);
    void *ring, *buffer;
    struct bench_samples *samples;
};

static bool ours_push(struct subject *s, const struct ring_record *r) { return !ring_push(s->ring, r); }

static bool ours_pop(struct subject *s, struct ring_record *r)
{
    if (!ring_peek(s->ring, r)) return false;
    ring_pop(s->ring);
    return true;
}

static bool ck_push(struct subject *s, const struct ring_record *r)
{
    return CK_RING_ENQUEUE_SPSC(record, s->ring, s->buffer, (struct ring_record *)r);
}

static bool ck_pop(struct subject *s, struct ring_record *r) { return CK_RING_DEQUEUE_SPSC(record, s->ring, s->buffer, r); }

static struct subject subject(bool ours)
{
    struct subject s = { .name = ours ? "ring" : "ck_ring", .push = ours ? ours_push : ck_push, .pop = ours ? ours_pop : ck_pop };
    s.ring = bench_shared(ours ? ring_bytes(RECORDS) : sizeof(struct ck_ring));
    if (ours) {
        ring_init(s.ring, RECORDS);
    } else {
        s.buffer = bench_shared(RECORDS * sizeof(struct ring_record));
        ck_ring_init(s.ring, RECORDS);
    }
    s.samples = bench_samples_new(LATENCY_COUNT);
    return s;
}

static void rate_reader(void *context)
{
    struct subject *s = context;
    struct ring_record r;
    for (uint32_t n = 0; n < RATE_COUNT; n++) {
        while (!s->pop(s, &r)) bench_relax();
        CHECK(r.slot == n);
    }
}

static double rate(bool ours)
{
    struct subject s = subject(ours);
    struct ring_record r = { 0 };
    pid_t pid = bench_fork(rate_reader, &s);
    int64_t began = clock_mono_ns();
    for (uint32_t n = 0; n < RATE_COUNT; n++) {
        r.slot = n;
        while (!s.push(&s, &r)) bench_relax();
    }
    bench_join(pid);
    return RATE_COUNT / ((double)(clock_mono_ns() - began) / 1e9) / 1e6;
}

void bench_ring_rates(void)
{
    double ours[BENCH_ROUNDS_MAX], theirs[BENCH_ROUNDS_MAX];
    for (int i = 0; i < bench_rounds; i++) {
        ours[i] = rate(true);
        theirs[i] = rate(false);
    }
    bench_against("bus_ring_records", ours, theirs, "M/s");
}

static void latency_reader(void *context)
{
    struct subject *s = context;
    struct ring_record r;
    for (uint32_t n = 0; n < LATENCY_COUNT; n++) {
        while (!s->pop(s, &r)) bench_relax();
        bench_sample(s->samples, clock_mono_ns() - r.time_ns);
    }
}

static double latency(bool ours)
{
    struct subject s = subject(ours);
    struct ring_record r = { 0 };
    pid_t pid = bench_fork(latency_reader, &s);
    for (uint32_t n = 0; n < LATENCY_COUNT; n++) {
        r.time_ns = clock_mono_ns();
        while (!s.push(&s, &r)) bench_relax();
        bench_await(s.samples, n + 1);
    }
    bench_join(pid);
    bench_samples_sort(s.samples);
    return (double)bench_percentile(s.samples, 50) / 1e3;
}

void bench_ring_latencies(void)
{
    double ours[BENCH_ROUNDS_MAX], theirs[BENCH_ROUNDS_MAX];
    for (int i = 0; i < bench_rounds; i++) {
        ours[i] = latency(true);
        theirs[i] = latency(false);
    }
    bench_against("bus_ring_one_way_p50", ours, theirs, "us");
}
