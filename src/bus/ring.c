/* ring.c: single producer, single consumer, 64-byte records.
 *
 * Cursors count records for ever; record n lies at n & mask. The producer stores the record, then `tail` with release;
 * the consumer loads `tail` with acquire. Each keeps the other's cursor as it last saw it beside its own, so that a ring
 * that is neither full nor empty costs no cache miss on the cursors. A side killed anywhere has either moved its cursor
 * or not: there is nothing in between, so a successor just goes on. */
#include "bus/ring.h"

#include <errno.h>
#include <string.h>

#include "core/check.h"

struct ring {
    _Alignas(64) uint32_t records, mask;
    _Alignas(64) uint64_t tail; /* the producer's */
    uint64_t head_seen;
    _Alignas(64) uint64_t head; /* the consumer's */
    uint64_t tail_seen;
    _Alignas(64) struct ring_record record[];
};

size_t ring_bytes(uint32_t records) { return sizeof(struct ring) + (size_t)records * sizeof(struct ring_record); }

void ring_init(struct ring *ring, uint32_t records)
{
    CHECK(records && !(records & (records - 1)));
    ring->records = records;
    ring->mask = records - 1;
    ring->tail = ring->head_seen = 0;
    ring->head = ring->tail_seen = 0;
}

int ring_push(struct ring *ring, const struct ring_record *record)
{
    uint64_t tail = __atomic_load_n(&ring->tail, __ATOMIC_RELAXED);
    if (tail - ring->head_seen >= ring->records) {
        ring->head_seen = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
        if (tail - ring->head_seen >= ring->records) return -EAGAIN;
    }
    ring->record[tail & ring->mask] = *record;
    __atomic_store_n(&ring->tail, tail + 1, __ATOMIC_RELEASE);
    return 0;
}

bool ring_peek(const struct ring *ring, struct ring_record *out)
{
    /* `tail_seen` is the consumer's own note, and only the consumer peeks. */
    uint64_t *tail_seen = (uint64_t *)&ring->tail_seen;
    uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
    if (head == *tail_seen) {
        *tail_seen = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
        if (head == *tail_seen) return false;
    }
    *out = ring->record[head & ring->mask];
    return true;
}

void ring_pop(struct ring *ring)
{
    uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_RELAXED);
    CHECK(head != ring->tail_seen); /* pop without a peek */
    __atomic_store_n(&ring->head, head + 1, __ATOMIC_RELEASE);
}

bool ring_empty(const struct ring *ring)
{
    return __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) == __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
}

int ring_repair(struct ring *ring)
{
    uint64_t head = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
    uint64_t tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
    /* One side is the caller, whose cursor stands; the other, if it lives, moves its own only towards it. */
    if (ring->records && ring->mask == ring->records - 1 && tail - head <= ring->records) return 0;
    ring_init(ring, ring->records && !(ring->records & (ring->records - 1)) ? ring->records : ring->mask + 1);
    return -EPROTO;
}
