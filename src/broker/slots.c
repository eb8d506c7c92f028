/* slots.c: see slots.h. */
#include "broker/slots.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/media.h"
#include "broker/state.h"
#include "core/check.h"
#include "core/clock.h"

static void queue_put(struct slot_queue *queue, uint32_t slot)
{
    CHECK(queue->count < queue->size);
    queue->items[(queue->head + queue->count++) % queue->size] = slot;
}

static uint32_t queue_take(struct slot_queue *queue)
{
    CHECK(queue->count > 0);
    uint32_t slot = queue->items[queue->head];
    queue->head = (queue->head + 1) % queue->size;
    queue->count--;
    return slot;
}

static int queue_open(struct slot_queue *queue, uint32_t size)
{
    queue->items = malloc(size * sizeof *queue->items);
    queue->size = size;
    return queue->items ? 0 : -ENOMEM;
}

static struct slot_queue *rested_of(struct broker *broker, uint32_t slot)
{
    return &broker->slots.workers[slot / broker->slots.each].rested[slot % broker->media_address_count];
}

/* All slots start free; adopt.c takes those of living calls out before (generation and state say which). */
static void slots_fill(struct broker *broker)
{
    struct slots *slots = &broker->slots;
    for (uint32_t slot = 0; slot < slots->total; slot++) {
        struct slot *shared = segment_slot(broker->segment, slot);
        slots->generations[slot] = shared->call.generation;
        slots->free_since_ns[slot] = shared->call.free_since_ns;
        if (shared->call.state == SLOT_FREE) queue_put(rested_of(broker, slot), slot);
    }
}

int slots_open(struct broker *broker)
{
    struct slots *slots = &broker->slots;
    slots->each = segment_slots_each(broker->segment);
    slots->total = segment_slots(broker->segment);
    slots->workers = calloc(broker->worker_count, sizeof *slots->workers);
    slots->calls = calloc(slots->total, sizeof(struct call *));
    slots->generations = calloc(slots->total, sizeof *slots->generations);
    slots->free_since_ns = calloc(slots->total, sizeof *slots->free_since_ns);
    if (!slots->workers || !slots->calls || !slots->generations || !slots->free_since_ns) return -ENOMEM;
    for (uint32_t w = 0; w < broker->worker_count; w++) {
        for (uint32_t a = 0; a < broker->media_address_count; a++)
            if (queue_open(&slots->workers[w].rested[a], slots->each / broker->media_address_count + 1) < 0) return -ENOMEM;
        if (queue_open(&slots->workers[w].resting, slots->each) < 0) return -ENOMEM;
    }
    for (uint32_t slot = 0; slot < slots->total; slot++) slot_repair(segment_slot(broker->segment, slot), true, false);
    slots_fill(broker);
    return 0;
}

void slots_free(struct broker *broker)
{
    struct slots *slots = &broker->slots;
    for (uint32_t w = 0; slots->workers && w < broker->worker_count; w++) {
        for (uint32_t a = 0; a < MEDIA_ADDRESSES_MAX; a++) free(slots->workers[w].rested[a].items);
        free(slots->workers[w].resting.items);
    }
    free(slots->workers);
    free(slots->calls);
    free(slots->generations);
    free(slots->free_since_ns);
    *slots = (struct slots) { 0 };
}

static void wake_rested(struct broker *broker, struct worker_slots *worker)
{
    struct slots *slots = &broker->slots;
    int64_t before = clock_mono_ns() - SLOT_REST_NS;
    while (worker->resting.count && slots->free_since_ns[worker->resting.items[worker->resting.head]] <= before) {
        uint32_t slot = queue_take(&worker->resting);
        queue_put(rested_of(broker, slot), slot);
    }
}

/* Of the addresses that suit, the one whose next slot is free the longest, or that has more of them; NULL if all are used up. */
static struct slot_queue *rested_choose(struct broker *broker, struct worker_slots *worker, uint32_t mask)
{
    struct slot_queue *best = NULL;
    const int64_t *since = broker->slots.free_since_ns;
    for (uint32_t a = 0; a < broker->media_address_count; a++) {
        struct slot_queue *queue = &worker->rested[a];
        if (!(mask >> a & 1) || !queue->count) continue;
        int64_t mine = since[queue->items[queue->head]], other = best ? since[best->items[best->head]] : INT64_MAX;
        if (mine < other || (mine == other && queue->count > best->count)) best = queue;
    }
    return best;
}

static void slot_claim(struct broker *broker, struct call *call)
{
    struct slot *slot = segment_slot(broker->segment, call->slot);
    slot_call_write_begin(slot);
    slot->call = (struct slot_call) { .generation = call->generation, .state = SLOT_DIALLING };
    slot->call.channel = call->channel;
    slot->call.attempt = call->attempt;
    slot->call.worker_epoch = broker->workers[call->worker].epoch;
    slot->call.role = call->inbound ? SLOT_IN : call->script ? SLOT_OUT_CAMPAIGN : SLOT_OUT_SCRIPT;
    slot_call_write_end(slot);
}

int slot_lease(struct broker *broker, struct call *call, uint32_t worker)
{
    struct slots *slots = &broker->slots;
    CHECK(call->slot == SLOT_NONE && worker < broker->worker_count);
    struct worker_slots *of = &slots->workers[worker];
    wake_rested(broker, of);
    struct slot_queue *queue = rested_choose(broker, of, media_mask(call, call->trunk));
    if (!queue) return -EAGAIN;
    call->slot = queue_take(queue);
    call->worker = worker;
    call->generation = ++slots->generations[call->slot];
    if (!call->generation) call->generation = slots->generations[call->slot] = 1;
    slots->calls[call->slot] = call;
    of->busy++;
    slots->busy++;
    slot_claim(broker, call);
    directory_put(broker->segment, call->channel.bytes, (struct directory_entry) { call->slot, call->generation, worker });
    counter_set(broker->counters[COUNTER_calls_active], slots->busy);
    return 0;
}

void slot_free(struct broker *broker, struct call *call, bool rest)
{
    struct slots *slots = &broker->slots;
    CHECK(call->slot != SLOT_NONE && slots->calls[call->slot] == call);
    struct worker_slots *of = &slots->workers[call->worker];
    struct slot *slot = segment_slot(broker->segment, call->slot);
    int64_t now = clock_mono_ns();
    slot_call_write_begin(slot);
    slot->call.state = SLOT_FREE;
    slot->call.free_since_ns = now;
    slot_call_write_end(slot);
    directory_remove(broker->segment, call->channel.bytes);
    slots->free_since_ns[call->slot] = now;
    slots->calls[call->slot] = NULL;
    queue_put(rest ? &of->resting : rested_of(broker, call->slot), call->slot);
    of->busy--;
    slots->busy--;
    call->slot = SLOT_NONE;
    counter_set(broker->counters[COUNTER_calls_active], slots->busy);
}

bool worker_takes(struct broker *broker, uint32_t worker)
{
    return broker->workers[worker].ready && !counter_read(broker->segment, BUS_WORKER_0 + worker, COUNTER_media_over_budget);
}

uint32_t slots_room(struct broker *broker)
{
    uint32_t room = 0;
    for (uint32_t w = 0; w < broker->worker_count; w++) {
        if (!worker_takes(broker, w)) continue;
        wake_rested(broker, &broker->slots.workers[w]);
        for (uint32_t a = 0; a < broker->media_address_count; a++) room += broker->slots.workers[w].rested[a].count;
    }
    return room;
}

int worker_least(struct broker *broker, uint32_t *worker)
{
    uint32_t least = UINT32_MAX;
    for (uint32_t w = 0; w < broker->worker_count; w++) {
        if (!worker_takes(broker, w)) continue;
        if (broker->slots.workers[w].busy >= least) continue;
        least = broker->slots.workers[w].busy;
        *worker = w;
    }
    return least == UINT32_MAX ? -EAGAIN : 0;
}

static uint8_t slot_state_of(const struct call *call)
{
    if (call_is_ended(call)) return SLOT_ENDING;
    return call->media_started ? SLOT_MEDIA : SLOT_DIALLING;
}

#define COPY(to, from) memcpy((to), (from), strnlen((from), sizeof(to) - 1) + 1)

static void mirror_dialog(struct slot_call *to, const struct call *call)
{
    COPY(to->call_id, call->call_id);
    COPY(to->local_tag, call->local_tag);
    COPY(to->remote_tag, call->remote_tag);
    COPY(to->branch, call->branch);
    COPY(to->local_uri, call->local_uri);
    COPY(to->remote_uri, call->remote_uri);
    COPY(to->target, call->target);
    COPY(to->route, call->route);
    to->local_cseq = call->local_cseq;
    to->remote_cseq = call->remote_cseq;
    to->invite_cseq = call->invite_cseq;
    to->sdp_session = call->sdp_session;
    to->sdp_version = call->sdp_version;
    to->session_expires_s = call->session.expires_s;
    to->session_min_se_s = call->session.min_s;
    to->session_refresher = (uint8_t)call->session.refresher;
    to->session_update = call->session.update;
    to->held = call->request_direction && !strcmp(call->request_direction, "sendonly");
    if (call->listener) {
        COPY(to->contact, call->listener->contact_text[call->transport]);
        snprintf(to->transport, sizeof to->transport, "%s %.50s", transport_name(call->transport), call->listener->name);
    }
}

static void mirror_script(struct slot_call *to, const struct call *call)
{
    to->campaign_id = call->campaign;
    to->lead_tries = call->lead_tries;
    COPY(to->lead_history, call->lead_history);
    COPY(to->script_result, call->script_result);
    COPY(to->script_disposition, call->script_disposition);
    COPY(to->digits, call->digits);
    COPY(to->via, call->via);
}

void slot_mirror(struct call *call)
{
    if (call->slot == SLOT_NONE) return;
    struct slot *slot = segment_slot(call->broker->segment, call->slot);
    slot_call_write_begin(slot);
    struct slot_call *to = &slot->call;
    to->state = slot_state_of(call);
    to->answered = call->answered;
    mirror_dialog(to, call);
    if (call->trunk) COPY(to->trunk, call->trunk->name);
    COPY(to->campaign, call->campaign_name);
    to->lead = call->lead;
    mirror_script(to, call);
    to->invite_utc_us = call->at.invite;
    to->ring_utc_us = call->at.ring;
    to->answer_utc_us = call->at.answer;
    to->end_utc_us = call->at.end;
    to->sip_status = (uint16_t)call->sip_status;
    to->cause = (uint16_t)call->cause;
    if (call->media_agreed) to->media = call->media;
    slot_call_write_end(slot);
}
