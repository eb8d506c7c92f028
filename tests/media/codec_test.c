/* codec_test.c: what goes into each codec comes out again. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "media/codec.h"

struct heard {
    double hz, level, snr_db;
};

/* A sine of 440 Hz at `level`, two seconds through encoder and decoder; measured in the second one. The SNR is against the sine that fits
 * best, so that delay and phase do not count. */
static struct heard through(const char *name, uint32_t clock, double level)
{
    enum { SECONDS = 2 };
    static int16_t out[CODEC_RATE_MAX * SECONDS];
    const struct codec *codec = codec_find(name, clock);
    assert_non_null(codec);
    struct codec_state *encoder = NULL, *decoder = NULL;
    assert_int_equal(codec->open(&encoder, codec, NULL, true), 0);
    assert_int_equal(codec->open(&decoder, codec, NULL, false), 0);
    uint32_t frame = codec_frame_samples(codec), rate = codec->rate, n = 0;
    for (uint32_t f = 0; f < 50 * SECONDS; f++) {
        int16_t pcm[CODEC_FRAME_MAX];
        uint8_t payload[4000];
        for (uint32_t i = 0; i < frame; i++) pcm[i] = (int16_t)lrint(level * sin(2 * M_PI * 440 * (n + i) / rate));
        int bytes = codec->encode(encoder, pcm, frame, payload, sizeof payload);
        assert_true(bytes > 0);
        assert_int_equal(codec->decode(decoder, payload, (size_t)bytes, out + n, frame), frame);
        n += frame;
    }
    codec->close(encoder);
    codec->close(decoder);
    double re = 0, im = 0, energy = 0;
    unsigned crossings = 0;
    for (uint32_t i = rate; i < 2 * rate; i++) {
        re += out[i] * cos(2 * M_PI * 440 * i / rate);
        im += out[i] * sin(2 * M_PI * 440 * i / rate);
        energy += (double)out[i] * out[i];
        crossings += out[i - 1] < 0 && out[i] >= 0;
    }
    double tone = 2 * (re * re + im * im) / rate, noise = energy - tone;
    return (struct heard) { crossings, sqrt(2 * energy / rate), 10 * log10(tone / (noise > 1 ? noise : 1)) };
}

/* Bounds: G.711 by ITU-T G.712 (33 dB and more from 0 to −30 dBm0); the others are what speech codecs leave of a sine, less some. */
static void a_sine_keeps_frequency_level_and_distance_from_noise(void **state)
{
    static const struct {
        const char *name;
        uint32_t clock;
        double snr_db, level_db;
    } cases[] = { { "PCMU", 0, 35, 0.3 }, { "PCMA", 0, 35, 0.3 }, { "L16", 8000, 70, 0.1 }, { "L16", 16000, 70, 0.1 },
                  { "G722", 0, 30, 0.5 }, { "G729", 0, 8, 3 },    { "opus", 0, 10, 3 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct heard heard = through(cases[i].name, cases[i].clock, 8000);
        print_message("%-5s %5.0f Hz  %6.0f of 8000  SNR %5.1f dB\n", cases[i].name, heard.hz, heard.level, heard.snr_db);
        assert_true(fabs(heard.hz - 440) < 3);
        assert_true(fabs(20 * log10(heard.level / 8000)) < cases[i].level_db);
        assert_true(heard.snr_db > cases[i].snr_db);
    }
}

static void g729_is_ten_bytes_for_ten_milliseconds_and_conceals(void **state)
{
    const struct codec *codec = codec_find("g729", 8000);
    assert_ptr_equal(codec, codec_static(18));
    struct codec_state *encoder = NULL, *decoder = NULL;
    int16_t pcm[480] = { 0 };
    uint8_t payload[100];
    assert_int_equal(codec->open(&encoder, codec, NULL, true), 0);
    assert_int_equal(codec->open(&decoder, codec, NULL, false), 0);
    assert_int_equal(codec->encode(encoder, pcm, 480, payload, sizeof payload), 60);
    assert_int_equal(codec->encode(encoder, pcm, 80, payload, sizeof payload), 10);
    assert_int_equal(codec->decode(decoder, payload, 20, pcm, 480), 160);
    assert_int_equal(codec->decode(decoder, payload, 12, pcm, 480), 160); /* a frame and a comfort noise frame */
    assert_int_equal(codec->decode(decoder, payload, 60, pcm, 160), 160);
    assert_true(codec->decode(decoder, payload, 13, pcm, 480) < 0);
    assert_int_equal(codec->conceal(decoder, pcm, 160), 160);
    codec->close(encoder);
    codec->close(decoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sine_keeps_frequency_level_and_distance_from_noise),
        cmocka_unit_test(g729_is_ten_bytes_for_ten_milliseconds_and_conceals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
