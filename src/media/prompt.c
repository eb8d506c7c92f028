/* prompt.c: a hash of lists under one mutex (helpers may wait). An entry being loaded is marked, so that the mutex is free while the
 * disk works and a second caller waits for the first instead of reading the file again. */
#include "media/prompt.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/check.h"
#include "media/audio_file.h"
#include "media/resample.h"
#include "media/speech.h"
#include "media/tone.h"

#define BUCKETS 1024u

struct stamp {
    int64_t mtime_s, mtime_ns, size;
};

struct entry {
    struct entry *next;          /* in its bucket */
    struct entry *newer, *older; /* LRU */
    const struct codec *codec;
    struct prompt *prompt; /* NULL while loading the first time */
    struct stamp stamp;
    bool loading;
    char name[];
};

struct zombie {
    struct zombie *next;
    struct prompt *prompt;
};

struct prompt_cache {
    pthread_mutex_t lock;
    pthread_cond_t loaded;
    struct entry *buckets[BUCKETS];
    struct entry *newest, *oldest;
    struct zombie *zombies;
    size_t bytes_max;
    struct prompt_stats stats;
};

/* Behind the public part: what it weighs. */
struct prompt_memory {
    struct prompt prompt;
    size_t bytes;
};

static size_t prompt_bytes(const struct prompt *prompt) { return ((const struct prompt_memory *)prompt)->bytes; }

static void prompt_free(struct prompt *prompt)
{
    if (!prompt) return;
    free((void *)prompt->bytes);
    free((void *)prompt->offsets);
    free(prompt);
}

/* --- loading ------------------------------------------------------------------------------------------------------ */

static int encode_bytewise(struct prompt *prompt, const int16_t *pcm)
{
    size_t size = (size_t)prompt->samples * prompt->codec->bytes_per_sample;
    uint8_t *bytes = malloc(size ? size : 1);
    if (!bytes) return -ENOMEM;
    prompt->codec->encode(NULL, pcm, prompt->samples, bytes, size);
    prompt->bytes = bytes;
    return 0;
}

/* Codecs with state: one encoder runs over the whole file. */
static int encode_frames(struct prompt *prompt, const int16_t *pcm)
{
    enum { FRAME_BYTES_MAX = 400 };
    uint32_t frame = codec_frame_samples(prompt->codec);
    uint8_t *bytes = malloc((size_t)prompt->frames * FRAME_BYTES_MAX + 1);
    uint32_t *offsets = calloc(prompt->frames + 1, sizeof *offsets);
    struct codec_state *state = NULL;
    prompt->bytes = bytes;
    prompt->offsets = offsets;
    int result = bytes && offsets ? prompt->codec->open(&state, prompt->codec, NULL, true) : -ENOMEM;
    for (uint32_t i = 0; i < prompt->frames && result >= 0; i++) {
        int16_t padded[CODEC_FRAME_MAX] = { 0 };
        uint32_t left = prompt->samples - i * frame;
        memcpy(padded, pcm + (size_t)i * frame, (left < frame ? left : frame) * sizeof *pcm);
        result = prompt->codec->encode(state, padded, frame, bytes + offsets[i], FRAME_BYTES_MAX);
        offsets[i + 1] = offsets[i] + (result > 0 ? (uint32_t)result : 0);
    }
    if (state) prompt->codec->close(state);
    return result < 0 ? result : 0;
}

static int prompt_encode(struct prompt **out, const struct codec *codec, const int16_t *pcm, size_t samples, uint32_t file_rate, int loops)
{
    struct prompt_memory *memory = calloc(1, sizeof *memory);
    if (!memory) return -ENOMEM;
    struct prompt *prompt = &memory->prompt;
    uint32_t frame = codec_frame_samples(codec);
    prompt->codec = codec;
    prompt->samples = (uint32_t)samples;
    prompt->file_rate = file_rate;
    prompt->frames = (uint32_t)((samples + frame - 1) / frame);
    prompt->loops = loops;
    int result = codec->bytes_per_sample ? encode_bytewise(prompt, pcm) : encode_frames(prompt, pcm);
    if (result) {
        prompt_free(prompt);
        return result;
    }
    memory->bytes = sizeof *memory + (codec->bytes_per_sample ? samples * codec->bytes_per_sample : prompt->offsets[prompt->frames]);
    *out = prompt;
    return 0;
}

static bool is_tone(const char *name) { return !strncmp(name, "tone_stream://", 14); }
static bool is_speech(const char *name) { return !strncmp(name, "speak://", 8); }

/* Synthesis costs far more than encoding: it is done once into a linear prompt, which every codec is then made from. */
static const struct codec *speech_codec(void) { return codec_linear(16000); }

static int speech_load(struct prompt **out, const char *name, const struct codec *codec)
{
    struct speech speech;
    char voice[SPEECH_VOICE_MAX];
    const char *text = speech_parse(name, voice);
    if (!text) return -EINVAL;
    int result = speech_render(&speech, voice, text, codec->rate);
    if (result) return result;
    result = prompt_encode(out, codec, speech.pcm, speech.samples, codec->rate, 1);
    free(speech.pcm);
    return result;
}

static int speech_derive(struct prompt_cache *cache, struct prompt **out, const char *name, const struct codec *codec)
{
    struct prompt *linear;
    int result = prompt_get(cache, name, speech_codec(), &linear);
    if (result) return result;
    int16_t *pcm = NULL;
    size_t samples = 0;
    if (codec->rate == linear->codec->rate) {
        result = prompt_encode(out, codec, (const int16_t *)(const void *)linear->bytes, linear->samples, codec->rate, 1);
    } else {
        result = resample_all((const int16_t *)(const void *)linear->bytes, linear->samples, linear->codec->rate, codec->rate, &pcm,
                              &samples);
        if (!result) result = prompt_encode(out, codec, pcm, samples, codec->rate, 1);
        free(pcm);
    }
    prompt_release(linear);
    return result;
}

static int prompt_load(struct prompt_cache *cache, struct prompt **out, const char *name, const struct codec *codec)
{
    if (is_speech(name)) return codec == speech_codec() ? speech_load(out, name + 8, codec) : speech_derive(cache, out, name, codec);
    if (is_tone(name)) {
        struct tone tone;
        int result = tone_render(&tone, name + 14, codec->rate);
        if (result) return result;
        result = prompt_encode(out, codec, tone.pcm, tone.samples, codec->rate, tone.loops);
        free(tone.pcm);
        return result;
    }
    struct audio audio;
    int result = audio_file_read(&audio, name, codec->rate);
    if (result) return result;
    result = prompt_encode(out, codec, audio.pcm, audio.samples, audio.file_rate, 1);
    free(audio.pcm);
    return result;
}

static int stamp_take(struct stamp *stamp, const char *name)
{
    *stamp = (struct stamp) { 0 };
    if (is_tone(name) || is_speech(name)) return 0;
    struct stat status;
    if (stat(name, &status)) return -errno;
    *stamp = (struct stamp) { status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_size };
    return 0;
}

static bool stamp_equal(const struct stamp *a, const struct stamp *b)
{
    return a->mtime_s == b->mtime_s && a->mtime_ns == b->mtime_ns && a->size == b->size;
}

/* --- the cache: everything below runs under the lock unless it says otherwise --------------------------------------- */

static struct entry **cache_find(struct prompt_cache *cache, const char *name, const struct codec *codec)
{
    uint32_t hash = 2166136261u;
    for (const char *c = name; *c; c++) hash = (hash ^ (uint8_t)*c) * 16777619u;
    struct entry **at = &cache->buckets[hash % BUCKETS];
    while (*at && ((*at)->codec != codec || strcmp((*at)->name, name))) at = &(*at)->next;
    return at;
}

static void lru_remove(struct prompt_cache *cache, struct entry *entry)
{
    *(entry->newer ? &entry->newer->older : &cache->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &cache->oldest) = entry->newer;
    entry->newer = entry->older = NULL;
}

static void lru_add(struct prompt_cache *cache, struct entry *entry)
{
    entry->older = cache->newest;
    entry->newer = NULL;
    *(cache->newest ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

/* A prompt leaves the cache: freed when its last player is done. */
static void cache_bury(struct prompt_cache *cache, struct prompt *prompt)
{
    if (!prompt) return;
    cache->stats.bytes -= prompt_bytes(prompt);
    if (!atomic_load_explicit(&prompt->users, memory_order_acquire)) {
        prompt_free(prompt);
        return;
    }
    struct zombie *zombie = malloc(sizeof *zombie);
    CHECK(zombie);
    *zombie = (struct zombie) { cache->zombies, prompt };
    cache->zombies = zombie;
}

static void cache_drop(struct prompt_cache *cache, struct entry *entry)
{
    struct entry **at = cache_find(cache, entry->name, entry->codec);
    CHECK(*at == entry);
    *at = entry->next;
    lru_remove(cache, entry);
    cache_bury(cache, entry->prompt);
    free(entry);
}

static void cache_bound(struct prompt_cache *cache, const struct entry *keep)
{
    struct entry *entry = cache->oldest;
    while (entry && cache->stats.bytes > cache->bytes_max) {
        struct entry *next = entry->newer;
        if (entry != keep && !entry->loading) {
            cache_drop(cache, entry);
            cache->stats.evictions++;
        }
        entry = next;
    }
}

static void cache_sweep(struct prompt_cache *cache)
{
    for (struct zombie **at = &cache->zombies; *at;) {
        struct zombie *zombie = *at;
        if (atomic_load_explicit(&zombie->prompt->users, memory_order_acquire)) {
            at = &zombie->next;
            continue;
        }
        *at = zombie->next;
        prompt_free(zombie->prompt);
        free(zombie);
    }
}

static struct entry *cache_entry(struct prompt_cache *cache, const char *name, const struct codec *codec)
{
    struct entry **at = cache_find(cache, name, codec);
    if (*at) return *at;
    struct entry *entry = calloc(1, sizeof *entry + strlen(name) + 1);
    if (!entry) return NULL;
    entry->codec = codec;
    strcpy(entry->name, name);
    *at = entry;
    lru_add(cache, entry);
    return entry;
}

/* Leaves the lock while loading. On failure the entry is gone. */
static int cache_load(struct prompt_cache *cache, struct entry *entry, const struct stamp *stamp)
{
    struct prompt *fresh = NULL;
    entry->loading = true;
    pthread_mutex_unlock(&cache->lock);
    int result = prompt_load(cache, &fresh, entry->name, entry->codec);
    pthread_mutex_lock(&cache->lock);
    entry->loading = false;
    pthread_cond_broadcast(&cache->loaded);
    if (result) {
        cache_drop(cache, entry);
        return result;
    }
    cache->stats.loads++;
    if (entry->prompt) {
        cache->stats.reloads++;
        cache_bury(cache, entry->prompt);
    }
    entry->prompt = fresh;
    entry->stamp = *stamp;
    cache->stats.bytes += prompt_bytes(fresh);
    return 0;
}

static int cache_get(struct prompt_cache *cache, const char *name, const struct codec *codec, const struct stamp *stamp,
                     struct prompt **out)
{
    struct entry *entry;
    while ((entry = cache_entry(cache, name, codec)) && entry->loading) pthread_cond_wait(&cache->loaded, &cache->lock);
    if (!entry) return -ENOMEM;
    if (entry->prompt && stamp_equal(stamp, &entry->stamp)) {
        cache->stats.hits++;
    } else {
        int result = cache_load(cache, entry, stamp);
        if (result) return result;
    }
    atomic_fetch_add_explicit(&entry->prompt->users, 1, memory_order_relaxed);
    *out = entry->prompt;
    lru_remove(cache, entry);
    lru_add(cache, entry);
    cache_bound(cache, entry);
    return 0;
}

/* The file is looked at each time and before the lock: a script that records a greeting and plays it at once must hear the new one,
 * and a slow disk must not keep other callers waiting. */
int prompt_get(struct prompt_cache *cache, const char *name, const struct codec *codec, struct prompt **out)
{
    struct stamp stamp;
    int result = stamp_take(&stamp, name);
    pthread_mutex_lock(&cache->lock);
    cache_sweep(cache);
    if (!result) result = cache_get(cache, name, codec, &stamp, out);
    pthread_mutex_unlock(&cache->lock);
    return result;
}

void prompt_release(struct prompt *prompt)
{
    if (prompt) atomic_fetch_sub_explicit(&prompt->users, 1, memory_order_release);
}

void prompt_sweep(struct prompt_cache *cache)
{
    pthread_mutex_lock(&cache->lock);
    cache_sweep(cache);
    pthread_mutex_unlock(&cache->lock);
}

void prompt_cache_stats(struct prompt_cache *cache, struct prompt_stats *out)
{
    pthread_mutex_lock(&cache->lock);
    *out = cache->stats;
    pthread_mutex_unlock(&cache->lock);
}

int prompt_cache_new(struct prompt_cache **out, size_t bytes_max)
{
    struct prompt_cache *cache = calloc(1, sizeof *cache);
    if (!cache) return -ENOMEM;
    pthread_mutex_init(&cache->lock, NULL);
    pthread_cond_init(&cache->loaded, NULL);
    cache->bytes_max = bytes_max;
    *out = cache;
    return 0;
}

void prompt_cache_free(struct prompt_cache *cache)
{
    if (!cache) return;
    while (cache->newest) cache_drop(cache, cache->newest);
    cache_sweep(cache);
    CHECK(!cache->zombies);
    pthread_cond_destroy(&cache->loaded);
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}
