/* eventlog.c: one writer, any number of readers that write nothing.
 *
 *      oldest                              tail      intent
 *   ──────┼─[record][record]…[record][record]┼─────────┼────  (bytes, for ever; n lies at n & mask)
 *
 * The writer moves `oldest` past what it will overwrite, stores `intent` (how far it will write), writes, stores `tail`.
 * What a reader copied from position p is good if, after the copy, intent ≤ p + size still holds.
 * A record is contiguous; padding fills the end of the buffer. */
#include "bus/eventlog.h"

#include <errno.h>
#include <string.h>

#include "bus/limits.h"
#include "core/check.h"

#define RECORD_ALIGN 16u
#define SEEK_TRIES   100

struct record {
    uint32_t bytes;       /* of the whole, a multiple of RECORD_ALIGN */
    uint32_t pairs_bytes; /* PADDING = no event */
    uint64_t sequence;
    struct event_head head;
};
#define PADDING UINT32_MAX

/* What a padding record has of it. */
#define RECORD_SHORT 16u

struct eventlog {
    _Alignas(64) uint64_t bytes; /* a power of two */
    uint32_t producer;
    _Alignas(64) uint64_t intent;
    uint64_t tail;
    uint64_t oldest;
    uint64_t newest_sequence; /* one too many after a death; eventlog_repair counts anew */
    _Alignas(64) char data[];
};

size_t eventlog_bytes(size_t bytes) { return sizeof(struct eventlog) + bytes; }

void eventlog_init(struct eventlog *log, uint32_t producer, size_t bytes)
{
    CHECK(bytes >= 1024 && !(bytes & (bytes - 1)));
    log->bytes = bytes;
    log->producer = producer;
    log->intent = log->tail = log->oldest = 0;
    log->newest_sequence = 0;
}

static const struct record *record_at(const struct eventlog *log, uint64_t position)
{
    return (const struct record *)(log->data + (position & (log->bytes - 1)));
}

/* --- writing ---------------------------------------------------------------------------------------------- */

/* Announces that everything up to `end` will be overwritten. */
static void intend(struct eventlog *log, uint64_t end)
{
    uint64_t oldest = log->oldest;
    while (oldest + log->bytes < end) oldest += record_at(log, oldest)->bytes;
    __atomic_store_n(&log->oldest, oldest, __ATOMIC_RELAXED);
    __atomic_store_n(&log->intent, end, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE); /* the bytes come after the intent */
}

static void padding_write(struct eventlog *log, uint64_t at, uint64_t bytes)
{
    struct record *r = (struct record *)(log->data + (at & (log->bytes - 1)));
    r->bytes = (uint32_t)bytes;
    r->pairs_bytes = PADDING;
    r->sequence = 0;
}

int eventlog_publish(struct eventlog *log, struct event_head *head, struct kv_view pairs)
{
    uint64_t tail = log->tail, offset = tail & (log->bytes - 1), bytes, padding;
    struct record *r;
    if (pairs.length > BUS_EVENT_BYTES_MAX || pairs.length > log->bytes / 4) return -EMSGSIZE;
    bytes = (sizeof *r + pairs.length + RECORD_ALIGN - 1) & ~(uint64_t)(RECORD_ALIGN - 1);
    padding = offset + bytes > log->bytes ? log->bytes - offset : 0;
    intend(log, tail + padding + bytes);
    if (padding) padding_write(log, tail, padding);
    head->sequence = log->newest_sequence + 1;
    r = (struct record *)(log->data + ((tail + padding) & (log->bytes - 1)));
    r->bytes = (uint32_t)bytes;
    r->pairs_bytes = (uint32_t)pairs.length;
    r->sequence = head->sequence;
    r->head = *head;
    if (pairs.length) memcpy(r + 1, pairs.data, pairs.length);
    __atomic_store_n(&log->newest_sequence, head->sequence, __ATOMIC_RELEASE); /* before the tail: see seek_end */
    __atomic_store_n(&log->tail, tail + padding + bytes, __ATOMIC_RELEASE);
    return 0;
}

/* Bytes between tail and intent were perhaps half written over old records, so intent must never go back: a slow reader
 * would take them for whole. They become padding. Killed in here, the next one does the same again. */
void eventlog_repair(struct eventlog *log)
{
    uint64_t at = log->tail, last = 0;
    while (at < log->intent) {
        uint64_t left = log->bytes - (at & (log->bytes - 1)), bytes = log->intent - at;
        if (bytes > left) bytes = left;
        padding_write(log, at, bytes);
        at += bytes;
    }
    __atomic_store_n(&log->tail, at, __ATOMIC_RELEASE);
    for (uint64_t p = log->oldest; p < at; p += record_at(log, p)->bytes)
        if (record_at(log, p)->pairs_bytes != PADDING) last = record_at(log, p)->sequence;
    if (last || !log->oldest) __atomic_store_n(&log->newest_sequence, last, __ATOMIC_RELEASE);
}

/* --- reading ---------------------------------------------------------------------------------------------- */

static bool still_there(const struct eventlog *log, uint64_t position)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return __atomic_load_n(&log->intent, __ATOMIC_RELAXED) <= position + log->bytes;
}

/* Copies a record's head; false if it was overwritten meanwhile. A padding record may be too near the end to be copied whole. */
__attribute__((no_sanitize("thread"))) static bool head_copy(const struct eventlog *log, uint64_t position, struct record *out)
{
    uint64_t left = log->bytes - (position & (log->bytes - 1));
    memcpy(out, record_at(log, position), left < sizeof *out ? RECORD_SHORT : sizeof *out);
    return still_there(log, position);
}

/* The next event's head at or behind cursor->position, skipping padding: 1, 0 = none, -EOVERFLOW = lapped. */
static int next_event(const struct eventlog *log, struct eventlog_cursor *cursor, struct record *out)
{
    uint64_t tail = __atomic_load_n(&log->tail, __ATOMIC_ACQUIRE);
    while (cursor->position < tail) {
        if (!head_copy(log, cursor->position, out)) return -EOVERFLOW;
        if (out->pairs_bytes != PADDING) return 1;
        cursor->position += out->bytes;
    }
    return 0;
}

/* To the oldest event that is still there. */
static void seek_oldest(const struct eventlog *log, struct eventlog_cursor *cursor)
{
    struct record r;
    int got;
    do {
        /* Without a pause between: the writer would have to overwrite a whole log during the copy of one head, each time. */
        cursor->position = __atomic_load_n(&log->oldest, __ATOMIC_ACQUIRE);
        got = next_event(log, cursor, &r);
    } while (got < 0);
    cursor->sequence = got ? r.sequence : __atomic_load_n(&log->newest_sequence, __ATOMIC_ACQUIRE) + 1;
}

/* Tail and newest sequence belong together if no publish was under way: tail and intent were the same all the while.
 * With a writer that died in the middle the sequence may be one too many until its repair. */
void eventlog_seek_end(const struct eventlog *log, struct eventlog_cursor *cursor)
{
    uint64_t intent, again;
    int tries = 0;
    do {
        cursor->position = __atomic_load_n(&log->tail, __ATOMIC_ACQUIRE);
        cursor->sequence = __atomic_load_n(&log->newest_sequence, __ATOMIC_ACQUIRE) + 1;
        intent = __atomic_load_n(&log->intent, __ATOMIC_ACQUIRE);
        again = __atomic_load_n(&log->tail, __ATOMIC_ACQUIRE);
    } while ((intent != cursor->position || again != intent) && ++tries < SEEK_TRIES);
}

int eventlog_seek(const struct eventlog *log, struct eventlog_cursor *cursor, uint64_t sequence)
{
    struct eventlog_cursor at;
    struct record r;
    for (int i = 0; i < SEEK_TRIES; i++) {
        int got;
        seek_oldest(log, &at);
        if (sequence < at.sequence) return -ESRCH;
        while ((got = next_event(log, &at, &r)) > 0 && r.sequence < sequence) at.position += r.bytes;
        if (got < 0) continue; /* lapped while walking */
        if (!got && sequence != __atomic_load_n(&log->newest_sequence, __ATOMIC_ACQUIRE) + 1) return -ESRCH;
        *cursor = (struct eventlog_cursor) { at.position, sequence };
        return 0;
    }
    return -ESRCH;
}

uint64_t eventlog_newest(const struct eventlog *log) { return __atomic_load_n(&log->newest_sequence, __ATOMIC_ACQUIRE); }

bool eventlog_oldest(const struct eventlog *log, struct event_head *out)
{
    struct eventlog_cursor cursor;
    struct record r;
    for (int i = 0; i < SEEK_TRIES; i++) {
        seek_oldest(log, &cursor);
        int got = next_event(log, &cursor, &r);
        if (got == 0) return false;
        if (got < 0) continue;
        *out = r.head;
        return true;
    }
    return false;
}

static int lapped(const struct eventlog *log, struct eventlog_cursor *cursor, uint64_t *missed)
{
    uint64_t expected = cursor->sequence;
    seek_oldest(log, cursor);
    *missed = cursor->sequence - expected;
    return -EOVERFLOW;
}

int eventlog_read(const struct eventlog *log, struct eventlog_cursor *cursor, struct event_head *head, struct kv *pairs, uint64_t *missed)
{
    struct record r;
    int got = next_event(log, cursor, &r);
    *missed = 0;
    if (!got) return 0;
    if (got < 0) return lapped(log, cursor, missed);
    kv_clear(pairs);
    if (buf_put(&pairs->bytes, log->data + (cursor->position & (log->bytes - 1)) + sizeof r, r.pairs_bytes)) return -ENOMEM;
    if (!still_there(log, cursor->position)) return lapped(log, cursor, missed);
    *head = r.head;
    cursor->position += r.bytes;
    cursor->sequence = r.sequence + 1;
    return 1;
}
