/* log.c: the callers' side of the log: levels, rate limit, formatting, the thread's ring. */
#include "core/log.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log_internal.h"

struct log_state log_state = { .fd = STDERR_FILENO, .bell = -1, .draining = PTHREAD_MUTEX_INITIALIZER };

static _Thread_local struct log_ring *my_ring;
static const char *const level_names[] = { "CONSOLE", "ALERT", "CRIT", "ERR", "WARNING", "NOTICE", "INFO", "DEBUG" };

/* --- levels ----------------------------------------------------------------------------------------------- */

int log_level_parse(const char *name)
{
    static const struct {
        const char *name;
        int level;
    } also[] = { { "error", LOG_ERR }, { "warn", LOG_WARNING }, { "critical", LOG_CRIT } };
    if (name[0] >= '0' && name[0] <= '7' && !name[1]) return name[0] - '0';
    for (int i = 0; i < 8; i++)
        if (!strcasecmp(name, level_names[i])) return i;
    for (int i = 0; i < 3; i++)
        if (!strcasecmp(name, also[i].name)) return also[i].level;
    return -EINVAL;
}

static int levels_parse(struct log_levels *levels, char *text)
{
    char *rest = text, *word;
    levels->base = LOG_INFO;
    while ((word = strsep(&rest, ", "))) {
        char *equals = strchr(word, '=');
        int level;
        if (!*word) continue;
        if (equals) *equals = 0;
        level = log_level_parse(equals ? equals + 1 : word);
        if (level < 0) return level;
        if (!equals) {
            levels->base = level;
            continue;
        }
        if (levels->count == LOG_ROOMS_MAX || strlen(word) >= sizeof levels->rooms[0].room) return -EINVAL;
        strcpy(levels->rooms[levels->count].room, word);
        levels->rooms[levels->count++].level = level;
    }
    levels->most = levels->base;
    for (unsigned i = 0; i < levels->count; i++)
        if (levels->rooms[i].level > levels->most) levels->most = levels->rooms[i].level;
    return 0;
}

int log_levels_set(const char *text)
{
    struct log_levels *levels = calloc(1, sizeof *levels);
    char *copy = strdup(text ? text : "");
    int err = levels && copy ? levels_parse(levels, copy) : -ENOMEM;
    free(copy);
    if (err) {
        free(levels);
        return err;
    }
    levels->before = atomic_load(&log_state.levels);
    atomic_store(&log_state.levels, levels);
    return 0;
}

void log_mask_numbers_set(bool mask) { atomic_store(&log_state.mask_numbers, mask); }

bool log_wanted(const char *room, enum log_level level)
{
    const struct log_levels *levels = atomic_load_explicit(&log_state.levels, memory_order_acquire);
    if (!levels) return level <= LOG_INFO;
    if ((int)level > levels->most) return false;
    for (unsigned i = 0; i < levels->count; i++)
        if (!strcmp(levels->rooms[i].room, room)) return (int)level <= levels->rooms[i].level;
    return (int)level <= levels->base;
}

/* --- one line --------------------------------------------------------------------------------------------- */

/* Text from the network must not look like lines of ours: a newline is followed by a tab, other control characters
 * become '?'. Returns the new length. */
static size_t tame(char *text, size_t length, size_t size)
{
    char copy[LOG_LINE_BYTES_MAX];
    size_t out = 0;
    while (length && text[length - 1] == '\n') length--;
    for (size_t i = 0; i < length && out + 2 < sizeof copy && out + 2 < size; i++) {
        unsigned char c = (unsigned char)text[i];
        copy[out++] = (c < ' ' && c != '\n' && c != '\t') || c == 127 ? '?' : text[i];
        if (c == '\n') copy[out++] = '\t';
    }
    memcpy(text, copy, out);
    return out;
}

static size_t line_begin(char *out, size_t size, int64_t utc_us, const char *room, enum log_level level, const char *uuid)
{
    char time[32], where[64];
    int n;
    if (!log_state.process[0] || !strcmp(log_state.process, room))
        snprintf(where, sizeof where, "%s", room);
    else
        snprintf(where, sizeof where, "%s/%s", log_state.process, room);
    n = snprintf(out, size, "%s %-7s %-14s %s ", clock_utc_text(utc_us, time, sizeof time), level_names[level & 7], where,
                 uuid && *uuid ? uuid : "-");
    return n < (int)size ? (size_t)n : size - 1;
}

static struct log_ring *ring_mine(void)
{
    struct log_ring *first;
    if (my_ring) return my_ring;
    my_ring = aligned_alloc(64, (sizeof *my_ring + 63) & ~(size_t)63);
    if (!my_ring) return NULL;
    memset(my_ring, 0, offsetof(struct log_ring, bytes)); /* the bytes stay untouched pages until used */
    pthread_setspecific(log_state.key, my_ring);
    first = atomic_load(&log_state.rings);
    do {
        my_ring->next = first;
    } while (!atomic_compare_exchange_weak(&log_state.rings, &first, my_ring));
    return my_ring;
}

static void ring_put(struct log_ring *ring, uint64_t at, const void *data, size_t length)
{
    size_t offset = at & (LOG_RING_BYTES - 1), first = LOG_RING_BYTES - offset;
    if (first > length) first = length;
    memcpy(ring->bytes + offset, data, first);
    memcpy(ring->bytes, (const char *)data + first, length - first);
}

/* Queues a finished line, or writes it at once where there is no writer. */
static void line_out(int64_t utc_us, const char *line, size_t length)
{
    struct log_head head = { .utc_us = utc_us, .length = (uint32_t)length };
    struct log_ring *ring = atomic_load_explicit(&log_state.running, memory_order_acquire) ? ring_mine() : NULL;
    const uint64_t one = 1;
    uint64_t tail;
    if (!ring) {
        log_write_all(STDERR_FILENO, line, length);
        return;
    }
    tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    if (tail + sizeof head + length - atomic_load_explicit(&ring->head, memory_order_acquire) > LOG_RING_BYTES) {
        atomic_fetch_add_explicit(&ring->dropped, 1, memory_order_relaxed);
        return;
    }
    ring_put(ring, tail, &head, sizeof head);
    ring_put(ring, tail + sizeof head, line, length);
    atomic_store_explicit(&ring->tail, tail + sizeof head + length, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);
    if (atomic_load_explicit(&log_state.sleeping, memory_order_relaxed)) (void)!write(log_state.bell, &one, sizeof one);
}

/* --- rate ------------------------------------------------------------------------------------------------- */

static void source_tell(struct log_ring *ring, struct log_source *source, int64_t utc_us)
{
    char line[512];
    size_t n;
    if (source->count > LOG_RATE_PER_S) {
        n = line_begin(line, sizeof line, utc_us, source->room, source->level, NULL);
        n += (size_t)snprintf(line + n, sizeof line - n, "… %u more like this (%.200s:%d)\n", source->count - LOG_RATE_PER_S, source->file,
                              source->line);
        line_out(utc_us, line, n);
        ring->held_back--;
    }
    source->count = 0;
}

/* A new second for this thread: tells what the last one held back. */
static void second_begin(struct log_ring *ring, int64_t utc_us)
{
    ring->second = utc_us / 1000000;
    for (unsigned i = 0; i < LOG_SOURCES && ring->held_back; i++)
        if (ring->sources[i].count > LOG_RATE_PER_S) source_tell(ring, &ring->sources[i], utc_us);
}

static bool rate_allows(const char *room, enum log_level level, const char *file, int line, int64_t utc_us)
{
    struct log_ring *ring = atomic_load(&log_state.running) ? ring_mine() : NULL;
    struct log_source *source;
    if (!ring) return true;
    if (ring->second != utc_us / 1000000) second_begin(ring, utc_us);
    source = &ring->sources[((uintptr_t)file / 8 * 31 + (unsigned)line) % LOG_SOURCES];
    if (source->file != file || source->line != line) {
        if (source->file) source_tell(ring, source, utc_us);
        *source = (struct log_source) { .file = file, .line = line };
    }
    if (source->second != ring->second) source->second = ring->second, source->count = 0;
    source->room = room;
    source->level = level;
    source->count++;
    if (source->count == LOG_RATE_PER_S + 1) ring->held_back++;
    return source->count <= LOG_RATE_PER_S;
}

void log_line(const char *room, enum log_level level, const char *uuid, const char *file, int line, const char *format, ...)
{
    char text[LOG_LINE_BYTES_MAX];
    int64_t utc_us = clock_utc_us();
    size_t begin, size;
    va_list args;
    int n;
    if (!rate_allows(room, level, file, line, utc_us)) return;
    begin = line_begin(text, sizeof text / 2, utc_us, room, level, uuid);
    size = sizeof text - begin - 1;
    va_start(args, format);
    n = vsnprintf(text + begin, size, format, args);
    va_end(args);
    if (n < 0) return;
    size = tame(text + begin, (size_t)n < size ? (size_t)n : size - 1, size);
    if (atomic_load_explicit(&log_state.mask_numbers, memory_order_relaxed)) log_mask(text + begin, size);
    begin += size;
    text[begin++] = '\n';
    line_out(utc_us, text, begin);
}

void log_fatal(const char *text)
{
    char line[1024];
    struct timespec until;
    int n = (int)line_begin(line, sizeof line, clock_utc_us(), "core", LOG_CRIT, NULL);
    n += snprintf(line + n, sizeof line - (size_t)n, "%s\n", text);
    if (n >= (int)sizeof line) n = sizeof line - 1;
    if (atomic_load(&log_state.running)) {
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 1;
        /* Without the mutex (the writer hangs in its disk, or is the one that failed) only our own line is written. */
        if (!pthread_mutex_timedlock(&log_state.draining, &until)) log_drain();
        if (log_state.fd != STDERR_FILENO) log_write_all(log_state.fd, line, (size_t)n);
    }
    log_write_all(STDERR_FILENO, line, (size_t)n);
}

/* --- opening and closing ---------------------------------------------------------------------------------- */

static void ring_orphan(void *ring)
{
    atomic_store_explicit(&((struct log_ring *)ring)->orphaned, 1, memory_order_release);
    my_ring = NULL;
}

/* After a fork there is no writer: lines go to stderr until the child opens the log for itself. */
static void forked(void)
{
    atomic_store(&log_state.running, 0);
    atomic_store(&log_state.rings, NULL);
    pthread_mutex_init(&log_state.draining, NULL);
    my_ring = NULL;
}

static int writer_start(void)
{
    static int once; /* guarded by: log_open is called by one thread */
    sigset_t all, before;
    int err;
    if (!once) {
        pthread_key_create(&log_state.key, ring_orphan);
        pthread_atfork(NULL, NULL, forked);
        once = 1;
    }
    log_state.bell = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (log_state.bell < 0) return -errno;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = -pthread_create(&log_state.writer, NULL, log_writer_main, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!err) pthread_setname_np(log_state.writer, "log");
    return err;
}

int log_open(const char *process, const char *path, const char *levels)
{
    int fd = STDERR_FILENO, err = log_levels_set(levels);
    if (err) return err;
    log_close();
    snprintf(log_state.process, sizeof log_state.process, "%s", process);
    log_state.path[0] = 0;
    if (path && strcmp(path, "-")) {
        if (strlen(path) >= sizeof log_state.path) return -ENAMETOOLONG;
        fd = log_file_open(path);
        if (fd < 0) return fd;
        strcpy(log_state.path, path);
    }
    log_state.fd = fd;
    atomic_store(&log_state.closing, 0);
    err = writer_start();
    if (err) {
        if (fd != STDERR_FILENO) close(fd);
        log_state.fd = STDERR_FILENO;
        return err;
    }
    atomic_store(&log_state.running, 1);
    return 0;
}

void log_close(void)
{
    const uint64_t one = 1;
    if (!atomic_load(&log_state.running)) return;
    if (my_ring) second_begin(my_ring, clock_utc_us());
    atomic_store(&log_state.running, 0); /* later lines go straight to stderr */
    atomic_store(&log_state.closing, 1);
    (void)!write(log_state.bell, &one, sizeof one);
    pthread_join(log_state.writer, NULL);
    close(log_state.bell);
    log_state.bell = -1;
    if (log_state.fd != STDERR_FILENO) close(log_state.fd);
    log_state.fd = STDERR_FILENO;
}

void log_reopen(void)
{
    const uint64_t one = 1;
    if (!atomic_load(&log_state.running)) return;
    atomic_store(&log_state.reopen, 1);
    (void)!write(log_state.bell, &one, sizeof one);
}
