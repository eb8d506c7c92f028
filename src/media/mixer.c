#include "media/mixer.h"

static inline int16_t saturate(int32_t value) { return (int16_t)(value > 32767 ? 32767 : value < -32768 ? -32768 : value); }

void mix_add(int32_t *restrict sum, const int16_t *restrict in, size_t samples)
{
    for (size_t i = 0; i < samples; i++) sum[i] += in[i];
}

void mix_minus(int16_t *restrict out, const int32_t *restrict sum, const int16_t *restrict self, size_t samples)
{
    if (!self) {
        for (size_t i = 0; i < samples; i++) out[i] = saturate(sum[i]);
        return;
    }
    for (size_t i = 0; i < samples; i++) out[i] = saturate(sum[i] - self[i]);
}

void mix_two(int16_t *out, const int16_t *a, const int16_t *b, size_t samples)
{
    for (size_t i = 0; i < samples; i++) out[i] = saturate((int32_t)a[i] + b[i]);
}

void mix_gain(int16_t *pcm, size_t samples, int level)
{
    /* In 1/256, so that the loop stays in integers. */
    static const int32_t up[5] = { 256, 333, 589, 845, 1101 }, down[5] = { 256, 205, 154, 102, 51 };
    if (!level) return;
    int steps = level < 0 ? -level : level;
    int32_t factor = (level > 0 ? up : down)[steps > 4 ? 4 : steps];
    for (size_t i = 0; i < samples; i++) pcm[i] = saturate(pcm[i] * factor / 256);
}

void mix_reference(int16_t *const *out, const int16_t *const *in, size_t parties, size_t samples)
{
    for (size_t party = 0; party < parties; party++) {
        for (size_t i = 0; i < samples; i++) {
            int32_t sum = 0;
            for (size_t other = 0; other < parties; other++)
                if (other != party) sum += in[other][i];
            out[party][i] = saturate(sum);
        }
    }
}
