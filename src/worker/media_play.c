/* media_play.c: walking through a playlist: as bytes of the leg's codec (the usual case, a copy), or as linear audio where speed,
 * volume, a mix or a recording of our side asks for it. */
#include <errno.h>

#include "worker/media_internal.h"

static uint64_t item_samples(const struct playlist_item *item) { return item->prompt ? item->prompt->samples : item->silence_samples; }

/* The next item, or the same once more. false = the end. */
static bool play_next(struct play *play, const struct playlist *list)
{
    play->at = 0;
    if (play->loops_left < 0 || --play->loops_left > 0) return true;
    play->item++;
    if (play->item >= list->count && ((play->flags & PLAY_LOOP) || list->shared_clock) && list->samples) play->item = 0;
    if (play->item >= list->count) return false;
    play->loops_left = list->items[play->item].loops;
    return true;
}

/* silence_stream://ms,n: FreeSWITCH's noise, six random samples summed and divided by n. */
static void play_noise(struct play *play, const struct codec *codec, uint32_t divisor, uint8_t *out, uint32_t samples)
{
    int16_t pcm[64];
    for (uint32_t done = 0; done < samples;) {
        uint32_t part = samples - done < 64 ? samples - done : 64;
        for (uint32_t i = 0; i < part; i++) {
            int32_t sum = 0;
            for (int n = 0; n < 6; n++) sum += (int16_t)((play->noise = play->noise * 1103515245u + 12345u) >> 16);
            pcm[i] = (int16_t)((sum > 32767 ? 32767 : sum < -32768 ? -32768 : sum) / (int32_t)divisor);
        }
        codec->encode(NULL, pcm, part, out + (size_t)done * codec->bytes_per_sample, (size_t)part * codec->bytes_per_sample);
        done += part;
    }
}

/* Up to `samples` of a bytewise list; fewer only at its end. */
static uint32_t play_take(struct play *play, const struct playlist *list, uint8_t *out, uint32_t samples)
{
    uint32_t done = 0, unit = list->codec->bytes_per_sample, empty = 0;
    while (done < samples && play->item < list->count) {
        const struct playlist_item *item = &list->items[play->item];
        uint64_t left = item_samples(item) > play->at ? item_samples(item) - play->at : 0;
        uint32_t part = left < samples - done ? (uint32_t)left : samples - done;
        if (!part) {
            if (!play_next(play, list) || ++empty > PLAYLIST_ITEMS_MAX) break;
            continue;
        }
        if (item->prompt)
            memcpy(out + done * unit, item->prompt->bytes + play->at * unit, part * unit);
        else if (item->noise)
            play_noise(play, list->codec, item->noise, out + done * unit, part);
        else
            memset(out + done * unit, list->codec->silence, part * unit);
        play->at += part;
        play->played += part;
        done += part;
        empty = 0;
    }
    return done;
}

bool play_ready(const struct play *play) { return play->list != NULL; }

bool play_plain(const struct play *play)
{
    if (play->speed || play->volume) return false;
    if (play->list->codec->bytes_per_sample) return true;
    return !play->paused && (play->item >= play->list->count || play->list->items[play->item].prompt);
}

static bool play_encoded_frame(struct play *play, uint8_t *out, uint32_t *bytes)
{
    uint32_t frame = codec_frame_samples(play->list->codec);
    while (play->item < play->list->count) {
        const struct playlist_item *item = &play->list->items[play->item];
        const uint8_t *from;
        size_t length = item->prompt && play->at < item->prompt->samples ? prompt_frame(item->prompt, (uint32_t)play->at, &from) : 0;
        if (length) {
            memcpy(out, from, length);
            *bytes = (uint32_t)length;
            play->at += frame;
            play->played += frame;
            return true;
        }
        if (!play_next(play, play->list)) break;
    }
    return false;
}

bool play_encoded(struct play *play, uint8_t *out, uint32_t *bytes)
{
    const struct codec *codec = play->list->codec;
    uint32_t frame = codec_frame_samples(codec), unit = codec->bytes_per_sample;
    play->ticks++;
    if (!unit) return play_encoded_frame(play, out, bytes);
    uint32_t done = play->paused ? 0 : play_take(play, play->list, out, frame);
    *bytes = frame * unit;
    memset(out + done * unit, codec->silence, (frame - done) * unit);
    return done || play->paused;
}

/* --- linear ------------------------------------------------------------------------------------------------------- */

/* A quarter per step, as FreeSWITCH drops or repeats samples: speed 1 keeps 3 of 4, speed −1 makes 5 of 4. */
static uint32_t speed_step(int speed)
{
    static const uint32_t steps[] = { 43691, 52429, 65536, 87381, 131072 };
    return steps[speed + 2];
}

static uint32_t take_linear(struct play *play, const struct playlist *list, int16_t *pcm, uint32_t samples)
{
    uint8_t bytes[(2 * CODEC_FRAME_MAX + 8) * 2];
    uint32_t done = play_take(play, list, bytes, samples);
    list->codec->decode(NULL, bytes, (size_t)done * list->codec->bytes_per_sample, pcm, done);
    return done;
}

static uint32_t take_at_speed(struct play *play, const struct playlist *list, int16_t *pcm, uint32_t samples)
{
    int16_t in[2 * CODEC_FRAME_MAX + 8];
    uint32_t step = speed_step(play->speed), need = (uint32_t)((play->fraction + (uint64_t)samples * step) >> 16);
    in[0] = play->last;
    uint32_t got = take_linear(play, list, in + 1, need);
    memset(in + 1 + got, 0, (need - got) * sizeof *in);
    for (uint32_t i = 0; i < samples; i++) {
        uint64_t at = play->fraction + (uint64_t)i * step;
        uint32_t left = (uint32_t)(at >> 16), right = left + 1 <= need ? left + 1 : need;
        pcm[i] = (int16_t)(in[left] + (int64_t)(in[right] - in[left]) * (int64_t)(at & 0xFFFF) / 65536);
    }
    play->fraction = (uint32_t)((play->fraction + (uint64_t)samples * step) & 0xFFFF);
    play->last = in[need];
    return got ? samples : 0;
}

bool play_pcm(struct media *m, struct play *play, int16_t *pcm, uint32_t samples)
{
    bool bytewise = play->list->codec->bytes_per_sample != 0;
    const struct playlist *list = bytewise ? play->list : play->linear;
    memset(pcm, 0, samples * sizeof *pcm);
    play->ticks++;
    if (play->paused) return true;
    if (!list) { /* a moment of silence until linear audio is there */
        if (!play->load && helpers_load(m, play, codec_linear(play->list->codec->rate))) return false;
        return true;
    }
    uint32_t done = play->speed ? take_at_speed(play, list, pcm, samples) : take_linear(play, list, pcm, samples);
    if (done && play->volume) mix_gain(pcm, done, play->volume);
    return done > 0;
}

/* --- positions ---------------------------------------------------------------------------------------------------- */

static uint64_t play_position(const struct play *play)
{
    uint64_t before = 0;
    for (uint32_t i = 0; play->list && i < play->item && i < play->list->count; i++)
        if (item_samples(&play->list->items[i]) != UINT64_MAX) before += item_samples(&play->list->items[i]);
    return before + play->at;
}

static void play_seek(struct play *play, uint64_t position)
{
    play->item = 0;
    play->fraction = 0;
    while (play->item + 1 < play->list->count && position >= item_samples(&play->list->items[play->item])) {
        position -= item_samples(&play->list->items[play->item]);
        play->item++;
    }
    play->at = position;
    play->loops_left = play->list->count ? play->list->items[play->item].loops : 1;
}

/* By so many ms from where it is, or from the begin. */
static void play_seek_ms(struct play *play, int64_t ms, bool from_begin)
{
    int64_t to = (from_begin ? 0 : (int64_t)play_position(play)) + ms * (int64_t)play->list->codec->rate / 1000;
    play_seek(play, to > 0 ? (uint64_t)to : 0);
}

/* A seek before the file is there is remembered. */
static void play_seek_or_remember(struct play *play, int64_t ms, bool from_begin)
{
    if (play->list) {
        play_seek_ms(play, ms, from_begin);
        return;
    }
    play->ahead_ms = from_begin ? ms : play->ahead_ms + ms;
    play->ahead_of_begin |= from_begin;
}

static uint64_t to_codec_rate(const struct play *play, uint64_t file_samples)
{
    return file_samples * play->list->codec->rate / play->list->rate;
}

static uint64_t to_file_rate(const struct play *play, uint64_t samples) { return samples * play->list->rate / play->list->codec->rate; }

/* --- beginning and end -------------------------------------------------------------------------------------------- */

void play_begin(struct media *m, struct leg *leg, struct play *play)
{
    struct play **place = play->flags & PLAY_BESIDE ? &leg->beside : &leg->play;
    if (*place && *place != play) play_end(m, *place, MEDIA_REPLACED);
    if (play->list) { /* the codec changed under it */
        play->start = to_file_rate(play, play_position(play));
        playlist_close(play->list);
        playlist_close(play->linear);
        play->list = play->linear = NULL;
    }
    if (play->load) helpers_forget(m, play);
    *place = play;
    play->operation.leg = leg;
    play->operation.id = leg_id(leg);
    leg_plan(m, leg);
    if (helpers_load(m, play, leg->codec)) play_end(m, play, MEDIA_CANNOT_OPEN);
}

static enum media_reason load_reason(const struct play *play, int error)
{
    if (error == -ENOENT || error == -ENOTDIR) return MEDIA_NOT_FOUND;
    return error == -EINVAL && strstr(play->source, "://") ? MEDIA_BAD_SOURCE : MEDIA_CANNOT_OPEN;
}

void play_loaded(struct media *m, struct play *play, struct playlist *list, int error)
{
    play->load = NULL;
    if (error) {
        play_end(m, play, load_reason(play, error));
        return;
    }
    if (play->list) {
        play->linear = list;
        return;
    }
    play->list = list;
    uint64_t start = to_codec_rate(play, play->start);
    if (list->shared_clock && list->samples) /* every listener of a local stream hears the same moment */
        start = (uint64_t)(m->now_ns / NS_PER_MS) * list->codec->rate / 1000 % list->samples;
    play_seek(play, start);
    if (play->ahead_ms || play->ahead_of_begin) play_seek_ms(play, play->ahead_ms, play->ahead_of_begin);
    play->ahead_ms = 0;
    play->ahead_of_begin = false;
}

void play_end(struct media *m, struct play *play, enum media_reason reason)
{
    struct leg *leg = play->operation.leg;
    struct media_event event = { .kind = MEDIA_DONE, .leg = play->operation.id, .operation = play->operation.number, .reason = reason };
    if (play->list) {
        event.rate = play->list->rate;
        event.samples = to_file_rate(play, play->played);
        event.ms = (uint32_t)(play->played * 1000 / play->list->codec->rate);
        event.position = to_file_rate(play, play_position(play));
    }
    if (play->load) helpers_forget(m, play);
    operation_remove(m, &play->operation);
    if (leg && (leg->play == play || leg->beside == play)) {
        *(leg->play == play ? &leg->play : &leg->beside) = NULL;
        leg_plan(m, leg);
    }
    playlist_close(play->list);
    playlist_close(play->linear);
    free(play->source);
    free(play);
    event_push(m, &event);
}

static int clamp(int64_t value, int limit) { return value > limit ? limit : value < -limit ? -limit : (int)value; }

void play_control(struct media *m, struct play *play, enum media_control control, int64_t value)
{
    switch (control) {
    case CONTROL_PAUSE_TOGGLE:
        play->paused = !play->paused;
        break;
    case CONTROL_PAUSE:
        play->paused = true;
        break;
    case CONTROL_RESUME:
        play->paused = false;
        break;
    case CONTROL_SPEED:
        play->speed = clamp(value, 2);
        break;
    case CONTROL_SPEED_BY:
        play->speed = clamp(play->speed + value, 2);
        break;
    case CONTROL_VOLUME:
        play->volume = clamp(value, 4);
        break;
    case CONTROL_VOLUME_BY:
        play->volume = clamp(play->volume + value, 4);
        break;
    case CONTROL_RESTART:
        play->speed = 0;
        play->start = 0;
        play_seek_or_remember(play, 0, true);
        break;
    case CONTROL_SEEK_MS:
        play_seek_or_remember(play, value, true);
        break;
    case CONTROL_SEEK_BY_MS:
        play_seek_or_remember(play, value, false);
        break;
    case CONTROL_TRUNCATE:
        play_end(m, play, MEDIA_STOPPED);
        break;
    case CONTROL_MASK:
    case CONTROL_UNMASK:
        break; /* of recordings */
    }
}
