/* rtp_event.h: telephone events, RFC 4733 (digits 0-9 * # A-D are events 0..15, event 16 is flash).
 *
 * Receiving: an event is known by its RTP timestamp alone. Markers may be missing, the end comes three times, any packet may be
 * lost; long keys (§2.5.1.3) go on as segments, each beginning where the last ended and counted as one. A key is reported once, when
 * its end was seen, or when another event began, or when nothing came for 100 ms (all three ends lost). */
#ifndef MEDIA_RTP_EVENT_H
#define MEDIA_RTP_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rtp_packet;

struct rtp_event_in {
    bool active;        /* a key is down */
    bool known;         /* timestamp and event below are of an event seen */
    uint32_t timestamp; /* of the segment now coming */
    uint32_t before;    /* samples of earlier segments */
    uint16_t duration;  /* of this segment, so far */
    uint8_t event;
    int64_t last_ns;
};

struct rtp_key {
    char digit;        /* 0-9 * # A-D, or F for flash */
    uint32_t duration; /* samples at 8 kHz, whatever the RTP clock */
};

/* A packet of the telephone-event payload type. Returns how many keys ended with it (0, 1 or 2: one cut off by the next, itself
 * already ended), written to out[2]. Malformed ones and events that are no keys give 0. */
int rtp_event_packet(struct rtp_event_in *in, const struct rtp_packet *packet, uint32_t clock_rate, int64_t now_ns, struct rtp_key out[2]);
/* From time to time (each frame): 1 if a key whose end was lost is taken to have ended. */
int rtp_event_idle(struct rtp_event_in *in, uint32_t clock_rate, int64_t now_ns, struct rtp_key *out);

/* Event number of a digit, -1 if none. And back, 0 if none. */
int rtp_event_number(char digit);
char rtp_event_digit(unsigned event);

/* The four bytes of an event payload, §2.3. volume in −dBm0 (0..63). */
void rtp_event_payload(uint8_t out[4], unsigned event, bool end, unsigned volume, uint16_t duration);

/* Sending: one key as a series of packets, one per 20 ms. All packets of a segment carry the same timestamp; a key
 * longer than 65535 samples goes on as a new segment. Three ends. */
struct rtp_event_out {
    uint8_t event;
    uint8_t ends;      /* end packets still to send, once the time is over */
    bool marker;       /* set on the first packet */
    uint32_t duration; /* wanted, RTP clock */
    uint32_t elapsed;  /* of the whole key */
    uint32_t segment;  /* where the present segment began, relative to the key */
};
void rtp_event_begin(struct rtp_event_out *out, unsigned event, uint32_t duration);
/* The next packet: payload, marker, and timestamp offset from the key's first timestamp. `step` = RTP clock per packet. false when
 * the key has had its last one. */
bool rtp_event_next(struct rtp_event_out *out, uint32_t step, uint8_t payload[4], bool *marker, uint32_t *offset);

#endif
