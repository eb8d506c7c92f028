#include "media/resample.h"

#include <errno.h>
#include <speex/speex_resampler.h>
#include <stdlib.h>
#include <string.h>

struct resampler {
    SpeexResamplerState *state;
};

struct resampler *resampler_new(uint32_t from, uint32_t to, int quality)
{
    struct resampler *resampler = calloc(1, sizeof *resampler);
    if (!resampler) return NULL;
    int error = 0;
    resampler->state = speex_resampler_init(1, from, to, quality, &error);
    if (resampler->state) return resampler;
    free(resampler);
    return NULL;
}

void resampler_free(struct resampler *resampler)
{
    if (!resampler) return;
    speex_resampler_destroy(resampler->state);
    free(resampler);
}

size_t resampler_run(struct resampler *resampler, const int16_t *in, size_t count, int16_t *out, size_t size)
{
    size_t made = 0;
    while (count && made < size) {
        spx_uint32_t taken = (spx_uint32_t)count, written = (spx_uint32_t)(size - made);
        speex_resampler_process_int(resampler->state, 0, in, &taken, out + made, &written);
        if (!taken && !written) break;
        in += taken;
        count -= taken;
        made += written;
    }
    return made;
}

int resample_all(const int16_t *in, size_t count, uint32_t from, uint32_t to, int16_t **out, size_t *out_count)
{
    struct resampler *resampler = resampler_new(from, to, 5);
    size_t want = (size_t)((uint64_t)count * to / from), size = want + to / 50 + 16;
    *out = resampler ? calloc(size, sizeof **out) : NULL;
    if (!*out) {
        resampler_free(resampler);
        return -ENOMEM;
    }
    speex_resampler_skip_zeros(resampler->state);
    size_t made = resampler_run(resampler, in, count, *out, size);
    /* What still sits in the filter comes out behind silence. */
    static const int16_t zeros[960];
    while (made < want) {
        size_t more = resampler_run(resampler, zeros, sizeof zeros / sizeof *zeros, *out + made, want - made);
        if (!more) break;
        made += more;
    }
    resampler_free(resampler);
    *out_count = want;
    return 0;
}
