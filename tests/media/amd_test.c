/* amd_test.c: the rule of Asterisk's AMD(), cause by cause, and on synthetic greetings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "media/amd.h"
#include "media/comfort_noise.h"
#include "media/speech.h"

#define FRAME 160

struct ear {
    const struct amd_classifier *classifier;
    struct amd_state *state;
    struct amd_verdict verdict;
    bool judged;
    uint32_t seed;
};

static void ear_open(struct ear *ear, const struct amd_params *params, uint32_t rate)
{
    *ear = (struct ear) { .classifier = amd_classifier_find(NULL), .seed = 5 };
    ear->state = ear->classifier->open(params, rate);
    assert_non_null(ear->state);
}

static void ear_close(struct ear *ear) { ear->classifier->close(ear->state); }

static void ear_hear(struct ear *ear, const int16_t *pcm, size_t samples)
{
    if (!ear->judged) ear->judged = ear->classifier->hear(ear->state, pcm, samples, &ear->verdict);
}

/* "v300 s100 …": so many ms of voice (noise of some 1000 on average) or silence (of 100). */
static struct amd_verdict verdict_on(const char *pattern, const struct amd_params *params)
{
    struct ear ear;
    ear_open(&ear, params, 8000);
    for (const char *at = pattern; *at;) {
        char *end;
        bool voice = *at == 'v';
        long ms = strtol(at + 1, &end, 10);
        for (long t = 0; t < ms; t += 20) {
            int16_t pcm[FRAME];
            comfort_noise_fill(pcm, FRAME, voice ? 2000 : 200, &ear.seed);
            ear_hear(&ear, pcm, FRAME);
        }
        at = *end ? end + 1 : end;
    }
    ear_close(&ear);
    assert_true(ear.judged);
    return ear.verdict;
}

static void expect(const char *pattern, const struct amd_params *params, enum amd_status status, enum amd_cause cause, uint32_t found,
                   uint32_t wanted)
{
    struct amd_verdict v = verdict_on(pattern, params);
    assert_int_equal(v.status, status);
    assert_int_equal(v.cause, cause);
    assert_int_equal(v.found, found);
    assert_int_equal(v.wanted, wanted);
}

static void each_cause_has_its_numbers(void **state)
{
    const struct amd_params usual = { 0 };
    expect("s3000", &usual, AMD_MACHINE, AMD_INITIALSILENCE, 2500, 2500);
    expect("s500 v400 s1000", &usual, AMD_HUMAN, AMD_PAUSE, 800, 800);
    expect("s200 v1600", &usual, AMD_MACHINE, AMD_LONGGREETING, 1500, 1500);
    expect("s200 v300 s100 v300 s100 v300 s1000", &usual, AMD_MACHINE, AMD_MAXWORDS, 3, 3);
    expect("s2000 v60 s2000 v60 s2000", &usual, AMD_NOTSURE, AMD_TOOLONG, 5000, 0);
    expect("v2000", &(struct amd_params) { .greeting = 5000, .maximum_word_length = 900 }, AMD_MACHINE, AMD_MAXWORDLENGTH, 900, 900);
}

static void parameters_move_the_verdict(void **state)
{
    expect("s500 v400 s1000", &(struct amd_params) { .after_greeting_silence = 300 }, AMD_HUMAN, AMD_PAUSE, 300, 300);
    expect("s3000", &(struct amd_params) { .initial_silence = 1000 }, AMD_MACHINE, AMD_INITIALSILENCE, 1000, 1000);
    expect("s200 v300 s100 v300 s100 v300 s1000", &(struct amd_params) { .maximum_number_of_words = 5 }, AMD_HUMAN, AMD_PAUSE, 800, 800);
    expect("s200 v400 s1000", &(struct amd_params) { .silence_threshold = 4000, .initial_silence = 1400 }, AMD_MACHINE, AMD_INITIALSILENCE,
           1400, 1400);
    expect("s200 v300 s100 v300 s100 v300 s1000", &(struct amd_params) { .between_words_silence = 200 }, AMD_HUMAN, AMD_PAUSE, 800, 800);
    expect("s200 v300 s2000 s2000", &(struct amd_params) { .min_word_length = 400 }, AMD_MACHINE, AMD_INITIALSILENCE, 2500, 2500);
    expect("s200 v300 s1000", &(struct amd_params) { .total_analysis_time = 600 }, AMD_NOTSURE, AMD_TOOLONG, 600, 0);
}

/* A person says hello; a machine reads its greeting. The same at 16 kHz. */
static void synthetic_greetings_are_told_apart(void **state)
{
    static const struct {
        const char *text;
        enum amd_status status;
    } greetings[] = {
        { "Hello?", AMD_HUMAN },
        { "Yes?", AMD_HUMAN },
        { "Hello, you have reached the office of Doctor Miller. We are not able to take your call right now. Please leave a message after "
          "the tone.",
          AMD_MACHINE },
        { "The person you are calling is not available. At the tone, please record your message.", AMD_MACHINE },
    };
    static const char *const voices[] = { "slt", "awb", "rms", "kal" };
    for (size_t g = 0; g < sizeof greetings / sizeof *greetings; g++) {
        for (size_t v = 0; v < 4; v++) {
            uint32_t rate = v % 2 ? 16000 : 8000, frame = rate / 50;
            struct speech speech;
            struct ear ear;
            int16_t quiet[320] = { 0 };
            assert_int_equal(speech_render(&speech, voices[v], greetings[g].text, rate), 0);
            ear_open(&ear, &(struct amd_params) { 0 }, rate);
            for (int i = 0; i < 20; i++) ear_hear(&ear, quiet, frame);
            for (size_t at = 0; at + frame <= speech.samples; at += frame) ear_hear(&ear, speech.pcm + at, frame);
            for (int i = 0; i < 60; i++) ear_hear(&ear, quiet, frame);
            assert_true(ear.judged);
            assert_int_equal(ear.verdict.status, greetings[g].status);
            ear_close(&ear);
            free(speech.pcm);
        }
    }
}

static void classifiers_are_found_by_name(void **state)
{
    assert_ptr_equal(amd_classifier_find("WORDS"), amd_classifier_find(NULL));
    assert_ptr_equal(amd_classifier_find(""), amd_classifier_find("words"));
    assert_null(amd_classifier_find("oracle"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_cause_has_its_numbers),
        cmocka_unit_test(parameters_move_the_verdict),
        cmocka_unit_test(synthetic_greetings_are_told_apart),
        cmocka_unit_test(classifiers_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
