/* counter.c: numbers in the segment, one writer each. */
#include "bus/counter.h"

#include "bus/segment_layout.h"
#include "core/check.h"

static const struct {
    const char *name, *help;
} texts[] = {
#define X(name, help) { #name, help },
    COUNTERS(X)
#undef X
};

static uint64_t *block(const struct segment *segment, uint32_t process)
{
    CHECK(process < segment->header->processes);
    return (uint64_t *)((char *)segment_part_at(segment, PART_COUNTERS) + process * segment->header->counter_stride);
}

uint64_t *counter_at(struct segment *segment, uint32_t process, enum counter counter) { return block(segment, process) + counter; }

void counter_add(uint64_t *at, int64_t by) { __atomic_store_n(at, __atomic_load_n(at, __ATOMIC_RELAXED) + (uint64_t)by, __ATOMIC_RELAXED); }

void counter_set(uint64_t *at, uint64_t to) { __atomic_store_n(at, to, __ATOMIC_RELAXED); }

uint64_t counter_read(const struct segment *segment, uint32_t process, enum counter counter)
{
    return __atomic_load_n(block(segment, process) + counter, __ATOMIC_RELAXED);
}

uint64_t counter_sum(const struct segment *segment, enum counter counter)
{
    uint64_t sum = 0;
    for (uint32_t p = 0; p < segment->header->processes; p++) sum += counter_read(segment, p, counter);
    return sum;
}

const char *counter_name(enum counter counter)
{
    CHECK(counter < COUNTER_COUNT);
    return texts[counter].name;
}

const char *counter_help(enum counter counter)
{
    CHECK(counter < COUNTER_COUNT);
    return texts[counter].help;
}
