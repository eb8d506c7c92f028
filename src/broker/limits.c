/* limits.c: see limits.h. */
#include "broker/limits.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

#define LIMITS_MAX 50000u

struct limit {
    struct limit *next;
    int64_t window_ns, interval_ns; /* when the interval began, and how long it is; 0 = none was ever asked for */
    uint32_t taken;                 /* places that calls hold, all together */
    uint32_t rate;                  /* asked for within the interval */
    uint32_t by_worker[BUS_WORKERS_MAX];
    char key[];
};

static struct limit **find(struct broker *broker, const char *key)
{
    uint32_t hash = 2166136261u;
    for (const char *at = key; *at; at++) hash = (hash ^ (unsigned char)*at) * 16777619u;
    struct limit **at = &broker->limits[hash % LIMIT_BUCKETS];
    while (*at && strcmp((*at)->key, key)) at = &(*at)->next;
    return at;
}

static void drop(struct broker *broker, struct limit **at)
{
    struct limit *limit = *at;
    *at = limit->next;
    free(limit);
    broker->limit_count--;
}

/* Nobody holds it, and its interval is over. */
static bool is_idle(const struct limit *limit, int64_t now) { return limit->taken == 0 && limit->window_ns + limit->interval_ns <= now; }

static void sweep(struct broker *broker)
{
    int64_t now = clock_mono_ns();
    for (unsigned b = 0; b < LIMIT_BUCKETS; b++)
        for (struct limit **at = &broker->limits[b]; *at;) {
            if (is_idle(*at, now))
                drop(broker, at);
            else
                at = &(*at)->next;
        }
}

static struct limit *get(struct broker *broker, const char *key)
{
    if (broker->limit_count >= LIMITS_MAX) sweep(broker);
    struct limit **at = find(broker, key);
    if (*at || broker->limit_count >= LIMITS_MAX) return *at;
    *at = calloc(1, sizeof **at + strlen(key) + 1);
    if (!*at) return NULL;
    strcpy((*at)->key, key);
    broker->limit_count++;
    return *at;
}

/* held: the call has a place already, so that only the rate counts. As mod_hash does it: what is asked within an interval is counted
 * whether it is refused or not. */
static bool take(struct broker *broker, uint32_t worker, const char *key, struct kv_view asked, struct kv *out)
{
    int64_t max = kv_get_int(asked, "value", -1), interval_s = kv_get_int(asked, "interval", 0), now = clock_mono_ns();
    bool held = kv_get_int(asked, "held", 0) != 0, ok = true;
    struct limit *limit = get(broker, key);
    if (!limit) return false;
    if (interval_s > 0) {
        bool anew = limit->interval_ns == 0 || limit->window_ns + interval_s * NS_PER_S <= now;
        limit->interval_ns = interval_s * NS_PER_S;
        limit->rate = anew ? 1 : limit->rate + 1;
        if (anew)
            limit->window_ns = now;
        else
            ok = max < 0 || limit->rate <= max;
    } else {
        ok = max < 0 || limit->taken + !held <= max;
    }
    if (ok && !held) {
        limit->taken++;
        limit->by_worker[worker]++;
    }
    kv_add_int(out, "value", limit->taken);
    kv_add_int(out, "rate", limit->rate);
    return ok;
}

static void release(struct broker *broker, uint32_t worker, const char *key)
{
    struct limit **at = find(broker, key);
    if (!*at || !(*at)->by_worker[worker]) return;
    (*at)->by_worker[worker]--;
    (*at)->taken--;
    if (is_idle(*at, clock_mono_ns())) drop(broker, at);
}

bool limit_operate(struct broker *broker, const struct post_message *message, const char *op, const char *key, struct kv *out)
{
    uint32_t worker = message->from >= BUS_WORKER_0 ? message->from - BUS_WORKER_0 : 0;
    if (!strcmp(op, "take")) return take(broker, worker, key, message->pairs, out);
    if (!strcmp(op, "release")) release(broker, worker, key);
    if (!strcmp(op, "reset")) limits_clear(broker);
    if (!strcmp(op, "reset_interval")) {
        struct limit *limit = *find(broker, key);
        if (limit) limit->rate = 0, limit->interval_ns = 0;
    }
    if (!strcmp(op, "select")) {
        struct limit *limit = *find(broker, key);
        kv_add_int(out, "value", limit ? limit->taken : 0);
        kv_add_int(out, "rate", limit ? limit->rate : 0);
        return limit != NULL;
    }
    return true;
}

void limits_worker_lost(struct broker *broker, uint32_t worker)
{
    for (unsigned b = 0; b < LIMIT_BUCKETS; b++)
        for (struct limit **at = &broker->limits[b]; *at;) {
            (*at)->taken -= (*at)->by_worker[worker] < (*at)->taken ? (*at)->by_worker[worker] : (*at)->taken;
            (*at)->by_worker[worker] = 0;
            if (is_idle(*at, clock_mono_ns()))
                drop(broker, at);
            else
                at = &(*at)->next;
        }
}

void limits_clear(struct broker *broker)
{
    for (unsigned b = 0; b < LIMIT_BUCKETS; b++)
        while (broker->limits[b]) drop(broker, &broker->limits[b]);
}
