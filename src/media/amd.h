/* amd.h: who answered, a person or a machine: a verdict on the first seconds of what the far end says.
 *
 * A *classifier* hears frames of 20 ms until it has a verdict, which it gives once. They stand in one table and are chosen by name, so
 * that a better one takes the place of the first without anybody else noticing. The first, "words", is the rule of Asterisk's AMD(): it
 * knows loud from quiet alone, and counts words, their lengths and the pauses between them. */
#ifndef MEDIA_AMD_H
#define MEDIA_AMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum amd_status { AMD_NOTSURE, AMD_HUMAN, AMD_MACHINE };

/* Why; what `found` and `wanted` are in the verdict. Numbers as Asterisk prints them behind the cause's name. */
enum amd_cause {
    AMD_TOOLONG,        /* ms heard */
    AMD_INITIALSILENCE, /* ms quiet, of how many */
    AMD_PAUSE,          /* "HUMAN": ms quiet after the greeting, of how many */
    AMD_LONGGREETING,   /* ms of voice, of how many */
    AMD_MAXWORDS,       /* words, of how many */
    AMD_MAXWORDLENGTH   /* ms of one word */
};

/* Asterisk's parameters and defaults; times in ms. Zero stands for the default. */
struct amd_params {
    uint32_t initial_silence;         /* 2500: longer than this before anything is said: a machine */
    uint32_t greeting;                /* 1500: more voice than this: a machine */
    uint32_t after_greeting_silence;  /* 800: quiet after a short greeting: a person */
    uint32_t total_analysis_time;     /* 5000: then it is not sure */
    uint32_t min_word_length;         /* 100: what is shorter is no word */
    uint32_t between_words_silence;   /* 50: what is shorter does not part words */
    uint32_t maximum_number_of_words; /* 3: so many: a machine */
    uint32_t silence_threshold;       /* 256: average sample below which it is quiet */
    uint32_t maximum_word_length;     /* 5000: a word as long as this: a machine */
};

struct amd_verdict {
    enum amd_status status;
    enum amd_cause cause;
    uint32_t found, wanted;
};

struct amd_state; /* a classifier's own */

struct amd_classifier {
    const char *name;
    /* NULL when out of memory. `rate` of the audio. */
    struct amd_state *(*open)(const struct amd_params *params, uint32_t rate);
    /* 20 ms. true with the verdict, once; never called after that. */
    bool (*hear)(struct amd_state *state, const int16_t *pcm, size_t samples, struct amd_verdict *verdict);
    void (*close)(struct amd_state *state);
};

/* By name, any case; NULL or "" = the usual one; NULL if there is none of that name. */
const struct amd_classifier *amd_classifier_find(const char *name);

#endif
