/* media_digits.c: digits that we send. As RFC 4733 events where the far end takes them, else as tones in the audio; a virtual leg
 * hands them to its other end as they are. While a digit sounds, nothing else is sent. */
#include "worker/media_internal.h"

#define DURATION_DEFAULT_MS 250u /* FreeSWITCH's 2000 samples */
#define GAP_TICKS           3u   /* 60 ms between digits, beyond the two repeated ends */

void digits_free(struct digits *digits)
{
    dtmf_out_free(digits->inband);
    free(digits->text);
    free(digits);
}

void digits_begin(struct media *m, struct leg *leg, struct digits *digits)
{
    struct digits **at = &leg->digits;
    digits->operation.leg = leg;
    digits->operation.id = leg_id(leg);
    if (!digits->duration_ms) digits->duration_ms = DURATION_DEFAULT_MS;
    while (*at) at = &(*at)->next;
    *at = digits; /* behind those already waiting */
    leg_plan(m, leg);
}

void digits_end(struct media *m, struct digits *digits, enum media_reason reason)
{
    struct leg *leg = digits->operation.leg;
    struct media_event event = { .kind = MEDIA_DONE, .leg = digits->operation.id, .operation = digits->operation.number, .reason = reason };
    struct digits **at = &leg->digits;
    while (*at != digits) at = &(*at)->next;
    *at = digits->next;
    if (digits->operation.number) { /* those of a link have none */
        operation_remove(m, &digits->operation);
        event_push(m, &event);
    }
    digits_free(digits);
    leg_plan(m, leg);
}

/* A key that another worker's script sends on a lent call. */
void digits_pass(struct media *m, struct leg *leg, char digit, uint32_t duration)
{
    struct digits *digits = calloc(1, sizeof *digits);
    char text[2] = { digit, 0 };
    if (!digits || !(digits->text = strdup(text))) {
        free(digits);
        return;
    }
    digits->operation.kind = OPERATION_DIGITS;
    digits->duration_ms = duration / 8;
    digits_begin(m, leg, digits);
}

static void virtual_digit(struct media *m, struct leg *leg, char digit, uint32_t duration_ms)
{
    if (leg->joined) leg_digit(m, leg->joined, digit, duration_ms * 8, false);
    if (leg->link) leg_link_digit(m, leg, digit, duration_ms * 8);
}

/* The next character; false when there is none. */
static bool digits_next(struct media *m, struct leg *leg, struct digits *digits)
{
    char digit = digits->text[digits->at];
    if (!digit) return false;
    digits->at++;
    if (digit == 'w' || digit == 'W') {
        digits->wait_ticks = digit == 'w' ? 25 : 50;
        return true;
    }
    int event = rtp_event_number(digit);
    if (event < 0) return true; /* what is no digit is passed over */
    if (leg->is_virtual) {
        virtual_digit(m, leg, digit, digits->duration_ms);
        digits->wait_ticks = digits->duration_ms / 20 + GAP_TICKS;
        return true;
    }
    digits->sending = true;
    if (leg->media.event_payload_type) {
        rtp_event_begin(&digits->event, (unsigned)event, leg->codec->clock_rate / 1000 * digits->duration_ms);
        digits->event_timestamp = leg->timestamp;
    } else {
        if (!digits->inband) digits->inband = dtmf_out_new();
        digits->sending = digits->inband && !dtmf_out_digit(digits->inband, digit, digits->duration_ms, 60);
    }
    return true;
}

static bool send_event(struct media *m, struct leg *leg, struct digits *digits)
{
    uint8_t payload[4];
    bool marker;
    uint32_t offset, step = codec_clock(leg->codec, codec_frame_samples(leg->codec));
    if (!rtp_event_next(&digits->event, step, payload, &marker, &offset)) {
        digits->sending = false;
        digits->wait_ticks = GAP_TICKS;
        leg->marker = true; /* talk begins anew */
        return false;
    }
    if (leg->sending) leg_packet(m, leg, leg->media.event_payload_type, marker, digits->event_timestamp + offset, payload, 4);
    leg->timestamp += step;
    leg->due_ns += FRAME_NS; /* the stream's clock goes on */
    return true;
}

static bool send_inband(struct media *m, struct leg *leg, struct digits *digits)
{
    int16_t tone[160], scratch[CODEC_FRAME_MAX];
    uint8_t payload[CODEC_FRAME_MAX * 2];
    size_t made = dtmf_out_make(digits->inband, tone, 160);
    if (!made) {
        digits->sending = false;
        return false;
    }
    memset(tone + made, 0, (160 - made) * sizeof *tone);
    uint32_t samples = codec_frame_samples(leg->codec);
    int bytes = leg->codec->encode(leg->encoder, leg_at_rate(leg, tone, 8000, scratch), samples, payload, sizeof payload);
    if (bytes > 0) leg_send_payload(m, leg, payload, (uint32_t)bytes, samples);
    return true;
}

bool digits_tick(struct media *m, struct leg *leg)
{
    struct digits *digits = leg->digits;
    if (digits->sending && (leg->media.event_payload_type ? send_event(m, leg, digits) : send_inband(m, leg, digits))) return true;
    if (digits->wait_ticks) {
        digits->wait_ticks--;
        return false;
    }
    if (!digits_next(m, leg, digits)) {
        digits_end(m, digits, MEDIA_FINISHED);
        return false;
    }
    return digits->sending && (leg->media.event_payload_type ? send_event(m, leg, digits) : send_inband(m, leg, digits));
}
