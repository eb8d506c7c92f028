/* segment_size.h: the arithmetic of the segment's layout; segment.c alone uses it. */
#ifndef BUS_SEGMENT_SIZE_H
#define BUS_SEGMENT_SIZE_H

#include "bus/segment_layout.h"

#define LANE_SMALL_PART 16u         /* a lane between two that seldom talk is that much smaller … */
#define LANE_SMALL_MIN  (64u << 10) /* … but not below this */
#define LOG_SMALL_PART  16u
#define LINKS_MIN       16u  /* audio links of a worker: for half of its slots, within these; none if there is one worker */
#define LINKS_MAX       512u /* 31 KB each */
#define LOG_SMALL_MIN   (4u * BUS_EVENT_BYTES_MAX)

/* Checks the params and fills in all sizes and offsets of a header. -EINVAL with a text, -EOVERFLOW. */
int segment_layout(struct segment_header *h, const struct segment_params *p, struct buf *error);
uint64_t segment_lane_bytes(const struct segment_header *h, uint32_t from, uint32_t to);
uint64_t segment_log_bytes(const struct segment_header *h, uint32_t process);
uint64_t segment_lane_offset(const struct segment_header *h, uint32_t from, uint32_t to); /* from PART_LANES */
uint64_t segment_log_offset(const struct segment_header *h, uint32_t process);            /* from PART_LOGS */

#endif
