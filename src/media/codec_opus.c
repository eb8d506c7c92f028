/* codec_opus.c: Opus (RFC 6716, RFC 7587) by libopus: 16 kHz linear audio inside, an RTP clock of 48000 always.
 *
 * A telephone call carries no more than 16 kHz; libopus resamples by itself, and stereo is mixed down on decoding. What the far end's
 * fmtp asks (RFC 7587 §6.1) is done: maxaveragebitrate, maxplaybackrate, useinbandfec, usedtx, cbr. */
#include <errno.h>
#include <opus/opus.h>
#include <stdlib.h>
#include <string.h>

#include "media/codec_list.h"

struct opus {
    OpusEncoder *encoder;
    OpusDecoder *decoder;
};

#define OPUS_RATE     16000
#define LOSS_EXPECTED 10 /* percent */

/* An integer parameter of the far end's fmtp (RFC 7587 §6.1), or `otherwise`. */
static int opus_fmtp(const char *fmtp, const char *name, int otherwise)
{
    size_t length = strlen(name);
    for (const char *at = fmtp; at && *at;) {
        while (*at == ' ' || *at == ';') at++;
        if (!strncmp(at, name, length) && at[length] == '=') return atoi(at + length + 1);
        at = strchr(at, ';');
    }
    return otherwise;
}

static void opus_close(struct codec_state *state)
{
    struct opus *opus = (struct opus *)state;
    if (!opus) return;
    if (opus->encoder) opus_encoder_destroy(opus->encoder);
    if (opus->decoder) opus_decoder_destroy(opus->decoder);
    free(opus);
}

static void opus_encoder_tune(OpusEncoder *encoder, const struct codec_wish *wish)
{
    const char *fmtp = wish ? wish->fmtp : NULL;
    int bitrate = opus_fmtp(fmtp, "maxaveragebitrate", 0), playback = opus_fmtp(fmtp, "maxplaybackrate", 48000);
    if (bitrate >= 6000 && bitrate <= 510000) opus_encoder_ctl(encoder, OPUS_SET_BITRATE(bitrate));
    if (playback <= 8000)
        opus_encoder_ctl(encoder, OPUS_SET_MAX_BANDWIDTH(OPUS_BANDWIDTH_NARROWBAND));
    else if (playback <= 12000)
        opus_encoder_ctl(encoder, OPUS_SET_MAX_BANDWIDTH(OPUS_BANDWIDTH_MEDIUMBAND));
    if (opus_fmtp(fmtp, "cbr", 0)) opus_encoder_ctl(encoder, OPUS_SET_VBR(0));
    if (opus_fmtp(fmtp, "useinbandfec", 0)) {
        opus_encoder_ctl(encoder, OPUS_SET_INBAND_FEC(1));
        opus_encoder_ctl(encoder, OPUS_SET_PACKET_LOSS_PERC(LOSS_EXPECTED)); /* without it libopus spends nothing on FEC */
    }
    opus_encoder_ctl(encoder, OPUS_SET_DTX(opus_fmtp(fmtp, "usedtx", 0)));
    opus_encoder_ctl(encoder, OPUS_SET_COMPLEXITY(5)); /* speech: indistinguishable from 10, at 60 % of its cost */
}

static int opus_open(struct codec_state **out, const struct codec *codec, const struct codec_wish *wish, bool encoder)
{
    struct opus *opus = calloc(1, sizeof *opus);
    if (!opus) return -ENOMEM;
    int error = OPUS_OK;
    if (encoder)
        opus->encoder = opus_encoder_create(OPUS_RATE, 1, OPUS_APPLICATION_VOIP, &error);
    else
        opus->decoder = opus_decoder_create(OPUS_RATE, 1, &error);
    if (error != OPUS_OK) {
        opus_close((struct codec_state *)opus);
        return -ENOMEM;
    }
    if (encoder) opus_encoder_tune(opus->encoder, wish);
    *out = (struct codec_state *)opus;
    return 0;
}

static int opus_code(struct codec_state *state, const int16_t *pcm, size_t samples, uint8_t *out, size_t size)
{
    int bytes = opus_encode(((struct opus *)state)->encoder, pcm, (int)samples, out, (opus_int32)size);
    return bytes < 0 ? -EINVAL : bytes;
}

static int opus_uncode(struct codec_state *state, const uint8_t *in, size_t length, int16_t *pcm, size_t samples_max)
{
    int samples = opus_decode(((struct opus *)state)->decoder, in, (opus_int32)length, pcm, (int)samples_max, 0);
    return samples < 0 ? -EBADMSG : samples;
}

static int opus_conceal(struct codec_state *state, int16_t *pcm, size_t samples)
{
    int filled = opus_decode(((struct opus *)state)->decoder, NULL, 0, pcm, (int)samples, 0);
    return filled < 0 ? -EINVAL : filled;
}

static int opus_recover(struct codec_state *state, const uint8_t *in, size_t length, int16_t *pcm, size_t samples)
{
    int filled = opus_decode(((struct opus *)state)->decoder, in, (opus_int32)length, pcm, (int)samples, 1);
    return filled < 0 ? -EBADMSG : filled;
}

static uint8_t opus_ptime(uint8_t wanted_ms) { return wanted_ms < 20 ? 10 : wanted_ms < 40 ? 20 : wanted_ms < 60 ? 40 : 60; }

const struct codec codec_opus = {
    .name = "opus",
    .payload_type = -1,
    .rate = OPUS_RATE,
    .clock_rate = 48000,
    .open = opus_open,
    .close = opus_close,
    .encode = opus_code,
    .decode = opus_uncode,
    .conceal = opus_conceal,
    .recover = opus_recover,
    .ptime = opus_ptime,
};
