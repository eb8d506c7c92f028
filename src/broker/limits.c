/* limits.c: see limits.h. */
#include "broker/limits.h"

#include <stdlib.h>
#include <string.h>

#include "core/clock.h"

#define LIMITS_MAX 50000u

struct limit {
    struct limit *next;
    int64_t window_ns;                 /* when the interval began */
    uint32_t taken;                    /* all together, or within the interval */
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

static struct limit *get(struct broker *broker, const char *key)
{
    struct limit **at = find(broker, key);
    if (*at || broker->limit_count >= LIMITS_MAX) return *at;
    *at = calloc(1, sizeof **at + strlen(key) + 1);
    if (!*at) return NULL;
    strcpy((*at)->key, key);
    broker->limit_count++;
    return *at;
}

static void drop(struct broker *broker, struct limit **at)
{
    struct limit *limit = *at;
    *at = limit->next;
    free(limit);
    broker->limit_count--;
}

static bool take(struct broker *broker, uint32_t worker, const char *key, int64_t max, int64_t interval_s)
{
    struct limit *limit = get(broker, key);
    int64_t now = clock_mono_ns();
    if (!limit) return false;
    if (interval_s > 0 && limit->window_ns + interval_s * NS_PER_S <= now) {
        limit->window_ns = now;
        limit->taken = 0;
    }
    if (max >= 0 && limit->taken >= max) return false;
    limit->taken++;
    if (interval_s <= 0) limit->by_worker[worker]++;
    return true;
}

static void release(struct broker *broker, uint32_t worker, const char *key)
{
    struct limit **at = find(broker, key);
    if (!*at || !(*at)->by_worker[worker]) return; /* a rate is not given back */
    (*at)->by_worker[worker]--;
    if (--(*at)->taken == 0) drop(broker, at);
}

bool limit_operate(struct broker *broker, const struct post_message *message, const char *op, const char *key, struct kv *out)
{
    uint32_t worker = message->from >= BUS_WORKER_0 ? message->from - BUS_WORKER_0 : 0;
    if (!strcmp(op, "take")) return take(broker, worker, key, kv_get_int(message->pairs, "value", -1), kv_get_int(message->pairs, "interval", 0));
    if (!strcmp(op, "release")) release(broker, worker, key);
    if (!strcmp(op, "reset")) limits_clear(broker);
    if (!strcmp(op, "select")) {
        struct limit *limit = *find(broker, key);
        kv_add_int(out, "value", limit ? limit->taken : 0);
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
            if ((*at)->taken == 0) drop(broker, at);
            else at = &(*at)->next;
        }
}

void limits_clear(struct broker *broker)
{
    for (unsigned b = 0; b < LIMIT_BUCKETS; b++)
        while (broker->limits[b]) drop(broker, &broker->limits[b]);
}
