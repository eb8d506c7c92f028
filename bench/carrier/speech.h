/* What callees sound like: clips of 20 ms frames, synthesised or read from WAV once at start, encoded once per codec. */
#ifndef CARRIER_SPEECH_H
#define CARRIER_SPEECH_H

#include "base.h"

#define FRAME_SAMPLES 160
#define CLIPS_MAX     256

/* G.711 (ITU-T G.711), one sample. */
uint8_t g711_ulaw(int16_t pcm);
uint8_t g711_alaw(int16_t pcm);
int16_t g711_from_ulaw(uint8_t v);
int16_t g711_from_alaw(uint8_t v);

struct clip {
	char *name;
	unsigned frames;
	bool loops;              /* else quiet follows */
	uint8_t *data[2];        /* PCMU, PCMA: frames × 160 bytes */
};

enum sound_kind { SOUND_CLIP, SOUND_NONE, SOUND_ECHO };

struct sound {
	enum sound_kind kind;
	unsigned variants;       /* one is drawn per call, so that not every callee is the same person */
	const struct clip *clip[4];
};

struct speech {
	struct clip clips[CLIPS_MAX];
	unsigned count;
	const struct clip *quiet;        /* one frame of faint noise */
	const struct clip *digit[16];    /* in-band 0-9 * # A-D, 100 ms each */
};

void speech_init(struct speech *s);
void speech_free(struct speech *s);
/* A sound by name: hello, voicemail, ringback, busytone, sit, quiet, none, echo, tone:HZ, or a WAV file (8 kHz mono 16 bit).
 * False with a short reason in err when there is none such. */
bool speech_sound(struct speech *s, struct str name, struct sound *out, char *err, size_t err_size);
/* 0…15 for 0-9 * # A-D, or -1. */
int digit_index(char digit);

/* speech_synth.c: samples of each kind; the caller frees. *n receives their count. */
int16_t *synth_hello(int variant, unsigned *n);
int16_t *synth_voicemail(int variant, unsigned *n);
int16_t *synth_tones(const double *hz, int tones, double amplitude, unsigned on, unsigned off, unsigned *n);
int16_t *synth_sit(unsigned *n);
int16_t *synth_quiet(unsigned *n);
/* wav.c */
int16_t *wav_read(const char *path, unsigned *n, char *err, size_t err_size);

#endif
