#include "media/audio_file.h"

#include <errno.h>
#include <sndfile.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/check.h"
#include "media/resample.h"

const char *audio_file_suffix(const char *path)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    return dot && (!slash || dot > slash) ? dot + 1 : "";
}

int audio_file_headerless(const char *suffix, uint32_t *rate)
{
    static const struct {
        const char *suffix;
        int format;
        uint32_t rate;
    } known[] = {
        { "PCMU", SF_FORMAT_RAW | SF_FORMAT_ULAW, 8000 },   { "ul", SF_FORMAT_RAW | SF_FORMAT_ULAW, 8000 },
        { "PCMA", SF_FORMAT_RAW | SF_FORMAT_ALAW, 8000 },   { "al", SF_FORMAT_RAW | SF_FORMAT_ALAW, 8000 },
        { "raw", SF_FORMAT_RAW | SF_FORMAT_PCM_16, 8000 },  { "sln", SF_FORMAT_RAW | SF_FORMAT_PCM_16, 8000 },
        { "r8", SF_FORMAT_RAW | SF_FORMAT_PCM_16, 8000 },   { "r16", SF_FORMAT_RAW | SF_FORMAT_PCM_16, 16000 },
        { "r32", SF_FORMAT_RAW | SF_FORMAT_PCM_16, 32000 }, { "r48", SF_FORMAT_RAW | SF_FORMAT_PCM_16, 48000 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (!strcasecmp(suffix, known[i].suffix)) {
            *rate = known[i].rate;
            return known[i].format;
        }
    }
    return 0;
}

static SNDFILE *file_open(const char *path, SF_INFO *info, int *error)
{
    uint32_t rate = 0;
    struct stat status;
    *info = (SF_INFO) { 0 };
    if (stat(path, &status)) {
        *error = -errno;
        return NULL;
    }
    if (!S_ISREG(status.st_mode) || access(path, R_OK)) {
        *error = S_ISREG(status.st_mode) ? -EACCES : -EINVAL;
        return NULL;
    }
    info->format = audio_file_headerless(audio_file_suffix(path), &rate);
    if (info->format) {
        info->samplerate = (int)rate;
        info->channels = 1;
    }
    SNDFILE *file = sf_open(path, SFM_READ, info);
    *error = file ? 0 : -EINVAL;
    if (!file) return NULL;
    if (info->samplerate < 1000 || info->samplerate > 384000 || info->channels < 1 || info->channels > 16)
        *error = -EINVAL;
    else if (info->frames > (sf_count_t)info->samplerate * AUDIO_FILE_SECONDS_MAX)
        *error = -EFBIG;
    if (!*error) return file;
    sf_close(file);
    return NULL;
}

/* Until the file ends: a header's frame count may be a guess (streams) or a lie. */
static int file_read_mono(SNDFILE *file, const SF_INFO *info, struct audio *out)
{
    enum { CHUNK = 4096 };
    int16_t *chunk = malloc(sizeof *chunk * CHUNK * (size_t)info->channels);
    size_t size = 0, limit = (size_t)info->samplerate * AUDIO_FILE_SECONDS_MAX;
    int result = chunk ? 0 : -ENOMEM;
    while (!result) {
        sf_count_t frames = sf_readf_short(file, chunk, CHUNK);
        if (frames <= 0) break;
        if (out->samples + (size_t)frames > size) {
            size = size ? size * 2 : (info->frames > 0 && (size_t)info->frames < limit ? (size_t)info->frames + CHUNK : 65536);
            int16_t *pcm = out->samples + (size_t)frames > limit ? NULL : realloc(out->pcm, size * sizeof *pcm);
            if (!pcm) {
                result = out->samples + (size_t)frames > limit ? -EFBIG : -ENOMEM;
                break;
            }
            out->pcm = pcm;
        }
        for (sf_count_t i = 0; i < frames; i++) {
            int sum = 0;
            for (int c = 0; c < info->channels; c++) sum += chunk[i * info->channels + c];
            out->pcm[out->samples + (size_t)i] = (int16_t)(sum / info->channels);
        }
        out->samples += (size_t)frames;
    }
    free(chunk);
    return result;
}

int audio_file_read(struct audio *out, const char *path, uint32_t rate)
{
    *out = (struct audio) { 0 };
    SF_INFO info;
    int result;
    SNDFILE *file = file_open(path, &info, &result);
    if (!file) return result;
    sf_command(file, SFC_SET_SCALE_FLOAT_INT_READ, NULL, SF_TRUE);
    result = file_read_mono(file, &info, out);
    sf_close(file);
    out->file_rate = (uint32_t)info.samplerate;
    out->rate = rate ? rate : out->file_rate;
    if (!result && out->rate != out->file_rate && out->samples) {
        int16_t *resampled;
        size_t samples;
        result = resample_all(out->pcm, out->samples, out->file_rate, out->rate, &resampled, &samples);
        if (!result) {
            free(out->pcm);
            out->pcm = resampled;
            out->samples = samples;
        }
    }
    if (result) {
        free(out->pcm);
        *out = (struct audio) { 0 };
    }
    return result;
}
