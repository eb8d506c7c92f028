/* speech.h: text to linear audio by flite. Blocks for some hundredths of the speech's length: for helper threads only. */
#ifndef MEDIA_SPEECH_H
#define MEDIA_SPEECH_H

#include <stddef.h>
#include <stdint.h>

#define SPEECH_TEXT_MAX    4000u /* bytes of one text: some five minutes */
#define SPEECH_SECONDS_MAX 600u
#define SPEECH_VOICE_MAX   16u

struct speech {
    int16_t *pcm; /* free() it */
    size_t samples;
    uint32_t rate; /* as asked for */
};

/* `voice`: slt, awb, rms, kal (FreeSWITCH's kal is flite's kal16, which is at its rate) or kal16, any case. 0; -ENOENT (no such voice
 * here), -EINVAL (nothing to say), -E2BIG (text or sound too long), -ENOMEM. Any number of threads; one at a time synthesises. */
int speech_render(struct speech *out, const char *voice, const char *text, uint32_t rate);

/* Takes "VOICE|TEXT" apart: `voice` gets at most SPEECH_VOICE_MAX bytes; returns the text, NULL if there is no '|' or the voice's name
 * is too long. */
const char *speech_parse(const char *source, char voice[SPEECH_VOICE_MAX]);

/* Syntheses so far in this process, for tests and figures. */
uint64_t speech_count(void);

#endif
