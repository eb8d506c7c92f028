/* histogram.c: see histogram.h. */
#include "bus/histogram.h"

#include "bus/segment_layout.h"
#include "core/check.h"

enum unit { US, RECORDS };

static const struct {
    const char *name, *help;
    enum unit unit;
} texts[] = {
#define X(name, unit, help) { #name, help, unit },
    HISTOGRAMS(X)
#undef X
};

/* From what a telephone's user feels down to what a media tick may cost. */
static const uint32_t bounds_us[HISTOGRAM_BOUNDS] = { 100,   200,    500,    1000,    2000,    5000,     10000,   20000,
                                                      50000, 200000, 500000, 1000000, 3000000, 10000000, 30000000 };
static const uint32_t bounds_records[HISTOGRAM_BOUNDS] = { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384 };

static const uint32_t *bounds_of(enum histogram histogram) { return texts[histogram].unit == US ? bounds_us : bounds_records; }

struct histogram_counts *histogram_at(struct segment *segment, uint32_t process, enum histogram histogram)
{
    CHECK(process < segment->header->processes && histogram < HISTOGRAM_COUNT);
    char *block = (char *)segment_part_at(segment, PART_COUNTERS) + process * segment->header->counter_stride;
    return (struct histogram_counts *)(block + COUNTER_COUNT * sizeof(uint64_t)) + histogram;
}

void histogram_record(struct histogram_counts *counts, enum histogram histogram, int64_t value)
{
    const uint32_t *bounds = bounds_of(histogram);
    unsigned at = 0;
    if (value < 0) value = 0;
    while (at < HISTOGRAM_BOUNDS && value > bounds[at]) at++;
    counter_add(&counts->below[at], 1);
    counter_add(&counts->sum, value);
}

void histogram_read(const struct segment *segment, uint32_t process, enum histogram histogram, struct histogram_counts *out)
{
    const struct histogram_counts *counts = histogram_at((struct segment *)segment, process, histogram);
    for (unsigned i = 0; i <= HISTOGRAM_BOUNDS; i++) out->below[i] = __atomic_load_n(&counts->below[i], __ATOMIC_RELAXED);
    out->sum = __atomic_load_n(&counts->sum, __ATOMIC_RELAXED);
}

const char *histogram_name(enum histogram histogram)
{
    static const char *const names[] = {
#define US                  "_seconds"
#define RECORDS             "_records"
#define X(name, unit, help) #name unit,
        HISTOGRAMS(X)
#undef X
#undef US
#undef RECORDS
    };
    return names[histogram];
}

const char *histogram_help(enum histogram histogram) { return texts[histogram].help; }

double histogram_scale(enum histogram histogram) { return texts[histogram].unit == US ? 1e-6 : 1; }

double histogram_bound(enum histogram histogram, unsigned place) { return bounds_of(histogram)[place] * histogram_scale(histogram); }
