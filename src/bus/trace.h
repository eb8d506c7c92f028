/* trace.h: the SIP messages that were sent and received lately, for `carillon trace` and the operators' page.
 *
 * An event log (eventlog.h) in a shared file of its own, /dev/shm/carillon_trace-NAME (0640): the broker writes it and waits for nobody,
 * the newest messages overwrite the oldest ones, and readers only look, at a living engine or a dead one. Two kinds of records:
 *
 *   a message   time, direction, addresses, Call-ID, its bytes as on the wire
 *   a name      this call's uuid has that Call-ID (once per call)
 *
 * A broker that is started again goes on in the same file; the next start of the engine begins a new one. */
#ifndef BUS_TRACE_H
#define BUS_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/uuid.h"

#define TRACE_TEXT_MAX 60000u /* of a message; longer ones are cut */

struct trace;

struct trace_message {
    int64_t utc_us;
    bool sent;                              /* by us */
    const char *transport, *local, *remote; /* "udp", "192.0.2.1:5060", "[2001:db8::1]:5060" */
    const char *call_id;                    /* "" = it had none */
    const char *text;
    size_t length;
};

/* For the broker. `bytes` is rounded down to a power of two. 0 or -errno. */
int trace_make(struct trace **out, const char *name, uint64_t boot_id, size_t bytes);
void trace_put(struct trace *trace, const struct trace_message *message);
void trace_name(struct trace *trace, const struct uuid *channel, const char *call_id);
int trace_remove(const char *name);

/* For readers. -ENOENT: there is none. */
int trace_open(struct trace **out, const char *name);
void trace_close(struct trace *trace);
/* Calls `each` for every message of a call, given by its uuid or its Call-ID (NULL = of all), oldest first; false ends it. The
 * message is valid during the call only. Returns how many there were, or -ENOMEM. */
typedef bool trace_each(void *context, const struct trace_message *message);
int trace_walk(const struct trace *trace, const char *call, trace_each *each, void *context);
/* The same for names, the oldest first. */
typedef bool trace_each_name(void *context, const struct uuid *channel, const char *call_id, int64_t utc_us);
int trace_names(const struct trace *trace, trace_each_name *each, void *context);
/* When the oldest message that is still there was recorded, UTC µs; 0 = there is none. */
int64_t trace_since(const struct trace *trace);

/* What a slot still knows of a call, given as in trace_walk: whose it is, or was last. False if none does. */
struct segment;
struct slot_call;
struct slot_totals;
bool trace_media(const struct segment *segment, const char *call, struct slot_call *out, struct slot_totals *totals);

/* The value of a message's first header of that name (any case; `brief` is its one-letter form, 0 = it has none), cut to size - 1; "" if
 * absent. */
void trace_header(const char *text, size_t length, const char *name, char brief, char *out, size_t size);
/* Replaces the digits of telephone numbers (five and more in a row, of URIs' users and display names) but the last two by `x`, in place. */
void trace_mask(char *text, size_t length);

#endif
