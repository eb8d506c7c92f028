/* log_internal.h: what log.c (the callers' side) and log_writer.c (the writing thread) share.
 *
 * Each thread that logs has a ring of its own, made at its first line: so no thread waits for another, and a media thread
 * pays a copy. The writer merges the rings by time. */
#ifndef CORE_LOG_INTERNAL_H
#define CORE_LOG_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "core/log.h"

#define LOG_RING_BYTES     (256u << 10) /* a power of two */
#define LOG_LINE_BYTES_MAX 8192u        /* longer lines are cut */
#define LOG_RATE_PER_S     50u
#define LOG_SOURCES        256u /* a power of two */
#define LOG_ROOMS_MAX      32u

struct log_source {
    const char *file, *room;
    int line;
    uint32_t count; /* in this second */
    int64_t second;
    enum log_level level;
};

struct log_ring {
    struct log_ring *next;
    _Atomic int orphaned; /* its thread has ended; the writer frees it when it is empty */
    _Atomic uint64_t dropped;
    uint64_t dropped_told;              /* the writer's */
    _Alignas(64) _Atomic uint64_t head; /* the writer's cursor */
    _Alignas(64) _Atomic uint64_t tail; /* the thread's cursor */
    int64_t second;                     /* of its last line */
    uint32_t held_back;                 /* sources with lines beyond the rate */
    struct log_source sources[LOG_SOURCES];
    char bytes[LOG_RING_BYTES];
};

/* Before each line's text in a ring. */
struct log_head {
    int64_t utc_us;
    uint32_t length;
};

struct log_levels {
    int base, most; /* most: the highest of all, for a quick no */
    unsigned count;
    struct {
        char room[16];
        int level;
    } rooms[LOG_ROOMS_MAX];
    struct log_levels *before; /* replaced ones are kept: a reader may still look */
};

struct log_state {
    char process[32];
    char path[512]; /* "" = stderr */
    int fd;
    int bell; /* eventfd of the writer */
    _Atomic int running, closing, reopen;
    _Atomic int sleeping;
    _Atomic bool mask_numbers;
    _Atomic(struct log_ring *) rings;
    _Atomic(struct log_levels *) levels;
    pthread_t writer;
    pthread_mutex_t draining; /* writer, or log_fatal in its stead; no ordinary caller takes it */
    pthread_key_t key;        /* its destructor orphans a thread's ring */
};

/* The one root of this file pair. */
extern struct log_state log_state;

int log_file_open(const char *path);
/* log_mask.c: in place. */
void log_mask(char *text, size_t length);
void *log_writer_main(void *unused);
/* Writes out all that is queued; the caller holds `draining`. True if there was something. */
bool log_drain(void);
void log_write_all(int fd, const char *data, size_t length);

#endif
