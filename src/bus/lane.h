/* lane.h: a byte ring per ordered pair of processes, for framed messages of any length. Single producer, single consumer.
 *
 * A frame lies contiguous (padding frame at the wrap), so a reader works in place and then releases. Most rooms use
 * post.h, which adds requests, replies, deadlines and parts; nobody else reads lanes. */
#ifndef BUS_LANE_H
#define BUS_LANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/kv.h"

struct lane;

enum frame_type { FRAME_NOTE = 1, FRAME_REQUEST = 2, FRAME_REPLY = 3, FRAME_CANCEL = 4, FRAME_PART = 5 };

struct frame {
    uint16_t type;       /* enum frame_type */
    uint16_t kind;       /* enum message_kind, protocol.h */
    uint32_t id;         /* a request's id; the same in its reply */
    uint32_t epoch;      /* of the sender's incarnation: frames for a dead one are dropped */
    int32_t status;      /* replies: 0 or -errno */
    int64_t deadline_ns; /* requests: monotonic; 0 = none */
    struct kv_view pairs;
    uint32_t to_epoch; /* of the receiver's incarnation that is meant; 0 = whichever */
};

size_t lane_bytes(size_t bytes);
void lane_init(struct lane *lane, size_t bytes);
int lane_send(struct lane *lane, const struct frame *frame); /* 0, -EAGAIN full, -EMSGSIZE too long for this lane */
bool lane_receive(struct lane *lane, struct frame *out);     /* in place, valid until lane_release */
void lane_release(struct lane *lane);
/* After the death of one side, by its successor: -EPROTO if the cursors make no sense (then it is initialised anew). A frame
 * whose writer died in the middle was never committed and is not there. */
int lane_repair(struct lane *lane);
/* The longest pairs that one frame of this lane can carry: a quarter of it. */
size_t lane_pairs_max(const struct lane *lane);

#endif
