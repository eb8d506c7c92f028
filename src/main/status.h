/* status.h: one look at an engine's segment, as text; for `status` and `top`. */
#ifndef MAIN_STATUS_H
#define MAIN_STATUS_H

#include "bus/counter.h"
#include "bus/segment.h"

/* All numbers at one moment. */
struct status_look {
    int64_t mono_ns;
    uint64_t counters[BUS_PROCESSES_MAX][COUNTER_COUNT];
};

void status_look(const struct segment *segment, struct status_look *out);
/* `before` NULL: no rates, all counters. Otherwise rates over the time between, and only what moves. */
void status_print(const struct segment *segment, const struct status_look *before, const struct status_look *now, struct buf *out);
/* Name of the engine to look at: `name`, or the configuration's. 0, or EXIT_FAILED after saying why. */
int status_map(const char *config, const char *name, struct segment **out);

#endif
