#include "media/comfort_noise.h"

#include <math.h>
#include <string.h>

/* dBov counts from a square wave at full scale (RFC 3389 §3.1); even distribution has its peak at √3 of the effective value. */
int32_t comfort_noise_peak(uint8_t dbov)
{
    double peak = 32767.0 * pow(10, -dbov / 20.0) * sqrt(3);
    return peak > 32767 ? 32767 : (int32_t)peak;
}

void comfort_noise_fill(int16_t *pcm, size_t samples, int32_t peak, uint32_t *seed)
{
    if (!peak) {
        memset(pcm, 0, samples * sizeof *pcm);
        return;
    }
    for (size_t i = 0; i < samples; i++) {
        *seed = *seed * 1664525u + 1013904223u;
        pcm[i] = (int16_t)((int64_t)(int16_t)(*seed >> 16) * peak / 32768);
    }
}
