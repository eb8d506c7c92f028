/* trunk_quality.h: how a trunk does, over a moving window: answer-seizure ratio, post-dial delay, failures.
 *
 * The window is a circle of buckets by time; what is older than the window falls out a bucket at a time. A trunk with too few calls in it
 * is not judged, so one that was judged bad gets calls again when its bad ones are out of the window: it is tried anew by itself. */
#ifndef BROKER_TRUNK_QUALITY_H
#define BROKER_TRUNK_QUALITY_H

#include <stdbool.h>
#include <stdint.h>

#define QUALITY_BUCKETS 12u

enum quality_result {
    QUALITY_ANSWERED,
    QUALITY_REFUSED, /* busy, no such number …: the callee's doing */
    QUALITY_FAILED   /* 5xx, silence: the trunk's doing */
};

struct quality_rules { /* 0 = not judged by it */
    uint32_t window_s, calls_min;
    double asr_min, failure_max;
    uint32_t pdd_max_ms;
};

struct quality_bucket {
    int64_t number; /* time / width: which one it is */
    uint32_t calls, answered, failed, delays;
    uint64_t delay_ms;
};
struct trunk_quality {
    struct quality_rules rules;
    struct quality_bucket buckets[QUALITY_BUCKETS];
};

struct quality_figures {
    uint32_t calls;
    double asr, failure; /* 0..1; 0 without calls */
    uint32_t pdd_ms;     /* mean of those that rang */
};

void quality_result(struct trunk_quality *quality, enum quality_result result, int64_t now_ns);
/* From INVITE to the first response that means progress. */
void quality_delay(struct trunk_quality *quality, int64_t delay_ns, int64_t now_ns);
struct quality_figures quality_look(const struct trunk_quality *quality, int64_t now_ns);
/* Within all its rules, or not judged. */
bool quality_good(const struct trunk_quality *quality, int64_t now_ns);

#endif
