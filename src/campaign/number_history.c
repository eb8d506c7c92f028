/* number_history.c: see number_history.h. */
#include "campaign/number_history.h"

#include <errno.h>
#include <stdlib.h>

#include "campaign/number_set.h"
#include "core/check.h"

#define BUCKETS       (1u << 20) /* 8 MB of address space; only what is touched costs memory */
#define SWEEP_BUCKETS (BUCKETS / 3600 + 1)

struct number_entry {
    struct number_entry *next;
    uint64_t number;
    uint32_t at[]; /* UTC s (until 2106), a ring of `limit`; 0 = none; the next one goes where the oldest is */
};

struct number_history {
    uint32_t limit;
    uint32_t swept; /* the next bucket to sweep */
    size_t count;
    struct number_entry *bucket[BUCKETS];
};

struct number_history *number_history_new(uint32_t limit)
{
    CHECK(limit >= 1 && limit <= NUMBER_HISTORY_LIMIT_MAX);
    struct number_history *history = calloc(1, sizeof *history);
    if (history) history->limit = limit;
    return history;
}

void number_history_free(struct number_history *history)
{
    if (!history) return;
    for (uint32_t b = 0; b < BUCKETS; b++)
        for (struct number_entry *entry = history->bucket[b], *next; entry; entry = next) {
            next = entry->next;
            free(entry);
        }
    free(history);
}

static uint32_t bucket_of(uint64_t number)
{
    return (uint32_t)(number * 0x9E3779B97F4A7C15u >> 44); /* Fibonacci hashing: the upper 20 bits */
}

static struct number_entry *find(const struct number_history *history, uint64_t number)
{
    struct number_entry *entry = history->bucket[bucket_of(number)];
    while (entry && entry->number != number) entry = entry->next;
    return entry;
}

static struct number_entry *find_or_add(struct number_history *history, uint64_t number)
{
    struct number_entry *entry = find(history, number);
    if (entry) return entry;
    entry = calloc(1, sizeof *entry + history->limit * sizeof entry->at[0]);
    if (!entry) return NULL;
    struct number_entry **first = &history->bucket[bucket_of(number)];
    entry->number = number;
    entry->next = *first;
    *first = entry;
    history->count++;
    return entry;
}

static uint32_t oldest(const struct number_history *history, const struct number_entry *entry)
{
    uint32_t index = 0;
    for (uint32_t i = 1; i < history->limit; i++)
        if (entry->at[i] < entry->at[index]) index = i;
    return index;
}

int number_history_note(struct number_history *history, const char *e164, int64_t at_s)
{
    uint64_t number = number_value(e164);
    if (!number) return 0;
    struct number_entry *entry = find_or_add(history, number);
    if (!entry) return -ENOMEM;
    uint32_t index = oldest(history, entry);
    if ((uint32_t)at_s > entry->at[index]) entry->at[index] = (uint32_t)at_s;
    return 0;
}

int64_t number_history_free_at(const struct number_history *history, const char *e164, int64_t now_s)
{
    const struct number_entry *entry = find(history, number_value(e164));
    if (!entry) return 0;
    int64_t free_at = (int64_t)entry->at[oldest(history, entry)] + NUMBER_HISTORY_DAY_S;
    return free_at > now_s ? free_at : 0;
}

static uint32_t youngest(const struct number_history *history, const struct number_entry *entry)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < history->limit; i++) at = entry->at[i] > at ? entry->at[i] : at;
    return at;
}

void number_history_sweep(struct number_history *history, int64_t now_s)
{
    for (uint32_t n = 0; n < SWEEP_BUCKETS; n++) {
        struct number_entry **at = &history->bucket[history->swept];
        history->swept = (history->swept + 1) % BUCKETS;
        while (*at) {
            struct number_entry *entry = *at;
            if ((int64_t)youngest(history, entry) + NUMBER_HISTORY_DAY_S > now_s) {
                at = &entry->next;
                continue;
            }
            *at = entry->next;
            free(entry);
            history->count--;
        }
    }
}

size_t number_history_count(const struct number_history *history) { return history->count; }
