/* esl_reader.c: the one reader of all processes' event logs, for all clients.
 *
 * Order. One call's events may lie in two logs. An event that another one caused carries a later time and was published
 * after it; so with a time T taken first and the logs looked into afterwards, everything older than T is visible, and
 * is handed out oldest first. What is younger than T waits for the next look. */
#include <errno.h>
#include <string.h>

#include "bus/counter.h"
#include "control/esl_own.h"
#include "core/log.h"

#define HELD_NS (200 * NS_PER_MS) /* an event of the future (the clock was set back) waits no longer than that */

/* --- what is wanted ---------------------------------------------------------------------------------------------- */

static void wish_join(struct esl_set *wish, const struct esl_client *client)
{
    if (client->all) {
        /* All that exist, not all 128 bits: scripts have no types beyond. */
        esl_set_fill(wish);
        return;
    }
    wish->bits[0] |= client->types.bits[0];
    wish->bits[1] |= client->types.bits[1];
    if (client->attached && !client->call_over) esl_set_add(wish, ESL_CHANNEL_HANGUP);
}

static void sources_to_end(struct esl *esl)
{
    for (uint32_t i = 0; i < esl->processes; i++) {
        struct esl_source *source = &esl->sources[i];
        struct eventlog *log = segment_eventlog(esl->segment, i);
        source->process = i;
        source->have = false;
        source->missed = 0;
        eventlog_seek_end(log, &source->cursor);
        source->last = eventlog_newest(log);
    }
}

void esl_reader_wish(struct esl *esl)
{
    struct esl_set wish = { 0 };
    if (clock_mono_ns() < esl->kept_until_ns) wish = esl->kept;
    for (const struct esl_client *client = esl->clients; client != NULL; client = client->next)
        if (!client->gone && !client->closing) wish_join(&wish, client);
    if (memcmp(&wish, &esl->wish, sizeof wish) == 0) return;
    esl->wish = wish;
    event_wish(esl->segment, BUS_CONTROL, wish.bits);
    if (!esl->reading && !esl_set_empty(&wish)) {
        sources_to_end(esl);
        esl->reading = true;
        loop_timer_set(esl->loop, &esl->poll, clock_mono_ns() + ESL_POLL_NS);
    }
}

void esl_wish(struct esl *esl, const uint64_t types[2])
{
    memcpy(esl->others.bits, types, sizeof esl->others.bits);
    esl_reader_wish(esl);
}

void esl_reader_keep(const struct esl_client *client)
{
    struct esl *esl = client->esl;
    struct esl_set types = { 0 };
    int64_t now = clock_mono_ns();
    wish_join(&types, client);
    if (esl_set_empty(&types) || !client->authenticated || esl->closing) return;
    if (now >= esl->kept_until_ns) esl->kept = (struct esl_set) { 0 };
    esl->kept.bits[0] |= types.bits[0];
    esl->kept.bits[1] |= types.bits[1];
    esl->kept_until_ns = now + ESL_KEEP_NS;
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

bool esl_source_fill(struct esl *esl, struct esl_source *source)
{
    uint64_t missed = 0;
    struct eventlog *log = segment_eventlog(esl->segment, source->process);
    for (int tries = 0; !source->have && tries < 3; tries++) {
        int got = eventlog_read(log, &source->cursor, &source->head, &source->pairs, &missed);
        if (got > 0) {
            source->have = true;
            source->head.producer = source->process; /* whatever its writer thinks: positions are about logs */
        } else if (got == -EOVERFLOW)
            source->missed += missed;
        else
            break;
    }
    return source->have;
}

void esl_marks_now(struct esl *esl, esl_marks out)
{
    for (uint32_t i = 0; i < esl->processes; i++) out[i] = esl->sources[i].last;
}

static struct esl_source *oldest(struct esl *esl)
{
    struct esl_source *best = NULL;
    for (uint32_t i = 0; i < esl->processes; i++) {
        struct esl_source *source = &esl->sources[i];
        if (!source->have) continue;
        bool before = best == NULL || source->head.utc_us < best->head.utc_us ||
                      (source->head.utc_us == best->head.utc_us && source->head.call_sequence < best->head.call_sequence);
        if (before) best = source;
    }
    return best;
}

/* This process was too slow itself: every listening client lost what nobody can name any more. */
static void lapped(struct esl *esl, struct esl_source *source)
{
    log_warning(NULL, "event socket: %llu events of process %u were overwritten before they were read", (unsigned long long)source->missed,
                source->process);
    counter_add(counter_at(esl->segment, BUS_CONTROL, COUNTER_events_lost), (int64_t)source->missed);
    for (struct esl_client *client = esl->clients; client != NULL; client = client->next)
        if (esl_client_subscribed(client)) esl_client_lost(client, source->missed);
    source->last += source->missed;
    source->missed = 0;
}

void esl_client_lost(struct esl_client *client, uint64_t count)
{
    if (client->missed == 0) esl_marks_now(client->esl, client->gap_from);
    client->missed += count;
    client->dirty = true;
}

void esl_client_offer(struct esl_client *client, struct esl_event *event)
{
    if (client->gone || !esl_client_wants(client, event)) return;
    if (client->missed > 0 || esl_queue_full(&client->queue)) {
        esl_client_lost(client, 1);
        return;
    }
    struct esl_text *text = esl_event_text(event, client->format);
    if (text == NULL || esl_queue_put(&client->queue, text) < 0) esl_client_lost(client, 1);
    client->dirty = true;
}

void esl_distribute(struct esl *esl, const struct event_head *head, struct kv_view pairs)
{
    struct esl_event event = { .head = *head, .pairs = pairs };
    for (struct esl_client *client = esl->clients; client != NULL; client = client->next) esl_client_offer(client, &event);
    esl_event_release(&event);
}

/* After `last` counts the event, so that a goodbye's notice of a gap does not leave it out. */
static void calls_over(struct esl *esl, const struct event_head *head)
{
    if (head->type != ESL_CHANNEL_HANGUP) return;
    for (struct esl_client *client = esl->clients; client != NULL; client = client->next)
        if (client->attached && memcmp(client->call.bytes, head->call, sizeof head->call) == 0) esl_client_call_over(client);
}

/* May it go out now? See the top of this file. */
static bool ripe(struct esl *esl, const struct esl_source *source, int64_t horizon_us)
{
    if (source->head.utc_us < horizon_us) {
        esl->held_since_ns = 0;
        return true;
    }
    int64_t now = clock_mono_ns();
    if (esl->held_since_ns == 0) esl->held_since_ns = now;
    return now - esl->held_since_ns > HELD_NS;
}

static void fill_all(struct esl *esl)
{
    for (uint32_t i = 0; i < esl->processes; i++) {
        esl_source_fill(esl, &esl->sources[i]);
        if (esl->sources[i].missed > 0) lapped(esl, &esl->sources[i]);
    }
}

unsigned esl_reader_read(struct esl *esl)
{
    int64_t horizon_us = clock_utc_us();
    struct esl_source *source;
    unsigned count = 0;
    if (!esl->reading) return 0;
    fill_all(esl);
    while (count < ESL_POLL_EVENTS_MAX && (source = oldest(esl)) != NULL && ripe(esl, source, horizon_us)) {
        esl_distribute(esl, &source->head, kv_view(&source->pairs));
        source->last = source->head.sequence;
        source->have = false;
        calls_over(esl, &source->head);
        esl_source_fill(esl, source);
        if (source->missed > 0) lapped(esl, source);
        count++;
    }
    return count;
}

static void poll_fired(struct loop_timer *timer)
{
    struct esl *esl = timer->context;
    unsigned count = esl_reader_read(esl);
    for (struct esl_client *client = esl->clients; client != NULL; client = client->next)
        if (client->dirty) esl_client_flush(client);
    if (esl->kept_until_ns > 0 && clock_mono_ns() >= esl->kept_until_ns) {
        esl->kept_until_ns = 0;
        esl_reader_wish(esl);
    }
    if (esl_set_empty(&esl->wish))
        esl->reading = false;
    else
        loop_timer_set(esl->loop, timer, clock_mono_ns() + (count == ESL_POLL_EVENTS_MAX ? 0 : ESL_POLL_NS));
}

void esl_reader_start(struct esl *esl)
{
    esl->processes = segment_processes(esl->segment);
    esl->poll = (struct loop_timer) { .fire = poll_fired, .context = esl };
    sources_to_end(esl);
    event_wish(esl->segment, BUS_CONTROL, esl->wish.bits);
}

void esl_reader_stop(struct esl *esl)
{
    loop_timer_clear(esl->loop, &esl->poll);
    for (uint32_t i = 0; i < esl->processes; i++) kv_free(&esl->sources[i].pairs);
}
