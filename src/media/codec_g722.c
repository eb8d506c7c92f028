/* codec_g722.c: ITU-T G.722 at 64 kbit/s by spandsp: 16 kHz audio, an RTP clock of 8000 (RFC 3551 §4.5.2). */
#include <errno.h>
#include <spandsp.h>
#include <stdlib.h>

#include "media/codec_list.h"

struct g722 {
    g722_encode_state_t *encoder;
    g722_decode_state_t *decoder;
};

static void g722_close(struct codec_state *state)
{
    struct g722 *g722 = (struct g722 *)state;
    if (!g722) return;
    if (g722->encoder) g722_encode_free(g722->encoder);
    if (g722->decoder) g722_decode_free(g722->decoder);
    free(g722);
}

static int g722_open(struct codec_state **out, const struct codec *codec, const struct codec_wish *wish, bool encoder)
{
    struct g722 *g722 = calloc(1, sizeof *g722);
    if (!g722) return -ENOMEM;
    if (encoder)
        g722->encoder = g722_encode_init(NULL, 64000, 0);
    else
        g722->decoder = g722_decode_init(NULL, 64000, 0);
    if (!g722->encoder && !g722->decoder) {
        free(g722);
        return -ENOMEM;
    }
    *out = (struct codec_state *)g722;
    return 0;
}

static int g722_code(struct codec_state *state, const int16_t *pcm, size_t samples, uint8_t *out, size_t size)
{
    if (samples / 2 > size) return -ENOSPC;
    return g722_encode(((struct g722 *)state)->encoder, out, pcm, (int)samples);
}

static int g722_uncode(struct codec_state *state, const uint8_t *in, size_t length, int16_t *pcm, size_t samples_max)
{
    if (length * 2 > samples_max) length = samples_max / 2;
    return g722_decode(((struct g722 *)state)->decoder, pcm, in, (int)length);
}

const struct codec codec_g722 = {
    .name = "G722",
    .payload_type = 9,
    .rate = 16000,
    .clock_rate = 8000,
    .concatenates = 1,
    .open = g722_open,
    .close = g722_close,
    .encode = g722_code,
    .decode = g722_uncode,
};
