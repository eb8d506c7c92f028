/* media_budget.c: where the media thread's time goes, stage by stage, and whether there is any left. Over its budget a worker takes no new
 * calls (the broker reads the counter before it leases a slot) until it is well below it again; those in progress go on. */
#include "worker/media_internal.h"

#define PUBLISH_NS (100 * NS_PER_MS)
#define WINDOW_NS  NS_PER_S
#define BACK       85u /* percent of the budget, below which calls are taken again */

void stage_begin(struct media *m) { m->stage_at_ns = clock_mono_ns(); }

void stage_end(struct media *m, enum stage stage)
{
    int64_t now = clock_mono_ns();
    m->stage_ns[stage] += (uint64_t)(now - m->stage_at_ns);
    m->stage_at_ns = now;
}

static void stages_publish(struct media *m)
{
    static const enum counter counters[STAGES] = { COUNTER_media_receive_us, COUNTER_media_read_us, COUNTER_media_mix_us,
                                                   COUNTER_media_write_us,   COUNTER_media_taps_us, COUNTER_media_send_us };
    for (int i = 0; i < STAGES; i++) counter_set(m->count[counters[i]], m->stage_ns[i] / 1000);
}

static void budget_judge(struct media *m, uint64_t busy_us)
{
    int64_t passed_ns = m->now_ns - m->window_at_ns;
    if (passed_ns < WINDOW_NS) return;
    uint64_t percent = (busy_us - m->window_busy_us) * 100000 / (uint64_t)passed_ns;
    bool over = percent > (m->over_budget ? m->budget_percent * BACK / 100 : m->budget_percent);
    if (over != m->over_budget) counter_set(m->count[COUNTER_media_over_budget], over);
    m->over_budget = over;
    m->window_at_ns = m->now_ns;
    m->window_busy_us = busy_us;
}

void budget_count(struct media *m)
{
    if (m->now_ns - m->busy_at_ns < PUBLISH_NS) return;
    struct timespec cpu;
    m->busy_at_ns = m->now_ns;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
    uint64_t busy_us = (uint64_t)cpu.tv_sec * 1000000u + (uint64_t)cpu.tv_nsec / 1000u;
    counter_set(m->count[COUNTER_media_busy_us], busy_us);
    stages_publish(m);
    budget_judge(m, busy_us);
}
