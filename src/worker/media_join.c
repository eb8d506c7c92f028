/* media_join.c: who hears whom: bridges, echo, eavesdropping. */
#include <errno.h>

#include "worker/media_internal.h"

const int16_t *leg_at_rate(struct leg *leg, const int16_t *pcm, uint32_t rate, int16_t *scratch)
{
    struct leg_audio *audio = leg_audio(leg);
    uint32_t to = leg->codec->rate, frame = to / 50;
    if (rate == to) return pcm;
    if (audio->resampler_from != rate) {
        resampler_free(audio->resampler);
        audio->resampler = resampler_new(rate, to, 3);
        audio->resampler_from = audio->resampler ? rate : 0;
    }
    size_t made = audio->resampler ? resampler_run(audio->resampler, pcm, rate / 50, scratch, frame) : 0;
    memset(scratch + made, 0, (frame - made) * sizeof *scratch);
    return scratch;
}

static void unbridged(struct media *m, struct leg *leg)
{
    struct media_event event = { .kind = MEDIA_UNBRIDGED, .leg = leg_id(leg) };
    leg->bridge = NULL;
    leg->relay_to = NULL;
    leg->marker = true;
    leg_plan(m, leg);
    event_push(m, &event);
}

void bridge_clear(struct media *m, struct leg *leg)
{
    struct leg *partner = leg->bridge;
    if (!partner) return;
    partner->bridge = leg->bridge = NULL;
    unbridged(m, leg);
    unbridged(m, partner);
}

int bridge_set(struct media *m, struct leg *a, struct leg *b)
{
    if (a == b) return -EINVAL;
    bridge_clear(m, a);
    bridge_clear(m, b);
    if (a->room) room_leave(m, a);
    if (b->room) room_leave(m, b);
    leg_move(m, b, a->slice);
    a->bridge = b;
    b->bridge = a;
    a->relay_fresh = b->relay_fresh = true;
    a->relay_uneven = b->relay_uneven = false;
    leg_plan(m, a);
    return 0;
}

void echo_set(struct media *m, struct leg *leg, bool on, uint32_t delay_ms)
{
    if (leg->echo) {
        free(leg->echo->ring);
        free(leg->echo);
        leg->echo = NULL;
    }
    if (on && (leg->echo = calloc(1, sizeof *leg->echo))) {
        uint32_t frames = delay_ms > 10000 ? 500 : delay_ms / CODEC_FRAME_MS;
        leg->echo->ring = frames ? calloc(frames, CODEC_FRAME_MAX * sizeof(int16_t)) : NULL;
        leg->echo->delay_frames = leg->echo->ring ? frames : 0;
    }
    leg_plan(m, leg);
}

void listen_clear(struct media *m, struct leg *listener)
{
    struct leg *target = listener->listens_to;
    if (!target) return;
    struct leg **at = &target->listeners;
    while (*at != listener) at = &(*at)->listen_next;
    *at = listener->listen_next;
    listener->listens_to = listener->listen_next = NULL;
    listener->whisper_target = listener->whisper_partner = false;
    leg_plan(m, target);
    leg_plan(m, listener);
}

void listen_set(struct media *m, struct leg *listener, struct leg *target, bool whisper_target, bool whisper_partner)
{
    if (listener == target) return;
    listen_clear(m, listener);
    bridge_clear(m, listener);
    leg_move(m, listener, target->slice);
    listener->listens_to = target;
    listener->listen_next = target->listeners;
    target->listeners = listener;
    listener->whisper_target = whisper_target;
    listener->whisper_partner = whisper_partner;
    leg_plan(m, listener);
}

/* A leg that ends leaves everybody. */
void leg_unlink(struct media *m, struct leg *leg)
{
    bridge_clear(m, leg);
    listen_clear(m, leg);
    while (leg->listeners) listen_clear(m, leg->listeners);
    if (leg->room) room_leave(m, leg);
    if (leg->joined) {
        struct leg *other = leg->joined;
        other->joined = leg->joined = NULL;
        leg_plan(m, other);
    }
    echo_set(m, leg, false, 0);
}
