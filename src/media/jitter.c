/* jitter.c: packets lie in a ring indexed by the low bits of their sequence number. `next` is the extended sequence number due
 * next, `newest` the highest that came; all arithmetic on 32-bit extended numbers, so wrap-around is nowhere but in jitter_extend. */
#include "media/jitter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "media/rtp.h"

#define TARGET_MIN_MS     40u
#define TARGET_MAX_MS     200u
#define DEEP_GETS_TO_DROP 50u  /* a second above the target */
#define WINDOW_PACKETS    250u /* five seconds */

struct entry {
    uint32_t sequence;
    uint32_t timestamp;
    uint16_t length;
    uint8_t payload_type;
    bool full;
};

struct jitter {
    uint32_t clock_rate, ssrc;
    size_t packet_bytes;
    uint32_t next, newest;
    uint32_t packet_clock; /* timestamp step between packets, learnt */
    uint32_t newest_timestamp;
    /* Transit is arrival less timestamp, of which only differences mean anything: its least and the most above it, of the present and the
     * last window. */
    uint32_t least[2], most[2], measured;
    uint32_t deep, late_run;
    bool started, filling, played, grow;
    struct jitter_counts counts;
    struct entry entries[JITTER_PACKETS];
    uint8_t *bytes;
};

struct jitter *jitter_new(uint32_t clock_rate, size_t packet_bytes)
{
    struct jitter *jitter = calloc(1, sizeof *jitter);
    if (!jitter) return NULL;
    jitter->bytes = malloc(JITTER_PACKETS * packet_bytes);
    if (!jitter->bytes) {
        free(jitter);
        return NULL;
    }
    jitter->clock_rate = clock_rate ? clock_rate : 8000;
    jitter->packet_bytes = packet_bytes;
    jitter_reset(jitter);
    jitter->counts.resets = 0;
    return jitter;
}

void jitter_free(struct jitter *jitter)
{
    if (!jitter) return;
    free(jitter->bytes);
    free(jitter);
}

void jitter_reset(struct jitter *jitter)
{
    for (unsigned i = 0; i < JITTER_PACKETS; i++) jitter->entries[i].full = false;
    jitter->started = jitter->played = jitter->grow = false;
    jitter->filling = true;
    jitter->deep = jitter->late_run = 0;
    jitter->measured = 0;
    jitter->most[0] = jitter->most[1] = 0;
    jitter->packet_clock = jitter->clock_rate / 50;
    jitter->counts.resets++;
}

static struct entry *jitter_entry(struct jitter *jitter, uint32_t sequence) { return &jitter->entries[sequence % JITTER_PACKETS]; }

static uint32_t jitter_extend(const struct jitter *jitter, uint16_t sequence)
{
    return jitter->newest + (uint32_t)(int32_t)(int16_t)(sequence - (uint16_t)jitter->newest);
}

static uint32_t earlier(uint32_t a, uint32_t b) { return (int32_t)(a - b) < 0 ? a : b; }

/* Up at once, down when two windows have passed: one bad burst must widen the buffer, a quiet second need not narrow it. */
static void jitter_measure(struct jitter *jitter, uint32_t timestamp, int64_t arrival_ns)
{
    uint64_t seconds = (uint64_t)arrival_ns / 1000000000u, rest = (uint64_t)arrival_ns % 1000000000u;
    uint32_t transit = (uint32_t)(seconds * jitter->clock_rate + rest * jitter->clock_rate / 1000000000u) - timestamp;
    bool first = !jitter->measured && !jitter->most[0] && !jitter->most[1];
    if (first) jitter->least[0] = jitter->least[1] = transit;
    jitter->least[0] = earlier(jitter->least[0], transit);
    uint32_t behind = transit - earlier(jitter->least[0], jitter->least[1]);
    if (behind > jitter->clock_rate) { /* the sender's time has jumped */
        jitter->measured = 0;
        jitter->most[0] = jitter->most[1] = 0;
        return;
    }
    if (behind > jitter->most[0]) jitter->most[0] = behind;
    if (++jitter->measured < WINDOW_PACKETS) return;
    jitter->least[1] = jitter->least[0];
    jitter->most[1] = jitter->most[0];
    jitter->least[0] = transit;
    jitter->most[0] = 0;
    jitter->measured = 1;
}

static void jitter_start(struct jitter *jitter, const struct rtp_packet *packet)
{
    jitter_reset(jitter);
    jitter->started = true;
    jitter->ssrc = packet->ssrc;
    jitter->next = jitter->newest = 0x10000u + packet->sequence;
    jitter->newest_timestamp = packet->timestamp;
}

static void jitter_learn(struct jitter *jitter, uint32_t sequence, uint32_t timestamp)
{
    uint32_t step = timestamp - jitter->newest_timestamp;
    if (sequence == jitter->newest + 1 && step >= jitter->clock_rate / 200 && step <= jitter->clock_rate / 5) jitter->packet_clock = step;
}

/* A packet beyond the ring: make room by giving up the oldest ones. */
static void jitter_make_room(struct jitter *jitter, uint32_t sequence)
{
    while (sequence - jitter->next >= JITTER_PACKETS) {
        struct entry *oldest = jitter_entry(jitter, jitter->next);
        if (oldest->full && oldest->sequence == jitter->next) jitter->counts.overflows++;
        oldest->full = false;
        jitter->next++;
    }
}

/* false: the packet is stale. A run of late ones means that the stream's time moved: begin anew. */
static bool jitter_in_time(struct jitter *jitter, const struct rtp_packet *packet, uint32_t *sequence)
{
    if ((int32_t)(*sequence - jitter->next) >= 0) {
        jitter->late_run = 0;
        return true;
    }
    /* Before anything was played an earlier packet may still lead. */
    if (!jitter->played && jitter->newest - *sequence < JITTER_PACKETS) {
        jitter->next = *sequence;
        return true;
    }
    jitter->counts.late++;
    jitter->grow = true;
    if (++jitter->late_run < 10) return false;
    jitter_start(jitter, packet);
    *sequence = jitter->next;
    return true;
}

int jitter_put(struct jitter *jitter, const struct rtp_packet *packet, int64_t arrival_ns)
{
    if (packet->payload_bytes > jitter->packet_bytes) return -EMSGSIZE;
    if (!jitter->started || packet->ssrc != jitter->ssrc) jitter_start(jitter, packet);
    uint32_t sequence = jitter_extend(jitter, packet->sequence);
    int32_t jump = (int32_t)(sequence - jitter->newest);
    if (jump > 3000 || jump < -3000) {
        jitter_start(jitter, packet);
        sequence = jitter->next;
    }
    jitter_measure(jitter, packet->timestamp, arrival_ns);
    if (!jitter_in_time(jitter, packet, &sequence)) return -ESTALE;
    jitter_make_room(jitter, sequence);
    struct entry *entry = jitter_entry(jitter, sequence);
    if (entry->full && entry->sequence == sequence) {
        jitter->counts.duplicates++;
        return -EEXIST;
    }
    jitter_learn(jitter, sequence, packet->timestamp);
    *entry = (struct entry) { sequence, packet->timestamp, (uint16_t)packet->payload_bytes, packet->payload_type, true };
    memcpy(jitter->bytes + (sequence % JITTER_PACKETS) * jitter->packet_bytes, packet->payload, packet->payload_bytes);
    if ((int32_t)(sequence - jitter->newest) > 0) {
        jitter->newest = sequence;
        jitter->newest_timestamp = packet->timestamp;
    }
    return 0;
}

/* Packets from the next due one to the newest, gaps included. */
static uint32_t jitter_depth(const struct jitter *jitter)
{
    int32_t depth = (int32_t)(jitter->newest + 1 - jitter->next);
    return jitter->started && depth > 0 ? (uint32_t)depth : 0;
}

static uint32_t jitter_packet_ms(const struct jitter *jitter)
{
    uint32_t ms = jitter->packet_clock * 1000 / jitter->clock_rate;
    return ms ? ms : 1;
}

uint32_t jitter_depth_ms(const struct jitter *jitter) { return jitter_depth(jitter) * jitter_packet_ms(jitter); }

uint32_t jitter_target_ms(const struct jitter *jitter)
{
    uint32_t most = jitter->most[0] > jitter->most[1] ? jitter->most[0] : jitter->most[1];
    uint32_t ms = (uint32_t)((uint64_t)most * 1000 / jitter->clock_rate) + jitter_packet_ms(jitter);
    return ms < TARGET_MIN_MS ? TARGET_MIN_MS : ms > TARGET_MAX_MS ? TARGET_MAX_MS : ms;
}

const struct jitter_counts *jitter_counts(const struct jitter *jitter) { return &jitter->counts; }

/* Too deep for a second: one packet goes, so that delay does not pile up (a sender whose clock is faster than ours). */
static void jitter_follow_drift(struct jitter *jitter)
{
    if (jitter_depth_ms(jitter) <= jitter_target_ms(jitter) + jitter_packet_ms(jitter)) {
        jitter->deep = 0;
        return;
    }
    if (++jitter->deep < DEEP_GETS_TO_DROP) return;
    jitter->deep = 0;
    jitter_entry(jitter, jitter->next)->full = false;
    jitter->next++;
    jitter->counts.dropped_for_drift++;
}

enum jitter_result jitter_get(struct jitter *jitter, const uint8_t **payload, size_t *length, uint8_t *payload_type)
{
    uint32_t depth = jitter_depth(jitter);
    if (!depth) {
        jitter->filling = true;
        return JITTER_EMPTY;
    }
    if (jitter->filling && jitter_depth_ms(jitter) < jitter_target_ms(jitter)) return JITTER_EMPTY;
    jitter->filling = false;
    jitter->played = true;
    if (jitter->grow) {
        jitter->grow = false;
        if (jitter_depth_ms(jitter) < jitter_target_ms(jitter)) {
            jitter->counts.stretched++;
            return JITTER_LOST;
        }
    }
    jitter_follow_drift(jitter);
    struct entry *entry = jitter_entry(jitter, jitter->next);
    bool here = entry->full && entry->sequence == jitter->next;
    entry->full = false;
    jitter->next++;
    if (!here) {
        jitter->counts.lost++;
        return JITTER_LOST;
    }
    *payload = jitter->bytes + (entry->sequence % JITTER_PACKETS) * jitter->packet_bytes;
    *length = entry->length;
    *payload_type = entry->payload_type;
    return JITTER_PACKET;
}

bool jitter_next(const struct jitter *jitter, const uint8_t **payload, size_t *length)
{
    const struct entry *entry = &jitter->entries[jitter->next % JITTER_PACKETS];
    if (!jitter->started || !entry->full || entry->sequence != jitter->next) return false;
    *payload = jitter->bytes + (entry->sequence % JITTER_PACKETS) * jitter->packet_bytes;
    *length = entry->length;
    return true;
}
