/* detect.h: energy as FreeSWITCH counts it, and tones by Goertzel's filter. */
#ifndef MEDIA_DETECT_H
#define MEDIA_DETECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Average absolute sample of a frame, times rate/8000 (FreeSWITCH's score for record's threshold: sum / (samples / (rate/8000))). */
uint32_t energy_score(const int16_t *pcm, size_t samples, uint32_t rate);

#define TONE_DETECT_MAX 4u
struct tone_detect {
    uint32_t rate, count, hits_wanted, hits;
    float coefficient[TONE_DETECT_MAX];
    bool reported; /* one report per tone, until it stops */
};
/* All `count` frequencies must sound at once, for `hits` frames in a row. */
void tone_detect_init(struct tone_detect *detect, uint32_t rate, const uint32_t *hz, uint32_t count, uint32_t hits);
/* true once per tone. Frames of 10 to 40 ms. */
bool tone_detect_hear(struct tone_detect *detect, const int16_t *pcm, size_t samples);

#endif
