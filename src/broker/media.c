/* media.c: see media.h. */
#include "broker/media.h"

#include <errno.h>
#include <string.h>

#include "broker/call.h"
#include "bus/media_address.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/log.h"

static void push(struct call *call, enum ring_kind kind)
{
    struct broker *broker = call->broker;
    struct ring_record record = { .slot = call->slot, .generation = call->generation, .kind = (uint16_t)kind, .time_ns = clock_mono_ns() };
    if (ring_push(segment_ring_down(broker->segment, call->worker), &record) < 0) {
        COUNT(broker, ring_full, 1);
        log_err(call->channel_text, "the ring to worker %u is full; record %d of slot %u is lost", call->worker, (int)kind, call->slot);
        return;
    }
    bell_ring(broker->segment, BUS_WORKER_0 + call->worker, BELL_MEDIA);
}

void media_run(struct call *call)
{
    if (call->slot == SLOT_NONE || call_is_ended(call)) return;
    enum ring_kind kind = call->media_started ? RING_MEDIA_UPDATE : RING_MEDIA_START;
    call->media_started = true;
    call->media.early = !call->answered;
    slot_mirror(call);
    push(call, kind);
}

void call_media_stop(struct call *call)
{
    if (call->slot == SLOT_NONE) return;
    slot_mirror(call);
    if (call->media_started)
        push(call, RING_MEDIA_STOP);
    else
        call->media_released = true;
}

uint32_t media_mask(const struct call *call, const struct trunk *trunk)
{
    const struct broker *broker = call->broker;
    const struct listener *listener = trunk ? trunk->listener : call->listener;
    if (trunk && trunk->media_mask) return trunk->media_mask;
    uint32_t family = listener ? broker->media_families[strchr(listener->address, ':') != NULL] : 0;
    return family ? family : UINT32_MAX;
}

void media_local(struct call *call, const char **address, uint16_t *port)
{
    struct broker *broker = call->broker;
    uint32_t index;
    media_address(call->slot, broker->media_address_count, broker->port_first, broker->port_last, &index, port);
    *address = broker->media_addresses[index];
}

static void released(struct broker *broker, struct call *call)
{
    struct slot *slot = segment_slot(broker->segment, call->slot);
    struct slot_totals totals;
    if (slot_totals_read(slot, &totals) && totals.generation == call->generation) call->totals = totals;
    if (!call_is_ended(call)) {
        log_err(call->channel_text, "worker %u released the media of a call that goes on", call->worker);
        return;
    }
    call->media_released = true;
    call_check_over(call);
}

static void record_take(struct broker *broker, const struct ring_record *record)
{
    struct call *call = record->slot < broker->slots.total ? broker->slots.calls[record->slot] : NULL;
    if (!call || call->generation != record->generation) {
        COUNT(broker, ring_stale, 1);
        return;
    }
    if (record->kind == RING_RELEASED)
        released(broker, call);
    else if (record->kind == RING_MEDIA_TIMEOUT)
        call_hangup(call, CAUSE_MEDIA_TIMEOUT, 0, NULL);
}

void media_poll(void *context)
{
    struct broker *broker = context;
    for (uint32_t w = 0; w < broker->worker_count; w++) {
        struct ring *ring = segment_ring_up(broker->segment, w);
        struct ring_record record;
        while (ring_peek(ring, &record)) {
            record_take(broker, &record);
            ring_pop(ring);
        }
    }
}
