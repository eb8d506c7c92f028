/* adopt_old.c: calls that have no slot in this engine any more. A freed slot keeps what its last call was until it is leased again (5 s at
 * least after audio); the ledger writes a result within a tenth of a second, or spools it. So whoever dies in between has left the outcome
 * in the slot. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/adopt.h"
#include "broker/adopt_own.h"
#include "broker/call.h"
#include "core/buf.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/log.h"

#define ENDED_RECENTLY_NS (10 * NS_PER_S)

/* --- lists ---------------------------------------------------------------------------------------------------------- */

/* No sequence lock: its writer is dead, or is this process. */
static void list_add(struct adopt_list *list, const struct slot *slot)
{
    if (list->count == list->size) {
        list->size = list->size ? list->size * 2 : 64;
        list->items = realloc(list->items, list->size * sizeof *list->items);
        CHECK(list->items);
    }
    list->items[list->count].call = slot->call;
    list->items[list->count++].totals = slot->totals;
}

void adopt_list_free(struct adopt_list *list)
{
    free(list->items);
    *list = (struct adopt_list) { 0 };
}

static bool ended_recently(const struct slot_call *call, int64_t now)
{
    return call->state == SLOT_FREE && call->role != SLOT_IN && call->invite_utc_us && call->end_utc_us && !uuid_is_nil(&call->attempt) &&
           now - call->free_since_ns < ENDED_RECENTLY_NS;
}

void adopt_ended_find(struct broker *broker, struct segment *segment, struct adopt_list *list)
{
    int64_t now = clock_mono_ns();
    for (uint32_t slot = 0; slot < segment_slots(segment); slot++)
        if (ended_recently(&segment_slot(segment, slot)->call, now)) list_add(list, segment_slot(segment, slot));
}

static void living_find(struct segment *segment, struct adopt_list *list)
{
    for (uint32_t slot = 0; slot < segment_slots(segment); slot++)
        if (segment_slot(segment, slot)->call.state != SLOT_FREE) list_add(list, segment_slot(segment, slot));
}

/* --- ended ---------------------------------------------------------------------------------------------------------- */

static void totals_take(struct call *call, const struct adopt_one *one)
{
    if (one->totals.generation == one->call.generation) call->totals = one->totals;
}

/* The row is written once more: it changes nothing where it had been written. */
static void end_again(struct broker *broker, const struct adopt_one *one)
{
    struct call *call = adopt_call(broker, &one->call);
    if (!call) return;
    totals_take(call, one);
    call->cause = one->call.cause;
    call->state = CALL_ENDING;
    call->ended_told = true;
    call_check_over(call);
}

void adopt_ended(struct broker *broker, const struct adopt_list *list)
{
    for (size_t i = 0; i < list->count; i++) end_again(broker, &list->items[i]);
}

/* --- a dead engine's segment ---------------------------------------------------------------------------------------- */

static struct segment *old_open(struct broker *broker)
{
    struct segment *old = NULL;
    struct buf error = BUF_INIT;
    if (broker->args->old_segment && segment_map(&old, broker->args->old_segment, true, &error) < 0)
        log_err(NULL, "the dead engine's calls cannot be ended: %s", buf_text(&error));
    buf_free(&error);
    return old;
}

/* Nobody has its audio any more, whatever it was doing. What was ending keeps its outcome. */
static void end_dead(struct broker *broker, const struct adopt_one *one)
{
    struct call *call = adopt_call(broker, &one->call);
    if (!call) return;
    bool ending = one->call.state == SLOT_ENDING;
    call->media_started = call->told_worker = false;
    totals_take(call, one);
    adopt_leg(call);
    adopt_end_dialog(call);
    call_hangup(call, ending ? one->call.cause : CAUSE_CRASH, 0, NULL);
    if (ending && one->call.end_utc_us) call->at.end = one->call.end_utc_us;
}

void adopt_old(struct broker *broker)
{
    struct adopt_list living = { 0 }, ended = { 0 };
    struct segment *old = old_open(broker);
    if (old) {
        living_find(old, &living);
        adopt_ended_find(broker, old, &ended);
        segment_unmap(old);
        for (size_t i = 0; i < living.count; i++) end_dead(broker, &living.items[i]);
        adopt_ended(broker, &ended);
        log_notice(NULL, "%zu calls of the dead engine are ended", living.count);
    }
    if (broker->args->old_segment) segment_remove(broker->args->old_segment);
    adopt_list_free(&living);
    adopt_list_free(&ended);
}

/* --- before all that ------------------------------------------------------------------------------------------------ */

static size_t attempts_of(const struct adopt_list *list, struct uuid *ids)
{
    size_t n = 0;
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].call.role != SLOT_IN) ids[n++] = list->items[i].call.attempt;
    return n;
}

int adopt_recover(struct broker *broker)
{
    struct adopt_list known = { 0 };
    struct segment *old = old_open(broker);
    living_find(broker->segment, &known);
    adopt_ended_find(broker, broker->segment, &known);
    if (old) {
        living_find(old, &known);
        adopt_ended_find(broker, old, &known);
        segment_unmap(old);
    }
    struct uuid *ids = calloc(known.count + 1, sizeof *ids);
    CHECK(ids);
    int64_t interrupted = ledger_recover_except(broker->ledger, ids, attempts_of(&known, ids));
    if (interrupted > 0) log_notice(NULL, "%lld attempts that were begun before are marked interrupted", (long long)interrupted);
    free(ids);
    adopt_list_free(&known);
    return interrupted < 0 ? (int)interrupted : 0;
}
