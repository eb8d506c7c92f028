/* codec_g729.c: ITU-T G.729 Annex A (8 kbit/s) by bcg729: frames of 10 ms in 10 bytes. Sends no comfort noise frames (Annex B) and takes
 * those that come: 2 bytes at a payload's end (RFC 3551 §4.5.6). */
#include <bcg729/decoder.h>
#include <bcg729/encoder.h>
#include <errno.h>
#include <stdlib.h>

#include "media/codec_list.h"

enum { FRAME_SAMPLES = 80, FRAME_BYTES = 10, SID_BYTES = 2 };

struct g729 {
    bcg729EncoderChannelContextStruct *encoder;
    bcg729DecoderChannelContextStruct *decoder;
};

static void g729_close(struct codec_state *state)
{
    struct g729 *g729 = (struct g729 *)state;
    if (!g729) return;
    if (g729->encoder) closeBcg729EncoderChannel(g729->encoder);
    if (g729->decoder) closeBcg729DecoderChannel(g729->decoder);
    free(g729);
}

static int g729_open(struct codec_state **out, const struct codec *codec, const struct codec_wish *wish, bool encoder)
{
    struct g729 *g729 = calloc(1, sizeof *g729);
    if (!g729) return -ENOMEM;
    if (encoder)
        g729->encoder = initBcg729EncoderChannel(0);
    else
        g729->decoder = initBcg729DecoderChannel();
    if (!g729->encoder && !g729->decoder) {
        free(g729);
        return -ENOMEM;
    }
    *out = (struct codec_state *)g729;
    return 0;
}

static int g729_encode(struct codec_state *state, const int16_t *pcm, size_t samples, uint8_t *out, size_t size)
{
    size_t frames = samples / FRAME_SAMPLES;
    if (frames * FRAME_BYTES > size) return -ENOSPC;
    for (size_t i = 0; i < frames; i++) {
        uint8_t bytes;
        bcg729Encoder(((struct g729 *)state)->encoder, pcm + i * FRAME_SAMPLES, out + i * FRAME_BYTES, &bytes);
    }
    return (int)(frames * FRAME_BYTES);
}

static int g729_decode(struct codec_state *state, const uint8_t *in, size_t length, int16_t *pcm, size_t samples_max)
{
    bcg729DecoderChannelContextStruct *decoder = ((struct g729 *)state)->decoder;
    size_t sid = length % FRAME_BYTES, samples = 0;
    if (sid && sid != SID_BYTES) return -EBADMSG;
    for (size_t at = 0; at < length && samples + FRAME_SAMPLES <= samples_max; samples += FRAME_SAMPLES) {
        uint8_t bytes = length - at >= FRAME_BYTES ? FRAME_BYTES : SID_BYTES;
        bcg729Decoder(decoder, in + at, bytes, 0, bytes == SID_BYTES, 0, pcm + samples);
        at += bytes;
    }
    return (int)samples;
}

static int g729_conceal(struct codec_state *state, int16_t *pcm, size_t samples)
{
    size_t made = 0;
    for (; made + FRAME_SAMPLES <= samples; made += FRAME_SAMPLES)
        bcg729Decoder(((struct g729 *)state)->decoder, NULL, 0, 1, 0, 0, pcm + made);
    return (int)made;
}

const struct codec codec_g729 = {
    .name = "G729",
    .payload_type = 18,
    .rate = 8000,
    .clock_rate = 8000,
    .concatenates = 1,
    .open = g729_open,
    .close = g729_close,
    .encode = g729_encode,
    .decode = g729_decode,
    .conceal = g729_conceal,
};
