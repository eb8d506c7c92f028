/* ring.h: the hot path of a call: 64-byte records, one producer and one consumer, no lock and no CAS.
 *
 * A record says: slot n, generation g: this happened. What exactly stands in the slot's half. Old generations are dropped
 * and counted by the reader. At most one record per slot and kind is outstanding in each direction, so a ring of
 * slots × kinds cannot overflow. Handlers are idempotent: a reader that died may see its last records again. */
#ifndef BUS_RING_H
#define BUS_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring; /* in the segment: producer's cursor, consumer's cursor (a cache line each), records */

enum ring_kind {
    /* down: broker → media thread */
    RING_MEDIA_START = 1,  /* begin, as slot_call.media says */
    RING_MEDIA_UPDATE = 2, /* media changed (answered after early media, re-INVITE, hold) */
    RING_MEDIA_STOP = 3,   /* stop, answer RING_RELEASED */
    /* up: media thread → broker */
    RING_RELEASED = 4,     /* totals stand in the worker's half */
    RING_MEDIA_TIMEOUT = 5 /* nothing received for rtp_timeout_sec */
};
#define RING_KINDS 8u

struct ring_record {
    uint32_t slot, generation;
    uint16_t kind, flags;
    uint32_t argument;
    int64_t time_ns;
    uint8_t data[40];
};
_Static_assert(sizeof(struct ring_record) == 64, "a record is a cache line");

size_t ring_bytes(uint32_t records); /* memory for a ring; records is a power of two */
void ring_init(struct ring *ring, uint32_t records);
/* -EAGAIN when full (cannot happen by design; the caller counts it and asserts in debug builds). A record whose push
 * returned 0 is never lost or torn, whoever dies. */
int ring_push(struct ring *ring, const struct ring_record *record);
/* Copies the oldest record without consuming it; false if empty. ring_pop consumes what ring_peek showed. */
bool ring_peek(const struct ring *ring, struct ring_record *out);
void ring_pop(struct ring *ring);
bool ring_empty(const struct ring *ring);
/* After the death of one side, by its successor: -EPROTO if the cursors make no sense (then it is initialised anew). */
int ring_repair(struct ring *ring);

#endif
