/* trunk_causes.h: why a trunk's calls ended: how often each hangup cause, since the start and of late.
 *
 * "Of late" is a circle of buckets by time, as in trunk_quality.h. A trunk knows so many causes by name; what is rarer and comes later
 * counts as OTHER, so that a carrier with odd Reason headers fills nothing. */
#ifndef BROKER_TRUNK_CAUSES_H
#define BROKER_TRUNK_CAUSES_H

#include <stdint.h>

#include "core/buf.h"

#define TRUNK_CAUSES_MAX      32u
#define TRUNK_CAUSES_BUCKETS  12u
#define TRUNK_CAUSES_WINDOW_S 300

struct trunk_cause {
    int cause; /* 0 in the last one: all that found no place */
    uint64_t total;
    uint32_t recent[TRUNK_CAUSES_BUCKETS];
    int64_t numbers[TRUNK_CAUSES_BUCKETS]; /* time / width: which bucket it is */
};
struct trunk_causes {
    struct trunk_cause list[TRUNK_CAUSES_MAX];
    unsigned count;
};

void trunk_causes_count(struct trunk_causes *causes, int cause, int64_t now_ns);
uint32_t trunk_cause_recent(const struct trunk_cause *cause, int64_t now_ns);
/* "PREFIX\tCAUSE\tof late\tsince the start" lines, the most frequent first. */
void trunk_causes_write(const struct trunk_causes *causes, const char *prefix, int64_t now_ns, struct buf *out);

#endif
