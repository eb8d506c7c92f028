/* directory.c: call uuid → slot. Written by the broker alone, read by all.
 *
 * Buckets of eight entries; a uuid lies in one of its two buckets, in the emptier when it came. Entries never move, so
 * that a reader cannot miss one, and each has its own sequence lock, so that a writer killed in the middle spoils that
 * entry only. At a quarter full, 16 places for a uuid practically never run out. */
#include <errno.h>
#include <string.h>

#include "bus/segment_layout.h"

#define READ_TRIES 1000

static struct directory_slot *bucket(const struct segment *segment, uint64_t hash)
{
    struct directory_slot *all = segment_part_at(segment, PART_DIRECTORY);
    return all + (hash & (segment->header->directory_buckets - 1)) * DIRECTORY_WAYS;
}

/* A script may choose its uuids: mix well. (The finaliser of splitmix64.) */
static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

static void buckets(const struct segment *segment, const uint8_t uuid[16], struct directory_slot *out[2])
{
    uint64_t a, b;
    memcpy(&a, uuid, 8);
    memcpy(&b, uuid + 8, 8);
    a = mix(a ^ mix(b + 0x9e3779b97f4a7c15ull));
    out[0] = bucket(segment, a);
    out[1] = bucket(segment, a >> 32 ^ 0x5bd1e995);
}

/* The writer's own look: nobody else writes. */
static struct directory_slot *writer_find(struct segment *segment, const uint8_t uuid[16])
{
    struct directory_slot *both[2];
    buckets(segment, uuid, both);
    for (int i = 0; i < 2; i++)
        for (unsigned w = 0; w < DIRECTORY_WAYS; w++)
            if (both[i][w].used && !memcmp(both[i][w].uuid, uuid, 16)) return &both[i][w];
    return NULL;
}

static void entry_begin(struct directory_slot *e)
{
    __atomic_store_n(&e->sequence, e->sequence + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
}

static void entry_end(struct directory_slot *e) { __atomic_store_n(&e->sequence, e->sequence + 1, __ATOMIC_RELEASE); }

static struct directory_slot *place_free(struct segment *segment, const uint8_t uuid[16])
{
    struct directory_slot *both[2], *place[2] = { NULL, NULL };
    unsigned count[2] = { 0, 0 };
    buckets(segment, uuid, both);
    for (int i = 0; i < 2; i++)
        for (unsigned w = 0; w < DIRECTORY_WAYS; w++) {
            if (both[i][w].used)
                count[i]++;
            else if (!place[i])
                place[i] = &both[i][w];
        }
    return count[1] < count[0] || !place[0] ? place[1] : place[0];
}

int directory_put(struct segment *segment, const uint8_t uuid[16], struct directory_entry entry)
{
    struct directory_slot *e = writer_find(segment, uuid);
    if (!e) e = place_free(segment, uuid);
    if (!e) return -ENOSPC;
    entry_begin(e);
    memcpy(e->uuid, uuid, 16);
    e->entry = entry;
    e->used = 1;
    entry_end(e);
    return 0;
}

void directory_remove(struct segment *segment, const uint8_t uuid[16])
{
    struct directory_slot *e = writer_find(segment, uuid);
    if (!e) return;
    entry_begin(e);
    e->used = 0;
    entry_end(e);
}

static bool entry_read(const struct directory_slot *e, struct directory_slot *out)
{
    for (int i = 0; i < READ_TRIES; i++) {
        uint32_t before = __atomic_load_n(&e->sequence, __ATOMIC_ACQUIRE);
        if (before & 1) continue;
        memcpy(out, e, sizeof *out);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (__atomic_load_n(&e->sequence, __ATOMIC_RELAXED) == before) return true;
    }
    return false;
}

bool directory_find(const struct segment *segment, const uint8_t uuid[16], struct directory_entry *out)
{
    struct directory_slot *both[2], copy;
    buckets(segment, uuid, both);
    for (int i = 0; i < 2; i++)
        for (unsigned w = 0; w < DIRECTORY_WAYS; w++) {
            if (!entry_read(&both[i][w], &copy) || !copy.used || memcmp(copy.uuid, uuid, 16)) continue;
            *out = copy.entry;
            return true;
        }
    return false;
}

/* What a dead broker left half written is forgotten; a broker that adopts calls puts each of them again anyway. */
void directory_repair(struct segment *segment)
{
    struct directory_slot *e = segment_part_at(segment, PART_DIRECTORY);
    size_t count = (size_t)segment->header->directory_buckets * DIRECTORY_WAYS;
    for (size_t i = 0; i < count; i++)
        if (e[i].sequence & 1) {
            e[i].used = 0;
            entry_end(&e[i]);
        }
}
