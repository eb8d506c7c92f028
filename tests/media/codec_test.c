/* codec_test.c: what goes into each codec comes out again. */
#include <math.h>
#include <opus/opus.h>
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
                  { "G722", 0, 30, 0.5 }, { "G729", 0, 8, 3 },    { "opus", 0, 10, 3 },     { "GSM", 0, 12, 1 } };
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

static void gsm_is_33_bytes_for_twenty_milliseconds(void **state)
{
    const struct codec *codec = codec_find("gsm", 8000);
    assert_ptr_equal(codec, codec_static(3));
    struct codec_state *encoder = NULL, *decoder = NULL;
    int16_t pcm[480] = { 0 };
    uint8_t payload[100];
    assert_int_equal(codec->open(&encoder, codec, NULL, true), 0);
    assert_int_equal(codec->open(&decoder, codec, NULL, false), 0);
    assert_int_equal(codec->encode(encoder, pcm, 320, payload, sizeof payload), 66);
    assert_int_equal(codec->decode(decoder, payload, 66, pcm, 480), 320);
    assert_true(codec->encode(encoder, pcm, 80, payload, sizeof payload) < 0);
    assert_true(codec->decode(decoder, payload, 34, pcm, 480) < 0);
    payload[0] = 0; /* its first four bits are always 1101 */
    assert_true(codec->decode(decoder, payload, 33, pcm, 480) < 0);
    codec->close(encoder);
    codec->close(decoder);
}

static void each_codec_makes_packets_of_the_wanted_length_or_the_next_shorter(void **state)
{
    static const char *const names[] = { "PCMU", "PCMA", "L16", "G722", "G729", "GSM", "opus" };
    for (size_t c = 0; c < sizeof names / sizeof *names; c++) {
        const struct codec *codec = codec_find(names[c], 0);
        for (uint8_t wanted = 10; wanted <= 60; wanted += 10) {
            uint8_t ms = codec_ptime(codec, wanted);
            struct codec_state *encoder = NULL, *decoder = NULL;
            int16_t pcm[CODEC_PACKET_MAX] = { 0 };
            uint8_t payload[4000];
            size_t samples = codec->rate / 1000 * ms;
            assert_true(ms <= wanted || !strcmp(names[c], "GSM"));
            assert_int_equal(codec->open(&encoder, codec, NULL, true), 0);
            assert_int_equal(codec->open(&decoder, codec, NULL, false), 0);
            int bytes = codec->encode(encoder, pcm, samples, payload, sizeof payload);
            assert_true(bytes > 0);
            assert_int_equal(codec->decode(decoder, payload, (size_t)bytes, pcm, CODEC_PACKET_MAX), samples);
            codec->close(encoder);
            codec->close(decoder);
        }
    }
    assert_int_equal(codec_ptime(codec_find("PCMU", 0), 0), 20);
    assert_int_equal(codec_ptime(codec_find("PCMU", 0), 200), 60);
    assert_int_equal(codec_ptime(codec_find("opus", 0), 30), 20);
    assert_int_equal(codec_ptime(codec_find("opus", 0), 50), 40);
}

/* Something like speech: a buzz of changing pitch. */
static void buzz(int16_t *pcm, size_t samples, uint32_t *at)
{
    for (size_t i = 0; i < samples; i++, (*at)++) {
        double t = *at / 16000.0, pitch = 120 + 30 * sin(2 * M_PI * 1.5 * t), v = 0;
        for (int h = 1; h < 12; h++) v += sin(2 * M_PI * pitch * h * t) / h;
        pcm[i] = (int16_t)(4000 * v * (0.6 + 0.4 * sin(2 * M_PI * 3 * t)));
    }
}

/* Loses each tenth packet and measures how far what is heard then is from what a receiver without loss hears. */
static double error_of_losses(const char *fmtp, bool recover)
{
    const struct codec *codec = codec_find("opus", 0);
    struct codec_wish wish = { .clock_rate = 48000, .channels = 2, .fmtp = fmtp, .ptime_ms = 20 };
    struct codec_state *encoder = NULL, *clean = NULL, *lossy = NULL;
    uint8_t now[1500], next[1500];
    int16_t pcm[320], a[320], b[320];
    uint32_t at = 0;
    double error = 0, energy = 0;
    assert_int_equal(codec->open(&encoder, codec, &wish, true), 0);
    assert_int_equal(codec->open(&clean, codec, NULL, false), 0);
    assert_int_equal(codec->open(&lossy, codec, NULL, false), 0);
    buzz(pcm, 320, &at);
    int bytes = codec->encode(encoder, pcm, 320, now, sizeof now);
    for (int f = 0; f < 500; f++) {
        buzz(pcm, 320, &at);
        int next_bytes = codec->encode(encoder, pcm, 320, next, sizeof next);
        assert_int_equal(codec->decode(clean, now, (size_t)bytes, a, 320), 320);
        if (f % 10 != 9)
            assert_int_equal(codec->decode(lossy, now, (size_t)bytes, b, 320), 320);
        else if (recover)
            assert_int_equal(codec->recover(lossy, next, (size_t)next_bytes, b, 320), 320);
        else
            assert_int_equal(codec->conceal(lossy, b, 320), 320);
        for (int i = 0; f % 10 == 9 && i < 320; i++) {
            error += pow(a[i] - b[i], 2);
            energy += pow(a[i], 2);
        }
        memcpy(now, next, sizeof now);
        bytes = next_bytes;
    }
    codec->close(encoder);
    codec->close(clean);
    codec->close(lossy);
    return error / energy;
}

static void a_lost_opus_packet_is_recovered_from_the_next_one(void **state)
{
    const char *fec = "useinbandfec=1;maxaveragebitrate=32000";
    double concealed = error_of_losses(fec, false), recovered = error_of_losses(fec, true);
    print_message("error of lost frames: concealed %.3f, recovered %.3f of their energy\n", concealed, recovered);
    assert_true(recovered < 0.7 * concealed);
}

static uint32_t opus_bytes(const char *fmtp, bool silence)
{
    const struct codec *codec = codec_find("opus", 0);
    struct codec_wish wish = { .fmtp = fmtp, .ptime_ms = 20 };
    struct codec_state *encoder = NULL;
    uint8_t payload[1500];
    int16_t pcm[320] = { 0 };
    uint32_t at = 0, sum = 0;
    assert_int_equal(codec->open(&encoder, codec, &wish, true), 0);
    for (int f = 0; f < 200; f++) {
        if (!silence) buzz(pcm, 320, &at);
        int bytes = codec->encode(encoder, pcm, 320, payload, sizeof payload);
        assert_true(bytes > 0);
        if (f >= 100) sum += (uint32_t)bytes;
    }
    codec->close(encoder);
    return sum;
}

static int opus_bandwidth(const char *fmtp)
{
    const struct codec *codec = codec_find("opus", 0);
    struct codec_wish wish = { .fmtp = fmtp, .ptime_ms = 20 };
    struct codec_state *encoder = NULL;
    uint8_t payload[1500] = { 0 };
    int16_t pcm[320];
    uint32_t at = 0;
    assert_int_equal(codec->open(&encoder, codec, &wish, true), 0);
    for (int f = 0; f < 50; f++) {
        buzz(pcm, 320, &at);
        assert_true(codec->encode(encoder, pcm, 320, payload, sizeof payload) > 0);
    }
    codec->close(encoder);
    return opus_packet_get_bandwidth(payload);
}

static void opus_obeys_the_far_ends_fmtp(void **state)
{
    assert_in_range(opus_bytes("maxaveragebitrate=8000", false), 1000, 3000); /* two seconds: 2000 bytes */
    assert_in_range(opus_bytes("maxaveragebitrate=40000", false), 6000, 12000);
    assert_int_equal(opus_bytes("maxaveragebitrate=24000; cbr=1", false), 6000);
    assert_true(opus_bytes("usedtx=1", true) < opus_bytes(NULL, true) / 2);
    assert_int_equal(opus_bandwidth(NULL), OPUS_BANDWIDTH_WIDEBAND);
    assert_int_equal(opus_bandwidth("maxplaybackrate=8000"), OPUS_BANDWIDTH_NARROWBAND);
}

static void stereo_opus_is_mixed_down(void **state)
{
    const struct codec *codec = codec_find("opus", 0);
    int error;
    OpusEncoder *stereo = opus_encoder_create(48000, 2, OPUS_APPLICATION_AUDIO, &error);
    struct codec_state *decoder = NULL;
    double sums[2][2] = { 0 };
    assert_int_equal(codec->open(&decoder, codec, NULL, false), 0);
    for (int f = 0; f < 100; f++) {
        int16_t in[2 * 960], out[320];
        uint8_t payload[1500];
        for (int i = 0; i < 960; i++) {
            in[2 * i] = (int16_t)(8000 * sin(2 * M_PI * 500 * (f * 960 + i) / 48000));
            in[2 * i + 1] = (int16_t)(8000 * sin(2 * M_PI * 1200 * (f * 960 + i) / 48000));
        }
        int bytes = opus_encode(stereo, in, 960, payload, sizeof payload);
        assert_int_equal(codec->decode(decoder, payload, (size_t)bytes, out, 320), 320);
        for (int i = 0; f >= 50 && i < 320; i++) {
            for (int side = 0; side < 2; side++) {
                double t = 2 * M_PI * (side ? 1200 : 500) * (f * 320 + i) / 16000;
                sums[side][0] += out[i] * sin(t) / 8000;
                sums[side][1] += out[i] * cos(t) / 8000;
            }
        }
    }
    for (int side = 0; side < 2; side++) /* both are heard, each at half its level */
        assert_true(fabs(hypot(sums[side][0], sums[side][1]) - 4000) < 600);
    opus_encoder_destroy(stereo);
    codec->close(decoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sine_keeps_frequency_level_and_distance_from_noise),
        cmocka_unit_test(g729_is_ten_bytes_for_ten_milliseconds_and_conceals),
        cmocka_unit_test(gsm_is_33_bytes_for_twenty_milliseconds),
        cmocka_unit_test(each_codec_makes_packets_of_the_wanted_length_or_the_next_shorter),
        cmocka_unit_test(a_lost_opus_packet_is_recovered_from_the_next_one),
        cmocka_unit_test(opus_obeys_the_far_ends_fmtp),
        cmocka_unit_test(stereo_opus_is_mixed_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
