/* WAV in: RIFF, 8 kHz, mono, 16-bit PCM; at most ten minutes. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "speech.h"

#define WAV_BYTES_MAX (600 * 8000 * 2)

static uint32_t little(const uint8_t *p, int bytes)
{
	uint32_t v = 0;

	for (int i = bytes - 1; i >= 0; i--)
		v = v << 8 | p[i];
	return v;
}

/* Reads the chunks up to and with "data". NULL when fine, else what is wrong. */
static const char *wav_chunks(FILE *f, int16_t **pcm, unsigned *n)
{
	uint8_t head[12], fmt[16], chunk[8];
	bool known = false;

	if (fread(head, 1, 12, f) != 12 || memcmp(head, "RIFF", 4) != 0 || memcmp(head + 8, "WAVE", 4) != 0)
		return "not a WAV file";
	while (fread(chunk, 1, 8, f) == 8) {
		uint32_t size = little(chunk + 4, 4);

		if (memcmp(chunk, "fmt ", 4) == 0) {
			if (size < 16 || fread(fmt, 1, 16, f) != 16)
				return "WAV format chunk is too short";
			known = little(fmt, 2) == 1 && little(fmt + 2, 2) == 1 && little(fmt + 4, 4) == 8000 && little(fmt + 14, 2) == 16;
			if (!known)
				return "WAV is not 8 kHz mono 16-bit PCM";
			size -= 16;
		} else if (memcmp(chunk, "data", 4) == 0) {
			uint8_t *raw;

			if (!known)
				return "WAV data before its format";
			if (size > WAV_BYTES_MAX)
				size = WAV_BYTES_MAX;
			raw = mem_new(size + 2);
			*n = (unsigned)(fread(raw, 1, size, f) / 2);
			*pcm = mem_new((*n + 1) * sizeof **pcm);
			for (unsigned i = 0; i < *n; i++)
				(*pcm)[i] = (int16_t)little(raw + 2 * i, 2);
			free(raw);
			return *n ? NULL : "WAV has no samples";
		}
		if (fseek(f, (long)(size + (size & 1)), SEEK_CUR) != 0)
			return "WAV is cut off";
	}
	return "WAV has no data";
}

int16_t *wav_read(const char *path, unsigned *n, char *err, size_t err_size)
{
	FILE *f = fopen(path, "rb");
	int16_t *pcm = NULL;
	const char *why;

	if (!f) {
		snprintf(err, err_size, "%s", strerror(errno));
		return NULL;
	}
	why = wav_chunks(f, &pcm, n);
	fclose(f);
	if (why) {
		snprintf(err, err_size, "%s", why);
		free(pcm);
		return NULL;
	}
	return pcm;
}
