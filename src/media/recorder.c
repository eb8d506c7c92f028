#include "media/recorder.h"

#include <errno.h>
#include <sndfile.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/check.h"
#include "media/audio_file.h"
#include "media/codec.h"
#include "media/resample.h"

#define RING_SAMPLES   32768u /* 4 s of 8 kHz mono, 1 s of 16 kHz stereo */
#define GAPS           64u    /* missing stretches that the writer has not come to */
#define HEADER_EVERY_S 5u     /* after a crash at most this much is missing in the header's length */

struct recorder {
    char *path, *tags[6];
    uint32_t file_rate_wanted, min_ms;
    bool append, stereo;

    _Alignas(64) _Atomic uint64_t head; /* samples pushed, all channels; media thread */
    _Atomic uint64_t truncate_at;       /* drop what was pushed before */
    _Atomic uint32_t truncations;
    uint64_t lost;
    struct {
        uint64_t at; /* of head: what was pushed before it is not concerned */
        _Atomic uint64_t samples;
    } gaps[GAPS];
    _Atomic uint32_t gap_head, gap_tail; /* media thread, writer thread */
    _Atomic bool finished;
    uint32_t rate;
    _Alignas(64) _Atomic uint64_t tail; /* samples taken; writer thread */
    _Atomic bool failed;

    SNDFILE *file;
    struct resampler *resamplers[2];
    uint32_t truncations_done;
    uint64_t header_at;
    bool opened, closed;
    struct recorder_result result;
    int16_t ring[RING_SAMPLES];
};

struct recorder *recorder_new(const struct recorder_params *params)
{
    struct recorder *r = aligned_alloc(64, (sizeof *r + 63) & ~(size_t)63);
    if (!r) return NULL;
    memset(r, 0, offsetof(struct recorder, ring)); /* not the ring: pages are touched as they are used */
    r->path = strdup(params->path);
    const char *const tags[6] = { params->title, params->artist, params->comment, params->copyright, params->software, params->date };
    for (int i = 0; i < 6; i++) r->tags[i] = tags[i] ? strdup(tags[i]) : NULL;
    r->file_rate_wanted = params->file_rate;
    r->min_ms = params->min_ms;
    r->append = params->append;
    r->stereo = params->stereo;
    if (r->path) return r;
    recorder_free(r);
    return NULL;
}

void recorder_free(struct recorder *r)
{
    if (!r) return;
    if (r->file) sf_close(r->file);
    for (int i = 0; i < 6; i++) free(r->tags[i]);
    for (int i = 0; i < 2; i++) resampler_free(r->resamplers[i]);
    free(r->path);
    free(r);
}

/* --- media thread ------------------------------------------------------------------------------------------------- */

void recorder_begin(struct recorder *r, uint32_t rate) { r->rate = rate; }

/* Where nothing was pushed since the last gap it grows: the writer takes a gap only when something lies behind it. */
void recorder_skip(struct recorder *r, size_t samples)
{
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    uint32_t gap = atomic_load_explicit(&r->gap_head, memory_order_relaxed),
             tail = atomic_load_explicit(&r->gap_tail, memory_order_acquire);
    if (gap != tail && r->gaps[(gap - 1) % GAPS].at == head) {
        atomic_fetch_add_explicit(&r->gaps[(gap - 1) % GAPS].samples, samples, memory_order_relaxed);
    } else if (gap - tail < GAPS) {
        r->gaps[gap % GAPS].at = head;
        atomic_store_explicit(&r->gaps[gap % GAPS].samples, samples, memory_order_relaxed);
        atomic_store_explicit(&r->gap_head, gap + 1, memory_order_release);
    }
}

bool recorder_push(struct recorder *r, const int16_t *left, const int16_t *right, size_t samples)
{
    size_t channels = r->stereo ? 2 : 1;
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    if (RING_SAMPLES - (head - atomic_load_explicit(&r->tail, memory_order_acquire)) < samples * channels) {
        r->lost++;
        recorder_skip(r, samples);
        return false;
    }
    for (size_t i = 0; i < samples; i++) {
        if (channels == 1) {
            r->ring[(head + i) % RING_SAMPLES] = left ? left[i] : 0;
        } else {
            r->ring[(head + 2 * i) % RING_SAMPLES] = left ? left[i] : 0;
            r->ring[(head + 2 * i + 1) % RING_SAMPLES] = right ? right[i] : 0;
        }
    }
    atomic_store_explicit(&r->head, head + samples * channels, memory_order_release);
    return true;
}

void recorder_truncate(struct recorder *r)
{
    atomic_store_explicit(&r->truncate_at, atomic_load_explicit(&r->head, memory_order_relaxed), memory_order_relaxed);
    atomic_fetch_add_explicit(&r->truncations, 1, memory_order_release);
}

void recorder_finish(struct recorder *r) { atomic_store_explicit(&r->finished, true, memory_order_release); }

bool recorder_failed(const struct recorder *r) { return atomic_load_explicit(&r->failed, memory_order_acquire); }

/* --- writer thread ------------------------------------------------------------------------------------------------ */

/* libsndfile's format for a suffix; headerless ones bring their rate. 0 = unknown. */
static int format_of(const char *suffix, uint32_t *rate)
{
    static const struct {
        const char *suffix;
        int format;
    } known[] = {
        { "wav", SF_FORMAT_WAV | SF_FORMAT_PCM_16 },          { "wave", SF_FORMAT_WAV | SF_FORMAT_PCM_16 },
        { "flac", SF_FORMAT_FLAC | SF_FORMAT_PCM_16 },        { "ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS },
        { "oga", SF_FORMAT_OGG | SF_FORMAT_VORBIS },          { "opus", SF_FORMAT_OGG | SF_FORMAT_OPUS },
        { "mp3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III }, { "au", SF_FORMAT_AU | SF_FORMAT_PCM_16 },
        { "aif", SF_FORMAT_AIFF | SF_FORMAT_PCM_16 },         { "aiff", SF_FORMAT_AIFF | SF_FORMAT_PCM_16 },
        { "w64", SF_FORMAT_W64 | SF_FORMAT_PCM_16 },          { "caf", SF_FORMAT_CAF | SF_FORMAT_PCM_16 },
        { "gsm", SF_FORMAT_RAW | SF_FORMAT_GSM610 },
    };
    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (!strcasecmp(suffix, known[i].suffix)) return known[i].format;
    return audio_file_headerless(suffix, rate);
}

static void write_tags(struct recorder *r)
{
    static const int kinds[6] = { SF_STR_TITLE, SF_STR_ARTIST, SF_STR_COMMENT, SF_STR_COPYRIGHT, SF_STR_SOFTWARE, SF_STR_DATE };
    for (int i = 0; i < 6; i++)
        if (r->tags[i]) sf_set_string(r->file, kinds[i], r->tags[i]);
}

static int open_resamplers(struct recorder *r)
{
    for (int i = 0; r->rate != r->result.rate && i < (r->stereo ? 2 : 1); i++) {
        r->resamplers[i] = resampler_new(r->rate, r->result.rate, 5);
        if (!r->resamplers[i]) return -ENOMEM;
    }
    return 0;
}

static int open_file(struct recorder *r)
{
    uint32_t rate = r->file_rate_wanted ? r->file_rate_wanted : r->rate, forced = 0;
    int format = format_of(audio_file_suffix(r->path), &forced);
    if (!format) return -EINVAL;
    if (forced || (format & SF_FORMAT_SUBMASK) == SF_FORMAT_GSM610) rate = forced ? forced : 8000;
    SF_INFO info = { .samplerate = (int)rate, .channels = r->stereo ? 2 : 1, .format = format };
    bool exists = access(r->path, F_OK) == 0;
    if (r->append && exists) {
        SF_INFO there = forced ? info : (SF_INFO) { 0 };
        r->file = sf_open(r->path, SFM_RDWR, &there);
        if (r->file && there.channels == info.channels) {
            rate = (uint32_t)there.samplerate; /* appended audio takes the file's rate */
            sf_seek(r->file, 0, SEEK_END);
        } else {
            return -EINVAL;
        }
    } else {
        errno = 0;
        r->file = sf_open(r->path, SFM_WRITE, &info);
        if (!r->file) return errno ? -errno : -EINVAL;
        write_tags(r);
    }
    r->result.rate = rate;
    return open_resamplers(r);
}

static void forget(struct recorder *r)
{
    if (sf_command(r->file, SFC_FILE_TRUNCATE, &(sf_count_t) { 0 }, sizeof(sf_count_t)))
        sf_seek(r->file, 0, SEEK_SET); /* formats that cannot be cut are written over */
    r->result.samples = 0;
}

/* `samples` of one or two interleaved channels. */
static int write_samples(struct recorder *r, const int16_t *pcm, size_t frames)
{
    int channels = r->stereo ? 2 : 1;
    int16_t one[2][1024], out[2][1024 * 7], both[2 * 1024 * 7];
    while (frames) {
        size_t part = frames < 1024 ? frames : 1024, made = part;
        const int16_t *ready = pcm;
        if (r->resamplers[0]) {
            for (int c = 0; c < channels; c++) {
                for (size_t i = 0; i < part; i++) one[c][i] = pcm[i * (size_t)channels + (size_t)c];
                made = resampler_run(r->resamplers[c], one[c], part, out[c], ARRAY_SIZE(out[c]));
            }
            for (size_t i = 0; i < made; i++)
                for (int c = 0; c < channels; c++) both[i * (size_t)channels + (size_t)c] = out[c][i];
            ready = both;
        }
        errno = 0;
        if (sf_writef_short(r->file, ready, (sf_count_t)made) != (sf_count_t)made) return errno ? -errno : -EIO;
        r->result.samples += made;
        pcm += part * (size_t)channels;
        frames -= part;
    }
    return 0;
}

static int write_silence(struct recorder *r, uint64_t samples)
{
    static const int16_t zeros[2 * 1024];
    int result = 0;
    for (; samples && !result; samples -= samples < 1024 ? samples : 1024)
        result = write_samples(r, zeros, samples < 1024 ? samples : 1024);
    return result;
}

static void take_truncation(struct recorder *r)
{
    uint32_t truncations = atomic_load_explicit(&r->truncations, memory_order_acquire);
    if (truncations == r->truncations_done) return;
    uint64_t at = atomic_load_explicit(&r->truncate_at, memory_order_relaxed), tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    r->truncations_done = truncations;
    forget(r);
    if (at > tail) atomic_store_explicit(&r->tail, at, memory_order_release);
}

/* The ring from its tail up to `end`. */
static int take_samples(struct recorder *r, uint64_t end)
{
    size_t channels = r->stereo ? 2 : 1;
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    while (tail < end) {
        size_t from = tail % RING_SAMPLES, run = RING_SAMPLES - from;
        if (run > end - tail) run = end - tail;
        int result = write_samples(r, r->ring + from, run / channels);
        if (result) return result;
        tail += run;
        atomic_store_explicit(&r->tail, tail, memory_order_release);
    }
    return 0;
}

/* All that lies in the ring, with silence in its gaps. The last gap may still grow, unless all is `finished`. */
static int take_all(struct recorder *r, bool finished)
{
    uint64_t head = atomic_load_explicit(&r->head, memory_order_acquire);
    uint32_t gaps = atomic_load_explicit(&r->gap_head, memory_order_acquire),
             gap = atomic_load_explicit(&r->gap_tail, memory_order_relaxed);
    for (; gap != gaps && (r->gaps[gap % GAPS].at < head || finished); gap++) {
        uint64_t at = r->gaps[gap % GAPS].at;
        bool cut = at < atomic_load_explicit(&r->tail, memory_order_relaxed); /* thrown away with what lay around it */
        int result = cut ? 0 : take_samples(r, at);
        if (!result && !cut) result = write_silence(r, atomic_load_explicit(&r->gaps[gap % GAPS].samples, memory_order_relaxed));
        if (result) return result;
        atomic_store_explicit(&r->gap_tail, gap + 1, memory_order_release);
    }
    return take_samples(r, head);
}

static int drain(struct recorder *r, bool finished)
{
    take_truncation(r);
    int result = take_all(r, finished);
    if (result) return result;
    if (r->result.samples - r->header_at > (uint64_t)HEADER_EVERY_S * r->result.rate) {
        r->header_at = r->result.samples;
        sf_command(r->file, SFC_UPDATE_HEADER_NOW, NULL, 0);
    }
    return 0;
}

static void close_file(struct recorder *r, int error)
{
    struct stat status;
    r->closed = true;
    if (r->file && sf_close(r->file) && !error) error = -EIO;
    r->file = NULL;
    r->result.error = error;
    r->result.opened = r->opened;
    r->result.frames_lost = r->lost;
    if (r->opened && !error && r->min_ms && r->result.samples * 1000 < (uint64_t)r->min_ms * r->result.rate) {
        r->result.deleted = unlink(r->path) == 0;
    } else if (stat(r->path, &status) == 0) {
        r->result.bytes = (uint64_t)status.st_size;
    }
    if (error) atomic_store_explicit(&r->failed, true, memory_order_release);
}

bool recorder_work(struct recorder *r)
{
    if (r->closed) return true;
    /* Looked at before draining: what was pushed before the end is then surely seen. */
    bool finished = atomic_load_explicit(&r->finished, memory_order_acquire);
    int error = 0;
    if (!r->opened) {
        error = open_file(r);
        r->opened = !error;
    }
    if (!error) error = drain(r, finished);
    if (error || finished) close_file(r, error);
    return r->closed;
}

const struct recorder_result *recorder_result(const struct recorder *r) { return &r->result; }
