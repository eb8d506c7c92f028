/* bench.h: the small things that the benches of the bus share. Each bench forks a second process onto the second core. */
#ifndef BENCH_RING_BENCH_H
#define BENCH_RING_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Zeroed memory that a forked process shares. */
void *bench_shared(size_t bytes);
/* Runs `role` in a process of its own on core `core`, the caller on the other. */
pid_t bench_fork(void (*role)(void *context), void *context);
void bench_join(pid_t pid);
void bench_pin(int core);

/* Latencies in nanoseconds. */
struct bench_samples {
    uint32_t count, size;
    int64_t ns[];
};
struct bench_samples *bench_samples_new(uint32_t size); /* shared */
void bench_sample(struct bench_samples *s, int64_t ns);
/* Waits until `n` samples are there: one record at a time, so that a pause of the reader (other load) spoils one sample and not
 * the queue behind it. Spins for a while, then yields its core, which the reader may need. */
void bench_await(const struct bench_samples *s, uint32_t n);
void bench_samples_sort(struct bench_samples *s);
/* Of sorted ones. */
int64_t bench_percentile(struct bench_samples *s, double percent);

/* --json: one object a line instead of the table, as bench/README.md says. Rates and latencies that have a floor are told by bench_against
 * alone. */
extern bool bench_json;
extern int bench_rounds; /* interleaved runs of which the median counts */
void bench_against(const char *name, double *values, double *floors, const char *unit);

/* One line of the table. */
void bench_rate(const char *what, double per_second, const char *note);
void bench_latency(const char *what, struct bench_samples *s);

static inline void bench_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

#define BENCH_ROUNDS_MAX 15
void bench_ring_rates(void);     /* ring_bench.c */
void bench_ring_latencies(void); /* ring_bench.c */
void bench_bell_latency(void);   /* bell_bench.c */
void bench_lane_requests(void);  /* lane_bench.c */
void bench_post_requests(void);  /* bell_bench.c */
void bench_eventlog(void);       /* eventlog_bench.c */

#endif
