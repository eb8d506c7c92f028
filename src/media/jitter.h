/* jitter.h: an adaptive jitter buffer: reordering, duplicates, wrap-around, SSRC change, clock drift.
 *
 * Packets go in as they come; the owner takes what is due each time it has played out what it took before. It holds
 * `target` of audio: as much as the latest packet of the last five to ten seconds was later than the earliest, and a packet more; 40 to 200
 * ms. When it holds more than the target for a second (drift, a burst that passed) it lets one packet go; when a packet comes too late and
 * it holds less than the target, it has the owner fill in one; when it runs dry it waits to fill up again, and the owner plays silence
 * meanwhile. So the owner's clock alone decides how long its audio is. */
#ifndef MEDIA_JITTER_H
#define MEDIA_JITTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JITTER_PACKETS 32u /* a power of two: 640 ms of 20 ms packets */

struct rtp_packet;
struct jitter;

struct jitter_counts {
    uint64_t late, duplicates, overflows, lost, dropped_for_drift, stretched, resets;
};

/* `clock_rate` of the timestamps, `packet_bytes` the longest payload kept. NULL when out of memory. */
struct jitter *jitter_new(uint32_t clock_rate, size_t packet_bytes);
void jitter_free(struct jitter *jitter);
void jitter_reset(struct jitter *jitter);

/* 0; -ESTALE too late, -EEXIST duplicate, -EMSGSIZE too long. `arrival_ns` monotonic. */
int jitter_put(struct jitter *jitter, const struct rtp_packet *packet, int64_t arrival_ns);

enum jitter_result {
    JITTER_PACKET, /* *payload, *length: valid until the next call */
    JITTER_LOST,   /* one packet is missing, or the buffer wants to grow by one: conceal its duration */
    JITTER_EMPTY   /* filling up, or nobody talks: play silence for a frame */
};
enum jitter_result jitter_get(struct jitter *jitter, const uint8_t **payload, size_t *length, uint8_t *payload_type);

/* The packet due next, if it is here; it stays. After JITTER_LOST: the one behind the gap, which may bring FEC. */
bool jitter_next(const struct jitter *jitter, const uint8_t **payload, size_t *length);

uint32_t jitter_depth_ms(const struct jitter *jitter);
uint32_t jitter_target_ms(const struct jitter *jitter);
const struct jitter_counts *jitter_counts(const struct jitter *jitter);

#endif
