/* TGML: any text ends, in bounded time and memory. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "media/tone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char text[256];
    struct tone tone;
    if (size >= sizeof text) return 0;
    memcpy(text, data, size);
    text[size] = 0;
    if (tone_render(&tone, text, 8000)) return 0;
    CHECK(tone.samples > 0 && tone.samples <= TONE_SECONDS_MAX * 8000);
    free(tone.pcm);
    return 0;
}
