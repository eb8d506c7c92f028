#include "media/detect.h"

#include <math.h>
#include <stdlib.h>

uint32_t energy_score(const int16_t *pcm, size_t samples, uint32_t rate)
{
    uint32_t sum = 0, divisor = rate / 8000 ? rate / 8000 : 1; /* 20 ms of 48 kHz at full scale: 31 million, fits */
    for (size_t i = 0; i < samples; i++) sum += (uint32_t)abs(pcm[i]);
    size_t count = samples / divisor;
    return count ? (uint32_t)(sum / count) : 0;
}

void tone_detect_init(struct tone_detect *detect, uint32_t rate, const uint32_t *hz, uint32_t count, uint32_t hits)
{
    *detect = (struct tone_detect) { .rate = rate, .hits_wanted = hits ? hits : 1 };
    for (uint32_t i = 0; i < count && i < TONE_DETECT_MAX && hz[i]; i++)
        detect->coefficient[detect->count++] = 2 * cosf(2 * (float)M_PI * (float)hz[i] / (float)rate);
}

/* Power at one frequency over the frame, on the scale of a sine's energy: a pure tone gives the frame's whole energy. */
static float goertzel(const int16_t *pcm, size_t samples, float coefficient)
{
    float s1 = 0, s2 = 0;
    for (size_t i = 0; i < samples; i++) {
        float s0 = (float)pcm[i] + coefficient * s1 - s2;
        s2 = s1;
        s1 = s0;
    }
    return 2 * (s1 * s1 + s2 * s2 - coefficient * s1 * s2) / (float)samples;
}

bool tone_detect_hear(struct tone_detect *detect, const int16_t *pcm, size_t samples)
{
    float energy = 0, together = 0;
    for (size_t i = 0; i < samples; i++) energy += (float)pcm[i] * (float)pcm[i];
    /* −43 dBm0 at least; the tones hold 70 % of all energy, and none less than a tenth of its equal share. */
    bool here = detect->count && energy > (float)samples * 150.0f * 150.0f;
    for (uint32_t i = 0; here && i < detect->count; i++) {
        float power = goertzel(pcm, samples, detect->coefficient[i]);
        together += power;
        here = power > 0.1f * energy / (float)detect->count;
    }
    here = here && together > 0.7f * energy;
    if (!here) {
        detect->hits = 0;
        detect->reported = false;
        return false;
    }
    if (detect->reported || ++detect->hits < detect->hits_wanted) return false;
    detect->reported = true;
    return true;
}
