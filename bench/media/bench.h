/* bench.h: what the parts of the media bench share. One far end in a process of its own on the other core; against it, by turns, a
 * bare io_uring loop (the floor) and the media thread, each with the same sockets, packets and slices. */
#ifndef BENCH_MEDIA_BENCH_H
#define BENCH_MEDIA_BENCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LEGS_MAX 6000u
/* Addresses of their own within 127/8, so that an engine running on this machine is not in the way. */
#define ADDRESS_NEAR  "127.99.0.1"
#define ADDRESS_FAR   "127.99.0.2"
#define PORT_NEAR     20000u
#define PORT_FAR      19998u
#define PAYLOAD_BYTES 160u

/* Shared between the processes. */
struct far_shared {
    _Atomic uint32_t legs; /* 0 = rest */
    _Atomic bool stop;
    _Atomic uint64_t sent, received, missing, sending_late_5ms;
};

void far_run(struct far_shared *shared, int cpu); /* never returns until stop */

struct figures {
    double cpu_us_per_leg_s; /* CPU time per leg and second of audio */
    uint64_t sent, received, missing;
    uint64_t late_5ms, skipped;
    uint64_t lateness_max_us;
    uint64_t probe_wakes, probe_late_5ms, probe_max_us;
};

int floor_run(struct figures *out, uint32_t legs, double seconds, int cpu);
int engine_run(struct figures *out, uint32_t legs, double seconds, int cpu);

/* An idle timer on the core, each 2 ms, for as long as a run takes: what this machine does to anybody. */
void probe_start(int cpu);
void probe_stop(struct figures *out);

#endif
