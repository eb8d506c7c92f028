/* lane.c: framed messages in a byte ring, single producer, single consumer.
 *
 *   ….[head][pairs….][head][pairs..]|padding………| wrap
 *     ▲ `head` cursor               ▲ `tail` cursor
 *
 * Cursors count bytes for ever. A frame is contiguous and a multiple of 16 bytes; where it would cross the end, a padding
 * frame fills the rest. Both become visible with one release store of `tail`: a producer killed before it has sent
 * nothing. The consumer reads in place and moves `head` when it is done with the frame. */
#include "bus/lane.h"

#include <errno.h>
#include <string.h>

#include "core/check.h"

#define FRAME_ALIGN   16u
#define FRAME_PADDING 0u

struct frame_head {
    uint32_t bytes; /* of the whole frame, a multiple of FRAME_ALIGN */
    uint16_t type, kind;
    uint32_t id, epoch, to_epoch;
    int32_t status;
    int64_t deadline_ns;
    uint32_t pairs_bytes;
    uint32_t reserved[3];
};
_Static_assert(sizeof(struct frame_head) == 48, "a multiple of FRAME_ALIGN");

struct lane {
    _Alignas(64) uint64_t bytes; /* a power of two */
    _Alignas(64) uint64_t tail;  /* the producer's */
    uint64_t head_seen;
    _Alignas(64) uint64_t head; /* the consumer's */
    uint64_t tail_seen;
    uint32_t current; /* bytes of the frame lent to the reader, 0 = none */
    _Alignas(64) char data[];
};

size_t lane_bytes(size_t bytes) { return sizeof(struct lane) + bytes; }

void lane_init(struct lane *lane, size_t bytes)
{
    CHECK(bytes >= 1024 && !(bytes & (bytes - 1)));
    lane->bytes = bytes;
    lane->tail = lane->head_seen = 0;
    lane->head = lane->tail_seen = 0;
    lane->current = 0;
}

size_t lane_pairs_max(const struct lane *lane) { return lane->bytes / 4; }

static bool room_for(struct lane *lane, uint64_t tail, uint64_t bytes)
{
    if (tail + bytes - lane->head_seen <= lane->bytes) return true;
    lane->head_seen = __atomic_load_n(&lane->head, __ATOMIC_ACQUIRE);
    return tail + bytes - lane->head_seen <= lane->bytes;
}

int lane_send(struct lane *lane, const struct frame *frame)
{
    uint64_t tail = __atomic_load_n(&lane->tail, __ATOMIC_RELAXED), offset = tail & (lane->bytes - 1);
    uint64_t bytes, padding;
    struct frame_head *head;
    CHECK(frame->type != FRAME_PADDING);
    /* A frame of more than half a lane might never fit beside its padding. */
    if (frame->pairs.length > lane->bytes / 2 - sizeof *head) return -EMSGSIZE;
    bytes = (sizeof *head + frame->pairs.length + FRAME_ALIGN - 1) & ~(uint64_t)(FRAME_ALIGN - 1);
    padding = offset + bytes > lane->bytes ? lane->bytes - offset : 0;
    if (!room_for(lane, tail, padding + bytes)) return -EAGAIN;
    if (padding) {
        uint32_t mark[2] = { (uint32_t)padding, FRAME_PADDING }; /* FRAME_ALIGN bytes are there at least */
        memcpy(lane->data + offset, mark, sizeof mark);
        offset = 0;
    }
    head = (struct frame_head *)(lane->data + offset);
    *head = (struct frame_head) { .bytes = (uint32_t)bytes,
                                  .type = frame->type,
                                  .kind = frame->kind,
                                  .id = frame->id,
                                  .epoch = frame->epoch,
                                  .to_epoch = frame->to_epoch,
                                  .status = frame->status,
                                  .deadline_ns = frame->deadline_ns,
                                  .pairs_bytes = (uint32_t)frame->pairs.length };
    if (frame->pairs.length) memcpy(head + 1, frame->pairs.data, frame->pairs.length);
    __atomic_store_n(&lane->tail, tail + padding + bytes, __ATOMIC_RELEASE);
    return 0;
}

/* The next frame's head behind any padding, NULL if there is none. What makes no sense (a lane that somebody scribbled
 * over) is skipped up to the tail: the requests in it time out. */
static const struct frame_head *next_frame(struct lane *lane)
{
    for (;;) {
        uint64_t head = __atomic_load_n(&lane->head, __ATOMIC_RELAXED), offset = head & (lane->bytes - 1), left;
        const struct frame_head *frame = (const struct frame_head *)(lane->data + offset);
        if (head == lane->tail_seen) {
            lane->tail_seen = __atomic_load_n(&lane->tail, __ATOMIC_ACQUIRE);
            if (head == lane->tail_seen) return NULL;
        }
        left = lane->tail_seen - head;
        if (left > lane->bytes - offset) left = lane->bytes - offset;
        if (frame->bytes < FRAME_ALIGN || frame->bytes % FRAME_ALIGN || frame->bytes > left ||
            (frame->type != FRAME_PADDING && (frame->bytes < sizeof *frame || frame->pairs_bytes > frame->bytes - sizeof *frame))) {
            __atomic_store_n(&lane->head, lane->tail_seen, __ATOMIC_RELEASE);
            continue;
        }
        if (frame->type != FRAME_PADDING) return frame;
        __atomic_store_n(&lane->head, head + frame->bytes, __ATOMIC_RELEASE);
    }
}

bool lane_receive(struct lane *lane, struct frame *out)
{
    const struct frame_head *head = next_frame(lane);
    if (!head) return false;
    lane->current = head->bytes;
    *out = (struct frame) { .type = head->type,
                            .kind = head->kind,
                            .id = head->id,
                            .epoch = head->epoch,
                            .status = head->status,
                            .deadline_ns = head->deadline_ns,
                            .to_epoch = head->to_epoch,
                            .pairs = { (const char *)(head + 1), head->pairs_bytes } };
    return true;
}

void lane_release(struct lane *lane)
{
    CHECK(lane->current);
    __atomic_store_n(&lane->head, lane->head + lane->current, __ATOMIC_RELEASE);
    lane->current = 0;
}

int lane_repair(struct lane *lane)
{
    uint64_t head = __atomic_load_n(&lane->head, __ATOMIC_ACQUIRE);
    uint64_t tail = __atomic_load_n(&lane->tail, __ATOMIC_ACQUIRE);
    bool size_ok = lane->bytes >= 1024 && !(lane->bytes & (lane->bytes - 1));
    if (size_ok && tail - head <= lane->bytes && !(tail % FRAME_ALIGN) && !(head % FRAME_ALIGN)) return 0;
    CHECK(size_ok); /* without its size nothing can be done with a lane */
    lane_init(lane, lane->bytes);
    return -EPROTO;
}
