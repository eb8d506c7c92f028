/* tone.h: tone_stream:// scripts (TGML, libteletone's grammar) rendered to linear audio.
 *
 * A script is statements separated by ';'. `X=n` sets something for what follows, anything else is a row of tones:
 *   %(on,off,f1[,f2…])  up to 6 frequencies (Hz) for `on` ms, then silence for `off` ms
 *   0-9 * # A-D         a DTMF pair, d= long and w= of silence; 1(on,off) with its own times
 *   v=dB  0 … −63 (default −7; two tones are halved each)   d=ms, w=ms  for digits (250, 62)
 *   l=n   the next tone n times                              L=n  the whole script n times
 *   >=ms, <=ms  fade out or in by one step each so many ms;  +=dB  the step (1)
 *   c=, r=      channels and rate: ignored, the leg decides
 *   loops=n     play the whole n times, −1 = for ever */
#ifndef MEDIA_TONE_H
#define MEDIA_TONE_H

#include <stddef.h>
#include <stdint.h>

#define TONE_SECONDS_MAX     120u /* of one rendering; loops= does not count */
#define TONE_FREQUENCIES_MAX 6u

struct tone {
    int16_t *pcm; /* free() it */
    size_t samples;
    int loops; /* 1 if nothing was said, −1 = for ever */
};

/* 0, -EINVAL (no tone in it, or syntax), -E2BIG (longer than TONE_SECONDS_MAX), -ENOMEM. */
int tone_render(struct tone *out, const char *script, uint32_t rate);

/* One DTMF pair as libteletone's: low and high frequency; 0 or -EINVAL. */
int tone_dtmf(char digit, double *low, double *high);
/* Peak amplitude of one tone at `db` (libteletone's scale: 0 dB = 0 dBm0 sine of G.711's overload point 3.14+3.02). */
double tone_amplitude(double db);

#endif
