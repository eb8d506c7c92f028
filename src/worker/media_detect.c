/* media_detect.c: detectors on a leg: tones, digits in the audio, energy, the network's tones, who answered. Their operations end only
 * when stopped or with the leg. */
#include <math.h>

#include "core/check.h"
#include "worker/media_internal.h"

static void answer_begin(struct detector *detector, uint32_t rate)
{
    const uint32_t *p = detector->params.answer;
    struct amd_params params = { p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], p[8] };
    detector->classifier = amd_classifier_find(detector->params.classifier);
    CHECK(detector->classifier); /* media_detect has looked */
    detector->answer = detector->classifier->open(&params, rate);
}

void detector_begin(struct media *m, struct leg *leg, struct detector *detector)
{
    const struct detect_params *params = &detector->params;
    detector->operation.leg = leg;
    detector->operation.id = leg_id(leg);
    if (params->what == DETECT_TONE) tone_detect_init(&detector->tone, leg->codec->rate, params->hz, 4, params->hits);
    if (params->what == DETECT_INBAND_DIGITS) {
        detector->dtmf = dtmf_in_new();
        if (leg->codec->rate != 8000) detector->to_8k = resampler_new(leg->codec->rate, 8000, 3);
    }
    if (params->what == DETECT_PROGRESS && (detector->progress = malloc(sizeof *detector->progress)))
        progress_init(detector->progress, leg->codec->rate);
    if (params->what == DETECT_ANSWER) answer_begin(detector, leg->codec->rate);
    detector->next = leg->detectors;
    leg->detectors = detector;
    leg_plan(m, leg);
}

void detector_free(struct detector *detector)
{
    if (detector->answer) detector->classifier->close(detector->answer);
    free(detector->progress);
    dtmf_in_free(detector->dtmf);
    resampler_free(detector->to_8k);
    free(detector);
}

void detector_end(struct media *m, struct detector *detector, enum media_reason reason)
{
    struct leg *leg = detector->operation.leg;
    struct detector **at = &leg->detectors;
    while (*at != detector) at = &(*at)->next;
    *at = detector->next;
    event_done(m, &detector->operation, reason);
    operation_remove(m, &detector->operation);
    detector_free(detector);
    leg_plan(m, leg);
}

static void detected(struct media *m, struct detector *detector, int64_t value)
{
    struct media_event event = {
        .kind = MEDIA_DETECTED, .leg = detector->operation.id, .operation = detector->operation.number, .value = value
    };
    event_push(m, &event);
}

/* A far end that sends telephone events may let the tones through as well: then the events alone count. */
static void hear_digits(struct media *m, struct leg *leg, struct detector *detector, const int16_t *pcm, uint32_t samples)
{
    int16_t narrow[CODEC_FRAME_MAX];
    char digits[16];
    if (detector->to_8k) {
        samples = (uint32_t)resampler_run(detector->to_8k, pcm, samples, narrow, CODEC_FRAME_MAX);
        pcm = narrow;
    }
    size_t count = detector->dtmf ? dtmf_in_hear(detector->dtmf, pcm, samples, digits, sizeof digits) : 0;
    for (size_t i = 0; i < count && !leg->event_seen; i++) leg_digit(m, leg, digits[i], 800, true);
}

static void hear_energy(struct media *m, struct leg *leg, struct detector *detector, const int16_t *pcm, uint32_t samples)
{
    uint32_t score = energy_score(pcm, samples, leg->codec->rate), hits = detector->params.hits ? detector->params.hits : 1;
    if (score < detector->params.threshold) {
        if (detector->reported) detected(m, detector, 0);
        detector->frames = 0;
        detector->reported = false;
    } else if (++detector->frames >= hits && !detector->reported) {
        detector->reported = true;
        detected(m, detector, score);
    }
}

static void hear_progress(struct media *m, struct detector *detector, const int16_t *pcm)
{
    enum progress_sound sound = detector->progress ? progress_hear(detector->progress, pcm) : PROGRESS_NONE;
    if (sound) detected(m, detector, DETECTED_SOUND(sound, sound == PROGRESS_BEEP ? lrintf(detector->progress->hz) : 0));
}

static void hear_answer(struct media *m, struct detector *detector, const int16_t *pcm, uint32_t samples)
{
    struct amd_verdict verdict;
    if (!detector->answer || !detector->classifier->hear(detector->answer, pcm, samples, &verdict)) return;
    detector->classifier->close(detector->answer);
    detector->answer = NULL;
    detected(m, detector, DETECTED_ANSWER(verdict.status, verdict.cause, verdict.found, verdict.wanted));
}

void detector_frame(struct media *m, struct leg *leg, struct detector *detector)
{
    uint32_t samples = codec_frame_samples(leg->codec);
    const int16_t *pcm = detector->params.write ? leg->audio->out : leg->audio->in;
    switch (detector->params.what) {
    case DETECT_TONE:
        if (tone_detect_hear(&detector->tone, pcm, samples)) detected(m, detector, detector->params.hz[0]);
        break;
    case DETECT_INBAND_DIGITS:
        hear_digits(m, leg, detector, pcm, samples);
        break;
    case DETECT_ENERGY:
        hear_energy(m, leg, detector, pcm, samples);
        break;
    case DETECT_PROGRESS:
        hear_progress(m, detector, pcm);
        break;
    case DETECT_ANSWER:
        hear_answer(m, detector, pcm, samples);
        break;
    }
}
