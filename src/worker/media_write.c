/* media_write.c: what a leg sends in its frame. */
#include "worker/media_internal.h"

#define COMFORT_NOISE_DBOV 65 /* below overload: what FreeSWITCH says, too */

/* One packet of ours: header, payload, send. */
void leg_packet(struct media *m, struct leg *leg, uint8_t payload_type, bool marker, uint32_t timestamp, const uint8_t *payload,
                uint32_t bytes)
{
    uint32_t length = RTP_HEADER_BYTES + bytes;
    uint8_t *packet = uring_packet(m, leg_secure_room(leg, length));
    rtp_header(packet, payload_type, marker, leg->sequence++, timestamp, leg->ssrc);
    memcpy(packet + RTP_HEADER_BYTES, payload, bytes);
    if (!leg_secure_seal(leg, packet, &length, false)) return;
    uring_send(m, 2 * leg->number, packet, length, &leg->remote, leg->socket_bytes);
    leg->packets_sent++;
    leg->bytes_sent += bytes;
    COUNT(m, packets_sent, 1);
}

/* A packet of the leg's own clock, `samples` long: its lateness counts. */
static void packet_timed(struct media *m, struct leg *leg, const uint8_t *payload, uint32_t bytes, uint32_t samples)
{
    leg_packet(m, leg, leg->payload_type, leg->marker, leg->timestamp, payload, bytes);
    leg->marker = false;
    uring_sent_mark(m, leg, leg->first_sent ? leg->due_ns : 0);
    leg->first_sent = true;
    leg->due_ns += leg->packet_ms * NS_PER_MS;
    leg->timestamp += codec_clock(leg->codec, samples);
}

/* ptime other than 20 ms, payloads that may be joined: bytes are collected and cut. */
static void packets_joined(struct media *m, struct leg *leg, const uint8_t *payload, uint32_t bytes)
{
    uint32_t frame = codec_frame_samples(leg->codec), want = bytes * leg->packet_ms / 20;
    if (!leg->pending && !(leg->pending = malloc(CODEC_PACKET_MAX * 2))) return;
    memcpy(leg->pending + leg->pending_bytes, payload, bytes);
    leg->pending_bytes += bytes;
    uint32_t at = 0;
    for (; want && leg->pending_bytes - at >= want; at += want) packet_timed(m, leg, leg->pending + at, want, frame * leg->packet_ms / 20);
    leg->pending_bytes -= at;
    memmove(leg->pending, leg->pending + at, leg->pending_bytes);
}

void leg_send_payload(struct media *m, struct leg *leg, const uint8_t *payload, uint32_t bytes, uint32_t samples)
{
    if (!leg->sending)
        leg->timestamp += codec_clock(leg->codec, samples);
    else if (leg->packet_ms == 20 || !leg->codec->concatenates)
        packet_timed(m, leg, payload, bytes, samples);
    else
        packets_joined(m, leg, payload, bytes);
}

/* Codecs whose frames cannot be joined (Opus): linear audio is collected to a packet's length and encoded once. */
static void send_collected(struct media *m, struct leg *leg, const int16_t *pcm, uint32_t samples)
{
    uint32_t want = leg->codec->rate / 1000 * leg->packet_ms;
    uint8_t payload[1500];
    if (!leg->pending_pcm && !(leg->pending_pcm = malloc((want + CODEC_FRAME_MAX) * sizeof *pcm))) return;
    memcpy(leg->pending_pcm + leg->pending_samples, pcm, samples * sizeof *pcm);
    leg->pending_samples += samples;
    uint32_t at = 0;
    for (; leg->pending_samples - at >= want; at += want) {
        int bytes = leg->codec->encode(leg->encoder, leg->pending_pcm + at, want, payload, sizeof payload);
        if (bytes > 0) packet_timed(m, leg, payload, (uint32_t)bytes, want);
    }
    leg->pending_samples -= at;
    memmove(leg->pending_pcm, leg->pending_pcm + at, leg->pending_samples * sizeof *pcm);
}

static void send_pcm(struct media *m, struct leg *leg, const int16_t *pcm)
{
    uint32_t samples = codec_frame_samples(leg->codec);
    uint8_t payload[CODEC_FRAME_MAX * 2];
    if (leg->link) leg_link_write(m, leg, pcm);
    if (leg->is_virtual) return;
    if (!leg->sending) {
        leg->timestamp += codec_clock(leg->codec, samples);
        return;
    }
    if (leg->packet_ms != 20 && !leg->codec->concatenates) {
        send_collected(m, leg, pcm, samples);
        return;
    }
    int bytes = leg->codec->encode(leg->encoder, pcm, samples, payload, sizeof payload);
    if (bytes > 0) leg_send_payload(m, leg, payload, (uint32_t)bytes, samples);
}

/* --- where the audio comes from ------------------------------------------------------------------------------------- */

static void mix_in(struct leg *leg, int16_t *pcm, const int16_t *more, uint32_t rate)
{
    int16_t scratch[CODEC_FRAME_MAX];
    const int16_t *fitting = leg_at_rate(leg, more, rate, scratch);
    mix_two(pcm, pcm, fitting, codec_frame_samples(leg->codec));
}

static void take_from(struct leg *leg, int16_t *pcm, const struct leg *from)
{
    uint32_t frame = codec_frame_samples(leg->codec);
    int16_t scratch[CODEC_FRAME_MAX];
    if (from->audio) memcpy(pcm, leg_at_rate(leg, from->audio->in, from->codec->rate, scratch), frame * sizeof *pcm);
}

static void take_echo(struct leg *leg, int16_t *pcm)
{
    struct echo *echo = leg->echo;
    uint32_t frame = codec_frame_samples(leg->codec);
    if (!echo->delay_frames) {
        memcpy(pcm, leg->audio->in, frame * sizeof *pcm);
        return;
    }
    int16_t *at = echo->ring + (size_t)echo->at * CODEC_FRAME_MAX;
    memcpy(pcm, at, frame * sizeof *pcm);
    memcpy(at, leg->audio->in, frame * sizeof *pcm);
    echo->at = (echo->at + 1) % echo->delay_frames;
}

/* Eavesdropping: both sides of the target. */
static void take_target(struct leg *leg, int16_t *pcm)
{
    struct leg *target = leg->listens_to;
    if (!target->audio) return;
    int16_t both[CODEC_FRAME_MAX], scratch[CODEC_FRAME_MAX];
    mix_two(both, target->audio->in, target->audio->out, codec_frame_samples(target->codec));
    memcpy(pcm, leg_at_rate(leg, both, target->codec->rate, scratch), codec_frame_samples(leg->codec) * sizeof *pcm);
}

static void add_whispers(struct leg *leg, int16_t *pcm)
{
    for (struct leg *listener = leg->listeners; listener; listener = listener->listen_next)
        if (listener->whisper_target && listener->audio) mix_in(leg, pcm, listener->audio->in, listener->codec->rate);
    for (struct leg *listener = leg->bridge ? leg->bridge->listeners : NULL; listener; listener = listener->listen_next)
        if (listener->whisper_partner && listener->audio) mix_in(leg, pcm, listener->audio->in, listener->codec->rate);
}

static void take_noise(struct media *m, struct leg *leg, int16_t *pcm)
{
    int16_t scratch[CODEC_FRAME_MAX];
    const int16_t *noise = (const int16_t *)m->noise + (leg->ticks % 50) * 160;
    memcpy(pcm, leg_at_rate(leg, noise, 8000, scratch), codec_frame_samples(leg->codec) * sizeof *pcm);
}

static void displace(struct media *m, struct leg *leg, int16_t *pcm)
{
    uint32_t frame = codec_frame_samples(leg->codec);
    int16_t beside[CODEC_FRAME_MAX];
    if (!play_pcm(m, leg->beside, beside, frame))
        play_end(m, leg->beside, MEDIA_FINISHED);
    else if (leg->beside->flags & PLAY_MIX)
        mix_two(pcm, pcm, beside, frame);
    else
        memcpy(pcm, beside, frame * sizeof *pcm);
}

static void gather(struct media *m, struct leg *leg, int16_t *pcm)
{
    uint32_t frame = codec_frame_samples(leg->codec);
    memset(pcm, 0, frame * sizeof *pcm);
    if (leg->play && play_ready(leg->play) && !(leg->room && leg->room_member.voice)) {
        if (!play_pcm(m, leg->play, pcm, frame)) play_end(m, leg->play, MEDIA_FINISHED);
    } else if (leg->bridge) {
        take_from(leg, pcm, leg->bridge);
    } else if (leg->room) {
        room_take(leg, pcm);
    } else if (leg->listens_to) {
        take_target(leg, pcm);
    } else if (leg->echo) {
        take_echo(leg, pcm);
    } else if (leg->comfort_noise) {
        take_noise(m, leg, pcm);
    }
    add_whispers(leg, pcm);
    if (leg->beside && play_ready(leg->beside)) displace(m, leg, pcm);
    if (leg->gain_write) mix_gain(pcm, frame, leg->gain_write);
    if (leg->muted_write) memset(pcm, 0, frame * sizeof *pcm);
}

static bool needs_gathering(const struct leg *leg)
{
    return leg->linear_out || leg->beside || leg->bridge || leg->room || leg->listens_to || leg->echo || leg->comfort_noise ||
           !leg->codec->bytes_per_sample;
}

static void send_silence(struct media *m, struct leg *leg)
{
    uint8_t payload[CODEC_FRAME_MAX * 2];
    uint32_t samples = codec_frame_samples(leg->codec), bytes = samples * leg->codec->bytes_per_sample;
    if (!bytes) { /* a codec with state has no constant silence */
        static const int16_t zeros[CODEC_FRAME_MAX];
        send_pcm(m, leg, zeros);
        return;
    }
    memset(payload, leg->codec->silence, bytes);
    leg_send_payload(m, leg, payload, bytes, samples);
}

/* The hot path: a prompt's bytes as they lie in the cache, or silence. */
static void write_plain(struct media *m, struct leg *leg)
{
    uint8_t payload[CODEC_FRAME_MAX * 2];
    uint32_t bytes;
    if (!leg->play || !play_ready(leg->play) || leg->muted_write)
        send_silence(m, leg);
    else if (play_encoded(leg->play, payload, &bytes))
        leg_send_payload(m, leg, payload, bytes, codec_frame_samples(leg->codec));
    else {
        play_end(m, leg->play, MEDIA_FINISHED);
        send_silence(m, leg);
    }
}

/* Stateful codecs (G.722, Opus) play from the cache too, as long as nobody wants linear audio. */
static bool play_as_it_is(const struct leg *leg)
{
    return leg->play && play_ready(leg->play) && play_plain(leg->play) && !leg->linear_out && !leg->beside && !leg->muted_write &&
           (leg->codec->concatenates || leg->packet_ms == 20);
}

/* Where comfort noise was agreed (RFC 3389), silence is one packet with a level, each half second again; talk begins with a marker. */
static bool silence_described(struct media *m, struct leg *leg)
{
    bool talks = (leg->play && play_ready(leg->play) && !leg->muted_write) || leg->beside || leg->bridge || leg->room || leg->listens_to ||
                 leg->listeners || leg->echo || leg->comfort_noise;
    if (talks || !leg->media.send_comfort_noise || !leg->sending) {
        if (leg->quiet_ticks) leg->marker = true;
        leg->quiet_ticks = 0;
        return false;
    }
    const uint8_t level = COMFORT_NOISE_DBOV;
    if (leg->quiet_ticks++ % 25 == 0)
        leg_packet(m, leg, leg->media.comfort_noise_payload_type, false, leg->timestamp, &level, sizeof level);
    leg->timestamp += codec_clock(leg->codec, codec_frame_samples(leg->codec));
    leg->first_sent = false;
    leg->pending_bytes = leg->pending_samples = 0;
    if (leg->audio) memset(leg->audio->out, 0, sizeof leg->audio->out);
    return true;
}

static void leg_housekeeping(struct media *m, struct leg *leg)
{
    if (leg->is_virtual) return;
    if (leg->ticks % 50 == leg->number % 50) broker_totals(m, leg, false);
    if (leg->ticks % 250 == leg->ssrc % 250) leg_rtcp_send(m, leg, false);
    uint32_t timeout_ms = leg->media.send && leg->media.receive ? leg->timeout_ms : leg->hold_timeout_ms;
    if (timeout_ms && !leg->silent_reported && m->now_ns - leg->last_packet_ns > timeout_ms * NS_PER_MS) {
        struct media_event event = { .kind = MEDIA_SILENT, .leg = leg_id(leg) };
        leg->silent_reported = true;
        event_push(m, &event);
        broker_timeout(m, leg);
    }
}

void leg_write(struct media *m, struct leg *leg)
{
    leg->ticks++;
    leg_housekeeping(m, leg);
    if (leg->digits && digits_tick(m, leg)) {
        if (leg->audio) memset(leg->audio->out, 0, sizeof leg->audio->out);
        return;
    }
    if (leg->bridge && leg->bridge->relay_to == leg && !leg->play && !leg->beside) {
        leg->timestamp += codec_clock(leg->codec, codec_frame_samples(leg->codec));
        leg->first_sent = false;
        return;
    }
    if (silence_described(m, leg)) return;
    if (!needs_gathering(leg) ? !leg->play || !play_ready(leg->play) || play_plain(leg->play) : play_as_it_is(leg)) {
        write_plain(m, leg);
        return;
    }
    struct leg_audio *audio = leg_audio(leg);
    gather(m, leg, audio->out);
    send_pcm(m, leg, audio->out);
}

/* A slice that was skipped: its time passed, its packets never were. */
void leg_skip(struct media *m, struct leg *leg)
{
    leg->ticks++;
    records_skip(leg);
    leg->timestamp += codec_clock(leg->codec, codec_frame_samples(leg->codec));
    leg->marker = true;
    leg->first_sent = false;
}
