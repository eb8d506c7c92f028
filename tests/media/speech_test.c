/* speech_test.c: flite behind the prompt cache. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "media/detect.h"
#include "media/playlist.h"
#include "media/speech.h"

static void speech_has_the_length_and_the_energy_of_speech(void **state)
{
    static const char *const voices[] = { "slt", "awb", "rms", "kal", "KAL16" };
    for (size_t i = 0; i < sizeof voices / sizeof *voices; i++) {
        struct speech speech;
        assert_int_equal(speech_render(&speech, voices[i], "Good morning. You have two new messages.", 8000), 0);
        assert_in_range(speech.samples, 8000 * 3 / 2, 8000 * 5);
        assert_in_range(energy_score(speech.pcm, speech.samples, 8000), 300, 8000);
        free(speech.pcm);
    }
}

static void twice_the_text_is_about_twice_as_long(void **state)
{
    struct speech one, two;
    assert_int_equal(speech_render(&one, "slt", "your order is ready", 16000), 0);
    assert_int_equal(speech_render(&two, "slt", "your order is ready, your order is ready", 16000), 0);
    assert_in_range(two.samples, one.samples * 16 / 10, one.samples * 26 / 10);
    free(one.pcm);
    free(two.pcm);
}

static void what_cannot_be_said_is_an_error(void **state)
{
    struct speech speech;
    char voice[SPEECH_VOICE_MAX], *longer = malloc(SPEECH_TEXT_MAX + 2);
    memset(longer, 'a', SPEECH_TEXT_MAX + 1);
    longer[SPEECH_TEXT_MAX + 1] = 0;
    assert_int_equal(speech_render(&speech, "nobody", "hello", 8000), -ENOENT);
    assert_int_equal(speech_render(&speech, "slt", "", 8000), -EINVAL);
    assert_int_equal(speech_render(&speech, "slt", " \n\x01.", 8000), -EINVAL);
    assert_int_equal(speech_render(&speech, "slt", longer, 8000), -E2BIG);
    assert_null(speech_parse("no bar", voice));
    assert_null(speech_parse("|text", voice));
    assert_null(speech_parse("averylongvoicenameindeed|text", voice));
    free(longer);
}

/* One synthesis, whatever codecs and however many calls. */
static void the_second_use_costs_no_synthesis(void **state)
{
    static const char source[] = "speak://slt|The second use is free.";
    struct prompt_cache *cache;
    assert_int_equal(prompt_cache_new(&cache, 64 << 20), 0);
    uint64_t before = speech_count();
    static const struct {
        const char *codec;
        uint32_t rate;
    } codecs[] = { { "PCMU", 8000 }, { "PCMA", 8000 }, { "G722", 8000 }, { "opus", 48000 }, { "PCMU", 8000 } };
    uint64_t ms[5];
    for (size_t i = 0; i < 5; i++) {
        struct playlist *list;
        const struct codec *codec = codec_find(codecs[i].codec, codecs[i].rate);
        assert_int_equal(playlist_open(&list, cache, source, codec, "/"), 0);
        assert_int_equal(list->count, 1);
        ms[i] = list->samples * 1000 / codec->rate;
        playlist_close(list);
    }
    assert_int_equal(speech_count() - before, 1);
    for (size_t i = 1; i < 5; i++) assert_in_range(ms[i] + 5, ms[0], ms[0] + 10);
    prompt_cache_free(cache);
}

static void speech_of_an_unknown_voice_is_not_cached(void **state)
{
    struct prompt_cache *cache;
    struct playlist *list;
    struct prompt_stats stats;
    assert_int_equal(prompt_cache_new(&cache, 1 << 20), 0);
    assert_int_equal(playlist_open(&list, cache, "speak://nobody|hello", codec_find("PCMU", 0), "/"), -ENOENT);
    assert_int_equal(playlist_open(&list, cache, "speak://hello", codec_find("PCMU", 0), "/"), -EINVAL);
    prompt_cache_stats(cache, &stats);
    assert_int_equal(stats.bytes, 0);
    prompt_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(speech_has_the_length_and_the_energy_of_speech),
        cmocka_unit_test(twice_the_text_is_about_twice_as_long),
        cmocka_unit_test(what_cannot_be_said_is_an_error),
        cmocka_unit_test(the_second_use_costs_no_synthesis),
        cmocka_unit_test(speech_of_an_unknown_voice_is_not_cached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
