/* progress.h: what a network says in tones: busy, reorder, ringback, the eight special information tones, fax calling and answering,
 * and the beep of an answering machine. Hears frames of 20 ms; a few microseconds each.
 *
 * Busy, reorder and ringback are told by their rhythm, as their frequencies differ from country to country: all energy between 325
 * and 675 Hz (ITU-T E.180), on and off for as long as the sound says. */
#ifndef MEDIA_PROGRESS_H
#define MEDIA_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "media/codec.h"

enum progress_sound {
    PROGRESS_NONE,
    PROGRESS_BUSY,     /* 300–640 ms on and as long off, twice */
    PROGRESS_REORDER,  /* 160–290 ms on and off, three times */
    PROGRESS_RINGBACK, /* 700–2600 ms on, or two short ones, then 1700 ms off */
    PROGRESS_CNG,      /* 1100 Hz for half a second: a fax calls */
    PROGRESS_CED,      /* 2100 Hz for more than a second: a fax or modem answers */
    PROGRESS_BEEP, /* one tone of 350–2000 Hz, 120–1200 ms; below 520 Hz told only 1.8 s later, as a network's tone would come again */
    PROGRESS_SIT_IC,  /* intercept: the number is not in service */
    PROGRESS_SIT_VC,  /* vacant code */
    PROGRESS_SIT_RO,  /* reorder, own network */
    PROGRESS_SIT_RO2, /* reorder, another carrier */
    PROGRESS_SIT_NC,  /* no circuit, own network */
    PROGRESS_SIT_NC2, /* no circuit, another carrier */
    PROGRESS_SIT_1,   /* reserved codes */
    PROGRESS_SIT_2,
    PROGRESS_COUNT
};

#define PROGRESS_BINS 77u /* 300 to 2200 Hz by 25 */

struct progress {
    uint32_t samples; /* of a frame */
    float coefficient[PROGRESS_BINS], window[CODEC_FRAME_MAX];
    /* the single tone that sounds, or sounded last */
    float hz;
    uint32_t tone_frames, since_tone; /* how long; frames since it ended */
    bool tone_told;
    /* how steady it was, but for its first and last frame: a machine's beep is, a singing vowel is not */
    float hz_last, hz_low, hz_high, level_last, level_low, level_high;
    /* special information tones so far */
    float sit_hz[2];
    uint32_t sit_frames[2], sit_count;
    /* rhythm */
    uint32_t on, off, last_on, last_off, before_on;
    float on_level;
    uint32_t busy, reorder;
    uint32_t odd; /* frames in a row that fit no rhythm */
};

/* `rate` of the audio: 8000 to 48000. */
void progress_init(struct progress *progress, uint32_t rate);
/* 20 ms. What was just recognised, mostly nothing. */
enum progress_sound progress_hear(struct progress *progress, const int16_t *pcm);
/* "busy", "sit-ic" … */
const char *progress_name(enum progress_sound sound);

#endif
