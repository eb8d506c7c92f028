#include "speech.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

uint8_t g711_ulaw(int16_t pcm)
{
	int v = pcm, sign = 0, exponent = 7;

	if (v < 0)
		v = -v, sign = 0x80;
	if (v > 32635)
		v = 32635;
	v += 132;
	for (int mask = 0x4000; !(v & mask) && exponent > 0; mask >>= 1)
		exponent--;
	return (uint8_t) ~(sign | exponent << 4 | (v >> (exponent + 3) & 15));
}

int16_t g711_from_ulaw(uint8_t u)
{
	int v;

	u = (uint8_t)~u;
	v = (((u & 15) << 3) + 132) << (u >> 4 & 7);
	return (int16_t)(u & 0x80 ? 132 - v : v - 132);
}

uint8_t g711_alaw(int16_t pcm)
{
	int v = pcm >> 3, sign = 0xd5, segment = 0;

	if (v < 0)
		v = -v - 1, sign = 0x55;
	while (segment < 7 && v > (0x20 << segment) - 1)
		segment++;
	return (uint8_t)((segment << 4 | (segment < 2 ? v >> 1 & 15 : v >> segment & 15)) ^ sign);
}

int16_t g711_from_alaw(uint8_t a)
{
	int v, segment;

	a ^= 0x55;
	v = (a & 15) << 4;
	segment = a >> 4 & 7;
	v = segment == 0 ? v + 8 : (v + 0x108) << (segment - 1);
	return (int16_t)(a & 0x80 ? v : -v);
}

int digit_index(char digit)
{
	static const char digits[] = "0123456789*#ABCD";
	const char *at = digit ? strchr(digits, digit) : NULL;

	return at ? (int)(at - digits) : -1;
}

static const struct clip *clip_find(const struct speech *s, const char *name)
{
	for (unsigned i = 0; i < s->count; i++)
		if (strcmp(s->clips[i].name, name) == 0)
			return &s->clips[i];
	return NULL;
}

/* Encodes and keeps n samples (freed here); the last frame is filled with zero. NULL when the table is full. */
static const struct clip *clip_add(struct speech *s, const char *name, int16_t *pcm, unsigned n, bool loops)
{
	struct clip *c;

	if (!pcm || s->count == CLIPS_MAX) {
		free(pcm);
		return NULL;
	}
	c = &s->clips[s->count++];
	c->name = str_copy(str_of(name));
	c->loops = loops;
	c->frames = (n + FRAME_SAMPLES - 1) / FRAME_SAMPLES;
	c->data[0] = mem_new((size_t)c->frames * FRAME_SAMPLES);
	c->data[1] = mem_new((size_t)c->frames * FRAME_SAMPLES);
	for (unsigned i = 0; i < c->frames * FRAME_SAMPLES; i++) {
		int16_t v = i < n ? pcm[i] : 0;

		c->data[0][i] = g711_ulaw(v);
		c->data[1][i] = g711_alaw(v);
	}
	free(pcm);
	return c;
}

void speech_init(struct speech *s)
{
	static const double rows[] = {697, 770, 852, 941}, columns[] = {1209, 1336, 1477, 1633};
	static const char keys[] = "123A456B789C*0#D";
	unsigned n;
	int16_t *pcm = synth_quiet(&n);

	s->quiet = clip_add(s, "quiet", pcm, n, true);
	for (int i = 0; i < 16; i++) {
		double hz[2] = {rows[i / 4], columns[i % 4]};
		char name[] = {'k', 'e', 'y', keys[i], 0};

		pcm = synth_tones(hz, 2, 7000, 800, 0, &n);
		s->digit[digit_index(keys[i])] = clip_add(s, name, pcm, n, false);
	}
}

static const struct clip *clip_make(struct speech *s, const char *name, char *err, size_t err_size)
{
	static const double ringback[] = {425}, busy[] = {425};
	unsigned n = 0;
	int16_t *pcm = NULL;
	bool loops = false;

	if (strncmp(name, "hello-", 6) == 0) {
		pcm = synth_hello(name[6] - '0', &n);
	} else if (strncmp(name, "voicemail-", 10) == 0) {
		pcm = synth_voicemail(name[10] - '0', &n);
	} else if (strcmp(name, "ringback") == 0) {
		pcm = synth_tones(ringback, 1, 6000, 8000, 32000, &n);
		loops = true;
	} else if (strcmp(name, "busytone") == 0) {
		pcm = synth_tones(busy, 1, 6000, 4000, 4000, &n);
		loops = true;
	} else if (strcmp(name, "sit") == 0) {
		pcm = synth_sit(&n);
	} else if (strncmp(name, "tone:", 5) == 0) {
		int64_t hz = str_number(str_of(name + 5));
		double one[1] = {(double)hz};

		if (hz >= 50 && hz <= 3900)
			pcm = synth_tones(one, 1, 8000, 8000, 0, &n);    /* a whole second: any whole frequency closes its period */
		loops = true;
	} else if (strlen(name) > 4 && strcmp(name + strlen(name) - 4, ".wav") == 0) {
		pcm = wav_read(name, &n, err, err_size);
	}
	return clip_add(s, name, pcm, n, loops);
}

bool speech_sound(struct speech *s, struct str name, struct sound *out, char *err, size_t err_size)
{
	char text[600];
	bool person = str_is(name, "hello") || str_is(name, "voicemail");

	memset(out, 0, sizeof *out);
	err[0] = 0;
	if (str_is(name, "none") || str_is(name, "echo")) {
		out->kind = str_is(name, "echo") ? SOUND_ECHO : SOUND_NONE;
		return true;
	}
	if (name.n == 0 || name.n > 500)
		return false;
	out->variants = person ? 4 : 1;
	for (unsigned i = 0; i < out->variants; i++) {
		snprintf(text, sizeof text, person ? "%.*s-%u" : "%.*s", (int)name.n, name.p, i);
		out->clip[i] = clip_find(s, text);
		if (!out->clip[i])
			out->clip[i] = clip_make(s, text, err, err_size);
		if (!out->clip[i])
			return false;
	}
	return true;
}

void speech_free(struct speech *s)
{
	for (unsigned i = 0; i < s->count; i++) {
		free(s->clips[i].name);
		free(s->clips[i].data[0]);
		free(s->clips[i].data[1]);
	}
	s->count = 0;
}
