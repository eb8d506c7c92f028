#include "media/rtp_event.h"

#include <string.h>

#include "media/rtp.h"

#define LOST_END_NS 100000000LL
static const char digits[] = "0123456789*#ABCDF";

int rtp_event_number(char digit)
{
    if (digit >= 'a' && digit <= 'f') digit = (char)(digit - 'a' + 'A');
    const char *at = digit ? strchr(digits, digit) : NULL;
    return at ? (int)(at - digits) : -1;
}

char rtp_event_digit(unsigned event) { return event < sizeof digits - 1 ? digits[event] : 0; }

static int event_end(struct rtp_event_in *in, uint32_t clock_rate, struct rtp_key *out)
{
    in->active = false;
    uint64_t units = (uint64_t)in->before + in->duration;
    out->digit = rtp_event_digit(in->event);
    out->duration = (uint32_t)(units * 8000 / (clock_rate ? clock_rate : 8000));
    return 1;
}

static void event_begin(struct rtp_event_in *in, uint32_t timestamp, uint8_t event)
{
    *in = (struct rtp_event_in) { .active = true, .known = true, .timestamp = timestamp, .event = event };
}

/* A new timestamp may be the next segment of a key that is still down: same event, and it starts where the last one reached. */
static bool event_continues(const struct rtp_event_in *in, uint32_t timestamp, uint8_t event)
{
    return in->active && in->event == event && in->duration >= 0xF000 && timestamp - in->timestamp <= 0x11000;
}

int rtp_event_packet(struct rtp_event_in *in, const struct rtp_packet *packet, uint32_t clock_rate, int64_t now_ns, struct rtp_key out[2])
{
    if (packet->payload_bytes < 4 || !rtp_event_digit(packet->payload[0])) return 0;
    uint8_t event = packet->payload[0];
    bool end = packet->payload[1] & 0x80;
    uint16_t duration = (uint16_t)(packet->payload[2] << 8 | packet->payload[3]);
    int keys = 0;

    if (in->known && packet->timestamp == in->timestamp && event == in->event) {
        if (!in->active) return 0; /* an end again, or a straggler of a key already counted */
    } else if (in->known && (int32_t)(packet->timestamp - in->timestamp) < 0 && in->timestamp - packet->timestamp < clock_rate * 10) {
        return 0; /* reordered, of an earlier key */
    } else if (event_continues(in, packet->timestamp, event)) {
        in->before += packet->timestamp - in->timestamp;
        in->timestamp = packet->timestamp;
        in->duration = 0;
    } else {
        if (in->active) keys += event_end(in, clock_rate, &out[keys]);
        event_begin(in, packet->timestamp, event);
    }
    in->last_ns = now_ns;
    if (duration > in->duration) in->duration = duration;
    if (end) keys += event_end(in, clock_rate, &out[keys]);
    return keys;
}

int rtp_event_idle(struct rtp_event_in *in, uint32_t clock_rate, int64_t now_ns, struct rtp_key *out)
{
    if (!in->active || now_ns - in->last_ns < LOST_END_NS) return 0;
    return event_end(in, clock_rate, out);
}

void rtp_event_payload(uint8_t out[4], unsigned event, bool end, unsigned volume, uint16_t duration)
{
    out[0] = (uint8_t)event;
    out[1] = (uint8_t)((end ? 0x80 : 0) | (volume & 0x3F));
    out[2] = (uint8_t)(duration >> 8);
    out[3] = (uint8_t)duration;
}

void rtp_event_begin(struct rtp_event_out *out, unsigned event, uint32_t duration)
{
    *out = (struct rtp_event_out) { .event = (uint8_t)event, .ends = 3, .marker = true, .duration = duration };
}

bool rtp_event_next(struct rtp_event_out *out, uint32_t step, uint8_t payload[4], bool *marker, uint32_t *offset)
{
    if (!out->ends) return false;
    if (out->elapsed < out->duration) {
        if (out->elapsed + step - out->segment > 0xFFFF)
            out->segment = out->elapsed; /* §2.5.1.3: the next segment starts where this one reached */
        out->elapsed += step;
    }
    bool end = out->elapsed >= out->duration;
    if (end) out->ends--;
    *marker = out->marker;
    out->marker = false;
    *offset = out->segment;
    rtp_event_payload(payload, out->event, end, 10, (uint16_t)(out->elapsed - out->segment));
    return true;
}
