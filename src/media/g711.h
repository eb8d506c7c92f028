/* g711.h: ITU-T G.711, both laws.
 *
 * Computed, not looked up: segment and mantissa come from the position of the top bit, so the loops below are turned into vector
 * code and no table competes for the first-level cache with packets. tests/media/g711_test.c holds them to ITU's values. */
#ifndef MEDIA_G711_H
#define MEDIA_G711_H

#include <stddef.h>
#include <stdint.h>

#define G711_ULAW_SILENCE 0xFF
#define G711_ALAW_SILENCE 0xD5

static inline uint8_t g711_ulaw_encode(int16_t sample)
{
    int linear = sample;
    int sign = linear < 0 ? 0x7F : 0xFF;
    linear = 0x84 + (linear < 0 ? -linear : linear);
    if (linear > 0x7FFF) linear = 0x7FFF;
    int segment = 24 - __builtin_clz((unsigned)(linear | 0xFF)); /* 0..7: top bit − 7 */
    return (uint8_t)(((segment << 4) | ((linear >> (segment + 3)) & 0xF)) ^ sign);
}

static inline int16_t g711_ulaw_decode(uint8_t code)
{
    code = (uint8_t)~code;
    int magnitude = ((((code & 0xF) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84;
    return (int16_t)((code & 0x80) ? -magnitude : magnitude);
}

static inline uint8_t g711_alaw_encode(int16_t sample)
{
    int linear = sample;
    int mask = 0xD5;
    if (linear < 0) {
        linear = -linear - 1;
        mask = 0x55;
    }
    int segment = 24 - __builtin_clz((unsigned)(linear | 0xFF));
    return (uint8_t)(((segment << 4) | ((linear >> (segment ? segment + 3 : 4)) & 0xF)) ^ mask);
}

static inline int16_t g711_alaw_decode(uint8_t code)
{
    code ^= 0x55;
    int segment = (code & 0x70) >> 4;
    int magnitude = (code & 0xF) << 4;
    magnitude = segment ? (magnitude + 0x108) << (segment - 1) : magnitude + 8;
    return (int16_t)((code & 0x80) ? magnitude : -magnitude);
}

/* Whole frames. `count` samples; in and out must not overlap. */
void g711_ulaw_encode_all(const int16_t *in, uint8_t *out, size_t count);
void g711_ulaw_decode_all(const uint8_t *in, int16_t *out, size_t count);
void g711_alaw_encode_all(const int16_t *in, uint8_t *out, size_t count);
void g711_alaw_decode_all(const uint8_t *in, int16_t *out, size_t count);

#endif
