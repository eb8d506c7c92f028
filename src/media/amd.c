/* amd.c: the table of classifiers, and "words", the rule of Asterisk's AMD(): each frame is voice or silence by its average sample. */
#include "media/amd.h"

#include <stdlib.h>
#include <strings.h>

#include "core/check.h"

struct amd_state {
    struct amd_params params;
    uint32_t rate;
    uint32_t heard, silence, voice, word; /* ms: all; quiet without a break; voice in all; of this word */
    uint32_t words;
    bool in_silence, in_greeting;
};

static uint32_t or_default(uint32_t value, uint32_t otherwise) { return value ? value : otherwise; }

static struct amd_state *words_open(const struct amd_params *params, uint32_t rate)
{
    struct amd_state *state = calloc(1, sizeof *state);
    if (!state) return NULL;
    state->rate = rate;
    state->params = (struct amd_params) {
        .initial_silence = or_default(params->initial_silence, 2500),
        .greeting = or_default(params->greeting, 1500),
        .after_greeting_silence = or_default(params->after_greeting_silence, 800),
        .total_analysis_time = or_default(params->total_analysis_time, 5000),
        .min_word_length = or_default(params->min_word_length, 100),
        .between_words_silence = or_default(params->between_words_silence, 50),
        .maximum_number_of_words = or_default(params->maximum_number_of_words, 3),
        .silence_threshold = or_default(params->silence_threshold, 256),
        .maximum_word_length = or_default(params->maximum_word_length, 5000),
    };
    return state;
}

static void words_close(struct amd_state *state) { free(state); }

static bool is_quiet(const struct amd_state *state, const int16_t *pcm, size_t samples)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < samples; i++) sum += (uint64_t)abs(pcm[i]);
    return sum < (uint64_t)state->params.silence_threshold * samples;
}

static bool verdict_is(struct amd_verdict *out, enum amd_status status, enum amd_cause cause, uint32_t found, uint32_t wanted)
{
    *out = (struct amd_verdict) { status, cause, found, wanted };
    return true;
}

static bool hear_silence(struct amd_state *s, uint32_t ms, struct amd_verdict *out)
{
    const struct amd_params *p = &s->params;
    s->silence += ms;
    if (s->silence >= p->between_words_silence) {
        s->in_silence = true;
        s->word = 0;
    }
    if (!s->in_greeting && s->silence >= p->initial_silence)
        return verdict_is(out, AMD_MACHINE, AMD_INITIALSILENCE, s->silence, p->initial_silence);
    if (s->in_greeting && s->silence >= p->after_greeting_silence)
        return verdict_is(out, AMD_HUMAN, AMD_PAUSE, s->silence, p->after_greeting_silence);
    return false;
}

/* A word counts when it is long enough and came after silence: Asterisk begins within a word, so voice at once is counted from the
 * second word on. */
static bool hear_voice(struct amd_state *s, uint32_t ms, struct amd_verdict *out)
{
    const struct amd_params *p = &s->params;
    s->silence = 0;
    s->word += ms;
    s->voice += ms;
    if (s->word >= p->min_word_length && s->in_silence) {
        s->words++;
        s->in_silence = false;
    }
    if (s->word >= p->maximum_word_length) return verdict_is(out, AMD_MACHINE, AMD_MAXWORDLENGTH, s->word, p->maximum_word_length);
    if (s->words >= p->maximum_number_of_words) return verdict_is(out, AMD_MACHINE, AMD_MAXWORDS, s->words, p->maximum_number_of_words);
    if (s->in_greeting && s->voice >= p->greeting) return verdict_is(out, AMD_MACHINE, AMD_LONGGREETING, s->voice, p->greeting);
    if (s->word >= p->min_word_length) s->in_greeting = true;
    return false;
}

static bool words_hear(struct amd_state *s, const int16_t *pcm, size_t samples, struct amd_verdict *out)
{
    uint32_t ms = (uint32_t)(samples * 1000 / s->rate);
    s->heard += ms;
    if (s->heard >= s->params.total_analysis_time) return verdict_is(out, AMD_NOTSURE, AMD_TOOLONG, s->heard, 0);
    return is_quiet(s, pcm, samples) ? hear_silence(s, ms, out) : hear_voice(s, ms, out);
}

static const struct amd_classifier classifiers[] = {
    { .name = "words", .open = words_open, .hear = words_hear, .close = words_close },
};

const struct amd_classifier *amd_classifier_find(const char *name)
{
    if (!name || !*name) return &classifiers[0];
    for (size_t i = 0; i < ARRAY_SIZE(classifiers); i++)
        if (!strcasecmp(classifiers[i].name, name)) return &classifiers[i];
    return NULL;
}
