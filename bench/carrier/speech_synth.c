/* Speech-like sound without recordings: a buzzing source through three formants, with syllables, pauses and falling pitch.
 *
 * Good enough for what an engine does with it: measure energy, tell a short "hello?" from a long greeting, find the beep.
 */
#include <math.h>
#include <stdlib.h>

#include "speech.h"

#define RATE 8000.0
#define PI   3.14159265358979323846

/* One formant: a two-pole resonator. */
struct formant {
	double a, b, y1, y2;
};

static void formant_tune(struct formant *f, double hz, double width)
{
	double r = exp(-PI * width / RATE);

	f->a = 2 * r * cos(2 * PI * hz / RATE);
	f->b = -r * r;
}

static double formant_run(struct formant *f, double x)
{
	double y = x + f->a * f->y1 + f->b * f->y2;

	f->y2 = f->y1;
	f->y1 = y;
	return y;
}

static const double vowels[6][3] = {
	{730, 1090, 2440}, {530, 1840, 2480}, {390, 1990, 2550}, {570, 840, 2410}, {440, 1020, 2240}, {490, 1350, 1690},
};

static double noise(uint64_t *rng)
{
	return (double)(int64_t)rng_next(rng) / 9.3e18;
}

/* A syllable of n samples added at out: rise, vowel, fall; `pitch` glides to pitch·slope. */
static void syllable(int16_t *out, unsigned n, int vowel, double pitch, double slope, double loudness, uint64_t *rng)
{
	struct formant f[3] = {{0}};
	double phase = 0;

	for (int i = 0; i < 3; i++)
		formant_tune(&f[i], vowels[vowel % 6][i], 70 + 40 * i);
	for (unsigned i = 0; i < n; i++) {
		double at = (double)i / n, shape = at < 0.15 ? at / 0.15 : at > 0.7 ? (1 - at) / 0.3 : 1;
		double source, v;

		phase += pitch * (1 + (slope - 1) * at) / RATE;
		phase -= floor(phase);
		source = (phase < 0.4 ? sin(PI * phase / 0.4) : 0) - 0.25 + 0.05 * noise(rng);
		v = formant_run(&f[0], source) + 0.5 * formant_run(&f[1], source) + 0.25 * formant_run(&f[2], source);
		v = out[i] + v * shape * loudness * 700;
		out[i] = (int16_t)(v > 30000 ? 30000 : v < -30000 ? -30000 : v);
	}
}

static int16_t *samples_new(unsigned n, uint64_t *rng)
{
	int16_t *pcm = mem_new(n * sizeof *pcm);

	for (unsigned i = 0; i < n; i++)
		pcm[i] = (int16_t)(noise(rng) * 12);     /* the line is never quite dead */
	return pcm;
}

static const double pitches[4] = {118, 205, 96, 232};

/* "Hello?": 300 ms of line, two rising syllables, listening. A second, shorter one after four seconds. */
int16_t *synth_hello(int variant, unsigned *n)
{
	uint64_t rng = 7 + (uint64_t)variant;
	double pitch = pitches[variant & 3];
	int16_t *pcm;

	*n = 8000 * 5 + 4000;
	pcm = samples_new(*n, &rng);
	syllable(pcm + 2400, 1440, 1, pitch, 1.05, 1, &rng);
	syllable(pcm + 3920, 2400, 3, pitch * 1.1, 1.35, 0.9, &rng);
	syllable(pcm + 38400, 1280, 1, pitch, 1.05, 0.9, &rng);
	syllable(pcm + 39760, 2200, 3, pitch * 1.15, 1.4, 0.9, &rng);
	return pcm;
}

/* A greeting of 6.5 to 9.5 s in phrases with pauses, then 1000 Hz for 400 ms, then quiet. */
int16_t *synth_voicemail(int variant, unsigned *n)
{
	uint64_t rng = 77 + (uint64_t)variant;
	double pitch = pitches[(variant + 1) & 3];
	unsigned end = (unsigned)(RATE * (6.5 + variant)), at = 2400, in_phrase = 0;
	int16_t *pcm;

	*n = end + 2400 + 3200 + 8000;
	pcm = samples_new(*n, &rng);
	while (at + 3000 < end) {
		unsigned length = 1000 + (unsigned)(rng_next(&rng) % 1100);

		syllable(pcm + at, length, (int)(rng_next(&rng) % 6), pitch * (1.15 - 0.03 * in_phrase), 0.95, 0.9, &rng);
		at += length + 200 + (unsigned)(rng_next(&rng) % 400);
		if (++in_phrase > 6 + rng_next(&rng) % 5) {
			at += 2400;
			in_phrase = 0;
		}
	}
	for (unsigned i = 0; i < 3200; i++)
		pcm[end + 2400 + i] = (int16_t)(9000 * sin(2 * PI * 1000 * i / RATE));
	return pcm;
}

/* `on` samples of the tones together, then `off` of nothing. */
int16_t *synth_tones(const double *hz, int tones, double amplitude, unsigned on, unsigned off, unsigned *n)
{
	int16_t *pcm = mem_new((on + off) * sizeof *pcm);

	*n = on + off;
	for (unsigned i = 0; i < on; i++) {
		double v = 0;

		for (int t = 0; t < tones; t++)
			v += amplitude * sin(2 * PI * hz[t] * i / RATE);
		pcm[i] = (int16_t)v;
	}
	return pcm;
}

/* Special information tone: 950, 1400, 1800 Hz, 330 ms each (ITU-T E.180), then quiet. */
int16_t *synth_sit(unsigned *n)
{
	static const double hz[3] = {950, 1400, 1800};
	int16_t *pcm;

	*n = 3 * 2640 + 8000;
	pcm = mem_new(*n * sizeof *pcm);
	for (unsigned i = 0; i < 3 * 2640; i++)
		pcm[i] = (int16_t)(8000 * sin(2 * PI * hz[i / 2640] * i / RATE));
	return pcm;
}

int16_t *synth_quiet(unsigned *n)
{
	uint64_t rng = 1;

	*n = FRAME_SAMPLES;
	return samples_new(*n, &rng);
}
