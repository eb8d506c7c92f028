#include "media/rtp.h"

#include <errno.h>

static uint32_t word(const uint8_t *at)
{
    uint32_t wire;
    memcpy(&wire, at, 4);
    return be32toh(wire);
}

static uint16_t half(const uint8_t *at)
{
    uint16_t wire;
    memcpy(&wire, at, 2);
    return be16toh(wire);
}

/* Where the payload begins and ends, header extension and padding taken off. */
static int rtp_bounds(const uint8_t *bytes, size_t length, size_t *from, size_t *to)
{
    *from = RTP_HEADER_BYTES + 4 * (size_t)(bytes[0] & 0x0F);
    *to = length;
    if (bytes[0] & 0x10) {
        if (*from + 4 > length) return -EBADMSG;
        *from += 4 + 4 * (size_t)half(bytes + *from + 2);
    }
    if (*from > length) return -EBADMSG;
    if (bytes[0] & 0x20) {
        size_t padding = bytes[length - 1];
        if (!padding || padding > length - *from) return -EBADMSG;
        *to -= padding;
    }
    return 0;
}

int rtp_parse(struct rtp_packet *out, const uint8_t *bytes, size_t length)
{
    if (length < RTP_HEADER_BYTES || (bytes[0] >> 6) != 2) return -EBADMSG;
    size_t from = RTP_HEADER_BYTES, to = length;
    if ((bytes[0] & 0x3F) && rtp_bounds(bytes, length, &from, &to)) return -EBADMSG;
    out->marker = bytes[1] >> 7;
    out->payload_type = bytes[1] & 0x7F;
    out->sequence = half(bytes + 2);
    out->timestamp = word(bytes + 4);
    out->ssrc = word(bytes + 8);
    out->payload = bytes + from;
    out->payload_bytes = to - from;
    return 0;
}
