/* progress_test.c: the table of conditions under which network tones must be told, and what must not be taken for one. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "media/comfort_noise.h"
#include "media/g711.h"
#include "media/progress.h"
#include "media/speech.h"
#include "media/tone.h"

struct condition {
    const char *name;
    double gain_db, noise_db; /* of the tone; of white noise below the tone's level, 0 = none */
    double shift;             /* of all frequencies */
    uint32_t skew;            /* samples before the first frame */
    bool alaw;
};

static const struct condition conditions[] = {
    { "clean", 0, 0, 1, 0, false },        { "-13 dB", -13, 0, 1, 37, false },      { "+3 dB", 3, 0, 1, 81, false },
    { "SNR 25 dB", 0, 25, 1, 120, false }, { "SNR 20 dB", 0, 20, 1, 60, false },    { "-1 %", 0, 0, 0.99, 0, false },
    { "+1 %", 0, 0, 1.01, 55, false },     { "A-law -20 dB", -20, 0, 1, 99, true },
};
#define CONDITIONS (sizeof conditions / sizeof *conditions)

/* Counts each sound in 8 kHz audio. */
static void listen(const int16_t *pcm, size_t samples, uint32_t counts[PROGRESS_COUNT])
{
    struct progress progress;
    memset(counts, 0, PROGRESS_COUNT * sizeof *counts);
    progress_init(&progress, 8000);
    for (size_t at = 0; at + 160 <= samples; at += 160) counts[progress_hear(&progress, pcm + at)]++;
}

static void shifted(char *out, size_t size, const char *script, double by)
{
    size_t n = 0;
    for (const char *c = script; *c && n + 16 < size;) {
        char *end;
        double number = strtod(c, &end);
        bool hz = end != c && *c >= '0' && *c <= '9' && number >= 300 && c > script && c[-1] == ',' && (*end == ',' || *end == ')');
        int commas = 0;
        for (const char *b = c; hz && b > script && *b != '('; b--) commas += *b == ',';
        if (hz && commas >= 2) {
            n += (size_t)snprintf(out + n, size - n, "%.1f", number * by);
            c = end;
        } else {
            out[n++] = *c++;
        }
    }
    out[n] = 0;
}

static void heard_under(const char *script, const struct condition *condition, uint32_t counts[PROGRESS_COUNT])
{
    char text[512];
    struct tone tone;
    shifted(text, sizeof text, script, condition->shift);
    assert_int_equal(tone_render(&tone, text, 8000), 0);
    size_t before = 8000 / 2 + condition->skew, samples = before + tone.samples + 16000;
    int16_t *pcm = calloc(samples, sizeof *pcm);
    double gain = pow(10, condition->gain_db / 20), peak = 0;
    for (size_t i = 0; i < tone.samples; i++) {
        pcm[before + i] = (int16_t)lrint(tone.pcm[i] * gain);
        peak = fmax(peak, abs(pcm[before + i]));
    }
    /* Of a sine's peak; dual tones have some 3 dB less noise than that. Even distribution: RMS = peak / √3. */
    uint32_t seed = 7;
    int32_t noise_peak = condition->noise_db ? (int32_t)(peak / sqrt(2) * pow(10, -condition->noise_db / 20) * sqrt(3)) : 0;
    for (size_t i = 0; i < samples; i++) {
        int16_t noise;
        comfort_noise_fill(&noise, 1, noise_peak, &seed);
        pcm[i] = (int16_t)(pcm[i] + noise);
        if (condition->alaw) {
            uint8_t byte;
            g711_alaw_encode_all(&pcm[i], &byte, 1);
            g711_alaw_decode_all(&byte, &pcm[i], 1);
        }
    }
    listen(pcm, samples, counts);
    free(pcm);
    free(tone.pcm);
}

static void every_tone_is_told_under_every_condition(void **state)
{
    static const struct {
        const char *name, *script;
        enum progress_sound sound;
        double snr_min; /* noise beyond this is not asked of it */
    } tones[] = {
        { "US busy", "L=4;%(500,500,480,620)", PROGRESS_BUSY, 0 },
        { "EU busy 425", "L=4;%(500,500,425)", PROGRESS_BUSY, 0 },
        { "DE busy", "L=4;%(480,480,425)", PROGRESS_BUSY, 0 },
        { "UK busy 400", "L=4;%(375,375,400)", PROGRESS_BUSY, 0 },
        { "US reorder", "L=6;%(250,250,480,620)", PROGRESS_REORDER, 0 },
        { "EU congestion", "L=6;%(240,240,425)", PROGRESS_REORDER, 0 },
        { "US ringback", "%(2000,4000,440,480)", PROGRESS_RINGBACK, 0 },
        { "EU ringback", "%(1000,4000,425)", PROGRESS_RINGBACK, 0 },
        { "UK ringback", "%(400,200,400,450);%(400,2000,400,450)", PROGRESS_RINGBACK, 25 },
        { "fax CNG", "%(500,3000,1100)", PROGRESS_CNG, 0 },
        { "fax CED", "%(3000,0,2100)", PROGRESS_CED, 0 },
        { "SIT IC", "%(274,0,913.8);%(274,0,1370.6);%(380,0,1776.7)", PROGRESS_SIT_IC, 0 },
        { "SIT VC", "%(380,0,985.2);%(274,0,1370.6);%(380,0,1776.7)", PROGRESS_SIT_VC, 0 },
        { "SIT RO'", "%(274,0,913.8);%(380,0,1428.5);%(380,0,1776.7)", PROGRESS_SIT_RO, 0 },
        { "SIT RO\"", "%(274,0,985.2);%(380,0,1370.6);%(380,0,1776.7)", PROGRESS_SIT_RO2, 0 },
        { "SIT NC'", "%(380,0,985.2);%(380,0,1428.5);%(380,0,1776.7)", PROGRESS_SIT_NC, 0 },
        { "SIT NC\"", "%(380,0,913.8);%(380,0,1370.6);%(380,0,1776.7)", PROGRESS_SIT_NC2, 0 },
        { "SIT #1", "%(380,0,913.8);%(274,0,1428.5);%(380,0,1776.7)", PROGRESS_SIT_1, 0 },
        { "SIT #2", "%(274,0,985.2);%(274,0,1428.5);%(380,0,1776.7)", PROGRESS_SIT_2, 0 },
        { "SIT IC gaps", "%(274,20,913.8);%(274,20,1370.6);%(380,0,1776.7)", PROGRESS_SIT_IC, 0 },
        { "beep 400", "%(400,1000,400)", PROGRESS_BEEP, 0 },
        { "beep 1000", "%(250,1000,1000)", PROGRESS_BEEP, 0 },
        { "beep 1400", "%(500,1000,1400)", PROGRESS_BEEP, 0 },
        { "beep 1900", "%(200,1000,1900)", PROGRESS_BEEP, 0 },
    };
    unsigned failures = 0;
    for (size_t t = 0; t < sizeof tones / sizeof *tones; t++) {
        print_message("%-13s", tones[t].name);
        for (size_t c = 0; c < CONDITIONS; c++) {
            uint32_t counts[PROGRESS_COUNT], others = 0;
            if (conditions[c].noise_db && conditions[c].noise_db < tones[t].snr_min) continue;
            heard_under(tones[t].script, &conditions[c], counts);
            for (int s = 1; s < PROGRESS_COUNT; s++) others += s != (int)tones[t].sound ? counts[s] : 0;
            bool good = counts[tones[t].sound] == 1 && !others;
            print_message("  %s %s", conditions[c].name, good ? "ok" : "FAILED");
            for (int s = 1; !good && s < PROGRESS_COUNT; s++)
                if (counts[s]) print_message(" %s*%u", progress_name((enum progress_sound)s), counts[s]);
            failures += !good;
        }
        print_message("\n");
    }
    assert_int_equal(failures, 0);
}

static void digits_noise_and_dial_tone_are_none_of_these(void **state)
{
    static const char *const scripts[] = { "d=100;w=100;1234567890*#", "%(3000,0,350,440)", "%(200,200,1209,697)", "%(3000,0,1004)",
                                           "%(60,500,1000)" };
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        uint32_t counts[PROGRESS_COUNT];
        heard_under(scripts[i], &conditions[0], counts);
        for (int s = 1; s < PROGRESS_COUNT; s++) assert_int_equal(counts[s], 0);
    }
    static int16_t noise[8000 * 60];
    uint32_t seed = 1, counts[PROGRESS_COUNT];
    comfort_noise_fill(noise, 8000 * 60, 4000, &seed);
    listen(noise, 8000 * 60, counts);
    for (int s = 1; s < PROGRESS_COUNT; s++) assert_int_equal(counts[s], 0);
}

/* Some minutes of synthetic speech: one false beep in two minutes at most, nothing else. */
static void speech_is_none_of_these(void **state)
{
    static const char *const texts[] = {
        ("Hello, you have reached the office of Doctor Miller. We are not able to take your call right now. Please leave your name, your "
         "number "
         "and a short message after the tone, and we will call you back as soon as we can. Thank you for calling, and have a nice day."),
        ("The rainbow is a division of white light into many beautiful colours. These take the shape of a long round arch, with its path "
         "high "
         "above, and its two ends apparently beyond the horizon. There is, according to legend, a boiling pot of gold at one end."),
        "One, two, three, four, five, six, seven, eight, nine, ten. Zero, oh, double you, eye, you, me, who, no, more, moon, ooh, beep, "
        "boom.",
    };
    static const char *const voices[] = { "slt", "awb", "rms", "kal" };
    uint32_t sum[PROGRESS_COUNT] = { 0 };
    double seconds = 0;
    for (size_t t = 0; t < 3; t++) {
        for (size_t v = 0; v < 4; v++) {
            struct speech speech;
            uint32_t counts[PROGRESS_COUNT];
            assert_int_equal(speech_render(&speech, voices[v], texts[t], 8000), 0);
            listen(speech.pcm, speech.samples, counts);
            for (int s = 1; s < PROGRESS_COUNT; s++) sum[s] += counts[s];
            seconds += (double)speech.samples / 8000;
            free(speech.pcm);
        }
    }
    print_message("%.0f s of speech: %u beeps\n", seconds, sum[PROGRESS_BEEP]);
    for (int s = 1; s < PROGRESS_COUNT; s++)
        if (s != PROGRESS_BEEP) assert_int_equal(sum[s], 0);
    assert_in_range(sum[PROGRESS_BEEP], 0, (unsigned)(seconds / 120));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tone_is_told_under_every_condition),
        cmocka_unit_test(digits_noise_and_dial_tone_are_none_of_these),
        cmocka_unit_test(speech_is_none_of_these),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
