/* rtp.h: RTP packets, RFC 3550 §5.1. */
#ifndef MEDIA_RTP_H
#define MEDIA_RTP_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define RTP_HEADER_BYTES 12u

struct rtp_packet {
    uint32_t ssrc;
    uint32_t timestamp;
    uint16_t sequence;
    uint8_t payload_type; /* 0..127 */
    bool marker;
    const uint8_t *payload; /* within the bytes given; padding and extension taken off */
    size_t payload_bytes;
};

/* 0, or -EBADMSG: not version 2, or lengths (CSRC, extension, padding) that do not fit. */
int rtp_parse(struct rtp_packet *out, const uint8_t *bytes, size_t length);

/* RTP and RTCP on one port are told apart by the packet type (RFC 5761 §4). */
static inline bool rtp_is_rtcp(const uint8_t *bytes, size_t length)
{
    return length >= 8 && (bytes[0] >> 6) == 2 && bytes[1] >= 192 && bytes[1] <= 223;
}

/* Writes the 12 bytes of a header without CSRCs. */
static inline void rtp_header(uint8_t *out, uint8_t payload_type, bool marker, uint16_t sequence, uint32_t timestamp, uint32_t ssrc)
{
    uint16_t wire16 = htobe16(sequence);
    uint32_t wire32[2] = { htobe32(timestamp), htobe32(ssrc) };
    out[0] = 0x80;
    out[1] = (uint8_t)((marker ? 0x80 : 0) | (payload_type & 0x7F));
    memcpy(out + 2, &wire16, 2);
    memcpy(out + 4, wire32, 8);
}

#endif
