/* codec.c: the table of codecs, and the bytewise ones. */
#include "media/codec.h"

#include <endian.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "core/check.h"
#include "media/codec_list.h"
#include "media/g711.h"

static int bytewise_open(struct codec_state **out, const struct codec *codec, const struct codec_wish *wish, bool encoder)
{
    *out = NULL;
    return 0;
}

static void bytewise_close(struct codec_state *state) {}

static int pcmu_encode(struct codec_state *state, const int16_t *pcm, size_t samples, uint8_t *out, size_t size)
{
    if (samples > size) return -ENOSPC;
    g711_ulaw_encode_all(pcm, out, samples);
    return (int)samples;
}

static int pcmu_decode(struct codec_state *state, const uint8_t *in, size_t length, int16_t *pcm, size_t samples_max)
{
    if (length > samples_max) length = samples_max;
    g711_ulaw_decode_all(in, pcm, length);
    return (int)length;
}

static int pcma_encode(struct codec_state *state, const int16_t *pcm, size_t samples, uint8_t *out, size_t size)
{
    if (samples > size) return -ENOSPC;
    g711_alaw_encode_all(pcm, out, samples);
    return (int)samples;
}

static int pcma_decode(struct codec_state *state, const uint8_t *in, size_t length, int16_t *pcm, size_t samples_max)
{
    if (length > samples_max) length = samples_max;
    g711_alaw_decode_all(in, pcm, length);
    return (int)length;
}

/* L16 is big-endian on the wire (RFC 3551 §4.5.11). */
static int l16_encode(struct codec_state *state, const int16_t *pcm, size_t samples, uint8_t *out, size_t size)
{
    if (samples * 2 > size) return -ENOSPC;
    for (size_t i = 0; i < samples; i++) {
        uint16_t wire = htobe16((uint16_t)pcm[i]);
        memcpy(out + 2 * i, &wire, 2);
    }
    return (int)(samples * 2);
}

static int l16_decode(struct codec_state *state, const uint8_t *in, size_t length, int16_t *pcm, size_t samples_max)
{
    size_t samples = length / 2 < samples_max ? length / 2 : samples_max;
    for (size_t i = 0; i < samples; i++) {
        uint16_t wire;
        memcpy(&wire, in + 2 * i, 2);
        pcm[i] = (int16_t)be16toh(wire);
    }
    return (int)samples;
}

static int linear_encode(struct codec_state *state, const int16_t *pcm, size_t samples, uint8_t *out, size_t size)
{
    if (samples * 2 > size) return -ENOSPC;
    memcpy(out, pcm, samples * 2);
    return (int)(samples * 2);
}

static int linear_decode(struct codec_state *state, const uint8_t *in, size_t length, int16_t *pcm, size_t samples_max)
{
    size_t samples = length / 2 < samples_max ? length / 2 : samples_max;
    memcpy(pcm, in, samples * 2);
    return (int)samples;
}

#define BYTEWISE(NAME, TYPE, RATE, BYTES, PREFIX, SILENCE)                                                                                 \
    {                                                                                                                                      \
        .name = NAME, .payload_type = TYPE, .rate = RATE, .clock_rate = RATE, .bytes_per_sample = BYTES, .concatenates = 1,                \
        .open = bytewise_open, .close = bytewise_close, .encode = PREFIX##_encode, .decode = PREFIX##_decode, .silence = SILENCE           \
    }

static const struct codec bytewise[] = {
    BYTEWISE("PCMU", 0, 8000, 1, pcmu, G711_ULAW_SILENCE),
    BYTEWISE("PCMA", 8, 8000, 1, pcma, G711_ALAW_SILENCE),
    BYTEWISE("L16", -1, 8000, 2, l16, 0),
    BYTEWISE("L16", -1, 16000, 2, l16, 0),
    BYTEWISE("L16", -1, 48000, 2, l16, 0),
};

static const struct codec linear[] = {
    BYTEWISE("LINEAR", -1, 8000, 2, linear, 0),
    BYTEWISE("LINEAR", -1, 16000, 2, linear, 0),
    BYTEWISE("LINEAR", -1, 32000, 2, linear, 0),
    BYTEWISE("LINEAR", -1, 48000, 2, linear, 0),
};

static bool codec_is(const struct codec *codec, const char *name, uint32_t clock_rate)
{
    return !strcasecmp(codec->name, name) && (!clock_rate || codec->clock_rate == clock_rate);
}

const struct codec *codec_find(const char *name, uint32_t clock_rate)
{
    for (size_t i = 0; i < ARRAY_SIZE(bytewise); i++)
        if (codec_is(&bytewise[i], name, clock_rate)) return &bytewise[i];
    static const struct codec *const stateful[] = { &codec_g722, &codec_g729, &codec_gsm, &codec_opus };
    for (size_t i = 0; i < ARRAY_SIZE(stateful); i++)
        if (codec_is(stateful[i], name, clock_rate)) return stateful[i];
    return NULL;
}

const struct codec *codec_static(int payload_type)
{
    if (payload_type == codec_g722.payload_type) return &codec_g722;
    if (payload_type == codec_gsm.payload_type) return &codec_gsm;
    if (payload_type == codec_g729.payload_type) return &codec_g729;
    for (size_t i = 0; payload_type >= 0 && i < ARRAY_SIZE(bytewise); i++)
        if (bytewise[i].payload_type == payload_type) return &bytewise[i];
    return NULL;
}

const struct codec *codec_linear(uint32_t rate)
{
    for (size_t i = 0; i < ARRAY_SIZE(linear); i++)
        if (linear[i].rate == rate) return &linear[i];
    return NULL;
}
