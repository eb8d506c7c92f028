/* RTP: whatever comes, a parsed payload lies within the bytes; what we build from it parses the same. */
#include <stdlib.h>

#include "core/check.h"
#include "media/rtp.h"
#include "media/rtp_stats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct rtp_stats stats;
    static int64_t now;
    struct rtp_packet packet, again;
    uint8_t built[2048];
    if (rtp_parse(&packet, data, size)) return 0;
    CHECK(packet.payload >= data && packet.payload + packet.payload_bytes <= data + size);
    if (packet.payload_bytes < sizeof built - RTP_HEADER_BYTES) {
        rtp_header(built, packet.payload_type, packet.marker, packet.sequence, packet.timestamp, packet.ssrc);
        memcpy(built + RTP_HEADER_BYTES, packet.payload, packet.payload_bytes);
        CHECK(rtp_parse(&again, built, RTP_HEADER_BYTES + packet.payload_bytes) == 0);
        CHECK(again.ssrc == packet.ssrc && again.sequence == packet.sequence && again.timestamp == packet.timestamp &&
              again.marker == packet.marker);
        CHECK(again.payload_bytes == packet.payload_bytes);
    }
    if (!stats.clock_rate) rtp_stats_init(&stats, 8000);
    rtp_stats_packet(&stats, &packet, now += 20000000, true);
    CHECK(rtp_stats_mos_x100(&stats, 0) <= 450);
    return 0;
}
