/* frame.h: what goes over run_dir/control.sock: one request and one reply per connection turn, both framed alike.
 *
 *   4 bytes  "CRL1"
 *   4 bytes  length of the pairs, little endian, at most FRAME_BYTES_MAX
 *   pairs as in core/kv.h
 *
 * Request:  verb=api, command, args                 an API command as FreeSWITCH has them, run by a worker
 *           verb=engine, command, a1, a2 …          an operator's command, run by the broker
 *           verb=ping                               answered by control itself
 * Reply:    status=0 or an errno number, text, and whatever else the answerer says; for status other than 0 `error`
 *           is a sentence for people.
 *
 * A connection may carry several requests, one after the other. Closing it cancels the one that runs. */
#ifndef CONTROL_FRAME_H
#define CONTROL_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/kv.h"

#define FRAME_HEAD_BYTES        8u
#define FRAME_BYTES_MAX         (17u << 20) /* a lane's message of 16 MB and its frame */
#define FRAME_REQUEST_BYTES_MAX (4u << 20)

void frame_head(uint8_t out[FRAME_HEAD_BYTES], uint32_t length);
/* The length that a head announces; -EPROTO if it is none, -EMSGSIZE beyond `max`. */
int64_t frame_length(const uint8_t head[FRAME_HEAD_BYTES], uint32_t max);

#endif
