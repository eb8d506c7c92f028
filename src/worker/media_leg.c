/* media_leg.c: a leg's beginning and end, its place in the slices, and the plan of what must be decoded for whom. */
#include <errno.h>

#include "core/check.h"
#include "core/log.h"
#include "worker/media_internal.h"

uint32_t media_random(struct media *m)
{
    uint64_t z = m->random += 0x9E3779B97F4A7C15ull; /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return (uint32_t)(z ^ (z >> 31));
}

struct media_leg leg_id(const struct leg *leg) { return (struct media_leg) { leg->number, leg->generation }; }

static struct leg *leg_here(struct media *m, struct media_leg id)
{
    struct leg *leg = id.number < m->legs_count ? m->legs[id.number] : NULL;
    return leg && leg->on && leg->generation == id.generation ? leg : NULL;
}

struct leg *leg_find(struct media *m, struct media_leg id)
{
    struct leg *leg = leg_here(m, id);
    if (leg || id.number >= m->slots) return leg;
    broker_take(m); /* its START may have come after we last looked */
    return leg_here(m, id);
}

/* --- slices ------------------------------------------------------------------------------------------------------- */

static void slice_add(struct media *m, struct leg *leg, uint8_t slice)
{
    leg->slice = slice;
    leg->slice_index = m->slice_count[slice];
    m->slice_legs[slice][m->slice_count[slice]++] = leg;
}

static void slice_remove(struct media *m, struct leg *leg)
{
    struct leg **legs = m->slice_legs[leg->slice];
    CHECK(legs[leg->slice_index] == leg);
    struct leg *last = legs[--m->slice_count[leg->slice]];
    legs[leg->slice_index] = last;
    last->slice_index = leg->slice_index;
}

/* Bridged and mixed legs share a slice; whoever listens to a leg comes along. Its packets shift by less than a frame, once. */
void leg_move(struct media *m, struct leg *leg, uint8_t slice)
{
    if (leg->slice == slice) return;
    slice_remove(m, leg);
    slice_add(m, leg, slice);
    leg->first_sent = false;
    for (struct leg *listener = leg->listeners; listener; listener = listener->listen_next) leg_move(m, listener, slice);
}

/* --- codec and audio ---------------------------------------------------------------------------------------------- */

struct leg_audio *leg_audio(struct leg *leg)
{
    if (!leg->audio) {
        leg->audio = calloc(1, sizeof *leg->audio);
        CHECK(leg->audio);
    }
    return leg->audio;
}

static void audio_free(struct leg *leg)
{
    struct leg_audio *audio = leg->audio;
    if (!audio) return;
    jitter_free(audio->jitter);
    if (audio->decoder) leg->codec->close(audio->decoder);
    resampler_free(audio->resampler);
    resampler_free(audio->to_room);
    free(audio);
    leg->audio = NULL;
}

static void codec_close(struct leg *leg)
{
    audio_free(leg);
    if (leg->encoder) leg->codec->close(leg->encoder);
    leg->encoder = NULL;
    free(leg->pending);
    free(leg->pending_pcm);
    leg->pending = NULL;
    leg->pending_pcm = NULL;
    leg->pending_bytes = leg->pending_samples = 0;
}

void leg_codec(struct media *m, struct leg *leg, const struct codec *codec)
{
    bool first = !leg->codec;
    if (codec == leg->codec) return;
    if (!first) codec_close(leg);
    leg->codec = codec;
    struct codec_wish wish = { leg->media.clock_rate, leg->media.channels, leg->media.fmtp, leg->packet_ms };
    if (codec->open(&leg->encoder, codec, &wish, true)) log_err(NULL, "media: cannot open codec %s", codec->name);
    if (!leg->stats.started) rtp_stats_init(&leg->stats, codec->clock_rate);
    leg->stats.clock_rate = codec->clock_rate;
    if (!first && leg->play) play_begin(m, leg, leg->play); /* the same place in the source, encoded anew */
    if (!first && leg->beside) play_begin(m, leg, leg->beside);
}

/* --- the plan ----------------------------------------------------------------------------------------------------- */

static bool records_want(const struct leg *leg, bool write)
{
    for (const struct record *record = leg->records; record; record = record->next)
        if (write ? record->write : record->read || record->silence_threshold) return true;
    for (const struct detector *detector = leg->detectors; detector; detector = detector->next)
        if (detector->params.write == write) return true;
    return false;
}

/* Partners' packets may go through as they are: same codec, and nobody but the partner listens or speaks. */
static bool relay_possible(const struct leg *from, const struct leg *to)
{
    return !from->is_virtual && !to->is_virtual && from->codec == to->codec && from->packet_ms == to->packet_ms && !from->relay_uneven &&
           !from->listeners && !to->listeners && !from->muted_read && !from->gain_read && !records_want(from, false) && !to->muted_write &&
           !to->gain_write && !to->play && !to->beside && !to->digits && !records_want(to, true) && !from->room && !to->room;
}

static void plan_one(struct leg *leg)
{
    struct leg *partner = leg->bridge;
    struct leg *relay = partner && relay_possible(leg, partner) ? partner : NULL;
    if (relay != leg->relay_to) leg->relay_fresh = true;
    leg->relay_to = relay;
    leg->hears = records_want(leg, false) || (partner && !relay) || leg->room || leg->echo || leg->listeners || leg->joined || leg->link ||
                 (leg->listens_to && (leg->whisper_target || leg->whisper_partner));
    leg->linear_out = records_want(leg, true) || leg->listeners || leg->joined || leg->is_virtual || leg->gain_write ||
                      (partner && partner->listeners);
    if (leg->hears || leg->linear_out) leg_audio(leg);
    if (!leg->hears && leg->audio) {
        if (leg->audio->jitter) jitter_reset(leg->audio->jitter);
        leg->audio->fifo_count = 0;
        memset(leg->audio->in, 0, sizeof leg->audio->in);
    }
}

void leg_plan(struct media *m, struct leg *leg)
{
    plan_one(leg);
    if (leg->bridge) plan_one(leg->bridge);
    if (leg->listens_to) {
        plan_one(leg->listens_to);
        if (leg->listens_to->bridge) plan_one(leg->listens_to->bridge);
    }
}

/* --- beginning and end -------------------------------------------------------------------------------------------- */

void leg_on(struct media *m, struct leg *leg)
{
    struct sockaddr_in6 previous = leg->latched || leg->stats.received ? leg->remote : leg->previous;
    uint32_t number = leg->number, generation = leg->generation;
    bool is_virtual = leg->is_virtual;
    *leg = (struct leg) { .number = number,
                          .generation = generation,
                          .is_virtual = is_virtual,
                          .previous = previous,
                          .on = true,
                          .packet_ms = 20,
                          .timeout_ms = m->rtp_timeout_ms,
                          .hold_timeout_ms = m->rtp_hold_timeout_ms,
                          .ssrc = media_random(m),
                          .timestamp = media_random(m),
                          .sequence = (uint16_t)(media_random(m) & 0x7FFF),
                          .marker = true };
    leg->started_ns = leg->last_packet_ns = clock_mono_ns();
    slice_add(m, leg, (uint8_t)(number % SLICES));
    m->active++;
    counter_set(m->count[COUNTER_media_legs], m->active);
}

void leg_end_one(struct media *m, struct leg_end *end)
{
    if (--end->pending) return;
    struct media_event event = { .kind = MEDIA_ENDED, .leg = end->id };
    event_push(m, &event);
    free(end);
}

/* Recordings are told of at once, but their files close on the writer thread: the last one to close sends MEDIA_ENDED. */
static void operations_end(struct media *m, struct leg *leg, enum media_reason reason)
{
    struct leg_end *end = calloc(1, sizeof *end);
    CHECK(end);
    *end = (struct leg_end) { .id = leg_id(leg), .pending = 1 };
    if (leg->play) play_end(m, leg->play, reason);
    if (leg->beside) play_end(m, leg->beside, reason);
    while (leg->digits) digits_end(m, leg->digits, reason);
    while (leg->detectors) detector_end(m, leg->detectors, reason);
    while (leg->records) {
        leg->records->end = end;
        end->pending++;
        record_finish(m, leg->records, reason);
    }
    leg_end_one(m, end);
}

/* A key that was down when the call ended was pressed. */
static void key_end(struct media *m, struct leg *leg)
{
    struct rtp_key key;
    if (leg->key.active && leg->codec && rtp_event_idle(&leg->key, leg->codec->clock_rate, INT64_MAX, &key))
        leg_digit(m, leg, key.digit, key.duration, false);
}

void leg_off(struct media *m, struct leg *leg, enum media_reason reason)
{
    key_end(m, leg);
    leg_unlink(m, leg);
    operations_end(m, leg, reason);
    slice_remove(m, leg);
    if (leg->codec) codec_close(leg);
    leg_secure_clear(leg);
    leg_link_close(leg, true);
    leg->on = false;
    m->active--;
    counter_set(m->count[COUNTER_media_legs], m->active);
}
