/* dtmf_test.c: in-band keys under the standard conditions (ITU-T Q.24, Bellcore's test tapes), and talk-off on synthetic speech.
 * CARILLON_TEST=long listens to an hour of speech instead of some minutes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "media/comfort_noise.h"
#include "media/dtmf.h"
#include "media/g711.h"
#include "media/speech.h"
#include "media/tone.h"

#define REPEATS 5u
static const char keys[] = "0123456789*#ABCD";

struct condition {
    const char *name;
    double level_db; /* of each tone, dBm0 */
    double twist_db; /* the high one above the low one */
    double shift;    /* of both frequencies */
    double noise_db; /* white, below the pair's power; 0 = none */
    uint32_t on_ms, off_ms;
    bool dial_tone, ulaw; /* 350 + 440 Hz, 15 dB below each tone, all along */
    unsigned least, most; /* percent of the keys that are told */
};

static const struct condition conditions[] = {
    { "plain", -10, 0, 1, 0, 50, 50, false, false, 100, 100 },
    { "level 0 dBm0", 0, 0, 1, 0, 50, 50, false, false, 100, 100 },
    { "level -25 dBm0", -25, 0, 1, 0, 50, 50, false, false, 100, 100 },
    { "level -55 dBm0", -55, 0, 1, 0, 50, 50, false, false, 0, 0 },
    { "twist +4 dB", -10, 4, 1, 0, 50, 50, false, false, 100, 100 },
    { "twist -4 dB", -10, -4, 1, 0, 50, 50, false, false, 100, 100 },
    { "twist -7 dB", -10, -7, 1, 0, 50, 50, false, false, 100, 100 },
    { "twist +12 dB", -10, 12, 1, 0, 50, 50, false, false, 0, 0 },
    { "twist -14 dB", -10, -14, 1, 0, 50, 50, false, false, 0, 0 },
    { "frequencies +1 %", -10, 0, 1.01, 0, 50, 50, false, false, 100, 100 },
    { "frequencies -1 %", -10, 0, 0.99, 0, 50, 50, false, false, 100, 100 },
    { "frequencies +1.5 %", -10, 0, 1.015, 0, 50, 50, false, false, 75, 100 },
    { "frequencies -1.5 %", -10, 0, 0.985, 0, 50, 50, false, false, 75, 100 },
    { "frequencies +3.5 %", -10, 0, 1.035, 0, 50, 50, false, false, 0, 0 },
    { "frequencies -3.5 %", -10, 0, 0.965, 0, 50, 50, false, false, 0, 0 },
    { "40 ms, 40 ms between", -10, 0, 1, 0, 40, 40, false, false, 100, 100 },
    { "20 ms", -10, 0, 1, 0, 20, 80, false, false, 0, 0 },
    { "noise 15 dB below", -10, 0, 1, 15, 50, 50, false, false, 100, 100 },
    { "mu-law, -20 dBm0", -20, 0, 1, 0, 50, 50, false, true, 100, 100 },
    { "upon a dial tone", -10, 0, 1, 0, 60, 50, true, false, 100, 100 },
};

static double noise_at(uint32_t *seed)
{
    int16_t one;
    comfort_noise_fill(&one, 1, 10000, seed);
    return one / 10000.0 * sqrt(3); /* of power 1 */
}

/* All keys, one after the other; returns the samples. */
static size_t keys_render(const struct condition *c, int16_t *pcm, uint32_t *seed)
{
    size_t n = 0;
    double each = tone_amplitude(c->level_db), low_peak = each * pow(10, -c->twist_db / 40), high_peak = each * pow(10, c->twist_db / 40);
    double noise = c->noise_db ? sqrt((low_peak * low_peak + high_peak * high_peak) / 2) * pow(10, -c->noise_db / 20) : 0;
    double dial = c->dial_tone ? each * pow(10, -15.0 / 20) : 0;
    for (const char *key = keys; *key; key++) {
        double low, high;
        assert_int_equal(tone_dtmf(*key, &low, &high), 0);
        uint32_t on = c->on_ms * 8, all = on + c->off_ms * 8;
        for (uint32_t i = 0; i < all; i++, n++) {
            double t = 2 * M_PI * i / 8000, at = 2 * M_PI * (double)n / 8000;
            double v = i < on ? low_peak * sin(t * low * c->shift) + high_peak * sin(t * high * c->shift) : 0;
            v += dial * (sin(at * 350) + sin(at * 440)) + noise * noise_at(seed);
            pcm[n] = (int16_t)lrint(fmax(-32768, fmin(32767, v)));
            if (c->ulaw) pcm[n] = g711_ulaw_decode(g711_ulaw_encode(pcm[n]));
        }
    }
    return n;
}

static void keys_are_told_under_the_standard_conditions(void **state)
{
    static int16_t pcm[8000 * 10];
    unsigned failures = 0;
    uint32_t seed = 3;
    for (size_t c = 0; c < sizeof conditions / sizeof *conditions; c++) {
        unsigned right = 0, wrong = 0;
        for (unsigned r = 0; r < REPEATS; r++) {
            char heard[64] = "";
            struct dtmf_in *in = dtmf_in_new();
            size_t skew = r * 31, samples = keys_render(&conditions[c], pcm, &seed), count = 0;
            for (size_t at = skew; at + 160 <= samples; at += 160)
                count += dtmf_in_hear(in, pcm + at, 160, heard + count, sizeof heard - 1 - count);
            dtmf_in_free(in);
            if (!strcmp(heard, keys))
                right += (unsigned)count;
            else
                for (size_t i = 0, k = 0; i < count; i++) {
                    const char *there = memchr(keys + k, heard[i], sizeof keys - 1 - k);
                    if (there)
                        right++, k = (size_t)(there - keys) + 1;
                    else
                        wrong++;
                }
        }
        unsigned all = REPEATS * (sizeof keys - 1);
        bool good = !wrong && right * 100 >= conditions[c].least * all && right * 100 <= conditions[c].most * all;
        print_message("%-22s %3u of %u keys, %u wrong %s\n", conditions[c].name, right, all, wrong, good ? "" : "FAILED");
        failures += !good;
    }
    assert_int_equal(failures, 0);
}

/* --- talk-off --------------------------------------------------------------------------------------------------------- */

static const char *const words[] = {
    "hello",  "you",    "have",  "reached", "the",   "office", "of",      "doctor", "we",      "are",     "not",
    "able",   "to",     "take",  "your",    "call",  "right",  "now",     "please", "leave",   "name",    "number",
    "and",    "a",      "short", "message", "after", "tone",   "one",     "two",    "three",   "four",    "five",
    "six",    "seven",  "eight", "nine",    "zero",  "oh",     "who",     "moon",   "more",    "money",   "yellow",
    "window", "eleven", "yes",   "no",      "maybe", "woman",  "evening", "europe", "january", "hundred",
};

/* Sentences of twelve words; the seed goes on. */
static void sentence(char *out, size_t size, uint32_t *seed)
{
    size_t n = 0;
    for (int i = 0; i < 12 && n + 16 < size; i++) {
        *seed = *seed * 1664525u + 1013904223u;
        n += (size_t)snprintf(out + n, size - n, "%s%s", words[(*seed >> 8) % (sizeof words / sizeof *words)],
                              i == 11  ? "."
                              : i == 5 ? ", "
                                       : " ");
    }
}

static void speech_presses_no_keys(void **state)
{
    const char *level = getenv("CARILLON_TEST");
    double seconds = 0, wanted = level && strcmp(level, "short") ? 3600 : 120;
    static const char *const voices[] = { "slt", "awb", "rms", "kal" };
    unsigned hits = 0;
    uint32_t seed = 11;
    struct dtmf_in *in = dtmf_in_new();
    for (unsigned i = 0; seconds < wanted; i++) {
        char text[256], heard[64];
        struct speech speech;
        sentence(text, sizeof text, &seed);
        assert_int_equal(speech_render(&speech, voices[i % 4], text, 8000), 0);
        for (size_t at = 0; at + 160 <= speech.samples; at += 160)
            hits += (unsigned)dtmf_in_hear(in, speech.pcm + at, 160, heard, sizeof heard);
        seconds += (double)speech.samples / 8000;
        free(speech.pcm);
    }
    dtmf_in_free(in);
    print_message("%.0f s of speech: %u keys\n", seconds, hits);
    /* Bellcore allows ten hits in its half hour of the worst speech there is. */
    assert_in_range(hits, 0, (unsigned)(seconds / 180));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_told_under_the_standard_conditions),
        cmocka_unit_test(speech_presses_no_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
