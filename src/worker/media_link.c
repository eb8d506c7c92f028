/* media_link.c: a virtual leg whose other end is on another worker: what it sends goes into a link's ring, what it hears comes from it.
 *
 * Both workers run their slices by the same clock, so frames come and go at one pace. A frame waits in the ring from the writer's slice to
 * the reader's, less than one tick, unless a thread was late: then the ring was empty once (an underrun, concealed by the last frame
 * fading out), and from then on one frame more waits. If that frame was never needed for `window` ticks, it is dropped, and the delay is
 * again what the slices make it; an underrun doubles the window, so that a machine that is often late is not tried in vain. */
#include "worker/media_internal.h"

#define WINDOW_TICKS     250u /* 5 s */
#define WINDOW_TICKS_MAX 4000u
#define WAITING_MAX      2u /* more than this is dropped at once */

struct leg_link {
    struct link *link;
    enum link_side side;
    uint32_t generation;
    bool began;      /* a frame has come */
    uint32_t missed; /* frames in a row */
    uint32_t window, ticks, least;
    int16_t last[CODEC_FRAME_MAX];
};

struct leg_link *leg_link_new(struct link *link, enum link_side side, uint32_t generation)
{
    struct leg_link *l = calloc(1, sizeof *l);
    if (l) *l = (struct leg_link) { .link = link, .side = side, .generation = generation, .window = WINDOW_TICKS, .least = LINK_FRAMES };
    return l;
}

/* A lease that is over already (its call ended in between) leaves a leg that hears and says nothing. */
void leg_link_open(struct media *m, struct leg *leg)
{
    if (link_attach(leg->link->link, leg->link->side, leg->link->generation, m->process)) leg_link_close(leg, false);
}

void leg_link_close(struct leg *leg, bool detach)
{
    if (!leg->link) return;
    if (detach) link_detach(leg->link->link, leg->link->side);
    free(leg->link);
    leg->link = NULL;
}

/* --- towards the other worker ----------------------------------------------------------------------------------------- */

static void put(struct media *m, struct leg_link *l, struct link_frame *head, const void *data, uint32_t bytes)
{
    head->put_ns = m->now_ns;
    if (!link_other_attached(l->link, l->side, l->generation)) return;
    if (link_put(l->link, l->side, head, data, bytes)) COUNT(m, link_dropped, 1);
}

void leg_link_write(struct media *m, struct leg *leg, const int16_t *pcm)
{
    struct link_frame head = { .kind = LINK_AUDIO, .value = leg->codec->rate };
    put(m, leg->link, &head, pcm, codec_frame_samples(leg->codec) * (uint32_t)sizeof *pcm);
}

void leg_link_digit(struct media *m, struct leg *leg, char digit, uint32_t duration)
{
    struct link_frame head = { .kind = LINK_DIGIT, .value = duration, .flag = (uint8_t)digit };
    put(m, leg->link, &head, NULL, 0);
}

/* --- from the other worker -------------------------------------------------------------------------------------------- */

/* What is no audio is dealt with at once; the audio frame that is due, or NULL. */
static const struct link_frame *next_audio(struct media *m, struct leg *leg)
{
    struct leg_link *l = leg->link;
    const struct link_frame *frame;
    while ((frame = link_peek(l->link, l->side)) && frame->kind != LINK_AUDIO) {
        char digit = (char)frame->flag;
        if (frame->kind == LINK_DIGIT && leg->bridge && rtp_event_number(digit) >= 0) digits_pass(m, leg->bridge, digit, frame->value);
        link_next(l->link, l->side);
    }
    return frame;
}

static void drop(struct media *m, struct leg *leg)
{
    if (!next_audio(m, leg)) return;
    link_next(leg->link->link, leg->link->side);
    COUNT(m, link_dropped, 1);
}

static void keep_short(struct media *m, struct leg *leg)
{
    struct leg_link *l = leg->link;
    uint32_t waiting = link_waiting(l->link, l->side);
    for (; waiting > WAITING_MAX; waiting--) drop(m, leg);
    if (waiting < l->least) l->least = waiting;
    if (++l->ticks < l->window) return;
    if (l->least) drop(m, leg);
    l->ticks = 0;
    l->least = LINK_FRAMES;
}

static void underrun(struct media *m, struct leg *leg, int16_t *in, uint32_t samples)
{
    static const int fade[] = { 256, 160, 64 };
    struct leg_link *l = leg->link;
    memset(in, 0, samples * sizeof *in);
    if (!l->began || !link_other_attached(l->link, l->side, l->generation)) return;
    COUNT(m, link_underruns, 1);
    int factor = l->missed < 3 ? fade[l->missed] : 0;
    for (uint32_t i = 0; i < samples; i++) in[i] = (int16_t)(l->last[i] * factor / 256);
    if (!l->missed++ && l->window < WINDOW_TICKS_MAX) l->window *= 2;
    l->ticks = 0;
    l->least = LINK_FRAMES;
}

void leg_link_read(struct media *m, struct leg *leg, int16_t *in)
{
    struct leg_link *l = leg->link;
    uint32_t samples = codec_frame_samples(leg->codec), bytes = samples * (uint32_t)sizeof *in;
    const struct link_frame *frame = next_audio(m, leg);
    if (!frame || frame->value != leg->codec->rate || frame->bytes != bytes) {
        if (frame) link_next(l->link, l->side);
        underrun(m, leg, in, samples);
        return;
    }
    memcpy(in, frame->data, bytes);
    memcpy(l->last, frame->data, bytes);
    COUNT(m, link_frames, 1);
    if (m->now_ns > frame->put_ns) COUNT(m, link_delay_us, (m->now_ns - frame->put_ns) / 1000);
    link_next(l->link, l->side);
    l->began = true;
    l->missed = 0;
    keep_short(m, leg);
}
