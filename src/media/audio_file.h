/* audio_file.h: reading a whole sound file into linear mono audio (libsndfile, and headerless codec files). Blocks: for helper
 * threads only. */
#ifndef MEDIA_AUDIO_FILE_H
#define MEDIA_AUDIO_FILE_H

#include <stddef.h>
#include <stdint.h>

#define AUDIO_FILE_SECONDS_MAX 7200u

struct audio {
    int16_t *pcm;       /* free() it */
    size_t samples;     /* at `rate` */
    uint32_t rate;      /* as asked for */
    uint32_t file_rate; /* of the file; start offsets and results are told in it */
};

/* Reads `path`, mixes its channels to one and resamples to `rate` (0 = the file's). By suffix headerless: PCMU ul, PCMA al (8000 Hz),
 * raw r8 sln (16 bit 8000 Hz), r16 r32 r48 (16 bit at that rate). 0, -ENOENT, -EACCES, -EINVAL (not a sound file), -EFBIG
 * (beyond AUDIO_FILE_SECONDS_MAX), -ENOMEM. */
int audio_file_read(struct audio *out, const char *path, uint32_t rate);

/* The libsndfile format of a headerless suffix (without dot), with its rate; 0 if the suffix is not headerless. */
int audio_file_headerless(const char *suffix, uint32_t *rate);
/* Suffix without its dot, "" if none. */
const char *audio_file_suffix(const char *path);

#endif
