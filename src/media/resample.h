/* resample.h: change of sample rate by libspeexdsp. One object per stream and direction. */
#ifndef MEDIA_RESAMPLE_H
#define MEDIA_RESAMPLE_H

#include <stddef.h>
#include <stdint.h>

struct resampler;

/* One channel, `quality` 0..10 (5: good for voice). NULL when out of memory. */
struct resampler *resampler_new(uint32_t from, uint32_t to, int quality);
void resampler_free(struct resampler *resampler);
/* Takes all of `in`; returns samples written to out (at most `size`, which should hold count × to / from + 1). */
size_t resampler_run(struct resampler *resampler, const int16_t *in, size_t count, int16_t *out, size_t size);

/* A whole recording at once: *out is malloced and begins where `in` begins (no filter delay). 0 or -ENOMEM. */
int resample_all(const int16_t *in, size_t count, uint32_t from, uint32_t to, int16_t **out, size_t *out_count);

#endif
