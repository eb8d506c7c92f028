/* histogram.h: how long things took, for /metrics: counts between fixed bounds, one writer each, beside the counters in the segment. */
#ifndef BUS_HISTOGRAM_H
#define BUS_HISTOGRAM_H

#include <stdint.h>

struct segment;

/* name, unit of the recorded values, one line of help. Who writes: the broker, the media thread, the script thread. */
#define HISTOGRAMS(X)                                                                                                                      \
    X(post_dial_delay, US, "from the INVITE to the first 18x or 200")                                                                      \
    X(answer_delay, US, "from the INVITE to the 200")                                                                                      \
    X(tick_lateness, US, "the latest packet of each burst behind its time")                                                                \
    X(query_time, US, "a script's database query until its answer came")                                                                   \
    X(ring_depth, RECORDS, "what the broker had left for the media thread when it looked")

enum histogram {
#define X(name, unit, help) HISTOGRAM_##name,
    HISTOGRAMS(X)
#undef X
        HISTOGRAM_COUNT
};

#define HISTOGRAM_BOUNDS 15u

struct histogram_counts {
    uint64_t below[HISTOGRAM_BOUNDS + 1]; /* not above the bound of that place and above the one before; the last: above all */
    uint64_t sum;
};

struct histogram_counts *histogram_at(struct segment *segment, uint32_t process, enum histogram histogram);
void histogram_record(struct histogram_counts *counts, enum histogram histogram, int64_t value); /* negative = 0 */
void histogram_read(const struct segment *segment, uint32_t process, enum histogram histogram, struct histogram_counts *out);

const char *histogram_name(enum histogram histogram); /* with its unit, as Prometheus wants it: "…_seconds" */
const char *histogram_help(enum histogram histogram);
double histogram_bound(enum histogram histogram, unsigned place); /* in seconds or records */
double histogram_scale(enum histogram histogram);                 /* of `sum` to the same unit */

#endif
