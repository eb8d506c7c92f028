/* work.c: the scenarios, and what the bare libraries cost for them: libopus, libsrtp2, a mixer that only copies. */
#include <math.h>
#include <opus/opus.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "media/codec.h"
#include "media/g711.h"
#include "media/rtp.h"
#include "media/secure.h"

const struct scenario scenarios[] = {
    { .name = "two_way",
      .what = "G.711, a prompt out, speech in",
      .far_talks = true,
      .codec = "PCMU",
      .other = "PCMU",
      .play = true,
      .goal = 1.3 },
    { .name = "play", .what = "G.711, a prompt out", .codec = "PCMU", .other = "PCMU", .play = true, .goal = 1.3 },
    { .name = "record",
      .what = "G.711, silence out, speech in and recorded",
      .far_talks = true,
      .codec = "PCMU",
      .other = "PCMU",
      .record = true,
      .work = WORK_COPY },
    { .name = "relay",
      .what = "bridged pairs, packets go through",
      .far_talks = true,
      .codec = "PCMU",
      .other = "PCMU",
      .bridge = true,
      .goal = 1.2 },
    { .name = "opus",
      .what = "Opus, decoded, encoded",
      .far_talks = true,
      .codec = "opus",
      .other = "opus",
      .echo = true,
      .legs_max = 100,
      .work = WORK_OPUS,
      .goal = 1.1 },
    { .name = "transcode",
      .what = "bridged pairs of PCMU and Opus",
      .far_talks = true,
      .codec = "PCMU",
      .other = "opus",
      .bridge = true,
      .legs_max = 160,
      .work = WORK_OPUS_HALF,
      .goal = 1.1 },
    { .name = "srtp",
      .what = "G.711 over SRTP, a prompt out, speech in",
      .far_talks = true,
      .codec = "PCMU",
      .other = "PCMU",
      .play = true,
      .secure = true,
      .work = WORK_SRTP,
      .goal = 1.1 },
    { .name = "conference_3", .what = "rooms of 3", .far_talks = true, .codec = "PCMU", .other = "PCMU", .room = 3, .work = WORK_MIX },
    { .name = "conference_30", .what = "rooms of 30", .far_talks = true, .codec = "PCMU", .other = "PCMU", .room = 30, .work = WORK_MIX },
    { .name = "conference_300",
      .what = "rooms of 300",
      .far_talks = true,
      .codec = "PCMU",
      .other = "PCMU",
      .room = 300,
      .work = WORK_MIX },
};
const unsigned scenarios_count = sizeof scenarios / sizeof *scenarios;

static void sound_frame(struct bench_sound *out, uint32_t f)
{
    for (uint32_t i = 0; i < 320; i++) {
        out->pcm[f][i] = (int16_t)(6000 * sin(2 * M_PI * 440 * (f * 320 + i) / 16000) + rand() % 600);
        if (i % 2 == 0) out->ulaw[f][i / 2] = g711_ulaw_encode(out->pcm[f][i]);
    }
}

void bench_sound_make(struct bench_sound *out)
{
    struct codec_state *encoder;
    const struct codec *codec = codec_find("opus", 0);
    if (codec->open(&encoder, codec, NULL, true)) abort();
    for (uint32_t f = 0; f < 50; f++) {
        sound_frame(out, f);
        out->opus_bytes[f] = codec->encode(encoder, out->pcm[f], 320, out->opus[f], sizeof out->opus[f]);
    }
    codec->close(encoder);
}

struct work {
    enum floor_work kind;
    uint32_t legs;
    volatile uint8_t sink;
    struct bench_sound sound;
    OpusEncoder **encoders;
    OpusDecoder **decoders;
    struct secure **out, **in;
    uint16_t *sequence;
    int16_t sum[160], copies[64][160];
};

static bool has_opus(const struct work *work, uint32_t leg) { return work->kind == WORK_OPUS || (work->kind == WORK_OPUS_HALF && leg % 2); }

static void opus_new(struct work *work, uint32_t leg)
{
    int error;
    work->encoders[leg] = opus_encoder_create(16000, 1, OPUS_APPLICATION_VOIP, &error);
    work->decoders[leg] = opus_decoder_create(16000, 1, &error);
    opus_encoder_ctl(work->encoders[leg], OPUS_SET_COMPLEXITY(5)); /* as ours */
}

struct work *work_new(const struct scenario *scenario, uint32_t legs)
{
    struct work *work = calloc(1, sizeof *work);
    *work = (struct work) { .kind = scenario->work, .legs = legs };
    work->encoders = calloc(legs, sizeof *work->encoders);
    work->decoders = calloc(legs, sizeof *work->decoders);
    work->out = calloc(legs, sizeof *work->out);
    work->in = calloc(legs, sizeof *work->in);
    work->sequence = calloc(legs, sizeof *work->sequence);
    if (work->kind == WORK_OPUS || work->kind == WORK_OPUS_HALF) bench_sound_make(&work->sound);
    if (work->kind == WORK_SRTP && secure_start()) abort();
    for (uint32_t i = 0; i < legs; i++) {
        if (has_opus(work, i)) opus_new(work, i);
        if (work->kind == WORK_SRTP && (secure_new(&work->out[i], BENCH_KEY, true) || secure_new(&work->in[i], BENCH_KEY, false))) abort();
    }
    return work;
}

/* Decoding what came, and encoding as much: the same again, or what a partner with G.711 says. */
static void work_opus(struct work *work, uint32_t leg)
{
    int16_t pcm[320];
    uint8_t out[400];
    uint32_t frame = work->sequence[leg]++ % 50;
    (void)!opus_decode(work->decoders[leg], work->sound.opus[frame], work->sound.opus_bytes[frame], pcm, 320, 0);
    (void)!opus_encode(work->encoders[leg], work->kind == WORK_OPUS ? pcm : work->sound.pcm[frame], 320, out, sizeof out);
}

static void work_srtp(struct work *work, uint32_t leg)
{
    _Alignas(8) uint8_t packet[RTP_HEADER_BYTES + PAYLOAD_BYTES + SECURE_TRAILER_MAX] = { 0 };
    uint32_t length = RTP_HEADER_BYTES + PAYLOAD_BYTES;
    rtp_header(packet, 0, false, work->sequence[leg]++, 0, leg);
    secure_protect(work->out[leg], packet, &length, false);
    secure_unprotect(work->in[leg], packet, &length, false);
}

/* G.711 in and out, and copies where a mixer adds. */
static void work_mix(struct work *work, uint32_t leg)
{
    uint8_t bytes[160];
    int16_t *mine = work->copies[leg % 64];
    memset(bytes, (int)(0x50 + leg % 16), sizeof bytes);
    g711_ulaw_decode_all(bytes, mine, 160);
    memcpy(work->sum, mine, sizeof work->sum);
    memcpy(mine, work->sum, sizeof work->sum);
    g711_ulaw_encode_all(mine, bytes, 160);
    work->sink = bytes[leg % 160];
}

/* G.711 in, a copy into a ring. */
static void work_copy(struct work *work, uint32_t leg)
{
    uint8_t bytes[160];
    memset(bytes, (int)(0x50 + leg % 16), sizeof bytes);
    g711_ulaw_decode_all(bytes, work->sum, 160);
    memcpy(work->copies[leg % 64], work->sum, sizeof work->sum);
}

void work_do(struct work *work, uint32_t leg)
{
    if (has_opus(work, leg)) work_opus(work, leg);
    if (work->kind == WORK_SRTP) work_srtp(work, leg);
    if (work->kind == WORK_MIX) work_mix(work, leg);
    if (work->kind == WORK_COPY) work_copy(work, leg);
}

void work_free(struct work *work)
{
    for (uint32_t i = 0; i < work->legs; i++) {
        if (work->encoders[i]) opus_encoder_destroy(work->encoders[i]);
        if (work->decoders[i]) opus_decoder_destroy(work->decoders[i]);
        secure_free(work->out[i]);
        secure_free(work->in[i]);
    }
    free(work->encoders);
    free(work->decoders);
    free(work->out);
    free(work->in);
    free(work->sequence);
    free(work);
}
