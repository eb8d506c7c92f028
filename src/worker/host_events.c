/* host_events.c: the event bus as scripts see it: publishing to this worker's log, and one reader of all logs that hands each event
 * to the subscriptions that want it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus/counter.h"
#include "core/clock.h"
#include "core/log.h"
#include "worker/host_private.h"

static bool types_have(const uint64_t types[2], uint16_t type) { return type >= 128 || (types[type / 64] >> (type % 64) & 1); }

/* What this worker's subscriptions want together, told to all writers through the segment. */
static void wishes_update(struct host *host)
{
    uint64_t types[2] = { 0, 0 };
    for (struct subscription *s = host->subscriptions; s; s = s->next) {
        types[0] |= s->types[0];
        types[1] |= s->types[1];
    }
    event_wish(host->segment, host->process, types);
}

static void event_deliver(struct host *host, const struct event_head *head, struct kv_view pairs)
{
    for (struct subscription *s = host->subscriptions, *next; s; s = next) {
        next = s->next; /* each() may unsubscribe itself */
        if (types_have(s->types, head->type)) s->each(s->context, head, pairs);
    }
}

static void log_drain(struct host *host, uint32_t process)
{
    struct eventlog *log = segment_eventlog(host->segment, process);
    struct event_head head;
    struct kv pairs = KV_INIT;
    uint64_t missed = 0;
    for (;;) {
        int got = eventlog_read(log, &host->cursors[process], &head, &pairs, &missed);
        if (got == 0) break;
        if (got > 0) {
            event_deliver(host, &head, kv_view(&pairs));
        } else if (got == -EOVERFLOW) {
            counter_add(counter_at(host->segment, host->process, COUNTER_events_lost), (int64_t)missed);
            log_warning(NULL, "%llu events of process %u were overwritten before this worker read them", (unsigned long long)missed,
                        process);
        } else {
            break;
        }
    }
    kv_free(&pairs);
}

void host_events_poll(void *context)
{
    struct host *host = context;
    if (!host->subscriptions || host->polling_events) return;
    host->polling_events = true;
    uint32_t processes = BUS_WORKER_0 + segment_workers(host->segment);
    for (uint32_t process = 0; process < processes; process++) log_drain(host, process);
    host->polling_events = false;
}

static void event_timer_fired(struct loop_timer *timer)
{
    struct host *host = timer->context;
    host_events_poll(host);
    if (host->subscriptions) loop_timer_set(host->loop, timer, loop_now_ns(host->loop) + EVENT_POLL_NS);
}

void host_events_start(struct host *host)
{
    host->event_timer = (struct loop_timer) { .fire = event_timer_fired, .context = host };
    event_wish(host->segment, host->process, (uint64_t[2]) { 0, 0 });
    post_source_add(host->post, host_events_poll, host);
}

void host_event_publish(struct host *host, uint16_t type, struct channel *channel, const struct kv *pairs)
{
    struct event_head head = { .type = type, .utc_us = clock_utc_us() };
    if (channel) {
        memcpy(head.call, channel->facts.uuid.bytes, sizeof(head.call));
        head.call_sequence = ++channel->events;
    }
    int error = eventlog_publish(segment_eventlog(host->segment, host->process), &head, kv_view(pairs));
    if (error == -EMSGSIZE)
        log_warning(channel ? channel->facts.uuid_text : NULL, "an event of more than %u bytes was not published", BUS_EVENT_BYTES_MAX);
    else
        counter_add(counter_at(host->segment, host->process, COUNTER_events_published), 1);
    /* Own subscribers get it at the end of this turn of the loop; others with the next look. */
    if (host->subscriptions && !host->polling_events) loop_timer_set(host->loop, &host->event_timer, loop_now_ns(host->loop));
}

bool host_event_wanted(struct host *host, uint16_t type) { return event_wanted(host->segment, type); }

static void cursors_to_end(struct host *host)
{
    uint32_t processes = BUS_WORKER_0 + segment_workers(host->segment);
    for (uint32_t process = 0; process < processes; process++)
        eventlog_seek_end(segment_eventlog(host->segment, process), &host->cursors[process]);
}

uint32_t host_event_subscribe(struct host *host, const uint64_t types[2], host_event_each *each, void *context)
{
    struct subscription *s = calloc(1, sizeof(*s));
    if (!s) return 0;
    if (host->subscriptions)
        host_events_poll(host); /* what came before belongs to the earlier subscribers only */
    else
        cursors_to_end(host);
    *s = (struct subscription) {
        .id = ++host->next_subscription, .types = { types[0], types[1] }, .each = each, .context = context, .next = host->subscriptions
    };
    host->subscriptions = s;
    wishes_update(host);
    loop_timer_set(host->loop, &host->event_timer, loop_now_ns(host->loop) + EVENT_POLL_NS);
    return s->id;
}

void host_event_mask(struct host *host, uint32_t subscription, const uint64_t types[2])
{
    for (struct subscription *s = host->subscriptions; s; s = s->next)
        if (s->id == subscription) {
            s->types[0] = types[0];
            s->types[1] = types[1];
        }
    wishes_update(host);
}

void host_event_unsubscribe(struct host *host, uint32_t subscription)
{
    for (struct subscription **at = &host->subscriptions; *at; at = &(*at)->next) {
        if ((*at)->id != subscription) continue;
        struct subscription *gone = *at;
        *at = gone->next;
        free(gone);
        break;
    }
    wishes_update(host);
}
