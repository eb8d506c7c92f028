/* Telephone events: six bytes a packet (timestamp step, event, flags, duration). At most two keys per packet, and not more keys than
 * packets. */
#include <stdint.h>
#include <string.h>

#include "core/check.h"
#include "media/rtp.h"
#include "media/rtp_event.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct rtp_event_in in = { 0 };
    struct rtp_key keys[2], key;
    uint32_t timestamp = 0, found = 0;
    int64_t now = 0;
    for (size_t at = 0; at + 6 <= size; at += 6) {
        uint32_t step = (uint32_t)(data[at] & 0x7F) * 160;
        timestamp += data[at] & 0x80 ? 0u - step : step; /* 0x80: back again, as reordering does */
        struct rtp_packet packet = { .timestamp = timestamp, .payload = data + at + 1, .payload_bytes = 4 };
        now += (data[at + 5] & 0x3F) * 1000000LL;
        int count = rtp_event_packet(&in, &packet, 8000, now, keys);
        CHECK(count >= 0 && count <= 2);
        for (int i = 0; i < count; i++) CHECK(rtp_event_number(keys[i].digit) >= 0);
        found += (uint32_t)count;
        if (rtp_event_idle(&in, 8000, now, &key)) {
            CHECK(rtp_event_number(key.digit) >= 0);
            found++;
        }
    }
    CHECK(found <= size / 6);
    return 0;
}
