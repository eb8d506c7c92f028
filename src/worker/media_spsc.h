/* media_spsc.h: a ring in one process, one producing and one consuming thread, no lock: fixed-size elements by copy.
 * A full ring is an ordinary result. */
#ifndef WORKER_MEDIA_SPSC_H
#define WORKER_MEDIA_SPSC_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct spsc {
    _Alignas(64) _Atomic uint64_t tail; /* producer's */
    uint64_t head_seen;
    _Alignas(64) _Atomic uint64_t head; /* consumer's */
    uint64_t tail_seen;
    _Alignas(64) uint32_t count, size; /* elements (a power of two), bytes of each */
    uint8_t *elements;
};

static inline int spsc_init(struct spsc *ring, uint32_t count, uint32_t size)
{
    memset(ring, 0, sizeof *ring);
    ring->count = count;
    ring->size = size;
    ring->elements = calloc(count, size);
    return ring->elements ? 0 : -ENOMEM;
}

static inline void spsc_free(struct spsc *ring)
{
    free(ring->elements);
    ring->elements = NULL;
}

static inline int spsc_push(struct spsc *ring, const void *element)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail - ring->head_seen >= ring->count) {
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (tail - ring->head_seen >= ring->count) return -EAGAIN;
    }
    memcpy(ring->elements + (tail & (ring->count - 1)) * ring->size, element, ring->size);
    atomic_store_explicit(&ring->tail, tail + 1, memory_order_release);
    return 0;
}

static inline bool spsc_pop(struct spsc *ring, void *element)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    if (head == ring->tail_seen) {
        ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (head == ring->tail_seen) return false;
    }
    memcpy(element, ring->elements + (head & (ring->count - 1)) * ring->size, ring->size);
    atomic_store_explicit(&ring->head, head + 1, memory_order_release);
    return true;
}

static inline bool spsc_empty(struct spsc *ring)
{
    return atomic_load_explicit(&ring->head, memory_order_acquire) == atomic_load_explicit(&ring->tail, memory_order_acquire);
}

#endif
