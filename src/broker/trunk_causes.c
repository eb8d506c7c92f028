/* trunk_causes.c: see trunk_causes.h. Pure. */
#include "broker/trunk_causes.h"

#include <inttypes.h>
#include <stdlib.h>

#include "core/causes.h"
#include "core/clock.h"

#define WIDTH_NS (TRUNK_CAUSES_WINDOW_S * NS_PER_S / (TRUNK_CAUSES_BUCKETS - 1))

static struct trunk_cause *cause_find(struct trunk_causes *causes, int cause)
{
    for (unsigned i = 0; i < causes->count; i++)
        if (causes->list[i].cause == cause) return &causes->list[i];
    if (causes->count == TRUNK_CAUSES_MAX) return &causes->list[TRUNK_CAUSES_MAX - 1];
    struct trunk_cause *made = &causes->list[causes->count++];
    *made = (struct trunk_cause) { .cause = causes->count == TRUNK_CAUSES_MAX ? 0 : cause };
    return made;
}

void trunk_causes_count(struct trunk_causes *causes, int cause, int64_t now_ns)
{
    struct trunk_cause *one = cause_find(causes, cause);
    int64_t number = now_ns / WIDTH_NS;
    unsigned at = (unsigned)((uint64_t)number % TRUNK_CAUSES_BUCKETS);
    if (one->numbers[at] != number) one->recent[at] = 0;
    one->numbers[at] = number;
    one->recent[at]++;
    one->total++;
}

uint32_t trunk_cause_recent(const struct trunk_cause *cause, int64_t now_ns)
{
    int64_t number = now_ns / WIDTH_NS;
    uint32_t sum = 0;
    for (unsigned i = 0; i < TRUNK_CAUSES_BUCKETS; i++)
        if (cause->numbers[i] <= number && number - cause->numbers[i] < TRUNK_CAUSES_BUCKETS) sum += cause->recent[i];
    return sum;
}

static int by_total(const void *a, const void *b)
{
    const struct trunk_cause *const *x = a, *const *y = b;
    return ((*y)->total > (*x)->total) - ((*y)->total < (*x)->total);
}

void trunk_causes_write(const struct trunk_causes *causes, const char *prefix, int64_t now_ns, struct buf *out)
{
    const struct trunk_cause *sorted[TRUNK_CAUSES_MAX];
    for (unsigned i = 0; i < causes->count; i++) sorted[i] = &causes->list[i];
    qsort(sorted, causes->count, sizeof sorted[0], by_total);
    for (unsigned i = 0; i < causes->count; i++)
        buf_printf(out, "%s\t%s\t%" PRIu32 "\t%" PRIu64 "\n", prefix, sorted[i]->cause ? cause_name(sorted[i]->cause) : "OTHER",
                   trunk_cause_recent(sorted[i], now_ns), sorted[i]->total);
}
