#include "media/dtmf.h"

#include <errno.h>
#include <math.h>
#include <spandsp.h>
#include <stdlib.h>

#include "media/tone.h"

/* Q.24's limits, and two dB more: a key at the limit must be told as well. Twist: the low one louder; reverse: the high one. */
#define TWIST_DB         10
#define REVERSE_TWIST_DB 6
#define LEVEL_MIN_DB     -42

struct dtmf_in {
    dtmf_rx_state_t *rx;
};

/* Our own generator: spandsp's queue cannot change length per digit without being set up anew. */
struct dtmf_out {
    double low, high;
    uint32_t at, on, total;
};

struct dtmf_in *dtmf_in_new(void)
{
    struct dtmf_in *in = calloc(1, sizeof *in);
    if (in && !(in->rx = dtmf_rx_init(NULL, NULL, NULL))) {
        free(in);
        return NULL;
    }
    if (in) dtmf_rx_parms(in->rx, false, TWIST_DB, REVERSE_TWIST_DB, LEVEL_MIN_DB);
    return in;
}

void dtmf_in_free(struct dtmf_in *in)
{
    if (in) dtmf_rx_free(in->rx);
    free(in);
}

size_t dtmf_in_hear(struct dtmf_in *in, const int16_t *pcm, size_t samples, char *digits, size_t size)
{
    char found[64];
    dtmf_rx(in->rx, pcm, (int)samples);
    size_t count = dtmf_rx_get(in->rx, found, sizeof found - 1);
    for (size_t i = 0; i < count && i < size; i++) digits[i] = found[i];
    return count < size ? count : size;
}

struct dtmf_out *dtmf_out_new(void) { return calloc(1, sizeof(struct dtmf_out)); }

void dtmf_out_free(struct dtmf_out *out) { free(out); }

int dtmf_out_digit(struct dtmf_out *out, char digit, uint32_t on_ms, uint32_t off_ms)
{
    if (tone_dtmf(digit, &out->low, &out->high)) return -EINVAL;
    out->at = 0;
    out->on = on_ms * 8;
    out->total = (on_ms + off_ms) * 8;
    return 0;
}

size_t dtmf_out_make(struct dtmf_out *out, int16_t *pcm, size_t samples)
{
    /* −10 dBm0 for each of the two, the high one 2 dB up (Q.23's usual pre-emphasis for cable). */
    double low = tone_amplitude(-10), high = tone_amplitude(-8);
    size_t made = 0;
    for (; made < samples && out->at < out->total; made++, out->at++) {
        double t = 2 * M_PI * out->at / 8000;
        pcm[made] = out->at < out->on ? (int16_t)lrint(low * sin(t * out->low) + high * sin(t * out->high)) : 0;
    }
    return made;
}
