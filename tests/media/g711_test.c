/* g711_test.c: both laws against ITU-T G.711's tables and against themselves. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "media/codec.h"
#include "media/g711.h"

/* G.711 table 2a/2b (µ) and 1a/1b (A): decision values scaled to 16 bit (µ: 14-bit × 4, A: 13-bit × 8). */
static void mu_law_decodes_to_itu_values(void **state)
{
    static const struct {
        uint8_t code;
        int16_t value;
    } known[] = {
        { 0x80, 32124 }, { 0x00, -32124 }, { 0xFF, 0 },     { 0x7F, 0 },    { 0xFE, 8 },
        { 0xF0, 120 },   { 0xEF, 132 },    { 0x8F, 16764 }, { 0xC0, 1884 }, { 0xA0, 7932 },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) assert_int_equal(g711_ulaw_decode(known[i].code), known[i].value);
}

static void a_law_decodes_to_itu_values(void **state)
{
    static const struct {
        uint8_t code;
        int16_t value;
    } known[] = {
        { 0xAA, 32256 }, { 0x2A, -32256 }, { 0xD5, 8 },   { 0x55, -8 },  { 0xD4, 24 },
        { 0x80, 5504 },  { 0x00, -5504 },  { 0xFF, 848 }, { 0xC5, 264 },
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) assert_int_equal(g711_alaw_decode(known[i].code), known[i].value);
}

static void every_code_survives_decoding_and_encoding(void **state)
{
    for (int code = 0; code < 256; code++) {
        assert_int_equal(g711_alaw_encode(g711_alaw_decode((uint8_t)code)), code);
        if (code != 0x7F) /* −0 encodes as +0 */
            assert_int_equal(g711_ulaw_encode(g711_ulaw_decode((uint8_t)code)), code);
    }
}

/* Decision values lie half way between outputs but for the segments' edges, so the bound is half a step: for A-law 8 in the lowest
 * segments and then 1/32 of the sample, for µ-law 1/32 of the sample and its bias. */
static void encoding_errs_by_half_a_step_at_most(void **state)
{
    for (int sample = -32768; sample <= 32767; sample += 7) {
        int mu = abs(g711_ulaw_decode(g711_ulaw_encode((int16_t)sample)) - sample);
        int a = abs(g711_alaw_decode(g711_alaw_encode((int16_t)sample)) - sample);
        assert_true(a <= (abs(sample) < 512 ? 9 : abs(sample) / 32 + 1));
        assert_true(mu <= (abs(sample) + 132) / 32 + 1);
    }
}

static void whole_frames_equal_single_samples(void **state)
{
    int16_t pcm[333], back[333];
    uint8_t mu[333], a[333];
    for (int i = 0; i < 333; i++) pcm[i] = (int16_t)(i * 197 - 32000);
    g711_ulaw_encode_all(pcm, mu, 333);
    g711_alaw_encode_all(pcm, a, 333);
    for (int i = 0; i < 333; i++) {
        assert_int_equal(mu[i], g711_ulaw_encode(pcm[i]));
        assert_int_equal(a[i], g711_alaw_encode(pcm[i]));
    }
    g711_ulaw_decode_all(mu, back, 333);
    for (int i = 0; i < 333; i++) assert_int_equal(back[i], g711_ulaw_decode(mu[i]));
}

/* A sine through a codec: signal to noise in dB, the best alignment within 40 ms (codecs with delay). */
static double codec_snr(const char *name, double hz)
{
    const struct codec *codec = codec_find(name, 0);
    struct codec_state *in = NULL, *out = NULL;
    uint32_t frame = codec_frame_samples(codec);
    static int16_t pcm[48000], back[60000];
    uint8_t payload[2000];
    size_t count = codec->rate, made = 0;
    assert_int_equal(codec->open(&in, codec, NULL, true), 0);
    assert_int_equal(codec->open(&out, codec, NULL, false), 0);
    for (size_t i = 0; i < count; i++) pcm[i] = (int16_t)(10000 * sin(2 * M_PI * hz * (double)i / codec->rate));
    for (size_t at = 0; at + frame <= count; at += frame) {
        int bytes = codec->encode(in, pcm + at, frame, payload, sizeof payload);
        assert_true(bytes > 0);
        int samples = codec->decode(out, payload, (size_t)bytes, back + made, 5760);
        assert_int_equal(samples, frame);
        made += (size_t)samples;
    }
    codec->close(in);
    codec->close(out);
    double best = 0;
    for (size_t delay = 0; delay < codec->rate / 25; delay++) {
        double signal = 0, noise = 0;
        for (size_t i = count / 4; i < count / 2; i++) {
            double d = back[i + delay] - pcm[i];
            signal += (double)pcm[i] * pcm[i];
            noise += d * d;
        }
        double snr = 10 * log10(signal / (noise + 1));
        best = snr > best ? snr : best;
    }
    return best;
}

static void a_sine_keeps_its_shape_through_each_codec(void **state)
{
    assert_true(codec_snr("PCMU", 1020) > 35);
    assert_true(codec_snr("PCMA", 1020) > 35);
    assert_true(codec_snr("L16", 1020) > 70);
    assert_true(codec_snr("G722", 1020) > 30);
    assert_true(codec_snr("opus", 1020) > 15);
}

static void codecs_are_found_by_name_type_and_clock(void **state)
{
    assert_ptr_equal(codec_find("pcmu", 8000), codec_static(0));
    assert_ptr_equal(codec_find("PCMA", 0), codec_static(8));
    assert_ptr_equal(codec_find("G722", 8000), codec_static(9));
    assert_int_equal(codec_find("opus", 48000)->clock_rate, 48000);
    assert_int_equal(codec_find("L16", 16000)->rate, 16000);
    assert_null(codec_find("PCMU", 16000));
    assert_null(codec_find("iLBC", 0));
    assert_null(codec_static(77));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mu_law_decodes_to_itu_values),
        cmocka_unit_test(a_law_decodes_to_itu_values),
        cmocka_unit_test(every_code_survives_decoding_and_encoding),
        cmocka_unit_test(encoding_errs_by_half_a_step_at_most),
        cmocka_unit_test(whole_frames_equal_single_samples),
        cmocka_unit_test(a_sine_keeps_its_shape_through_each_codec),
        cmocka_unit_test(codecs_are_found_by_name_type_and_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
