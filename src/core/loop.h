/* loop.h: the event loop of a thread that is no media thread: epoll, timers, and a door for other threads.
 *
 * One loop belongs to one thread; only loop_post may be called from others. Timers and watches are embedded in the
 * caller's structs and never allocated. */
#ifndef CORE_LOOP_H
#define CORE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;

int loop_new(struct loop **out); /* 0 or -errno */
void loop_free(struct loop *loop);
void loop_run(struct loop *loop); /* until loop_stop */
void loop_stop(struct loop *loop);
/* Runs what is due, waiting for at most wait_ns (0 = do not wait, -1 = for ever). For nesting in another loop. */
void loop_step(struct loop *loop, int64_t wait_ns);
/* Timers that are due, and the hooks; looks at no descriptor. For nesting too: another loop's wait told that time has come. */
void loop_fire(struct loop *loop);
int loop_fd(const struct loop *loop);          /* an epoll descriptor, readable when a watch is ready or something was posted */
int64_t loop_next_ns(const struct loop *loop); /* monotonic time of the next timer, INT64_MAX if none */
int64_t loop_now_ns(const struct loop *loop);  /* the one clock read per turn */

struct loop_watch {
    int fd;
    void (*ready)(struct loop_watch *watch, uint32_t events); /* EPOLLIN … */
    void *context;
};
int loop_watch_add(struct loop *loop, struct loop_watch *watch, uint32_t events);
int loop_watch_change(struct loop *loop, struct loop_watch *watch, uint32_t events);
void loop_watch_remove(struct loop *loop, struct loop_watch *watch); /* safe within any callback of the loop */

struct loop_timer {
    int64_t at_ns;
    uint32_t heap_index; /* the loop's own; 0 = not set */
    void (*fire)(struct loop_timer *timer);
    void *context;
};
void loop_timer_set(struct loop *loop, struct loop_timer *timer, int64_t at_ns); /* sets or moves it */
void loop_timer_clear(struct loop *loop, struct loop_timer *timer);              /* harmless if not set */

/* Work done at the end of each turn, before sleeping (draining lanes, flushing). */
struct loop_hook {
    void (*run)(struct loop_hook *hook);
    void *context;
    struct loop_hook *next;
};
void loop_hook_add(struct loop *loop, struct loop_hook *hook);
void loop_hook_remove(struct loop *loop, struct loop_hook *hook); /* not within a hook */

/* From any thread: `run(context)` will be called on the loop's thread, in order of posting per thread. */
int loop_post(struct loop *loop, void (*run)(void *context), void *context);

#endif
