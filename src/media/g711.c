/* g711.c: the loops, kept apart so that the compiler sees restrict pointers and nothing else. */
#include "media/g711.h"

void g711_ulaw_encode_all(const int16_t *restrict in, uint8_t *restrict out, size_t count)
{
    for (size_t i = 0; i < count; i++) out[i] = g711_ulaw_encode(in[i]);
}

void g711_ulaw_decode_all(const uint8_t *restrict in, int16_t *restrict out, size_t count)
{
    for (size_t i = 0; i < count; i++) out[i] = g711_ulaw_decode(in[i]);
}

void g711_alaw_encode_all(const int16_t *restrict in, uint8_t *restrict out, size_t count)
{
    for (size_t i = 0; i < count; i++) out[i] = g711_alaw_encode(in[i]);
}

void g711_alaw_decode_all(const uint8_t *restrict in, int16_t *restrict out, size_t count)
{
    for (size_t i = 0; i < count; i++) out[i] = g711_alaw_decode(in[i]);
}
