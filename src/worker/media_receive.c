/* media_receive.c: a packet that came: whose it is, what it tells, and where it goes. */
#include "media/comfort_noise.h"
#include "worker/media_internal.h"

bool address_equal(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
    if (a->sin6_family != b->sin6_family || a->sin6_port != b->sin6_port) return false;
    if (a->sin6_family == AF_INET)
        return ((const struct sockaddr_in *)a)->sin_addr.s_addr == ((const struct sockaddr_in *)b)->sin_addr.s_addr;
    return !memcmp(&a->sin6_addr, &b->sin6_addr, sizeof a->sin6_addr);
}

/* The address of the SDP comes first. Another is taken once, on trunks marked nat, and never that of the slot's last call (its
 * packets may still be on their way). What we send follows. */
static bool source_good(struct leg *leg, const struct sockaddr_in6 *from)
{
    if (address_equal(from, &leg->remote)) {
        leg->latched = true;
        return true;
    }
    if (!leg->media.nat || leg->latched || address_equal(from, &leg->previous)) return false;
    uint32_t bytes = from->sin6_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    memset(&leg->remote, 0, sizeof leg->remote);
    memcpy(&leg->remote, from, bytes);
    leg->remote_rtcp = leg->remote;
    leg->remote_rtcp.sin6_port = htons((uint16_t)(ntohs(from->sin6_port) + (leg->media.rtcp_mux ? 0 : 1)));
    leg->socket_bytes = bytes;
    leg->latched = true;
    return true;
}

void leg_digit(struct media *m, struct leg *leg, char digit, uint32_t duration, bool inband)
{
    struct media_event event = { .kind = MEDIA_DIGIT, .leg = leg_id(leg), .digit = digit, .duration = duration, .value = inband };
    event_push(m, &event); /* a bridge's keys are passed on by whoever made it, since some are bound, blocked or end it */
}

static void receive_event(struct media *m, struct leg *leg, const struct rtp_packet *packet)
{
    struct rtp_key keys[2];
    leg->event_seen = true;
    int count = rtp_event_packet(&leg->key, packet, leg->codec->clock_rate, m->now_ns, keys);
    for (int i = 0; i < count; i++) leg_digit(m, leg, keys[i].digit, keys[i].duration, false);
}

/* Same codec, nobody listens: the payload goes on with our own header. Timestamps keep their distances. */
static void relay(struct media *m, struct leg *from, const struct rtp_packet *packet)
{
    struct leg *to = from->relay_to;
    if (!to->sending) return;
    bool marker = packet->marker;
    if (from->relay_fresh) {
        from->relay_offset = to->timestamp - packet->timestamp;
        from->relay_fresh = false;
        marker = true;
    }
    leg_packet(m, to, to->payload_type, marker, packet->timestamp + from->relay_offset, packet->payload, (uint32_t)packet->payload_bytes);
}

/* A far end may send longer or shorter packets than it was asked for (bytewise codecs show it): its partner did not ask for those. */
static bool length_wanted(const struct leg *from, const struct rtp_packet *packet)
{
    const struct codec *codec = from->codec;
    return !codec->bytes_per_sample || packet->payload_bytes == codec->bytes_per_sample * codec->rate / 1000 * from->relay_to->packet_ms;
}

static void receive_audio(struct media *m, struct leg *leg, const struct rtp_packet *packet)
{
    if (leg->relay_to && !length_wanted(leg, packet)) {
        leg->relay_uneven = true;
        leg_plan(m, leg);
    }
    if (leg->relay_to) {
        relay(m, leg, packet);
    } else if (leg->hears && !leg->muted_read) {
        struct leg_audio *audio = leg_audio(leg);
        if (!audio->jitter) audio->jitter = jitter_new(leg->codec->clock_rate, leg->codec->bytes_per_sample == 1 ? 480 : 1500);
        if (audio->jitter) jitter_put(audio->jitter, packet, m->now_ns);
    }
}

/* RFC 3389: the level in −dBov; its spectrum (further bytes) is not followed. Noise of even distribution: its peak is √3 of the level. A
 * relayed leg's partner gets the packet if it agreed on comfort noise, else silence as before. */
static void receive_comfort_noise(struct media *m, struct leg *leg, const struct rtp_packet *packet)
{
    if (leg->relay_to) {
        struct leg *to = leg->relay_to;
        if (!to->sending || !to->media.comfort_noise_payload_type || leg->relay_fresh) return;
        leg_packet(m, to, to->media.comfort_noise_payload_type, false, packet->timestamp + leg->relay_offset, packet->payload,
                   (uint32_t)packet->payload_bytes);
    } else if (leg->audio && packet->payload_bytes) {
        leg->audio->noise_peak = comfort_noise_peak(packet->payload[0] & 0x7F);
    }
}

static void packet_drop(struct media *m, struct leg *leg)
{
    leg->packets_dropped++;
    COUNT(m, packets_dropped, 1);
}

/* With SRTP a packet proves itself before its source may become the one we answer to. */
void leg_receive(struct media *m, struct leg *leg, const struct sockaddr_in6 *from, uint8_t *bytes, size_t length)
{
    struct rtp_packet packet;
    bool rtcp = rtp_is_rtcp(bytes, length);
    if (length > 1600 || !leg_secure_open(m, leg, bytes, &length, rtcp) || !source_good(leg, from)) {
        packet_drop(m, leg);
        return;
    }
    if (rtcp) {
        leg_rtcp_read(m, leg, from, bytes, length);
        return;
    }
    if (rtp_parse(&packet, bytes, length)) {
        packet_drop(m, leg);
        return;
    }
    bool event = leg->media.event_payload_type && packet.payload_type == leg->media.event_payload_type;
    bool audio = packet.payload_type == leg->media.receive_payload_type;
    if (!event && !audio && packet.payload_type != leg->media.comfort_noise_payload_type) {
        packet_drop(m, leg);
        return;
    }
    enum rtp_arrival arrival = rtp_stats_packet(&leg->stats, &packet, m->now_ns, audio);
    leg->bytes_received += length;
    leg->last_packet_ns = m->now_ns;
    leg->silent_reported = false;
    COUNT(m, packets_received, 1);
    if (arrival == RTP_DUPLICATE) return;
    if (arrival == RTP_RESTARTED) leg->relay_fresh = true;
    if (event)
        receive_event(m, leg, &packet);
    else if (audio)
        receive_audio(m, leg, &packet);
    else
        receive_comfort_noise(m, leg, &packet);
}

/* --- decoding: once per frame, for legs that somebody hears --------------------------------------------------------- */

/* A lost packet: what the next one brings of it, the codec's own means, or the last frame again, fading out over 60 ms. */
static uint32_t conceal(struct leg *leg, struct leg_audio *audio, int16_t *out)
{
    uint32_t samples = audio->packet_samples ? audio->packet_samples : codec_frame_samples(leg->codec);
    const uint8_t *next;
    size_t length;
    if (leg->codec->recover && audio->decoder && jitter_next(audio->jitter, &next, &length)) {
        int made = leg->codec->recover(audio->decoder, next, length, out, samples);
        if (made > 0) return (uint32_t)made;
    }
    if (leg->codec->conceal && audio->decoder) {
        int made = leg->codec->conceal(audio->decoder, out, samples);
        if (made > 0) return (uint32_t)made;
    }
    static const int fade[] = { 256, 160, 64 };
    uint32_t frame = codec_frame_samples(leg->codec);
    int factor = audio->conceal_run < 3 ? fade[audio->conceal_run] : 0;
    for (uint32_t i = 0; i < samples; i++) out[i] = (int16_t)(audio->in[i % frame] * factor / 256);
    audio->conceal_run++;
    return samples;
}

static uint32_t decode(struct leg *leg, struct leg_audio *audio, const uint8_t *payload, size_t length, int16_t *out)
{
    int samples = leg->codec->decode(audio->decoder, payload, length, out, CODEC_PACKET_MAX);
    if (samples <= 0) return conceal(leg, audio, out);
    audio->packet_samples = (uint32_t)samples;
    audio->conceal_run = 0;
    return (uint32_t)samples;
}

/* Fills the fifo up to a frame. Whatever the network does, a frame's time has passed and a frame comes out. */
static void fifo_fill(struct leg *leg, struct leg_audio *audio, uint32_t frame)
{
    while (audio->fifo_count < frame) {
        const uint8_t *payload;
        size_t length;
        uint8_t type;
        int16_t *out = audio->fifo + audio->fifo_count;
        switch (jitter_get(audio->jitter, &payload, &length, &type)) {
        case JITTER_PACKET:
            audio->fifo_count += decode(leg, audio, payload, length, out);
            audio->noise_peak = 0;
            break;
        case JITTER_LOST:
            audio->fifo_count += conceal(leg, audio, out);
            break;
        case JITTER_EMPTY:
            comfort_noise_fill(out, frame - audio->fifo_count, audio->noise_peak, &audio->noise_seed);
            audio->fifo_count = frame;
            break;
        }
    }
}

static void read_network(struct leg *leg, struct leg_audio *audio, uint32_t frame)
{
    if (!audio->jitter || leg->muted_read) {
        memset(audio->in, 0, frame * sizeof *audio->in);
        return;
    }
    if (!audio->decoder && !leg->codec->bytes_per_sample && leg->codec->open(&audio->decoder, leg->codec, NULL, false)) return;
    fifo_fill(leg, audio, frame);
    memcpy(audio->in, audio->fifo, frame * sizeof *audio->in);
    audio->fifo_count -= frame;
    memmove(audio->fifo, audio->fifo + frame, audio->fifo_count * sizeof *audio->fifo);
}

void leg_read(struct media *m, struct leg *leg)
{
    struct rtp_key key;
    if (leg->key.active && rtp_event_idle(&leg->key, leg->codec->clock_rate, m->now_ns, &key))
        leg_digit(m, leg, key.digit, key.duration, false);
    if (!leg->hears) return;
    struct leg_audio *audio = leg_audio(leg);
    uint32_t frame = codec_frame_samples(leg->codec);
    if (leg->link)
        leg_link_read(m, leg, audio->in);
    else if (leg->joined && leg->joined->audio && !leg->muted_read)
        memcpy(audio->in, leg->joined->audio->out, frame * sizeof *audio->in); /* virtual legs are all 8 kHz */
    else
        read_network(leg, audio, frame);
    if (leg->gain_read) mix_gain(audio->in, frame, leg->gain_read);
}
