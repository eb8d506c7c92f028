/* comfort_noise.h: RFC 3389's noise: a level, and silence filled with it. */
#ifndef MEDIA_COMFORT_NOISE_H
#define MEDIA_COMFORT_NOISE_H

#include <stddef.h>
#include <stdint.h>

/* Peak of evenly distributed noise whose level is −`dbov` (0..127) below overload: 0 for less than a step. */
int32_t comfort_noise_peak(uint8_t dbov);
/* `peak` 0 is silence. `seed` goes on from call to call. */
void comfort_noise_fill(int16_t *pcm, size_t samples, int32_t peak, uint32_t *seed);

#endif
