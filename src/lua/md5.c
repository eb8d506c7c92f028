/* md5.c: RFC 1321. */
#include "lua/md5.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static uint32_t rotate(uint32_t x, unsigned n) { return (x << n) | (x >> (32 - n)); }

static void block_add(uint32_t h[4], const uint8_t *block, const uint32_t k[64])
{
    static const uint8_t shifts[4][4] = { { 7, 12, 17, 22 }, { 5, 9, 14, 20 }, { 4, 11, 16, 23 }, { 6, 10, 15, 21 } };
    uint32_t w[16], a = h[0], b = h[1], c = h[2], d = h[3];
    for (int i = 0; i < 16; i++)
        w[i] = block[i * 4] | (uint32_t)block[i * 4 + 1] << 8 | (uint32_t)block[i * 4 + 2] << 16 | (uint32_t)block[i * 4 + 3] << 24;
    for (unsigned i = 0; i < 64; i++) {
        unsigned round = i / 16, g;
        uint32_t f;
        switch (round) {
        case 0:
            f = (b & c) | (~b & d);
            g = i;
            break;
        case 1:
            f = (d & b) | (~d & c);
            g = (5 * i + 1) % 16;
            break;
        case 2:
            f = b ^ c ^ d;
            g = (3 * i + 5) % 16;
            break;
        default:
            f = c ^ (b | ~d);
            g = (7 * i) % 16;
        }
        f += a + k[i] + w[g];
        a = d;
        d = c;
        c = b;
        b += rotate(f, shifts[round][i % 4]);
    }
    h[0] += a;
    h[1] += b;
    h[2] += c;
    h[3] += d;
}

void md5_hex(const void *data, size_t length, char out[33])
{
    uint32_t h[4] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 }, k[64];
    const uint8_t *at = data;
    uint8_t tail[128] = { 0 };
    size_t rest = length % 64, tail_length = rest < 56 ? 64 : 128;
    uint64_t bits = (uint64_t)length * 8;
    for (int i = 0; i < 64; i++) k[i] = (uint32_t)(fabs(sin(i + 1)) * 4294967296.0); /* the RFC's table T */
    for (size_t i = 0; i < length / 64; i++) block_add(h, at + i * 64, k);
    if (rest) memcpy(tail, at + length - rest, rest);
    tail[rest] = 0x80;
    for (int i = 0; i < 8; i++) tail[tail_length - 8 + (size_t)i] = (uint8_t)(bits >> (8 * i));
    for (size_t i = 0; i < tail_length; i += 64) block_add(h, tail + i, k);
    for (int i = 0; i < 16; i++) sprintf(out + i * 2, "%02x", (h[i / 4] >> (8 * (i % 4))) & 255);
}
