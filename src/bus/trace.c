/* trace.c: see trace.h. */
#include "bus/trace.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/eventlog.h"
#include "bus/segment.h"
#include "bus/slot.h"
#include "core/clock.h"

#define MAGIC      0x316563617254726cull /* "lrTrace1" */
#define HEAD_BYTES 64u
#define PATH_BYTES 96
#define IDS_MAX    16u /* Call-IDs of one uuid */

enum kind { KIND_MESSAGE, KIND_NAME };

struct head {
    uint64_t magic, boot_id, bytes;
};

struct trace {
    struct head *head;
    struct eventlog *log;
    size_t mapped;
};

static void path_of(const char *name, char out[PATH_BYTES]) { snprintf(out, PATH_BYTES, "/dev/shm/carillon_trace-%.40s", name); }

static int map(struct trace **out, int fd, size_t mapped, bool read_only)
{
    struct trace *trace = calloc(1, sizeof *trace);
    if (!trace) return -ENOMEM;
    void *base = mmap(NULL, mapped, read_only ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        free(trace);
        return -errno;
    }
    *trace = (struct trace) { .head = base, .log = (struct eventlog *)((char *)base + HEAD_BYTES), .mapped = mapped };
    *out = trace;
    return 0;
}

void trace_close(struct trace *trace)
{
    if (!trace) return;
    munmap(trace->head, trace->mapped);
    free(trace);
}

int trace_remove(const char *name)
{
    char path[PATH_BYTES];
    path_of(name, path);
    return unlink(path) ? -errno : 0;
}

static bool head_good(const struct head *head, size_t mapped)
{
    uint64_t bytes = head->bytes;
    return __atomic_load_n(&head->magic, __ATOMIC_ACQUIRE) == MAGIC && bytes >= 1024 && !(bytes & (bytes - 1)) &&
           HEAD_BYTES + eventlog_bytes(bytes) == mapped;
}

int trace_open(struct trace **out, const char *name)
{
    char path[PATH_BYTES];
    struct stat status;
    path_of(name, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return -errno;
    int err = fstat(fd, &status) ? -errno : (size_t)status.st_size < HEAD_BYTES + eventlog_bytes(0) ? -EPROTO : 0;
    if (!err) err = map(out, fd, (size_t)status.st_size, true);
    close(fd);
    if (!err && !head_good((*out)->head, (*out)->mapped)) {
        trace_close(*out);
        err = -EPROTO;
    }
    return err;
}

/* What the broker before us of the same start of the engine left. */
static int take_up(struct trace **out, const char *path, uint64_t boot_id, size_t bytes)
{
    size_t mapped = HEAD_BYTES + eventlog_bytes(bytes);
    struct stat status;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return -errno;
    int err = fstat(fd, &status) ? -errno : (size_t)status.st_size != mapped ? -EPROTO : map(out, fd, mapped, false);
    close(fd);
    if (err) return err;
    if (head_good((*out)->head, mapped) && (*out)->head->boot_id == boot_id) {
        eventlog_repair((*out)->log);
        return 0;
    }
    trace_close(*out);
    return -EPROTO;
}

int trace_make(struct trace **out, const char *name, uint64_t boot_id, size_t bytes)
{
    char path[PATH_BYTES];
    size_t size = 1024;
    while (size * 2 <= bytes) size *= 2;
    path_of(name, path);
    int err = take_up(out, path, boot_id, size);
    if (!err) return 0;
    unlink(path);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) return -errno;
    size_t mapped = HEAD_BYTES + eventlog_bytes(size);
    fchmod(fd, 0640);
    err = -posix_fallocate(fd, 0, (off_t)mapped);
    if (!err) err = map(out, fd, mapped, false);
    close(fd);
    if (err) {
        unlink(path);
        return err;
    }
    eventlog_init((*out)->log, 0, size);
    (*out)->head->boot_id = boot_id;
    (*out)->head->bytes = size;
    __atomic_store_n(&(*out)->head->magic, MAGIC, __ATOMIC_RELEASE);
    return 0;
}

/* --- writing ---------------------------------------------------------------------------------------------- */

void trace_put(struct trace *trace, const struct trace_message *message)
{
    struct kv pairs = KV_INIT;
    struct event_head head = { .utc_us = message->utc_us, .type = KIND_MESSAGE, .flags = message->sent };
    size_t length = message->length < TRACE_TEXT_MAX ? message->length : TRACE_TEXT_MAX;
    kv_add(&pairs, "call_id", message->call_id);
    kv_add(&pairs, "transport", message->transport);
    kv_add(&pairs, "local", message->local);
    kv_add(&pairs, "remote", message->remote);
    kv_add_bytes(&pairs, "text", message->text, length);
    eventlog_publish(trace->log, &head, kv_view(&pairs));
    kv_free(&pairs);
}

void trace_name(struct trace *trace, const struct uuid *channel, const char *call_id)
{
    struct kv pairs = KV_INIT;
    struct event_head head = { .utc_us = clock_utc_us(), .type = KIND_NAME };
    memcpy(head.call, channel->bytes, sizeof head.call);
    kv_add(&pairs, "call_id", call_id);
    eventlog_publish(trace->log, &head, kv_view(&pairs));
    kv_free(&pairs);
}

/* --- reading ---------------------------------------------------------------------------------------------- */

/* The next record; lapped ones are passed over: the log is a window on what was, and its edge moves. */
static bool next(const struct trace *trace, struct eventlog_cursor *cursor, struct event_head *head, struct kv *pairs)
{
    uint64_t missed;
    int got;
    while ((got = eventlog_read(trace->log, cursor, head, pairs, &missed)) == -EOVERFLOW || (got == 1 && !kv_valid(kv_view(pairs))))
        continue;
    return got == 1;
}

int trace_names(const struct trace *trace, trace_each_name *each, void *context)
{
    struct eventlog_cursor cursor = { 0 };
    struct event_head head;
    struct kv pairs = KV_INIT;
    struct uuid channel;
    int count = 0;
    while (next(trace, &cursor, &head, &pairs)) {
        if (head.type != KIND_NAME) continue;
        memcpy(channel.bytes, head.call, sizeof channel.bytes);
        count++;
        if (!each(context, &channel, kv_get_or(kv_view(&pairs), "call_id", ""), head.utc_us)) break;
    }
    kv_free(&pairs);
    return count;
}

struct ids {
    struct uuid channel;
    unsigned count;
    char *list[IDS_MAX];
};

static bool id_take(void *context, const struct uuid *channel, const char *call_id, int64_t utc_us)
{
    struct ids *ids = context;
    if (memcmp(channel->bytes, ids->channel.bytes, sizeof channel->bytes) != 0) return true;
    if (ids->count < IDS_MAX && (ids->list[ids->count] = strdup(call_id))) ids->count++;
    return true;
}

static bool id_is(const struct ids *ids, const char *call, const char *call_id)
{
    if (!call || !strcmp(call, call_id)) return true;
    for (unsigned i = 0; i < ids->count; i++)
        if (!strcmp(ids->list[i], call_id)) return true;
    return false;
}

int trace_walk(const struct trace *trace, const char *call, trace_each *each, void *context)
{
    struct ids ids = { 0 };
    struct eventlog_cursor cursor = { 0 };
    struct event_head head;
    struct kv pairs = KV_INIT;
    int count = 0;
    bool more = true;
    if (call && uuid_parse(&ids.channel, call) == 0) trace_names(trace, id_take, &ids);
    while (more && next(trace, &cursor, &head, &pairs)) {
        struct kv_view view = kv_view(&pairs);
        struct trace_message message = { .utc_us = head.utc_us, .sent = head.flags != 0, .call_id = kv_get_or(view, "call_id", "") };
        message.text = kv_get_bytes(view, "text", &message.length);
        if (head.type != KIND_MESSAGE || !message.text || !id_is(&ids, call, message.call_id)) continue;
        message.transport = kv_get_or(view, "transport", "");
        message.local = kv_get_or(view, "local", "");
        message.remote = kv_get_or(view, "remote", "");
        count++;
        more = each(context, &message);
    }
    kv_free(&pairs);
    for (unsigned i = 0; i < ids.count; i++) free(ids.list[i]);
    return count;
}

static bool first_seen(void *context, const struct trace_message *message)
{
    *(int64_t *)context = message->utc_us;
    return false;
}

int64_t trace_since(const struct trace *trace)
{
    int64_t since = 0;
    trace_walk(trace, NULL, first_seen, &since);
    return since;
}

/* --- the audio ---------------------------------------------------------------------------------------------- */

static bool slot_is(const struct slot_call *slot, const char *call)
{
    char text[UUID_TEXT_SIZE];
    return slot->generation > 0 && (!strcasecmp(uuid_text(&slot->channel, text), call) ||
                                    !strcasecmp(uuid_text(&slot->attempt, text), call) || !strcmp(slot->call_id, call));
}

bool trace_media(const struct segment *segment, const char *call, struct slot_call *out, struct slot_totals *totals)
{
    for (uint32_t i = 0; i < segment_slots(segment); i++) {
        const struct slot *slot = segment_slot((struct segment *)segment, i);
        if (!slot_call_read(slot, out) || !slot_is(out, call) || !slot_totals_read(slot, totals)) continue;
        if (totals->generation != out->generation) *totals = (struct slot_totals) { .generation = out->generation };
        return true;
    }
    return false;
}

/* --- the messages' text -------------------------------------------------------------------------------------- */

void trace_header(const char *text, size_t length, const char *name, char brief, char *out, size_t size)
{
    const char *at = text, *end = text + length;
    size_t n = strlen(name);
    *out = 0;
    while ((at = memchr(at, '\n', (size_t)(end - at))) && ++at < end && *at != '\r' && *at != '\n') {
        size_t left = (size_t)(end - at), skip = 0, value = 0;
        if (left > n && !strncasecmp(at, name, n))
            skip = n;
        else if (brief && tolower((unsigned char)*at) == brief)
            skip = 1;
        while (skip && skip < left && (at[skip] == ' ' || at[skip] == '\t')) skip++;
        if (!skip || skip >= left || at[skip] != ':') continue;
        for (skip++; skip < left && (at[skip] == ' ' || at[skip] == '\t'); skip++) continue;
        while (skip + value < left && at[skip + value] != '\r' && at[skip + value] != '\n' && value + 1 < size) value++;
        memcpy(out, at + skip, value);
        out[value] = 0;
        return;
    }
}

static bool stands_before(const char *text, size_t at, const char *word)
{
    size_t n = strlen(word);
    return at >= n && !strncasecmp(text + at - n, word, n);
}

/* Numbers stand behind `sip:` and `tel:`, or in quotes; addresses, ports, tags, branches and Call-IDs stay. */
void trace_mask(char *text, size_t length)
{
    for (size_t at = 0; at < length;) {
        size_t from = at, run = 0;
        while (at < length && isdigit((unsigned char)text[at])) at++, run++;
        if (run == 0) {
            at++;
            continue;
        }
        if (from > 0 && text[from - 1] == '+') from--;
        bool uri = stands_before(text, from, "sip:") || stands_before(text, from, "sips:") || stands_before(text, from, "tel:");
        bool quoted = stands_before(text, from, "\"");
        bool ends = at == length || strchr(uri ? "@;>\r\n" : "\"", text[at]);
        if (run >= 5 && (uri || quoted) && ends) memset(text + at - run, 'x', run - 2);
    }
}
