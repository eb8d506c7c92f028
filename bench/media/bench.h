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

/* What the calls of one measurement do, and what the floor does beside raw I/O: the bare library for the same frames. */
enum floor_work { WORK_NONE, WORK_COPY, WORK_OPUS, WORK_OPUS_HALF, WORK_SRTP, WORK_MIX };
struct scenario {
    const char *name, *what;
    bool far_talks;            /* the far end sends to each leg */
    const char *codec, *other; /* of even and of odd legs */
    bool play, record, echo, bridge, secure;
    uint32_t room; /* parties of a conference, 0 = none */
    enum floor_work work;
    uint32_t legs_max; /* what one core can carry of it; 0 = anything */
    double goal;       /* engine ÷ floor at most; 0 = none is set */
};
extern const struct scenario scenarios[];
extern const unsigned scenarios_count;

#define BENCH_KEY "AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"

/* Shared between the processes. */
struct far_shared {
    _Atomic uint32_t legs;     /* 0 = rest */
    _Atomic uint32_t scenario; /* index */
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

int floor_run(struct figures *out, const struct scenario *scenario, uint32_t legs, double seconds, int cpu);
int engine_run(struct figures *out, const struct scenario *scenario, uint32_t legs, double seconds, int cpu);

/* A second of a noisy tone, in frames of 20 ms: what the far end says. */
struct bench_sound {
    int16_t pcm[50][320]; /* 16 kHz */
    uint8_t ulaw[50][160], opus[50][400];
    int opus_bytes[50];
};
void bench_sound_make(struct bench_sound *out);

/* The floor's work for one leg and frame. */
struct work;
struct work *work_new(const struct scenario *scenario, uint32_t legs);
void work_do(struct work *work, uint32_t leg);
void work_free(struct work *work);

/* An idle timer on the core, each 2 ms, for as long as a run takes: what this machine does to anybody. */
void probe_start(int cpu);
void probe_stop(struct figures *out);

#endif
