/* caps.c: see caps.h. */
#include "broker/caps.h"

#include "core/check.h"
#include "core/clock.h"

void pace_set(struct pace *pace, double cps, int64_t now_ns)
{
    CHECK(cps >= 0);
    if (cps > 10000) cps = 10000;
    int64_t old = pace->interval_ns;
    pace->cps = cps;
    pace->interval_ns = cps > 0 ? (int64_t)((double)(NS_PER_S + CAPS_TOLERANCE_NS + CAPS_JITTER_NS) / cps) : 0;
    /* The last send stays where it was: the next is one new interval behind it. */
    if (old > 0 && pace->interval_ns > 0) {
        int64_t last = pace->next_ns - old;
        int64_t next = last + pace->interval_ns;
        pace->next_ns = next > now_ns + pace->interval_ns ? now_ns + pace->interval_ns : next;
    }
}

int64_t pace_when(const struct pace *pace)
{
    if (pace->interval_ns <= 0) return INT64_MAX;
    return pace->next_ns;
}

void pace_take(struct pace *pace, int64_t now_ns)
{
    CHECK(pace->interval_ns > 0);
    int64_t from = pace->next_ns;
    if (from < now_ns - CAPS_TOLERANCE_NS) from = now_ns - CAPS_TOLERANCE_NS;
    pace->next_ns = from + pace->interval_ns;
}

uint32_t pace_room(const struct pace *pace, int64_t now_ns, int64_t until_ns)
{
    if (pace->interval_ns <= 0) return 0;
    int64_t from = pace->next_ns;
    if (from < now_ns - CAPS_TOLERANCE_NS) from = now_ns - CAPS_TOLERANCE_NS;
    if (from > until_ns) return 0;
    int64_t room = (until_ns - from) / pace->interval_ns + 1;
    return room > UINT32_MAX ? UINT32_MAX : (uint32_t)room;
}
