/* call.c: see call.h. */
#include "broker/call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "broker/bye.h"
#include "broker/invite.h"
#include "broker/lane.h"
#include "broker/media.h"
#include "broker/row.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/log.h"

#define INVITE_WAIT_NS (40 * NS_PER_S) /* beyond the stack's own 64·T1 */

/* --- tables --------------------------------------------------------------------------------------------------------- */

int calls_open(struct broker *broker)
{
    uint32_t size = 1024;
    while (size < segment_slots(broker->segment) * 2) size *= 2;
    broker->calls.by_channel = calloc(size, sizeof(struct call *));
    broker->calls.by_attempt = calloc(size, sizeof(struct call *));
    broker->calls.mask = size - 1;
    return broker->calls.by_channel && broker->calls.by_attempt ? 0 : -ENOMEM;
}

/* The last bytes of both versions of UUID are random. */
static uint32_t bucket_of(const struct calls *calls, const struct uuid *id)
{
    uint32_t word;
    memcpy(&word, id->bytes + 12, sizeof word);
    return word & calls->mask;
}

static void table_put(struct call **table, uint32_t bucket, struct call *call, size_t link)
{
    struct call **next = (struct call **)(void *)((char *)call + link);
    *next = table[bucket];
    table[bucket] = call;
}

static void table_remove(struct call **table, uint32_t bucket, struct call *call, size_t link)
{
    struct call **at = &table[bucket];
    while (*at && *at != call) at = (struct call **)(void *)((char *)*at + link);
    if (*at) *at = *(struct call **)(void *)((char *)call + link);
}

static void index_put(struct call *call)
{
    struct calls *calls = &call->broker->calls;
    table_put(calls->by_channel, bucket_of(calls, &call->channel), call, offsetof(struct call, next_by_channel));
    if (!call->inbound) table_put(calls->by_attempt, bucket_of(calls, &call->attempt), call, offsetof(struct call, next_by_attempt));
    call->next = calls->first;
    if (calls->first) calls->first->previous = call;
    calls->first = call;
    calls->count++;
}

static void index_remove(struct call *call)
{
    struct calls *calls = &call->broker->calls;
    table_remove(calls->by_channel, bucket_of(calls, &call->channel), call, offsetof(struct call, next_by_channel));
    if (!call->inbound) table_remove(calls->by_attempt, bucket_of(calls, &call->attempt), call, offsetof(struct call, next_by_attempt));
    if (call->previous)
        call->previous->next = call->next;
    else
        calls->first = call->next;
    if (call->next) call->next->previous = call->previous;
    calls->count--;
}

struct call *call_by_channel(struct broker *broker, const char *text)
{
    struct uuid id;
    if (!text || uuid_parse(&id, text) < 0) return NULL;
    struct call *call = broker->calls.by_channel[bucket_of(&broker->calls, &id)];
    while (call && !uuid_equal(&call->channel, &id)) call = call->next_by_channel;
    return call;
}

struct call *call_by_call_id(struct broker *broker, const char *text)
{
    struct uuid id;
    if (!text || uuid_parse(&id, text) < 0) return NULL;
    struct call *call = broker->calls.by_attempt[bucket_of(&broker->calls, &id)];
    while (call && !uuid_equal(&call->attempt, &id)) call = call->next_by_attempt;
    return call;
}

/* --- making and freeing --------------------------------------------------------------------------------------------- */

static void timer_fired(struct loop_timer *timer);
static void second_fired(struct loop_timer *timer);

/* From the random bytes of both ids: unpredictable for a far end, which never sees the channel's. */
static void tag_make(struct call *call)
{
    uint64_t a, b;
    memcpy(&a, call->channel.bytes + 8, sizeof a);
    memcpy(&b, call->inbound ? call->channel.bytes : call->attempt.bytes + 8, sizeof b);
    uint64_t mixed = (a ^ (b * 0x9e3779b97f4a7c15ull)) * 0xbf58476d1ce4e5b9ull;
    snprintf(call->local_tag, sizeof call->local_tag, "%016llx", (unsigned long long)(mixed ^ (mixed >> 31)));
    call->sdp_session = (mixed * 0x94d049bb133111ebull) >> 2; /* some far ends read it as a signed number */
}

static struct call *call_make(struct broker *broker, const struct uuid *channel, const struct uuid *attempt, bool inbound)
{
    struct call *call = calloc(1, sizeof *call);
    char text[UUID_TEXT_SIZE];
    if (!call) return NULL;
    call->broker = broker;
    call->inbound = inbound;
    call->slot = SLOT_NONE;
    call->sdp_version = 1;
    call->channel = channel && !uuid_is_nil(channel) ? *channel : uuid_make_v4();
    uuid_text(&call->channel, call->channel_text);
    if (attempt) call->attempt = *attempt;
    if (!inbound) snprintf(call->call_id, sizeof call->call_id, "%s", uuid_text(&call->attempt, text));
    call->local_cseq = 100;
    call->identity = -1;
    call->variables = KV_INIT;
    call->timer = (struct loop_timer) { .fire = timer_fired, .context = call };
    call->second = (struct loop_timer) { .fire = second_fired, .context = call };
    tag_make(call);
    index_put(call);
    return call;
}

struct call *call_new(struct broker *broker, const struct uuid *channel, bool inbound)
{
    struct uuid attempt = inbound ? (struct uuid) { { 0 } } : uuid_make_v7();
    return call_make(broker, channel, &attempt, inbound);
}

struct call *call_new_adopted(struct broker *broker, const struct uuid *channel, const struct uuid *attempt, bool inbound)
{
    return call_make(broker, channel, attempt, inbound);
}

static void call_free(struct call *call)
{
    struct broker *broker = call->broker;
    CHECK(call->slot == SLOT_NONE && !call->capped);
    loop_timer_clear(broker->loop, &call->timer);
    loop_timer_clear(broker->loop, &call->second);
    if (call->invite) nta_outgoing_destroy(call->invite);
    if (call->bye) nta_outgoing_destroy(call->bye);
    if (call->request) nta_outgoing_destroy(call->request);
    if (call->offer) nta_incoming_destroy(call->offer);
    if (call->reoffer) nta_incoming_destroy(call->reoffer);
    if (call->leg) nta_leg_destroy(call->leg);
    loop_timer_clear(broker->loop, &call->glare);
    session_stop(call);
    early_dialogs_free(call);
    index_remove(call);
    if (call->home) su_home_unref(call->home);
    free(call->headers);
    free(call->end_headers);
    free(call->uri);
    free(call->auth_user);
    free(call->auth_password);
    free(call->script);
    free(call->arguments);
    kv_free(&call->variables);
    free(call);
}

void call_drop(struct call *call)
{
    if (call->slot != SLOT_NONE) slot_free(call->broker, call, false);
    call_free(call);
}

void calls_reap(struct broker *broker)
{
    while (broker->dead) {
        struct call *call = broker->dead;
        broker->dead = call->next_dead;
        call_free(call);
    }
}

void calls_close(struct broker *broker)
{
    calls_reap(broker);
    while (broker->calls.first) {
        struct call *call = broker->calls.first;
        call->slot = SLOT_NONE;
        call->capped = false;
        call_free(call);
    }
    free(broker->calls.by_channel);
    free(broker->calls.by_attempt);
}

/* --- ending --------------------------------------------------------------------------------------------------------- */

static void caps_return(struct call *call)
{
    if (!call->capped) return;
    call->capped = false;
    call->broker->cap.active--;
    if (call->trunk && !call->inbound) call->trunk->cap.active--;
}

static bool is_through(const struct call *call)
{
    return !call->invite && !call->row_pending && call->slot == SLOT_NONE && !call->script_running;
}

/* The slot goes last: until the script has spoken and our INVITE has its final response, it is what another broker would
 * write the row from and cancel by. */
static void slot_return(struct call *call)
{
    if (call->state != CALL_ENDING || call->slot == SLOT_NONE || !call->media_released || call->script_running || call->invite) return;
    slot_free(call->broker, call, call->media_started || call->media_seen);
}

void call_check_over(struct call *call)
{
    slot_return(call);
    if (call->state == CALL_ENDING && is_through(call)) {
        call->state = CALL_OVER;
        caps_return(call);
        row_write(call);
    }
    if (call->state != CALL_OVER || call->in_reap) return;
    if (call->bye || call->bye_due || call->cancel_due || call->offer || call->reoffer || call->request) return;
    call->in_reap = true;
    call->next_dead = call->broker->dead;
    call->broker->dead = call;
}

static void waiting_leave(struct call *call)
{
    if (call->state == CALL_WAITING) trunk_unqueue(call->trunk, call);
}

static void count_end(struct call *call)
{
    if (call->answered || call->inbound) return;
    COUNT(call->broker, calls_failed, 1);
    if (call->trunk) call->trunk->failed++;
    bool silent = call->state == CALL_INVITING && call->cause == CAUSE_NO_ANSWER;
    trunk_result(call, silent || trunk_is_to_blame(call, call->sip_status) ? QUALITY_FAILED : QUALITY_REFUSED);
}

void call_end(struct call *call, int cause, bool by_them, const sip_t *sip)
{
    if (call_is_ended(call)) return;
    waiting_leave(call);
    call->cause = cause;
    call->by_them = by_them;
    call->at.end = clock_utc_us();
    count_end(call);
    trunk_cause_count(call, cause);
    log_debug(call->channel_text, "ended: %s by %s, SIP %d", cause_name(cause), by_them ? "them" : "us", call->sip_status);
    call->state = CALL_ENDING;
    loop_timer_clear(call->broker->loop, &call->second);
    loop_timer_clear(call->broker->loop, &call->glare);
    session_stop(call);
    loop_timer_set(call->broker->loop, &call->timer, clock_mono_ns() + CALL_RELEASE_WAIT_NS);
    lane_tell_end(call, sip);
    call_media_stop(call);
    call_check_over(call);
}

void call_hangup(struct call *call, int cause, int status, const char *phrase)
{
    if (call_is_ended(call)) return;
    if (call->state == CALL_OFFERED)
        refuse_send(call, cause, status, phrase);
    else if (call->state == CALL_INVITING || call->state == CALL_RINGING)
        cancel_send(call, cause);
    else if (call->state == CALL_TALKING || call->state == CALL_ANSWERING)
        bye_send(call, cause);
    call_end(call, cause, false, NULL);
}

/* --- timers --------------------------------------------------------------------------------------------------------- */

/* The end takes too long: what is still missing is given up, each with a line. */
static void end_overdue(struct call *call)
{
    int64_t waited_ns = (clock_utc_us() - call->at.end) * 1000;
    if (call->slot != SLOT_NONE && !call->media_released) {
        log_err(call->channel_text, "worker %u did not release the media of slot %u; the slot rests and is used again", call->worker,
                call->slot);
        slot_free(call->broker, call, true);
    }
    if (call->script_running && waited_ns > CALL_SCRIPT_WAIT_NS) {
        log_warning(call->channel_text, "the script has not ended %d s after its call", (int)(CALL_SCRIPT_WAIT_NS / NS_PER_S));
        call->script_running = false;
        snprintf(call->script_result, sizeof call->script_result, "script_error");
        snprintf(call->error, sizeof call->error, "the script has not ended %d s after its call", (int)(CALL_SCRIPT_WAIT_NS / NS_PER_S));
    }
    if (call->invite && waited_ns > INVITE_WAIT_NS) {
        nta_outgoing_destroy(call->invite);
        call->invite = NULL;
    }
    if (call->cancel_due && waited_ns > CALL_SCRIPT_WAIT_NS) call->cancel_due = false;
    if (!is_through(call) || call->cancel_due) loop_timer_set(call->broker->loop, &call->timer, clock_mono_ns() + CALL_RELEASE_WAIT_NS);
    call_check_over(call);
}

static void timer_fired(struct loop_timer *timer)
{
    struct call *call = timer->context;
    if (call_is_ended(call))
        end_overdue(call);
    else if (call->refused)
        call_end(call, call->cause, false, NULL);
    else if (call->answered)
        call_hangup(call, CAUSE_ALLOTTED_TIMEOUT, 0, NULL);
    else if (!call_is_ended(call))
        call_hangup(call, CAUSE_NO_ANSWER, 0, NULL);
}

/* Before the answer: no progress in time, or the trunk says nothing at all (then the next one is tried). */
static void second_fired(struct loop_timer *timer)
{
    struct call *call = timer->context;
    if (call->state == CALL_INVITING && call->invite && nta_outgoing_status(call->invite) < 100 && invite_fail_over(call, 408)) return;
    if (call->state <= CALL_INVITING && call->progress_timeout_ms) call_hangup(call, CAUSE_PROGRESS_TIMEOUT, 0, NULL);
}
