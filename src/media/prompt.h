/* prompt.h: the prompt cache. Each sound is decoded and encoded once per codec; what a thousand calls play is one piece of memory.
 *
 * A prompt is immutable. Helper threads find and load prompts (prompt_get may block on the disk); the media thread only reads what
 * it was given and gives it back with prompt_release, which frees nothing: memory is freed by the next prompt_get or prompt_sweep. */
#ifndef MEDIA_PROMPT_H
#define MEDIA_PROMPT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "media/codec.h"

struct prompt_cache;

struct prompt {
    const struct codec *codec;
    uint32_t samples;        /* at codec->rate */
    uint32_t file_rate;      /* what start offsets and results are told in */
    uint32_t frames;         /* of 20 ms, the last filled up with silence */
    const uint8_t *bytes;    /* bytewise codecs: any sample position; others: frames one after the other */
    const uint32_t *offsets; /* frames + 1, for codecs that are not bytewise */
    int loops;               /* tone_stream's loops=: 1, n, −1 = for ever */
    _Atomic uint32_t users;  /* besides the cache */
};

struct prompt_stats {
    uint64_t hits, loads, reloads, evictions;
    size_t bytes;
};

/* `bytes_max`: memory of cached prompts; those in use beyond it are kept until released. 0 or -ENOMEM. */
int prompt_cache_new(struct prompt_cache **out, size_t bytes_max);
/* All prompts must have been released. */
void prompt_cache_free(struct prompt_cache *cache);

/* `name`: an absolute file, tone_stream://SCRIPT or speak://VOICE|TEXT (synthesised once for all codecs). A file whose mtime or size
 * changed is read again. A loading failure is not cached. Any number of threads; two that want the same file load it once. 0 with a use
 * counted in, or what audio_file_read, tone_render or speech_render said. */
int prompt_get(struct prompt_cache *cache, const char *name, const struct codec *codec, struct prompt **out);
void prompt_release(struct prompt *prompt);
/* Frees replaced and evicted prompts that nobody uses any more. */
void prompt_sweep(struct prompt_cache *cache);
void prompt_cache_stats(struct prompt_cache *cache, struct prompt_stats *out);

/* The 20 ms at sample position `at` (bytewise) or frame at / frame_samples (others). Returns bytes available there: for bytewise codecs
 * fewer than a frame's at the end; 0 behind it. */
static inline size_t prompt_frame(const struct prompt *prompt, uint32_t at, const uint8_t **bytes)
{
    uint32_t frame = codec_frame_samples(prompt->codec);
    if (at >= prompt->samples) return 0;
    if (prompt->codec->bytes_per_sample) {
        uint32_t left = prompt->samples - at;
        *bytes = prompt->bytes + (size_t)at * prompt->codec->bytes_per_sample;
        return (size_t)(left < frame ? left : frame) * prompt->codec->bytes_per_sample;
    }
    *bytes = prompt->bytes + prompt->offsets[at / frame];
    return prompt->offsets[at / frame + 1] - prompt->offsets[at / frame];
}

#endif
