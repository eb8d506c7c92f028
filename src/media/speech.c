/* speech.c: flite's voices, each loaded when first asked for: they are megabytes of tables that a process which never speaks should
 * not have to relocate at its start. */
#include "media/speech.h"

#include <dlfcn.h>
#include <errno.h>
#include <flite/flite.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/check.h"
#include "media/resample.h"

struct voice {
    const char *name, *library, *registers;
    cst_voice *loaded;
};

/* The one global of the media library: flite keeps its voices, languages and features in globals of its own and nowhere promises that two
 * threads may synthesise at once. */
static struct {
    pthread_mutex_t lock;
    bool started;
    _Atomic uint64_t count;
    struct voice voices[5];
} flite = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .voices = {
        { "slt", "libflite_cmu_us_slt.so.1", "register_cmu_us_slt", NULL },
        { "awb", "libflite_cmu_us_awb.so.1", "register_cmu_us_awb", NULL },
        { "rms", "libflite_cmu_us_rms.so.1", "register_cmu_us_rms", NULL },
        { "kal", "libflite_cmu_us_kal16.so.1", "register_cmu_us_kal16", NULL },
        { "kal16", "libflite_cmu_us_kal16.so.1", "register_cmu_us_kal16", NULL },
    },
};

static cst_voice *voice_load(const char *name)
{
    for (size_t i = 0; i < ARRAY_SIZE(flite.voices); i++) {
        struct voice *voice = &flite.voices[i];
        if (strcasecmp(voice->name, name)) continue;
        if (voice->loaded) return voice->loaded;
        void *library = dlopen(voice->library, RTLD_NOW | RTLD_LOCAL);
        cst_voice *(*registers)(const char *) = NULL;
        if (library) *(void **)&registers = dlsym(library, voice->registers);
        if (registers) voice->loaded = registers(NULL);
        return voice->loaded;
    }
    return NULL;
}

static cst_wave *synthesise(const char *name, const char *text, int *error)
{
    pthread_mutex_lock(&flite.lock);
    if (!flite.started) flite_init();
    flite.started = true;
    cst_voice *voice = voice_load(name);
    cst_wave *wave = voice ? flite_text_to_wave(text, voice) : NULL;
    pthread_mutex_unlock(&flite.lock);
    *error = !voice ? -ENOENT : !wave || wave->num_samples <= 0 ? -EINVAL : 0;
    if (wave) atomic_fetch_add(&flite.count, 1);
    return wave;
}

/* flite speaks bytes of ASCII; what is not printable becomes a space, so that no control character reaches its tokeniser. */
static char *text_clean(const char *text)
{
    char *copy = strdup(text);
    for (char *c = copy; c && *c; c++)
        if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7F) *c = ' ';
    return copy;
}

static bool text_has_words(const char *text)
{
    return strpbrk(text, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ$%&@#+*=") != NULL;
}

static int wave_take(struct speech *out, const cst_wave *wave, uint32_t rate)
{
    uint32_t wave_rate = (uint32_t)wave->sample_rate;
    if ((size_t)wave->num_samples > (size_t)wave_rate * SPEECH_SECONDS_MAX) return -E2BIG;
    out->rate = rate ? rate : wave_rate;
    if (out->rate != wave_rate)
        return resample_all(wave->samples, (size_t)wave->num_samples, wave_rate, out->rate, &out->pcm, &out->samples);
    out->samples = (size_t)wave->num_samples;
    out->pcm = malloc(out->samples * sizeof *out->pcm);
    if (!out->pcm) return -ENOMEM;
    memcpy(out->pcm, wave->samples, out->samples * sizeof *out->pcm);
    return 0;
}

int speech_render(struct speech *out, const char *voice, const char *text, uint32_t rate)
{
    *out = (struct speech) { 0 };
    if (strlen(text) > SPEECH_TEXT_MAX) return -E2BIG;
    if (!text_has_words(text)) return -EINVAL;
    char *clean = text_clean(text);
    if (!clean) return -ENOMEM;
    int result;
    cst_wave *wave = synthesise(voice, clean, &result);
    free(clean);
    if (!result) result = wave_take(out, wave, rate);
    if (wave) delete_wave(wave);
    return result;
}

const char *speech_parse(const char *source, char voice[SPEECH_VOICE_MAX])
{
    const char *bar = strchr(source, '|');
    if (!bar || bar == source || (size_t)(bar - source) >= SPEECH_VOICE_MAX) return NULL;
    memcpy(voice, source, (size_t)(bar - source));
    voice[bar - source] = 0;
    return bar + 1;
}

uint64_t speech_count(void) { return atomic_load(&flite.count); }
