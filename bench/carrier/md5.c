/* MD5 (RFC 1321), for digest authentication only. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "auth.h"

static uint32_t rotate(uint32_t v, int n)
{
	return v << n | v >> (32 - n);
}

static void md5_block(uint32_t state[4], const uint8_t *p)
{
	static const int shifts[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};
	uint32_t w[16], a = state[0], b = state[1], c = state[2], d = state[3];

	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)p[4 * i] | (uint32_t)p[4 * i + 1] << 8 | (uint32_t)p[4 * i + 2] << 16 | (uint32_t)p[4 * i + 3] << 24;
	for (int i = 0; i < 64; i++) {
		uint32_t f, k = (uint32_t)(fabs(sin(i + 1)) * 4294967296.0), swap;
		int g;

		if (i < 16)
			f = (b & c) | (~b & d), g = i;
		else if (i < 32)
			f = (d & b) | (~d & c), g = (5 * i + 1) & 15;
		else if (i < 48)
			f = b ^ c ^ d, g = (3 * i + 5) & 15;
		else
			f = c ^ (b | ~d), g = (7 * i) & 15;
		swap = d;
		d = c;
		c = b;
		b += rotate(a + f + k + w[g], shifts[i / 16][i & 3]);
		a = swap;
	}
	state[0] += a, state[1] += b, state[2] += c, state[3] += d;
}

void md5_hex(char out[33], const char *data, size_t n)
{
	uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
	uint8_t tail[128] = {0};
	size_t whole = n & ~(size_t)63, rest = n - whole, tail_n = rest < 56 ? 64 : 128;

	for (size_t i = 0; i < whole; i += 64)
		md5_block(state, (const uint8_t *)data + i);
	memcpy(tail, data + whole, rest);
	tail[rest] = 0x80;
	for (int i = 0; i < 8; i++)
		tail[tail_n - 8 + (size_t)i] = (uint8_t)((uint64_t)n * 8 >> (8 * i));
	for (size_t i = 0; i < tail_n; i += 64)
		md5_block(state, tail + i);
	for (int i = 0; i < 16; i++)
		snprintf(out + 2 * i, 3, "%02x", state[i / 4] >> (8 * (i & 3)) & 255);
}
