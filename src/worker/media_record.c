/* media_record.c: a recording on a leg: frame by frame by the leg's own clock, so its length is right whatever the network does. */
#include <errno.h>

#include "worker/media_internal.h"

void record_begin(struct media *m, struct leg *leg, struct record *record)
{
    record->operation.leg = leg;
    record->operation.id = leg_id(leg);
    recorder_begin(record->recorder, leg->codec->rate);
    record->silence_left = record->silence_frames;
    record->next = leg->records;
    leg->records = record;
    leg->comfort_noise += record->comfort_noise;
    leg_plan(m, leg);
    if (helpers_record(m, record)) {
        record_finish(m, record, MEDIA_CANNOT_OPEN);
        record_closed(m, record); /* no writer will */
    }
}

/* The leg lets go of it; the writer thread writes the rest and closes; record_closed tells. */
void record_finish(struct media *m, struct record *record, enum media_reason reason)
{
    struct leg *leg = record->operation.leg;
    if (record->finishing) return;
    record->finishing = true;
    record->reason = reason;
    if (leg) {
        struct record **at = &leg->records;
        while (*at != record) at = &(*at)->next;
        *at = record->next;
        leg->comfort_noise -= record->comfort_noise;
        record->operation.leg = NULL;
        leg_plan(m, leg);
    }
    recorder_finish(record->recorder);
}

void record_closed(struct media *m, struct record *record)
{
    const struct recorder_result *result = recorder_result(record->recorder);
    struct media_event event = {
        .kind = MEDIA_DONE, .leg = record->operation.id, .operation = record->operation.number, .reason = record->reason
    };
    if (!record->finishing) /* the file failed before we ended it */
        record_finish(m, record, MEDIA_DISK);
    event.reason = record->reason;
    if (result->error) event.reason = result->opened ? MEDIA_DISK : MEDIA_CANNOT_OPEN;
    event.samples = result->samples;
    event.rate = result->rate;
    event.ms = result->rate ? (uint32_t)(result->samples * 1000 / result->rate) : 0;
    event.position = result->samples;
    event.bytes = result->bytes;
    event.lost = result->frames_lost;
    operation_remove(m, &record->operation);
    event_push(m, &event);
    if (record->end) leg_end_one(m, record->end);
    recorder_free(record->recorder);
    free(record);
}

static void record_push(struct media *m, struct leg *leg, struct record *record, uint32_t frame)
{
    const struct leg_audio *audio = leg->audio;
    int16_t mixed[CODEC_FRAME_MAX];
    const int16_t *left = record->read ? audio->in : NULL, *right = record->write ? audio->out : NULL;
    if (record->masked) {
        left = right = NULL;
    } else if (!record->stereo && left && right) {
        mix_two(mixed, left, right, frame);
        left = mixed;
    } else if (!record->stereo && !left) {
        left = right;
    }
    if (!recorder_push(record->recorder, left, right, frame)) COUNT(m, record_frames_lost, 1);
}

/* FreeSWITCH's rule: so many frames in a row whose score lies below the threshold; any louder one starts the count again. */
static bool record_silent(struct leg *leg, struct record *record, uint32_t frame)
{
    if (!record->silence_threshold) return false;
    if (energy_score(leg->audio->in, frame, leg->codec->rate) >= record->silence_threshold) {
        record->silence_left = record->silence_frames;
        return false;
    }
    return !record->silence_left || --record->silence_left == 0;
}

void records_skip(struct leg *leg)
{
    for (struct record *record = leg->records; record; record = record->next) {
        if (!record->paused) recorder_skip(record->recorder, codec_frame_samples(leg->codec));
        record->frames++;
    }
}

void record_frame(struct media *m, struct leg *leg, struct record *record)
{
    uint32_t frame = codec_frame_samples(leg->codec);
    if (recorder_failed(record->recorder)) {
        record_finish(m, record, MEDIA_DISK);
        return;
    }
    if (!record->paused) record_push(m, leg, record, frame);
    record->frames++;
    if (record->limit_ms && record->frames * CODEC_FRAME_MS >= record->limit_ms)
        record_finish(m, record, MEDIA_LIMIT);
    else if (record_silent(leg, record, frame))
        record_finish(m, record, MEDIA_SILENCE);
}

void record_control(struct media *m, struct record *record, enum media_control control, int64_t value)
{
    switch (control) {
    case CONTROL_PAUSE_TOGGLE:
        record->paused = !record->paused;
        break;
    case CONTROL_PAUSE:
        record->paused = true;
        break;
    case CONTROL_RESUME:
        record->paused = false;
        break;
    case CONTROL_MASK:
        record->masked = true;
        break;
    case CONTROL_UNMASK:
        record->masked = false;
        break;
    case CONTROL_RESTART:
        record->frames = 0;
        recorder_truncate(record->recorder);
        break;
    case CONTROL_TRUNCATE:
        recorder_truncate(record->recorder);
        record_finish(m, record, MEDIA_STOPPED);
        break;
    default:
        break; /* speed, volume, seek: of plays */
    }
}
