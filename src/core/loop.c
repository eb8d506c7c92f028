/* loop.c: epoll, a heap of timers, and a door for other threads. */
#include "core/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "core/check.h"
#include "core/clock.h"

#define LOOP_BATCH        64
#define LOOP_TIMERS_FIRST 256u

struct loop_letter {
    void (*run)(void *context);
    void *context;
    struct loop_letter *next;
};

struct loop {
    int epoll_fd, post_fd;
    int64_t now_ns;
    bool stop, in_step;
    bool settled; /* hooks ran since the last thing that could need them */
    bool no_pwait2;
    struct loop_hook *hooks, **hooks_end;

    /* The batch that is being dispatched; loop_watch_remove strikes out what it removes. */
    struct epoll_event batch[LOOP_BATCH];
    int batch_count, batch_at;

    struct loop_timer **heap; /* from 1; the parent of i is i/2 */
    uint32_t heap_count, heap_size;

    /* A stack that posters push on and the loop takes whole. The loop's side is one exchange: a helper thread of low
     * priority that stops in the middle of a push never makes this thread wait, as a mutex would. */
    _Alignas(64) _Atomic(struct loop_letter *) letters;
    struct loop_watch post_watch;
};

/* --- timers ----------------------------------------------------------------------------------------------- */

static void heap_place(struct loop *loop, uint32_t i, struct loop_timer *timer)
{
    loop->heap[i] = timer;
    timer->heap_index = i;
}

static void heap_up(struct loop *loop, uint32_t i, struct loop_timer *timer)
{
    for (; i > 1 && loop->heap[i / 2]->at_ns > timer->at_ns; i /= 2) heap_place(loop, i, loop->heap[i / 2]);
    heap_place(loop, i, timer);
}

static void heap_down(struct loop *loop, uint32_t i, struct loop_timer *timer)
{
    for (;;) {
        uint32_t child = i * 2;
        if (child > loop->heap_count) break;
        if (child < loop->heap_count && loop->heap[child + 1]->at_ns < loop->heap[child]->at_ns) child++;
        if (loop->heap[child]->at_ns >= timer->at_ns) break;
        heap_place(loop, i, loop->heap[child]);
        i = child;
    }
    heap_place(loop, i, timer);
}

static void heap_grow(struct loop *loop)
{
    uint32_t size = loop->heap_size ? loop->heap_size * 2 : LOOP_TIMERS_FIRST;
    struct loop_timer **heap = realloc(loop->heap, size * sizeof *heap);
    CHECK(heap);
    loop->heap = heap;
    loop->heap_size = size;
}

void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t at_ns)
{
    loop_timer_clear(loop, timer);
    timer->at_ns = at_ns;
    if (loop->heap_count + 1 >= loop->heap_size) heap_grow(loop);
    heap_up(loop, ++loop->heap_count, timer);
}

void loop_timer_clear(struct loop *loop, struct loop_timer *timer)
{
    uint32_t i = timer->heap_index;
    struct loop_timer *last;
    if (!i) return;
    CHECK(i <= loop->heap_count && loop->heap[i] == timer);
    timer->heap_index = 0;
    last = loop->heap[loop->heap_count--];
    if (last == timer) return;
    if (i > 1 && loop->heap[i / 2]->at_ns > last->at_ns)
        heap_up(loop, i, last);
    else
        heap_down(loop, i, last);
}

int64_t loop_next_ns(const struct loop *loop) { return loop->heap_count ? loop->heap[1]->at_ns : INT64_MAX; }

/* At most as many as were set at the start: a timer that sets itself to "now" waits for the next turn. */
static void timers_fire(struct loop *loop)
{
    for (uint32_t most = loop->heap_count; most && loop->heap_count && loop->heap[1]->at_ns <= loop->now_ns; most--) {
        struct loop_timer *timer = loop->heap[1];
        loop_timer_clear(loop, timer);
        timer->fire(timer);
    }
}

/* --- watches ---------------------------------------------------------------------------------------------- */

int loop_watch_add(struct loop *loop, struct loop_watch *watch, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = watch };
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, watch->fd, &event) ? -errno : 0;
}

int loop_watch_change(struct loop *loop, struct loop_watch *watch, uint32_t events)
{
    struct epoll_event event = { .events = events, .data.ptr = watch };
    return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) ? -errno : 0;
}

void loop_watch_remove(struct loop *loop, struct loop_watch *watch)
{
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL); /* fails where the fd was closed before: fine */
    for (int i = loop->batch_at; i < loop->batch_count; i++)
        if (loop->batch[i].data.ptr == watch) loop->batch[i].data.ptr = NULL;
}

static void watches_dispatch(struct loop *loop)
{
    while (loop->batch_at < loop->batch_count) {
        struct epoll_event event = loop->batch[loop->batch_at++];
        struct loop_watch *watch = event.data.ptr;
        if (watch) watch->ready(watch, event.events);
    }
}

/* Nanosecond waits where the kernel has them (5.11), else milliseconds rounded up, so that a timer never fires early. */
static int wait_for_events(struct loop *loop, int64_t wait_ns)
{
    int64_t ms;
    if (!loop->no_pwait2) {
        struct timespec t = { .tv_sec = wait_ns / NS_PER_S, .tv_nsec = wait_ns % NS_PER_S };
        int n = epoll_pwait2(loop->epoll_fd, loop->batch, LOOP_BATCH, wait_ns < 0 ? NULL : &t, NULL);
        if (n >= 0 || errno == EINTR) return n;
        loop->no_pwait2 = true;
    }
    ms = wait_ns < 0 ? -1 : (wait_ns + NS_PER_MS - 1) / NS_PER_MS;
    return epoll_wait(loop->epoll_fd, loop->batch, LOOP_BATCH, ms > INT_MAX ? INT_MAX : (int)ms);
}

/* --- posting ---------------------------------------------------------------------------------------------- */

int loop_post(struct loop *loop, void (*run)(void *context), void *context)
{
    struct loop_letter *letter = malloc(sizeof *letter), *top;
    const uint64_t one = 1;
    if (!letter) return -ENOMEM;
    letter->run = run;
    letter->context = context;
    top = atomic_load_explicit(&loop->letters, memory_order_relaxed);
    do {
        letter->next = top;
    } while (!atomic_compare_exchange_weak_explicit(&loop->letters, &top, letter, memory_order_release, memory_order_relaxed));
    /* A full counter (EAGAIN) is a rung bell, too. Everybody rings, not just who found the stack empty: that one may be a
     * helper that is preempted right here. */
    if (write(loop->post_fd, &one, sizeof one) < 0) CHECK(errno == EAGAIN);
    return 0;
}

static struct loop_letter *letters_take(struct loop *loop)
{
    struct loop_letter *newest = atomic_exchange_explicit(&loop->letters, NULL, memory_order_acquire), *oldest = NULL;
    while (newest) {
        struct loop_letter *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

static void post_ready(struct loop_watch *watch, uint32_t events)
{
    struct loop *loop = watch->context;
    struct loop_letter *letter;
    uint64_t count;
    /* First the bell, then the stack: a letter pushed in between rings again. */
    if (read(watch->fd, &count, sizeof count) < 0) CHECK(errno == EAGAIN || errno == EINTR);
    letter = letters_take(loop);
    while (letter) {
        struct loop_letter *next = letter->next;
        letter->run(letter->context);
        free(letter);
        letter = next;
    }
}

/* --- the loop --------------------------------------------------------------------------------------------- */

int loop_new(struct loop **out)
{
    struct loop *loop = aligned_alloc(64, (sizeof *loop + 63) & ~(size_t)63);
    int err;
    if (!loop) return -ENOMEM;
    *loop = (struct loop) { .epoll_fd = epoll_create1(EPOLL_CLOEXEC), .post_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC) };
    loop->hooks_end = &loop->hooks;
    loop->now_ns = clock_mono_ns();
    loop->post_watch = (struct loop_watch) { .fd = loop->post_fd, .ready = post_ready, .context = loop };
    err = loop->epoll_fd < 0 || loop->post_fd < 0 ? -errno : loop_watch_add(loop, &loop->post_watch, EPOLLIN);
    if (err) {
        loop_free(loop);
        return err;
    }
    *out = loop;
    return 0;
}

void loop_free(struct loop *loop)
{
    struct loop_letter *letter;
    if (!loop) return;
    for (letter = letters_take(loop); letter;) {
        struct loop_letter *next = letter->next;
        free(letter);
        letter = next;
    }
    if (loop->epoll_fd >= 0) close(loop->epoll_fd);
    if (loop->post_fd >= 0) close(loop->post_fd);
    free(loop->heap);
    free(loop);
}

void loop_hook_add(struct loop *loop, struct loop_hook *hook)
{
    hook->next = NULL;
    *loop->hooks_end = hook;
    loop->hooks_end = &hook->next;
    loop->settled = false;
}

void loop_hook_remove(struct loop *loop, struct loop_hook *hook)
{
    struct loop_hook **at = &loop->hooks;
    while (*at && *at != hook) at = &(*at)->next;
    if (!*at) return;
    *at = hook->next;
    if (loop->hooks_end == &hook->next) loop->hooks_end = at;
}

static void hooks_run(struct loop *loop)
{
    loop->settled = true;
    for (struct loop_hook *hook = loop->hooks; hook; hook = hook->next) hook->run(hook);
}

static int64_t wait_bounded(const struct loop *loop, int64_t wait_ns)
{
    int64_t next = loop_next_ns(loop), until;
    if (!wait_ns || next == INT64_MAX) return wait_ns;
    until = next - clock_mono_ns();
    if (until < 0) until = 0;
    return wait_ns < 0 || until < wait_ns ? until : wait_ns;
}

void loop_step(struct loop *loop, int64_t wait_ns)
{
    int n;
    CHECK(!loop->in_step);
    loop->in_step = true;
    loop->now_ns = clock_mono_ns();
    if (!loop->settled) hooks_run(loop);
    n = wait_for_events(loop, loop->stop ? 0 : wait_bounded(loop, wait_ns));
    loop->now_ns = clock_mono_ns();
    loop->batch_at = 0;
    loop->batch_count = n > 0 ? n : 0;
    watches_dispatch(loop);
    loop->batch_count = 0;
    timers_fire(loop);
    /* At the end and not before the wait, so that a loop nested in another one leaves its bells marked when it returns. */
    hooks_run(loop);
    loop->in_step = false;
}

void loop_fire(struct loop *loop)
{
    CHECK(!loop->in_step);
    loop->in_step = true;
    loop->now_ns = clock_mono_ns();
    timers_fire(loop);
    hooks_run(loop);
    loop->in_step = false;
}

void loop_run(struct loop *loop)
{
    while (!loop->stop) loop_step(loop, -1);
    loop->stop = false;
}

void loop_stop(struct loop *loop) { loop->stop = true; }

int loop_fd(const struct loop *loop) { return loop->epoll_fd; }

int64_t loop_now_ns(const struct loop *loop) { return loop->now_ns; }
