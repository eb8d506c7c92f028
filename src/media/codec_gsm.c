/* codec_gsm.c: GSM 06.10 full rate by libgsm: 33 bytes for 20 ms (RFC 3551 §4.5.8), frames joined to packets of 20, 40 or 60 ms. */
#include <errno.h>
#include <gsm.h>
#include <stdlib.h>

#include "media/codec_list.h"

#define FRAME_SAMPLES 160u
#define FRAME_BYTES   33u

static int gsm_open(struct codec_state **out, const struct codec *codec, const struct codec_wish *wish, bool encoder)
{
    gsm state = gsm_create();
    *out = (struct codec_state *)state;
    return state ? 0 : -ENOMEM;
}

static void gsm_close(struct codec_state *state)
{
    if (state) gsm_destroy((gsm)state);
}

static int gsm_code(struct codec_state *state, const int16_t *pcm, size_t samples, uint8_t *out, size_t size)
{
    size_t frames = samples / FRAME_SAMPLES;
    if (!frames || samples % FRAME_SAMPLES) return -EINVAL;
    if (frames * FRAME_BYTES > size) return -ENOSPC;
    for (size_t i = 0; i < frames; i++) gsm_encode((gsm)state, (gsm_signal *)pcm + i * FRAME_SAMPLES, out + i * FRAME_BYTES);
    return (int)(frames * FRAME_BYTES);
}

static int gsm_uncode(struct codec_state *state, const uint8_t *in, size_t length, int16_t *pcm, size_t samples_max)
{
    size_t samples = 0;
    if (!length || length % FRAME_BYTES) return -EBADMSG;
    for (size_t at = 0; at < length && samples + FRAME_SAMPLES <= samples_max; at += FRAME_BYTES, samples += FRAME_SAMPLES)
        if (gsm_decode((gsm)state, (gsm_byte *)in + at, pcm + samples)) return -EBADMSG;
    return (int)samples;
}

static uint8_t gsm_ptime(uint8_t wanted_ms) { return wanted_ms < 40 ? 20 : wanted_ms < 60 ? 40 : 60; }

const struct codec codec_gsm = {
    .name = "GSM",
    .payload_type = 3,
    .rate = 8000,
    .clock_rate = 8000,
    .concatenates = 1,
    .open = gsm_open,
    .close = gsm_close,
    .encode = gsm_code,
    .decode = gsm_uncode,
    .ptime = gsm_ptime,
};
