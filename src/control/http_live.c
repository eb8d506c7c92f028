/* http_live.c: /events: the engine's events as server-sent events (WHATWG HTML, server-sent events).
 *
 *   id: BOOT.S0.S1.S2…                 the last sequence number of each process's log that this reader is past
 *   event: CHANNEL_ANSWER
 *   data: {"Event-Name": …}            as the event socket's JSON form
 *
 * Each reader has cursors of its own in the logs and no queue: one that does not read is lapped, gets one event `gap` with
 * the count, and has harmed nobody. One that comes back with Last-Event-ID (or ?last=ID) gets exactly what it missed, or a
 * gap if the logs do not reach back so far. ?types=A,B chooses event names. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/eventlog.h"
#include "control/esl.h"
#include "control/esl_form.h"
#include "control/esl_types.h"
#include "control/http_own.h"

#define BLOCK_BYTES   (32u << 10)
#define TURN_BYTES    (64u << 10)
#define KEEP_ALIVE_NS (15 * NS_PER_S)
#define KEEP_NS       (300 * NS_PER_S) /* so long a reader may be away and find its events published all the same */

struct source {
    struct eventlog_cursor cursor;
    struct event_head head;
    struct kv pairs;
    uint64_t last, looked;
    bool have;
};

struct http_live {
    struct http *http;
    struct http_request *request;
    struct http_live *next;
    struct esl_set types;
    struct buf out;
    size_t sent;
    bool asleep; /* its connection is suspended */
    int64_t wrote_ns;
    uint64_t missed;
    uint32_t processes;
    struct source sources[];
};

/* --- what is published for us ------------------------------------------------------------------------------------------ */

static void wish(struct http *http)
{
    struct esl_set set = { { 0, 0 } };
    if (clock_mono_ns() < http->kept_until_ns) memcpy(set.bits, http->kept, sizeof set.bits);
    for (const struct http_live *live = http->lives; live != NULL; live = live->next) {
        set.bits[0] |= live->types.bits[0];
        set.bits[1] |= live->types.bits[1];
    }
    if (memcmp(set.bits, http->wish, sizeof http->wish) == 0) return;
    memcpy(http->wish, set.bits, sizeof http->wish);
    esl_wish(http->control->esl, http->wish);
}

static void keep(struct http *http, const struct esl_set *types)
{
    int64_t now = clock_mono_ns();
    if (now >= http->kept_until_ns) http->kept[0] = http->kept[1] = 0;
    http->kept[0] |= types->bits[0];
    http->kept[1] |= types->bits[1];
    http->kept_until_ns = now + KEEP_NS;
}

/* --- reading ------------------------------------------------------------------------------------------------------------- */

static void fill(struct http_live *live, uint32_t process)
{
    struct source *source = &live->sources[process];
    struct eventlog *log = segment_eventlog(live->http->control->segment, process);
    for (int tries = 0; !source->have && tries < 3; tries++) {
        uint64_t missed = 0;
        int got = eventlog_read(log, &source->cursor, &source->head, &source->pairs, &missed);
        if (got == -EOVERFLOW) {
            live->missed += missed;
            source->last += missed;
        } else {
            source->have = got > 0;
            return;
        }
    }
}

static struct source *oldest(struct http_live *live)
{
    struct source *best = NULL;
    for (uint32_t i = 0; i < live->processes; i++) {
        struct source *source = &live->sources[i];
        fill(live, i);
        if (source->have && (best == NULL || source->head.utc_us < best->head.utc_us ||
                             (source->head.utc_us == best->head.utc_us && source->head.call_sequence < best->head.call_sequence)))
            best = source;
    }
    return best;
}

static void put_id(struct http_live *live)
{
    buf_printf(&live->out, "id: %" PRIx64, segment_boot_id(live->http->control->segment));
    for (uint32_t i = 0; i < live->processes; i++) buf_printf(&live->out, ".%" PRIu64, live->sources[i].last);
    buf_putc(&live->out, '\n');
}

static void put_gap(struct http_live *live)
{
    if (live->missed == 0) return;
    put_id(live);
    if (live->missed == UINT64_MAX)
        buf_puts(&live->out, "event: gap\ndata: {\"missed\":null}\n\n");
    else
        buf_printf(&live->out, "event: gap\ndata: {\"missed\":%" PRIu64 "}\n\n", live->missed);
    live->missed = 0;
}

/* Events lie in the form of one line but for nothing: JSON escapes line breaks. */
static void put_event(struct http_live *live, struct source *source)
{
    size_t from = live->out.length;
    const char *name = kv_get_or(kv_view(&source->pairs), "Event-Name", "CUSTOM");
    put_id(live);
    buf_printf(&live->out, "event: %s\ndata: ", name);
    if (esl_form(&live->out, ESL_JSON, kv_view(&source->pairs), NULL) < 0) {
        live->out.length = from;
        live->missed++;
        return;
    }
    buf_puts(&live->out, "\n\n");
}

/* As esl_reader.c: what is younger than a time taken before looking waits for the next look, so that one call's events of
 * two logs come in order. */
static void gather(struct http_live *live)
{
    int64_t horizon_us = clock_utc_us(), now = clock_mono_ns();
    struct source *source;
    while (live->out.length < TURN_BYTES && (source = oldest(live)) != NULL && source->head.utc_us < horizon_us) {
        put_gap(live);
        source->last = source->head.sequence;
        source->have = false;
        if (esl_set_has(&live->types, source->head.type)) put_event(live, source);
    }
    put_gap(live);
    if (live->out.length == 0 && now - live->wrote_ns > KEEP_ALIVE_NS) buf_puts(&live->out, ":\n\n");
    if (live->out.length > 0) live->wrote_ns = now;
}

static ssize_t read_more(void *cls, uint64_t position, char *out, size_t max)
{
    struct http_live *live = cls;
    if (live->http->closing || live->request == NULL) return MHD_CONTENT_READER_END_OF_STREAM;
    if (live->sent == live->out.length) {
        buf_clear(&live->out);
        live->sent = 0;
        gather(live);
    }
    size_t n = live->out.length - live->sent;
    if (n == 0) {
        live->asleep = live->request->suspended = true;
        MHD_suspend_connection(live->request->connection);
        return 0;
    }
    n = n < max ? n : max;
    memcpy(out, live->out.data + live->sent, n);
    live->sent += n;
    return (ssize_t)n;
}

static bool has_news(struct http_live *live, int64_t now)
{
    bool news = now - live->wrote_ns > KEEP_ALIVE_NS;
    for (uint32_t i = 0; i < live->processes; i++) {
        uint64_t newest = eventlog_newest(segment_eventlog(live->http->control->segment, i));
        news = news || newest != live->sources[i].looked || live->sources[i].have;
        live->sources[i].looked = newest;
    }
    return news;
}

void http_lives_poll(struct http *http)
{
    int64_t now = clock_mono_ns();
    for (struct http_live *live = http->lives; live != NULL; live = live->next)
        if (live->asleep && has_news(live, now)) {
            live->asleep = live->request->suspended = false;
            MHD_resume_connection(live->request->connection);
            http_run_soon(http);
        }
    if (http->kept_until_ns > 0 && now >= http->kept_until_ns) {
        http->kept_until_ns = 0;
        wish(http);
    }
}

/* --- begin and end --------------------------------------------------------------------------------------------------------- */

void http_live_request_over(struct http_request *request)
{
    struct http *http = request->http;
    for (struct http_live **at = &http->lives; *at != NULL; at = &(*at)->next)
        if ((*at)->request == request) {
            struct http_live *live = *at;
            *at = live->next;
            live->request = NULL;
            keep(http, &live->types);
            if (!http->closing) wish(http);
            return;
        }
}

static void live_free(void *cls)
{
    struct http_live *live = cls;
    live->http->live_count--;
    for (uint32_t i = 0; i < live->processes; i++) kv_free(&live->sources[i].pairs);
    buf_free(&live->out);
    free(live);
}

/* 0, or -EINVAL with a name that is none. */
static int types_read(const char *list, struct esl_set *types)
{
    char name[64];
    for (const char *at = list; *at != 0;) {
        size_t length = strcspn(at, ", ");
        if (length >= sizeof name) return -EINVAL;
        memcpy(name, at, length);
        name[length] = 0;
        int type = length > 0 ? esl_type_find(name) : ESL_TYPE_UNKNOWN;
        if (type == ESL_TYPE_ALL)
            esl_set_fill(types);
        else if (type >= 0)
            esl_set_add(types, (unsigned)type);
        else if (length > 0)
            return -EINVAL;
        at += length;
        at += strspn(at, ", ");
    }
    return 0;
}

static void seek(struct http_live *live, uint32_t process, uint64_t last)
{
    struct source *source = &live->sources[process];
    struct eventlog *log = segment_eventlog(live->http->control->segment, process);
    if (eventlog_seek(log, &source->cursor, last + 1) < 0) {
        if (last < eventlog_newest(log)) {
            /* Begins where the log does: the first read is lapped and says how many are missing. */
            source->cursor = (struct eventlog_cursor) { .position = 0, .sequence = last + 1 };
        } else {
            eventlog_seek_end(log, &source->cursor);
            last = source->cursor.sequence - 1;
        }
    }
    source->last = last;
}

static void begin_at(struct http_live *live, const char *id)
{
    struct segment *segment = live->http->control->segment;
    char *end = NULL;
    bool resume = id != NULL && strtoull(id, &end, 16) == segment_boot_id(segment);
    for (uint32_t i = 0; i < live->processes; i++) {
        struct source *source = &live->sources[i];
        if (resume && *end == '.') {
            seek(live, i, strtoull(end + 1, &end, 10));
        } else {
            eventlog_seek_end(segment_eventlog(segment, i), &source->cursor);
            source->last = source->cursor.sequence - 1;
        }
    }
    /* Another start of the engine: what was missed has no number. */
    if (id != NULL && !resume) live->missed = UINT64_MAX;
}

void http_live_begin(struct http_request *request)
{
    struct http *http = request->http;
    struct kv form = KV_INIT;
    uint32_t processes = segment_processes(http->control->segment);
    struct http_live *live = NULL;
    struct MHD_Response *response = NULL;
    if (http_parameters(request, &form) < 0) return;
    const char *id = http_request_header(request, "Last-Event-ID"), *types = kv_get(kv_view(&form), "types");
    if (http->live_count < HTTP_LIVES_MAX) live = calloc(1, sizeof *live + processes * sizeof live->sources[0]);
    if (live == NULL) {
        http_reply_error(request, 503, "too many readers of events");
        kv_free(&form);
        return;
    }
    live->http = http;
    live->request = request;
    live->processes = processes;
    live->wrote_ns = clock_mono_ns();
    http->live_count++;
    if (types_read(types != NULL && *types != 0 ? types : "ALL", &live->types) < 0)
        http_reply_error(request, 400, "`types` are names of events, as CHANNEL_ANSWER,CHANNEL_HANGUP_COMPLETE");
    else
        response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_more, live, live_free);
    if (response != NULL) {
        begin_at(live, id != NULL ? id : kv_get(kv_view(&form), "last"));
        buf_puts(&live->out, "retry: 2000\n\n");
        live->next = http->lives;
        http->lives = live;
        wish(http);
        MHD_add_response_header(response, "Content-Type", "text/event-stream");
        MHD_add_response_header(response, "X-Accel-Buffering", "no");
        MHD_set_connection_option(request->connection, MHD_CONNECTION_OPTION_TIMEOUT, HTTP_LIVE_IDLE_S);
        http_reply_response(request, 200, response);
    } else {
        live_free(live);
        if (request->response == NULL) http_reply_error(request, 503, "no memory");
    }
    kv_free(&form);
}
