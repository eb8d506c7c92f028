/* rate.c: see rate.h. */
#include "broker/rate.h"

#include <netinet/in.h>

static uint64_t fnv(uint64_t h, const void *data, size_t length)
{
    for (const unsigned char *at = data; length--; at++) h = (h ^ *at) * 1099511628211ull;
    return h;
}

uint64_t rate_key(const struct sockaddr *address, const char *name)
{
    uint64_t h = 14695981039346656037ull;
    if (address->sa_family == AF_INET)
        h = fnv(h, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    else if (address->sa_family == AF_INET6)
        h = fnv(h, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 8);
    for (; *name; name++) h = (h ^ (unsigned char)*name) * 1099511628211ull;
    return h ? h : 1;
}

static struct rate_place *place_find(struct rate_table *table, uint64_t key, int64_t now_ns)
{
    size_t first = (size_t)(key >> 20) % (RATE_PLACES / RATE_WAYS) * RATE_WAYS;
    struct rate_place *oldest = &table->places[first];
    for (size_t i = first; i < first + RATE_WAYS; i++) {
        struct rate_place *place = &table->places[i];
        if (place->key == key) return place;
        if (place->at_ns < oldest->at_ns) oldest = place;
    }
    *oldest = (struct rate_place) { .key = key, .at_ns = now_ns, .tokens = table->burst };
    return oldest;
}

static struct rate_place *refilled(struct rate_table *table, uint64_t key, int64_t now_ns)
{
    struct rate_place *place = place_find(table, key, now_ns);
    place->tokens += (double)(now_ns - place->at_ns) * table->per_s / 1e9;
    if (place->tokens > table->burst) place->tokens = table->burst;
    place->at_ns = now_ns;
    return place;
}

bool rate_has(struct rate_table *table, uint64_t key, int64_t now_ns) { return refilled(table, key, now_ns)->tokens >= 1; }

bool rate_take(struct rate_table *table, uint64_t key, int64_t now_ns)
{
    struct rate_place *place = refilled(table, key, now_ns);
    if (place->tokens < 1) return false;
    place->tokens -= 1;
    return true;
}
