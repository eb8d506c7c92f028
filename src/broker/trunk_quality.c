/* trunk_quality.c: see trunk_quality.h. Pure. */
#include "broker/trunk_quality.h"

#include "core/clock.h"

static int64_t width_ns(const struct trunk_quality *quality)
{
    uint32_t window_s = quality->rules.window_s ? quality->rules.window_s : 300;
    return (int64_t)window_s * NS_PER_S / (QUALITY_BUCKETS - 1);
}

static struct quality_bucket *bucket_now(struct trunk_quality *quality, int64_t now_ns)
{
    int64_t number = now_ns / width_ns(quality);
    struct quality_bucket *bucket = &quality->buckets[(uint64_t)number % QUALITY_BUCKETS];
    if (bucket->number != number) *bucket = (struct quality_bucket) { .number = number };
    return bucket;
}

void quality_result(struct trunk_quality *quality, enum quality_result result, int64_t now_ns)
{
    struct quality_bucket *bucket = bucket_now(quality, now_ns);
    bucket->calls++;
    bucket->answered += result == QUALITY_ANSWERED;
    bucket->failed += result == QUALITY_FAILED;
}

void quality_delay(struct trunk_quality *quality, int64_t delay_ns, int64_t now_ns)
{
    struct quality_bucket *bucket = bucket_now(quality, now_ns);
    if (delay_ns < 0) return;
    bucket->delays++;
    bucket->delay_ms += (uint64_t)(delay_ns / NS_PER_MS);
}

struct quality_figures quality_look(const struct trunk_quality *quality, int64_t now_ns)
{
    int64_t number = now_ns / width_ns(quality);
    struct quality_bucket sum = { 0 };
    for (unsigned i = 0; i < QUALITY_BUCKETS; i++) {
        const struct quality_bucket *bucket = &quality->buckets[i];
        if (bucket->number > number || number - bucket->number >= QUALITY_BUCKETS) continue;
        sum.calls += bucket->calls;
        sum.answered += bucket->answered;
        sum.failed += bucket->failed;
        sum.delays += bucket->delays;
        sum.delay_ms += bucket->delay_ms;
    }
    return (struct quality_figures) { .calls = sum.calls,
                                      .asr = sum.calls ? (double)sum.answered / sum.calls : 0,
                                      .failure = sum.calls ? (double)sum.failed / sum.calls : 0,
                                      .pdd_ms = sum.delays ? (uint32_t)(sum.delay_ms / sum.delays) : 0 };
}

bool quality_good(const struct trunk_quality *quality, int64_t now_ns)
{
    const struct quality_rules *rules = &quality->rules;
    struct quality_figures figures = quality_look(quality, now_ns);
    if (!rules->window_s || figures.calls < rules->calls_min) return true;
    if (rules->failure_max > 0 && figures.failure > rules->failure_max) return false;
    if (rules->asr_min > 0 && figures.asr < rules->asr_min) return false;
    return !rules->pdd_max_ms || figures.pdd_ms <= rules->pdd_max_ms;
}
