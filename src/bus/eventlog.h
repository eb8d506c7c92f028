/* eventlog.h: the event bus proper: one broadcast log per writing thread, variable-length records, any number of readers.
 *
 * A reader has its own cursor and writes nothing. Publish: intent, bytes, tail; a reader checks intent after copying, and
 * learns from sequence numbers that it was lapped (a gap with the exact count). */
#ifndef BUS_EVENTLOG_H
#define BUS_EVENTLOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/kv.h"

struct eventlog;
struct segment;

struct event_head {
    uint32_t producer, epoch; /* process number and incarnation */
    uint64_t sequence;        /* from 1, of this log */
    uint8_t call[16];         /* channel uuid or zero */
    uint64_t call_sequence;   /* (call, n): one call's events in order though two processes write them */
    int64_t utc_us;
    uint16_t type; /* event type number, as FreeSWITCH's list (event name also stands in the pairs) */
    uint16_t flags;
};

size_t eventlog_bytes(size_t bytes);
void eventlog_init(struct eventlog *log, uint32_t producer, size_t bytes);
/* -EMSGSIZE beyond BUS_EVENT_BYTES_MAX. head->sequence is filled in. Pairs as in kv.h: Event-Name, …, _body. */
int eventlog_publish(struct eventlog *log, struct event_head *head, struct kv_view pairs);

/* By the writer's next incarnation before it publishes: an event half published is not there. */
void eventlog_repair(struct eventlog *log);
/* The sequence of the newest event, 0 if none. */
uint64_t eventlog_newest(const struct eventlog *log);

/* The head of the oldest event that is still there; false if there is none. */
bool eventlog_oldest(const struct eventlog *log, struct event_head *out);

/* Reading. */
struct eventlog_cursor {
    uint64_t position, sequence;
};
void eventlog_seek_end(const struct eventlog *log, struct eventlog_cursor *cursor);
/* From a sequence number that the log still holds; -ESRCH if it does not. */
int eventlog_seek(const struct eventlog *log, struct eventlog_cursor *cursor, uint64_t sequence);
/* 1 = an event was copied into `pairs` (cleared first), 0 = nothing new, -EOVERFLOW = lapped: *missed events were lost, the cursor
 * stands at the oldest one still there. */
int eventlog_read(const struct eventlog *log, struct eventlog_cursor *cursor, struct event_head *head, struct kv *pairs, uint64_t *missed);

/* Subscriptions: which types any reader wants; an event that nobody wants costs a load and a branch. */
bool event_wanted(const struct segment *segment, uint16_t type);
/* Sets this process's wish list (bitmap of types, 128 bits; all ones = everything). */
void event_wish(struct segment *segment, uint32_t process, const uint64_t types[2]);

#endif
