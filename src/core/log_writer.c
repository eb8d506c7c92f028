/* log_writer.c: the thread that writes the log. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/log_internal.h"

#define WRITE_BYTES (64u << 10)
#define NAP_NS      (5 * NS_PER_MS) /* lines come in bursts; one wake-up and one write for each burst */

int log_file_open(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
    return fd < 0 ? -errno : fd;
}

/* A disk that refuses must not stop the engine: what cannot be written is gone. */
void log_write_all(int fd, const char *data, size_t length)
{
    while (length) {
        ssize_t n = write(fd, data, length);
        if (n < 0 && errno == EAGAIN) {
            struct pollfd p = { .fd = fd, .events = POLLOUT };
            if (poll(&p, 1, 1000) <= 0) return;
            continue;
        }
        if (n < 0 && errno != EINTR) return;
        if (n > 0) data += n, length -= (size_t)n;
    }
}

static void ring_copy(const struct log_ring *ring, uint64_t at, void *out, size_t length)
{
    size_t offset = at & (LOG_RING_BYTES - 1), first = LOG_RING_BYTES - offset;
    if (first > length) first = length;
    memcpy(out, ring->bytes + offset, first);
    memcpy((char *)out + first, ring->bytes, length - first);
}

/* The ring with the oldest line, and that line's head. */
static struct log_ring *oldest_line(struct log_head *head)
{
    struct log_ring *best = NULL;
    for (struct log_ring *r = atomic_load_explicit(&log_state.rings, memory_order_acquire); r; r = r->next) {
        uint64_t at = atomic_load_explicit(&r->head, memory_order_relaxed);
        struct log_head h;
        if (at == atomic_load_explicit(&r->tail, memory_order_acquire)) continue;
        ring_copy(r, at, &h, sizeof h);
        if (best && h.utc_us >= head->utc_us) continue;
        best = r;
        *head = h;
    }
    return best;
}

static void drops_tell(struct buf *out)
{
    for (struct log_ring *r = atomic_load(&log_state.rings); r; r = r->next) {
        uint64_t dropped = atomic_load_explicit(&r->dropped, memory_order_relaxed);
        char time[32];
        if (dropped == r->dropped_told) continue;
        buf_printf(out, "%s WARNING %s/core - %llu log lines dropped: the disk is slower than the log\n",
                   clock_utc_text(clock_utc_us(), time, sizeof time), log_state.process, (unsigned long long)(dropped - r->dropped_told));
        r->dropped_told = dropped;
    }
}

/* Frees rings of threads that ended. The first of the list stays: new ones are pushed before it without a lock. */
static void orphans_free(void)
{
    struct log_ring *before = atomic_load(&log_state.rings);
    while (before && before->next) {
        struct log_ring *r = before->next;
        bool gone = atomic_load_explicit(&r->orphaned, memory_order_acquire);
        if (gone && atomic_load(&r->head) == atomic_load(&r->tail)) {
            before->next = r->next;
            free(r);
        } else {
            before = r;
        }
    }
}

bool log_drain(void)
{
    static struct buf out; /* guarded by `draining` */
    struct log_head head;
    struct log_ring *ring;
    bool any = false;
    while ((ring = oldest_line(&head))) {
        uint64_t at = atomic_load_explicit(&ring->head, memory_order_relaxed);
        any = true;
        if (!buf_reserve(&out, head.length)) {
            ring_copy(ring, at + sizeof head, out.data + out.length, head.length);
            out.length += head.length;
        }
        atomic_store_explicit(&ring->head, at + sizeof head + head.length, memory_order_release);
        if (out.length < WRITE_BYTES) continue;
        log_write_all(log_state.fd, out.data, out.length);
        buf_clear(&out);
    }
    drops_tell(&out);
    if (out.length) log_write_all(log_state.fd, out.data, out.length);
    if (atomic_load(&log_state.closing))
        buf_free(&out);
    else
        buf_clear(&out);
    return any;
}

static void reopen(void)
{
    int fd;
    if (!atomic_exchange(&log_state.reopen, 0) || !log_state.path[0]) return;
    fd = log_file_open(log_state.path);
    if (fd < 0) return; /* goes on in the old file */
    dup3(fd, log_state.fd, O_CLOEXEC);
    close(fd);
}

static bool anything_queued(void)
{
    struct log_head head;
    return oldest_line(&head) != NULL;
}

static void sleep_until_rung(void)
{
    struct pollfd p = { .fd = log_state.bell, .events = POLLIN };
    struct timespec nap = { .tv_nsec = NAP_NS };
    uint64_t count;
    atomic_store(&log_state.sleeping, 1);
    atomic_thread_fence(memory_order_seq_cst);
    if (!anything_queued() && !atomic_load(&log_state.closing)) poll(&p, 1, 1000);
    atomic_store(&log_state.sleeping, 0);
    if (read(log_state.bell, &count, sizeof count) < 0 && errno != EAGAIN) return;
    if (!atomic_load(&log_state.closing)) nanosleep(&nap, NULL);
}

void *log_writer_main(void *unused)
{
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 19);
    for (;;) {
        bool closing = atomic_load(&log_state.closing);
        pthread_mutex_lock(&log_state.draining);
        reopen();
        log_drain();
        orphans_free();
        pthread_mutex_unlock(&log_state.draining);
        if (closing) return NULL;
        sleep_until_rung();
    }
}
