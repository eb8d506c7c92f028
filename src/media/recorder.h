/* recorder.h: one recording: a ring between the media thread, which pushes frames and never waits, and a writer thread, which
 * opens, writes and closes the file. A full ring loses whole frames and counts them; silence takes their place in the file, so that its
 * length stays that of the call. */
#ifndef MEDIA_RECORDER_H
#define MEDIA_RECORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct recorder;

struct recorder_params {
    const char *path;   /* absolute; the suffix chooses: wav flac ogg opus mp3 au aiff w64 caf gsm PCMU PCMA raw sln … */
    uint32_t file_rate; /* 0 = the leg's */
    bool append;        /* if the file is there */
    bool stereo;
    uint32_t min_ms;                                                    /* a shorter one is deleted on closing */
    const char *title, *artist, *comment, *copyright, *software, *date; /* NULL = none */
};

struct recorder_result {
    int error;            /* 0, or -errno of opening or writing */
    bool opened;          /* so far it came: an error is the disk's */
    uint64_t samples;     /* written now, per channel, at the file's rate */
    uint32_t rate;        /* the file's */
    uint64_t bytes;       /* file size afterwards */
    uint64_t frames_lost; /* 20 ms frames lost to a full ring */
    bool deleted;         /* shorter than min_ms */
};

/* Any thread; touches no file. Strings are copied. NULL when out of memory. */
struct recorder *recorder_new(const struct recorder_params *params);
void recorder_free(struct recorder *recorder);

/* --- media thread --- */
/* Once, before the first push: the rate of what will be pushed. */
void recorder_begin(struct recorder *recorder, uint32_t rate);
/* A frame. Mono: `left` alone. Stereo: both (NULL = silence). false: the ring is full, the frame is lost and counted. */
bool recorder_push(struct recorder *recorder, const int16_t *left, const int16_t *right, size_t samples);
/* Time passed without a frame: as much silence. */
void recorder_skip(struct recorder *recorder, size_t samples);
/* What was written so far is thrown away (the file becomes empty). */
void recorder_truncate(struct recorder *recorder);
void recorder_finish(struct recorder *recorder);
bool recorder_failed(const struct recorder *recorder); /* could not open, or the disk refuses */

/* --- writer thread --- */
/* Opens at the first call, writes what has come. true = finished or failed, and closed: the result stands. */
bool recorder_work(struct recorder *recorder);
const struct recorder_result *recorder_result(const struct recorder *recorder);

#endif
