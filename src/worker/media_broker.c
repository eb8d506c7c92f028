/* media_broker.c: the broker's records (START, UPDATE, STOP) and our answer (RELEASED). Handlers are idempotent: a record may be
 * seen again after a crash, and one of an old generation is dropped and counted. */
#include <errno.h>

#include "core/log.h"
#include "worker/media_internal.h"

static void ring_answer(struct media *m, uint32_t index, uint32_t generation, enum ring_kind kind)
{
    struct ring_record record = { .slot = m->first_slot + index, .generation = generation, .kind = (uint16_t)kind, .time_ns = m->now_ns };
    if (ring_push(m->up, &record)) COUNT(m, ring_full, 1);
    bell_ring(m->segment, BUS_BROKER, BELL_MAIN);
}

void broker_timeout(struct media *m, struct leg *leg) { ring_answer(m, leg->number, leg->generation, RING_MEDIA_TIMEOUT); }

void broker_totals(struct media *m, struct leg *leg, bool released)
{
    struct slot *slot = segment_slot(m->segment, m->first_slot + leg->number);
    slot_totals_write_begin(slot);
    slot->totals = (struct slot_totals) {
        .generation = leg->generation,
        .released = released,
        .packets_sent = leg->packets_sent,
        .packets_received = leg->stats.received,
        .packets_lost = rtp_stats_lost(&leg->stats),
        .packets_late = leg->packets_late,
        .packets_dropped = leg->packets_dropped,
        .bytes_sent = leg->bytes_sent,
        .bytes_received = leg->bytes_received,
        .jitter_us = rtp_stats_jitter_us(&leg->stats),
        .rtt_us = leg->rtt_us,
        .mos_x100 = rtp_stats_mos_x100(&leg->stats, leg->rtt_us),
        .last_packet_ns = leg->last_packet_ns,
    };
    slot_totals_write_end(slot);
}

/* A slot whose call we know nothing of (ours died, or it never started): totals of zero, and it is free. */
static void release_unknown(struct media *m, uint32_t index, uint32_t generation)
{
    struct slot *slot = segment_slot(m->segment, m->first_slot + index);
    slot_totals_write_begin(slot);
    if (slot->totals.generation != generation) slot->totals = (struct slot_totals) { .generation = generation };
    slot->totals.released = 1;
    slot_totals_write_end(slot);
    ring_answer(m, index, generation, RING_RELEASED);
}

static uint32_t address_bytes(const struct sockaddr_in6 *address)
{
    return address->sin6_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
}

static void leg_remote(struct leg *leg, const struct slot_media *media)
{
    memcpy(&leg->remote, &media->remote, sizeof leg->remote);
    leg->remote_rtcp = leg->remote;
    leg->remote_rtcp.sin6_port = htons(
        (uint16_t)(ntohs(leg->remote.sin6_port) + (media->rtcp_mux ? 0 : 1))); /* same place in sockaddr_in */
    leg->socket_bytes = address_bytes(&leg->remote);
    leg->latched = false;
}

/* Takes over what SDP said; both for a beginning and for a change in mid-call. */
static void leg_media(struct media *m, struct leg *leg, const struct slot_media *media)
{
    const struct codec *codec = codec_find(media->codec, media->clock_rate);
    if (!codec) codec = codec_static(media->payload_type);
    if (!codec) {
        log_err(NULL, "media: slot %u: unknown codec \"%s\"/%u, sending PCMU", m->first_slot + leg->number, media->codec,
                media->clock_rate);
        codec = codec_find("PCMU", 0);
    }
    bool moved = memcmp(&leg->media.remote, &media->remote, sizeof media->remote) != 0;
    if (media->send != leg->media.send || media->receive != leg->media.receive) leg->last_packet_ns = m->now_ns; /* held or taken back */
    leg_secure_set(m, leg, media);
    leg->media = *media;
    if (moved) leg_remote(leg, media);
    leg->payload_type = media->payload_type;
    leg->packet_ms = codec_ptime(codec, media->ptime_ms);
    bool sending = media->send && !leg->secure_broken && leg->remote.sin6_port && leg->remote.sin6_family;
    if (sending != leg->sending) leg->first_sent = false; /* a stream begins: its lateness is counted from its own first packet */
    leg->sending = sending;
    leg_codec(m, leg, codec);
    leg_plan(m, leg);
}

static void take_start(struct media *m, struct leg *leg, const struct slot_call *call)
{
    if (leg->on && leg->generation == call->generation) {
        leg_media(m, leg, &call->media);
        return;
    }
    if (leg->on) /* its STOP was lost with a broker */
        leg_off(m, leg, MEDIA_GONE);
    leg->generation = call->generation;
    leg_on(m, leg);
    leg_media(m, leg, &call->media);
    struct media_event event = { .kind = MEDIA_STARTED, .leg = leg_id(leg) };
    event_push(m, &event);
}

static void take_stop(struct media *m, struct leg *leg, const struct ring_record *record, uint32_t call_generation)
{
    if (leg->on && leg->generation == record->generation) {
        leg_rtcp_send(m, leg, true);
        leg_off(m, leg, MEDIA_GONE);
        broker_totals(m, leg, true);
        ring_answer(m, leg->number, record->generation, RING_RELEASED);
    } else if (record->generation == call_generation) {
        release_unknown(m, leg->number, record->generation);
    } else {
        COUNT(m, ring_stale, 1);
    }
}

/* False: the broker is in the middle of writing that slot (and was put to sleep or killed there); the record waits. */
static bool take_record(struct media *m, const struct ring_record *record)
{
    uint32_t index = record->slot - m->first_slot;
    struct slot_call call;
    if (index >= m->slots) {
        log_err(NULL, "media: record for slot %u, which is not this worker's", record->slot);
        COUNT(m, ring_stale, 1);
        return true;
    }
    if (!slot_call_read(segment_slot(m->segment, record->slot), &call)) return false;
    struct leg *leg = &m->slot_legs[index];
    if (record->kind == RING_MEDIA_STOP) {
        take_stop(m, leg, record, call.generation);
        return true;
    }
    if (call.generation != record->generation || (record->kind != RING_MEDIA_START && record->kind != RING_MEDIA_UPDATE)) {
        COUNT(m, ring_stale, 1);
        return true;
    }
    take_start(m, leg, &call); /* an UPDATE whose START went down with our predecessor begins the leg as well */
    return true;
}

void broker_take(struct media *m)
{
    struct ring_record record;
    int64_t taken = 0;
    m->record_waits = false;
    while (ring_peek(m->down, &record)) {
        if (!take_record(m, &record)) {
            m->record_waits = true; /* the next slice looks again: spinning here could keep the broker from this very core */
            return;
        }
        ring_pop(m->down);
        taken++;
    }
    if (taken) histogram_record(m->ring_depth, HISTOGRAM_ring_depth, taken);
}

/* A new incarnation: what the dead one left behind. Calls in MEDIA are the broker's to end; those ENDING wait for our answer. */
void broker_repair(struct media *m)
{
    if (ring_repair(m->down) || ring_repair(m->up)) log_warning(NULL, "media: a ring to the broker made no sense and was set up anew");
    for (uint32_t i = 0; i < m->slots; i++) {
        struct slot *slot = segment_slot(m->segment, m->first_slot + i);
        struct slot_call call;
        slot_repair(slot, false, true);
        if (slot_call_read(slot, &call) && call.state == SLOT_ENDING) release_unknown(m, i, call.generation);
    }
}
