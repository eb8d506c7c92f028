/* progress.c: each frame becomes silence, one tone with its frequency, energy of the call progress band, or something else; runs of them
 * become sounds. */
#include "media/progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"

#define BIN_FIRST    300
#define BIN_STEP     25
#define LEVEL_MIN    (100.0f * 100.0f) /* mean square: about −47 dBm0 */
#define TONE_SHARE   0.85f             /* of a frame's energy, to be one tone */
#define BAND_SHARE   0.80f
#define STEADY_HZ    12.0f
#define STEADY_LEVEL 2.0f /* 3 dB */
#define SIT_LONG     16u  /* frames: between 274 ms (12 or 13 whole ones) and 380 (18) */

void progress_init(struct progress *progress, uint32_t rate)
{
    *progress = (struct progress) { .samples = rate / 50, .since_tone = 1000 };
    CHECK(progress->samples <= CODEC_FRAME_MAX);
    for (uint32_t i = 0; i < PROGRESS_BINS; i++)
        progress->coefficient[i] = 2 * cosf(2 * (float)M_PI * (float)(BIN_FIRST + BIN_STEP * i) / (float)rate);
    for (uint32_t i = 0; i < progress->samples; i++)
        progress->window[i] = 0.5f - 0.5f * cosf(2 * (float)M_PI * ((float)i + 0.5f) / (float)progress->samples);
}

struct look {
    bool silent, tone, band;
    float hz, level;
};

/* With Hann's window a pure tone gives 3·|X|² = energy · samples at its peak, and all bins together (25 Hz apart) energy · samples. */
static struct look frame_look(struct progress *progress, const int16_t *pcm)
{
    float frame[CODEC_FRAME_MAX], power[PROGRESS_BINS], energy = 0, plain = 0, band = 0;
    uint32_t peak = 0, n = progress->samples;
    for (uint32_t i = 0; i < n; i++) {
        frame[i] = progress->window[i] * pcm[i];
        energy += frame[i] * frame[i];
        plain += (float)pcm[i] * pcm[i];
    }
    struct look look = { .level = plain / (float)n };
    look.silent = look.level < LEVEL_MIN;
    if (look.silent) return look;
    for (uint32_t b = 0; b < PROGRESS_BINS; b++) {
        float s1 = 0, s2 = 0, c = progress->coefficient[b];
        for (uint32_t i = 0; i < n; i++) {
            float s0 = frame[i] + c * s1 - s2;
            s2 = s1;
            s1 = s0;
        }
        power[b] = s1 * s1 + s2 * s2 - c * s1 * s2;
        if (power[b] > power[peak]) peak = b;
        if (b <= 15) band += power[b];
    }
    look.band = band > BAND_SHARE * energy * (float)n;
    look.tone = peak > 0 && peak < PROGRESS_BINS - 1 && 3 * power[peak] > TONE_SHARE * energy * (float)n;
    if (look.tone) {
        float a = logf(power[peak - 1] + 1), b = logf(power[peak] + 1), c = logf(power[peak + 1] + 1);
        look.hz = (float)BIN_FIRST + (float)BIN_STEP * ((float)peak + 0.5f * (a - c) / (a - 2 * b + c));
    }
    return look;
}

/* --- single tones --------------------------------------------------------------------------------------------------- */

/* Bell's table: frequency and duration of the first two segments, low or high, short or long; the third is always 1776.7 Hz. */
static enum progress_sound sit_decode(const struct progress *p)
{
    static const struct {
        bool high[2], longer[2];
        enum progress_sound sound;
    } table[] = {
        { { 0, 0 }, { 0, 0 }, PROGRESS_SIT_IC },  { { 0, 0 }, { 1, 1 }, PROGRESS_SIT_NC2 }, { { 1, 0 }, { 1, 0 }, PROGRESS_SIT_VC },
        { { 1, 0 }, { 0, 1 }, PROGRESS_SIT_RO2 }, { { 0, 1 }, { 1, 0 }, PROGRESS_SIT_1 },   { { 0, 1 }, { 0, 1 }, PROGRESS_SIT_RO },
        { { 1, 1 }, { 0, 0 }, PROGRESS_SIT_2 },   { { 1, 1 }, { 1, 1 }, PROGRESS_SIT_NC },
    };
    bool high[2] = { p->sit_hz[0] > 949.5f, p->sit_hz[1] > 1399.5f };
    bool longer[2] = { p->sit_frames[0] >= SIT_LONG, p->sit_frames[1] >= SIT_LONG };
    for (size_t i = 0; i < ARRAY_SIZE(table); i++)
        if (!memcmp(high, table[i].high, sizeof high) && !memcmp(longer, table[i].longer, sizeof longer)) return table[i].sound;
    return PROGRESS_SIT_IC; /* a combination that nobody assigned: still "cannot be completed as dialled" */
}

static bool near(float hz, float wanted, float within) { return fabsf(hz - wanted) <= within; }

/* A segment has ended: does it belong to a special information tone? */
static void sit_segment(struct progress *p)
{
    bool fits = p->tone_frames >= 10 && p->tone_frames <= 22;
    if (fits && near(p->hz, 950, 60)) {
        p->sit_count = 0;
    } else if (!fits || p->sit_count != 1 || !near(p->hz, 1400, 55)) {
        p->sit_count = 0;
        return;
    }
    p->sit_hz[p->sit_count] = p->hz;
    p->sit_frames[p->sit_count++] = p->tone_frames;
}

static enum progress_sound tone_goes_on(struct progress *p)
{
    if (p->tone_told) return PROGRESS_NONE;
    enum progress_sound sound = PROGRESS_NONE;
    if (p->sit_count == 2 && p->tone_frames >= 10 && near(p->hz, 1777, 55)) sound = sit_decode(p);
    if (p->tone_frames >= 55 && near(p->hz, 2100, 25)) sound = PROGRESS_CED;
    p->tone_told = sound != PROGRESS_NONE;
    if (p->tone_told) p->sit_count = 0;
    return sound;
}

/* The frame before this one was an inner one of the tone. */
static void tone_measure(struct progress *p, const struct look *look)
{
    if (p->tone_frames == 2) {
        p->hz_low = p->hz_high = p->hz_last;
        p->level_low = p->level_high = p->level_last;
    } else if (p->tone_frames > 2) {
        p->hz_low = fminf(p->hz_low, p->hz_last);
        p->hz_high = fmaxf(p->hz_high, p->hz_last);
        p->level_low = fminf(p->level_low, p->level_last);
        p->level_high = fmaxf(p->level_high, p->level_last);
    }
    p->hz_last = look->hz;
    p->level_last = look->level;
}

static bool tone_is_steady(const struct progress *p)
{
    return p->hz_high - p->hz_low <= STEADY_HZ && p->level_high <= STEADY_LEVEL * p->level_low;
}

/* Some time after its end: a beep is alone; where networks have their tones, one must wait for them to come again (busy) or not to
 * (ringback). A special information tone goes on at once. */
static enum progress_sound tone_is_over(struct progress *p)
{
    if (p->tone_told || !p->tone_frames) return PROGRESS_NONE;
    uint32_t wait = p->hz < 520 ? 90 : 5;
    if (p->since_tone < wait) return PROGRESS_NONE;
    p->tone_told = true;
    if (p->tone_frames >= 21 && p->tone_frames <= 29 && near(p->hz, 1100, 40)) return PROGRESS_CNG;
    bool beep = p->tone_frames >= 5 && p->tone_frames <= 60 && p->hz >= 345 && p->hz <= 2005 && tone_is_steady(p);
    return beep ? PROGRESS_BEEP : PROGRESS_NONE;
}

static enum progress_sound hear_tone(struct progress *p, const struct look *look)
{
    if (!look->tone) {
        if (p->since_tone < 1000) p->since_tone++;
        if (p->since_tone == 1) sit_segment(p);
        if (p->since_tone > 3) p->sit_count = 0;
        return tone_is_over(p);
    }
    if (p->since_tone <= 1 && near(look->hz, p->hz, 20)) { /* a click, or an answering tone's turn of phase, is no end */
        if (p->since_tone == 1 && p->sit_count && near(p->sit_hz[p->sit_count - 1], p->hz, 1)) p->sit_count--;
        p->since_tone = 0;
        tone_measure(p, look);
        p->hz += (look->hz - p->hz) / (float)(p->tone_frames + 1);
        p->tone_frames++;
        return tone_goes_on(p);
    }
    if (p->since_tone == 0) sit_segment(p);
    p->since_tone = 0;
    p->hz = p->hz_last = look->hz;
    p->level_last = look->level;
    p->tone_frames = 1;
    p->tone_told = false;
    return PROGRESS_NONE;
}

/* --- rhythms -------------------------------------------------------------------------------------------------------- */

static bool between(uint32_t frames, uint32_t low_ms, uint32_t high_ms) { return frames * 20 >= low_ms && frames * 20 <= high_ms; }

static enum progress_sound cycle_ended(struct progress *p)
{
    uint32_t on = p->last_on, off = p->off, apart = on > off ? on - off : off - on;
    bool busy = between(on, 300, 640) && between(off, 300, 640) && apart <= 6;
    bool reorder = between(on, 160, 290) && between(off, 160, 290) && apart <= 4;
    p->busy = busy ? p->busy + 1 : 0;
    p->reorder = reorder ? p->reorder + 1 : 0;
    if (p->busy == 2) return PROGRESS_BUSY;
    return p->reorder == 3 ? PROGRESS_REORDER : PROGRESS_NONE;
}

static enum progress_sound hear_on(struct progress *p, const struct look *look)
{
    enum progress_sound sound = PROGRESS_NONE;
    if (p->off) {
        sound = cycle_ended(p);
        p->last_off = p->off;
        p->before_on = p->last_on;
        p->off = p->on = 0;
    }
    p->on++;
    p->on_level = look->level;
    return sound;
}

static enum progress_sound hear_off(struct progress *p)
{
    if (p->on) {
        p->last_on = p->on;
        p->on = 0;
    }
    if (!p->last_on) return PROGRESS_NONE;
    if (++p->off != 85) return PROGRESS_NONE;
    bool twice = between(p->last_on, 300, 500) && between(p->before_on, 300, 500) && between(p->last_off, 140, 260);
    return between(p->last_on, 700, 2600) || twice ? PROGRESS_RINGBACK : PROGRESS_NONE;
}

/* Whatever is neither the tone nor silence ends a rhythm; one mixed frame at an edge does not. */
static enum progress_sound hear_rhythm(struct progress *p, const struct look *look)
{
    bool off = look->silent || look->level * 25 < p->on_level;
    p->odd = look->band || off ? 0 : p->odd + 1;
    if (look->band) return hear_on(p, look);
    if (p->odd <= 1) return hear_off(p); /* an edge is no end of it */
    p->on = p->off = p->last_on = p->before_on = p->busy = p->reorder = 0;
    return PROGRESS_NONE;
}

enum progress_sound progress_hear(struct progress *progress, const int16_t *pcm)
{
    struct look look = frame_look(progress, pcm);
    enum progress_sound tone = hear_tone(progress, &look), rhythm = hear_rhythm(progress, &look);
    if (rhythm || progress->busy >= 2 || progress->reorder >= 3) progress->tone_told = true; /* its tone is no beep besides */
    return rhythm ? rhythm : tone;
}

const char *progress_name(enum progress_sound sound)
{
    static const char *const names[PROGRESS_COUNT] = { "none",   "busy",   "reorder", "ringback", "cng",     "ced",   "beep", "sit-ic",
                                                       "sit-vc", "sit-ro", "sit-ro2", "sit-nc",   "sit-nc2", "sit-1", "sit-2" };
    return names[sound];
}
