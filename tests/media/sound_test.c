/* sound_test.c: tones, files, prompts, playlists, recordings, mixer, digits and detectors. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <sndfile.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "media/audio_file.h"
#include "media/detect.h"
#include "media/dtmf.h"
#include "media/mixer.h"
#include "media/playlist.h"
#include "media/recorder.h"
#include "media/resample.h"
#include "media/tone.h"

static char directory[64];

static const char *file(const char *name)
{
    static char path[4][160];
    static unsigned at;
    at = (at + 1) % 4;
    snprintf(path[at], sizeof path[at], "%s/%s", directory, name);
    return path[at];
}

static void wav_write(const char *path, int rate, int channels, double seconds, double hz)
{
    SF_INFO info = { .samplerate = rate, .channels = channels, .format = SF_FORMAT_WAV | SF_FORMAT_PCM_16 };
    SNDFILE *out = sf_open(path, SFM_WRITE, &info);
    assert_non_null(out);
    for (int i = 0; i < (int)(seconds * rate + 0.5); i++) {
        int16_t frame[2] = { (int16_t)(10000 * sin(2 * M_PI * hz * i / rate)), 0 };
        frame[1] = frame[0];
        sf_writef_short(out, frame, 1);
    }
    sf_close(out);
}

static double frequency(const int16_t *pcm, size_t count, double rate)
{
    size_t crossings = 0, first = 0, last = 0;
    for (size_t i = 1; i < count; i++) {
        if (pcm[i - 1] < 0 && pcm[i] >= 0) {
            first = crossings ? first : i;
            last = i;
            crossings++;
        }
    }
    return crossings > 1 ? rate * (double)(crossings - 1) / (double)(last - first) : 0;
}

/* --- tones -------------------------------------------------------------------------------------------------------- */

static void tone_lengths(void **state)
{
    static const struct {
        const char *script;
        size_t ms;
        int loops;
    } cases[] = {
        { "%(1000,500,440)", 1500, 1 },
        { "%(2000,4000,440,480)", 6000, 1 },
        { "%(500,500,480,620);loops=3", 1000, 3 },
        { "v=-20;%(100,0,1004);loops=-1", 100, -1 },
        { "l=3;%(100,50,440)", 450, 1 },
        { "L=2;%(100,0,440);%(200,0,480)", 600, 1 },
        { "d=100;w=50;12", 300, 1 },
        { "123", 3 * 312, 1 },
        { "1(80,20)", 100, 1 },
        { "%(274,0,913.8);%(274,0,1370.6);%(380,0,1776.7)", 928, 1 },
        { " %(100,0,440) ; %(100,0,480) ", 200, 1 },
        { "%(400,200,400,450);%(400,2000,400,450)", 3000, 1 },
        { ">=50;+=2;%(500,0,440)", 500, 1 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct tone tone;
        assert_int_equal(tone_render(&tone, cases[i].script, 8000), 0);
        assert_in_range(tone.samples, cases[i].ms * 8, cases[i].ms * 8 + 15);
        assert_int_equal(tone.loops, cases[i].loops);
        free(tone.pcm);
    }
}

static void a_tone_has_its_frequency_and_level(void **state)
{
    struct tone tone;
    assert_int_equal(tone_render(&tone, "v=-7;%(1000,500,440)", 8000), 0);
    assert_true(fabs(frequency(tone.pcm, 8000, 8000) - 440) < 0.5);
    int peak = 0;
    for (int i = 0; i < 8000; i++) peak = abs(tone.pcm[i]) > peak ? abs(tone.pcm[i]) : peak;
    assert_in_range(peak, 10100, 10250); /* libteletone: 10^((−7 − 6.16)/20) · 32767 · √2 */
    for (int i = 8000; i < 12000; i++) assert_int_equal(tone.pcm[i], 0);
    free(tone.pcm);
}

static void broken_tones_are_refused(void **state)
{
    static const char *const scripts[] = { "",
                                           ";;;",
                                           "%(",
                                           "%()",
                                           "%(100)",
                                           "%(100,100",
                                           "%(a,b,c)",
                                           "hello world",
                                           "%(100,0,0)",
                                           "%(1000,1000)",
                                           "1(20)",
                                           "%",
                                           "v=-7",
                                           "%(1e99,0,440)",
                                           "L=1000000;%(1000,0,440)",
                                           "l=999999;%(1000,0,440)",
                                           "%(nan,0,440)" };
    for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
        struct tone tone;
        assert_true(tone_render(&tone, scripts[i], 8000) < 0);
    }
}

/* --- files and prompts --------------------------------------------------------------------------------------------- */

static void files_are_mixed_down_and_resampled(void **state)
{
    struct audio audio;
    wav_write(file("stereo.wav"), 44100, 2, 1.0, 500);
    assert_int_equal(audio_file_read(&audio, file("stereo.wav"), 8000), 0);
    assert_int_equal(audio.samples, 8000);
    assert_int_equal(audio.file_rate, 44100);
    assert_true(fabs(frequency(audio.pcm + 500, 7000, 8000) - 500) < 1);
    free(audio.pcm);
    assert_int_equal(audio_file_read(&audio, file("no.wav"), 8000), -ENOENT);
    assert_int_equal(audio_file_read(&audio, directory, 8000), -EINVAL);
    FILE *text = fopen(file("text.wav"), "w");
    fputs("this is no sound", text);
    fclose(text);
    assert_int_equal(audio_file_read(&audio, file("text.wav"), 8000), -EINVAL);
    FILE *raw = fopen(file("raw.PCMU"), "w");
    for (int i = 0; i < 4000; i++) fputc(0x80, raw);
    fclose(raw);
    assert_int_equal(audio_file_read(&audio, file("raw.PCMU"), 8000), 0);
    assert_int_equal(audio.samples, 4000);
    assert_int_equal(audio.pcm[100], 32124);
    free(audio.pcm);
}

static void a_prompt_is_loaded_once_and_again_when_its_file_changed(void **state)
{
    struct prompt_cache *cache;
    struct prompt *a, *b, *c;
    struct prompt_stats stats;
    const struct codec *pcmu = codec_find("PCMU", 0);
    char path[160];
    snprintf(path, sizeof path, "%s", file("prompt.wav"));
    wav_write(path, 8000, 1, 1.0, 440);
    assert_int_equal(prompt_cache_new(&cache, 1 << 20), 0);
    assert_int_equal(prompt_get(cache, path, pcmu, &a), 0);
    assert_int_equal(prompt_get(cache, path, pcmu, &b), 0);
    assert_ptr_equal(a, b);
    assert_int_equal(a->samples, 8000);
    assert_int_equal(prompt_get(cache, path, codec_find("PCMA", 0), &c), 0);
    assert_ptr_not_equal(a, c);
    prompt_release(c);
    wav_write(path, 8000, 1, 0.5, 440);
    assert_int_equal(prompt_get(cache, path, pcmu, &c), 0);
    assert_int_equal(c->samples, 4000);
    assert_int_equal(a->samples, 8000); /* those who play the old one keep it */
    prompt_cache_stats(cache, &stats);
    assert_int_equal(stats.loads, 3);
    assert_int_equal(stats.reloads, 1);
    assert_int_equal(stats.hits, 1);
    prompt_release(a);
    prompt_release(b);
    prompt_release(c);
    prompt_sweep(cache);
    unlink(path);
    assert_int_equal(prompt_get(cache, path, pcmu, &c), -ENOENT);
    prompt_cache_free(cache);
}

static void the_cache_is_bounded_and_keeps_what_is_used(void **state)
{
    struct prompt_cache *cache;
    struct prompt *held, *other;
    struct prompt_stats stats;
    const struct codec *pcmu = codec_find("PCMU", 0);
    assert_int_equal(prompt_cache_new(&cache, 30000), 0);
    wav_write(file("p0.wav"), 8000, 1, 1.0, 400);
    assert_int_equal(prompt_get(cache, file("p0.wav"), pcmu, &held), 0);
    for (int i = 1; i < 10; i++) {
        char name[16];
        snprintf(name, sizeof name, "p%d.wav", i);
        wav_write(file(name), 8000, 1, 1.0, 400);
        assert_int_equal(prompt_get(cache, file(name), pcmu, &other), 0);
        prompt_release(other);
        prompt_cache_stats(cache, &stats);
        assert_true(stats.bytes <= 30000);
    }
    assert_true(stats.evictions >= 6);
    assert_int_equal(held->bytes[0], 0xFF); /* evicted, and still there for its player */
    prompt_release(held);
    prompt_cache_free(cache);
}

static void playlists_name_all_kinds_of_sources(void **state)
{
    struct prompt_cache *cache;
    struct playlist *list;
    const struct codec *pcmu = codec_find("PCMU", 0);
    char text[400];
    wav_write(file("one.wav"), 8000, 1, 1.0, 400);
    wav_write(file("two.wav"), 16000, 1, 0.5, 400);
    prompt_cache_new(&cache, 1 << 20);
    assert_int_equal(playlist_open(&list, cache, "one", pcmu, directory), 0); /* no suffix, relative */
    assert_int_equal(list->count, 1);
    playlist_close(list);
    snprintf(text, sizeof text, "file_string://%s!silence_stream://250!%s!%s!tone_stream://%%(100,0,440)", file("one.wav"),
             file("missing.wav"), file("two.wav"));
    assert_int_equal(playlist_open(&list, cache, text, pcmu, directory), 0);
    assert_int_equal(list->count, 4);
    assert_int_equal(list->samples, 8000 + 2000 + 4000 + 800);
    playlist_close(list);
    assert_int_equal(playlist_open(&list, cache, "silence_stream://-1,1400", pcmu, directory), 0);
    assert_true(list->items[0].silence_samples == UINT64_MAX && list->items[0].noise == 1400);
    playlist_close(list);
    assert_int_equal(playlist_open(&list, cache, "{loops=2}one.wav", pcmu, directory), 0);
    playlist_close(list);
    mkdir(file("music"), 0700);
    mkdir(file("music/default"), 0700);
    wav_write(file("music/default/a.wav"), 8000, 1, 1.0, 400);
    assert_int_equal(playlist_open(&list, cache, "local_stream://", pcmu, directory), 0);
    assert_true(list->shared_clock);
    playlist_close(list);
    assert_int_equal(playlist_open(&list, cache, "file_string://no.wav!never.wav", pcmu, directory), -ENOENT);
    assert_int_equal(playlist_open(&list, cache, "gopher://x", pcmu, directory), -EINVAL);
    assert_int_equal(playlist_open(&list, cache, "silence_stream://x", pcmu, directory), -EINVAL);
    assert_int_equal(playlist_open(&list, cache, "local_stream://../..", pcmu, directory), -ENOENT);
    assert_int_equal(playlist_open(&list, cache, "", pcmu, directory), -EINVAL);
    prompt_cache_free(cache);
}

static void stateful_codecs_have_one_frame_per_20_ms(void **state)
{
    struct prompt_cache *cache;
    struct prompt *prompt;
    const uint8_t *bytes;
    wav_write(file("wide.wav"), 16000, 1, 1.01, 400);
    prompt_cache_new(&cache, 1 << 20);
    assert_int_equal(prompt_get(cache, file("wide.wav"), codec_find("G722", 0), &prompt), 0);
    assert_int_equal(prompt->frames, 51);
    for (uint32_t i = 0; i < 51; i++) assert_int_equal(prompt_frame(prompt, i * 320, &bytes), 160);
    assert_int_equal(prompt_frame(prompt, 51 * 320, &bytes), 0);
    prompt_release(prompt);
    assert_int_equal(prompt_get(cache, file("wide.wav"), codec_find("opus", 0), &prompt), 0);
    assert_true(prompt_frame(prompt, 320, &bytes) > 10);
    prompt_release(prompt);
    prompt_cache_free(cache);
}

/* --- recordings ---------------------------------------------------------------------------------------------------- */

static void record_frames(struct recorder *recorder, int frames, int rate)
{
    int16_t pcm[960];
    static int at;
    for (int frame = 0; frame < frames; frame++) {
        for (int i = 0; i < rate / 50; i++) pcm[i] = (int16_t)(8000 * sin(2 * M_PI * 500 * at++ / rate));
        assert_true(recorder_push(recorder, pcm, pcm, (size_t)rate / 50));
        if (frame % 10 == 9) recorder_work(recorder);
    }
}

static struct recorder_result record_one(const struct recorder_params *params, int frames, int rate)
{
    struct recorder *recorder = recorder_new(params);
    recorder_begin(recorder, (uint32_t)rate);
    record_frames(recorder, frames, rate);
    recorder_finish(recorder);
    assert_true(recorder_work(recorder));
    struct recorder_result result = *recorder_result(recorder);
    recorder_free(recorder);
    return result;
}

static void a_recording_has_the_length_of_what_was_pushed(void **state)
{
    struct recorder_result result = record_one(&(struct recorder_params) { .path = file("r.wav"), .title = "a call" }, 500, 8000);
    struct audio audio;
    assert_int_equal(result.error, 0);
    assert_int_equal(result.samples, 80000);
    assert_int_equal(audio_file_read(&audio, file("r.wav"), 8000), 0);
    assert_int_equal(audio.samples, 80000);
    assert_true(fabs(frequency(audio.pcm, 80000, 8000) - 500) < 0.5);
    free(audio.pcm);
}

static void each_suffix_makes_its_format(void **state)
{
    static const char *const names[] = { "x.wav", "x.flac", "x.ogg", "x.PCMU", "x.PCMA", "x.raw", "x.au", "x.gsm", "x.mp3" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct recorder_result result = record_one(&(struct recorder_params) { .path = file(names[i]), .file_rate = 0 }, 50, 8000);
        assert_int_equal(result.error, 0);
        assert_int_equal(result.samples, 8000);
        assert_true(result.bytes > 200);
    }
    assert_int_equal(record_one(&(struct recorder_params) { .path = file("x.xyz") }, 5, 8000).error, -EINVAL);
    assert_true(record_one(&(struct recorder_params) { .path = "/nowhere/x.wav" }, 5, 8000).error < 0);
}

static void recordings_are_appended_resampled_deleted_and_cut(void **state)
{
    struct recorder_result result;
    record_one(&(struct recorder_params) { .path = file("a.wav") }, 50, 8000);
    result = record_one(&(struct recorder_params) { .path = file("a.wav"), .append = true }, 50, 8000);
    assert_int_equal(result.samples, 8000);
    assert_int_equal(result.bytes, 44 + 2 * 16000);
    result = record_one(&(struct recorder_params) { .path = file("b.wav"), .file_rate = 16000, .stereo = true }, 50, 8000);
    assert_int_equal(result.rate, 16000);
    assert_in_range(result.samples, 15900, 16010);
    result = record_one(&(struct recorder_params) { .path = file("c.wav"), .min_ms = 2000 }, 50, 8000);
    assert_true(result.deleted);
    assert_int_equal(access(file("c.wav"), F_OK), -1);

    struct recorder *recorder = recorder_new(&(struct recorder_params) { .path = file("d.wav") });
    recorder_begin(recorder, 8000);
    record_frames(recorder, 50, 8000);
    recorder_truncate(recorder);
    record_frames(recorder, 10, 8000);
    recorder_finish(recorder);
    recorder_work(recorder);
    assert_int_equal(recorder_result(recorder)->samples, 1600);
    recorder_free(recorder);
}

/* What came to a full ring is silence in the file, in its place: the length stays, and what comes later lies where it was said. */
static void a_slow_disk_loses_whole_frames_and_counts_them(void **state)
{
    struct recorder *recorder = recorder_new(&(struct recorder_params) { .path = file("slow.wav") });
    struct audio audio;
    int16_t pcm[160];
    unsigned lost = 0;
    for (int i = 0; i < 160; i++) pcm[i] = 1000;
    recorder_begin(recorder, 8000);
    for (int i = 0; i < 1000; i++) lost += !recorder_push(recorder, pcm, NULL, 160);
    assert_false(recorder_work(recorder));
    for (int i = 0; i < 10; i++) assert_true(recorder_push(recorder, pcm, NULL, 160));
    assert_false(recorder_work(recorder));
    recorder_skip(recorder, 320); /* at the end, too */
    recorder_finish(recorder);
    assert_true(recorder_work(recorder));
    assert_true(lost > 700);
    assert_int_equal(recorder_result(recorder)->frames_lost, lost);
    assert_int_equal(recorder_result(recorder)->samples, 1012 * 160);
    assert_int_equal(audio_file_read(&audio, file("slow.wav"), 0), 0);
    assert_int_equal(audio.samples, 1012 * 160);
    for (unsigned f = 0; f < 1012; f++) assert_int_equal(audio.pcm[f * 160 + 80], f < 1000 - lost || (f >= 1000 && f < 1010) ? 1000 : 0);
    free(audio.pcm);
    recorder_free(recorder);
}

/* --- mixer, digits, detectors ---------------------------------------------------------------------------------------- */

static void the_mixer_equals_the_plain_one_bit_for_bit(void **state)
{
    enum { PARTIES = 40, SAMPLES = 163 };
    static int16_t in[PARTIES][SAMPLES], out[PARTIES][SAMPLES], plain[PARTIES][SAMPLES];
    const int16_t *ins[PARTIES];
    int16_t *plains[PARTIES];
    srand(7);
    for (int round = 0; round < 50; round++) {
        int32_t sum[SAMPLES] = { 0 };
        for (int p = 0; p < PARTIES; p++) {
            for (int i = 0; i < SAMPLES; i++) in[p][i] = (int16_t)(round % 3 ? rand() : rand() % 2 ? 32767 : -32768);
            ins[p] = in[p];
            plains[p] = plain[p];
            mix_add(sum, in[p], SAMPLES);
        }
        for (int p = 0; p < PARTIES; p++) mix_minus(out[p], sum, in[p], SAMPLES);
        mix_reference(plains, ins, PARTIES, SAMPLES);
        assert_memory_equal(out, plain, sizeof out);
    }
}

static void gain_steps_are_freeswitchs(void **state)
{
    static const int expected[9] = { 199, 398, 601, 800, 1000, 1300, 2300, 3300, 4300 };
    for (int level = -4; level <= 4; level++) {
        int16_t pcm[1] = { 1000 };
        mix_gain(pcm, 1, level);
        assert_in_range(pcm[0], expected[level + 4] - 3, expected[level + 4] + 3);
    }
    int16_t loud[2] = { 30000, -30000 };
    mix_gain(loud, 2, 4);
    assert_int_equal(loud[0], 32767);
    assert_int_equal(loud[1], -32768);
}

static void digits_made_are_digits_heard(void **state)
{
    static const char all[] = "0123456789*#ABCD";
    struct dtmf_out *out = dtmf_out_new();
    struct dtmf_in *in = dtmf_in_new();
    char heard[64] = "";
    size_t count = 0;
    for (const char *digit = all; *digit; digit++) {
        int16_t pcm[160];
        assert_int_equal(dtmf_out_digit(out, *digit, 80, 60), 0);
        while (dtmf_out_make(out, pcm, 160)) count += dtmf_in_hear(in, pcm, 160, heard + count, sizeof heard - count);
    }
    assert_string_equal(heard, all);
    assert_int_equal(dtmf_out_digit(out, 'x', 80, 60), -EINVAL);
    dtmf_out_free(out);
    dtmf_in_free(in);
}

static bool tone_heard(const char *script, const uint32_t *hz, uint32_t count)
{
    struct tone tone;
    struct tone_detect detect;
    unsigned heard = 0;
    assert_int_equal(tone_render(&tone, script, 8000), 0);
    tone_detect_init(&detect, 8000, hz, count, 5);
    for (size_t at = 0; at + 160 <= tone.samples; at += 160) heard += tone_detect_hear(&detect, tone.pcm + at, 160);
    free(tone.pcm);
    assert_true(heard <= 1);
    return heard;
}

static void tones_are_told_apart(void **state)
{
    static const uint32_t cng[] = { 1100 }, busy[] = { 480, 620 }, beep[] = { 1000 };
    assert_true(tone_heard("%(500,100,1100)", cng, 1));
    assert_true(tone_heard("%(500,100,480,620)", busy, 2));
    assert_false(tone_heard("%(500,100,480)", busy, 2));
    assert_false(tone_heard("%(500,100,1300)", cng, 1));
    assert_false(tone_heard("%(500,100,697,1209)", beep, 1));
    assert_false(tone_heard("%(60,500,1100)", cng, 1)); /* too short */
}

static void energy_is_counted_as_freeswitch_counts_it(void **state)
{
    int16_t pcm[320];
    for (int i = 0; i < 320; i++) pcm[i] = (int16_t)(i % 2 ? 300 : -300);
    assert_int_equal(energy_score(pcm, 160, 8000), 300);
    assert_int_equal(energy_score(pcm, 320, 16000), 600);
}

static void resampling_keeps_length_and_frequency(void **state)
{
    static int16_t in[48000];
    int16_t *out;
    size_t count;
    for (int i = 0; i < 48000; i++) in[i] = (int16_t)(10000 * sin(2 * M_PI * 700 * i / 48000));
    assert_int_equal(resample_all(in, 48000, 48000, 8000, &out, &count), 0);
    assert_int_equal(count, 8000);
    assert_true(fabs(frequency(out, 8000, 8000) - 700) < 1);
    free(out);
}

static int setup(void **state)
{
    snprintf(directory, sizeof directory, "/tmp/carillon-sound-%d", getpid());
    return mkdir(directory, 0700);
}

static int teardown(void **state)
{
    char command[96];
    snprintf(command, sizeof command, "rm -rf %s", directory);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tone_lengths),
        cmocka_unit_test(a_tone_has_its_frequency_and_level),
        cmocka_unit_test(broken_tones_are_refused),
        cmocka_unit_test(files_are_mixed_down_and_resampled),
        cmocka_unit_test(a_prompt_is_loaded_once_and_again_when_its_file_changed),
        cmocka_unit_test(the_cache_is_bounded_and_keeps_what_is_used),
        cmocka_unit_test(playlists_name_all_kinds_of_sources),
        cmocka_unit_test(stateful_codecs_have_one_frame_per_20_ms),
        cmocka_unit_test(a_recording_has_the_length_of_what_was_pushed),
        cmocka_unit_test(each_suffix_makes_its_format),
        cmocka_unit_test(recordings_are_appended_resampled_deleted_and_cut),
        cmocka_unit_test(a_slow_disk_loses_whole_frames_and_counts_them),
        cmocka_unit_test(the_mixer_equals_the_plain_one_bit_for_bit),
        cmocka_unit_test(gain_steps_are_freeswitchs),
        cmocka_unit_test(digits_made_are_digits_heard),
        cmocka_unit_test(tones_are_told_apart),
        cmocka_unit_test(energy_is_counted_as_freeswitch_counts_it),
        cmocka_unit_test(resampling_keeps_length_and_frequency),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
