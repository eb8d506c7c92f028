/* post.c: the post office's rounds: woken by the bell, before each sleep, and each 50 ms. */
#include "bus/post.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "bus/post_internal.h"
#include "core/check.h"

static void everything_once(struct post *post)
{
    for (uint32_t p = 0; p < post->peers_count; p++) {
        post_drain(post, &post->peers[p], POST_FRAMES_PER_PASS);
        if (post->peers[p].first) post_flush(post, &post->peers[p]);
    }
    for (struct post_listener *s = post->sources; s; s = s->next) s->poll(s->context);
}

/* At the end of each turn of the loop. First unmarked, so that nobody rings while we work; then "I sleep", and a last look
 * at everything: what comes after that look rings. */
static void before_sleep(struct loop_hook *hook)
{
    struct post *post = hook->context;
    bell_busy(post->segment, post->process, BELL_MAIN);
    everything_once(post);
    bell_sleep(post->segment, post->process, BELL_MAIN);
    everything_once(post);
}

static void bell_ready(struct loop_watch *watch, uint32_t events)
{
    struct post *post = watch->context;
    bell_awake(post->segment, post->process, BELL_MAIN); /* the hook does the rest */
}

static void check_due(struct loop_timer *timer)
{
    struct post *post = timer->context;
    int64_t pause = post->bell.fd >= 0 ? POST_CHECK_NS : POST_CHECK_BELL_LESS_NS;
    loop_timer_set(post->loop, timer, clock_mono_ns() + pause);
    post_peers_check(post);
}

/* The turn itself is what was wanted: the hook runs at its end. */
static void turn_wanted(struct loop_timer *timer) {}

void post_again(struct post *post) { loop_timer_set(post->loop, &post->again, clock_mono_ns()); }

static void peers_init(struct post *post)
{
    for (uint32_t p = 0; p < post->peers_count; p++) {
        struct post_peer *peer = &post->peers[p];
        struct proc_view view;
        proc_peek(post->segment, p, &view);
        *peer = (struct post_peer) { .process = p, .epoch = view.epoch, .alive = view.alive, .last = &peer->first };
        peer->out = segment_lane(post->segment, post->process, p);
        peer->in = segment_lane(post->segment, p, post->process);
    }
}

int post_new(struct post **out, struct segment *segment, uint32_t process, struct loop *loop, post_handler *handler, void *context)
{
    struct post *post;
    struct proc_view self;
    int err;
    if (process >= segment_processes(segment)) return -EINVAL;
    proc_peek(segment, process, &self);
    if (!self.epoch || !self.alive) return -EINVAL;
    post = calloc(1, sizeof *post);
    if (!post) return -ENOMEM;
    *post = (struct post) { .segment = segment,
                            .loop = loop,
                            .process = process,
                            .epoch = self.epoch,
                            .handler = handler,
                            .context = context,
                            .peers_count = segment_processes(segment) };
    post->peers = calloc(post->peers_count, sizeof *post->peers);
    post->bell = (struct loop_watch) { .fd = bell_fd(segment, process, BELL_MAIN), .ready = bell_ready, .context = post };
    err = !post->peers ? -ENOMEM : post->bell.fd >= 0 ? loop_watch_add(loop, &post->bell, EPOLLIN) : 0;
    if (err) {
        free(post->peers);
        free(post);
        return err;
    }
    peers_init(post);
    post->hook = (struct loop_hook) { .run = before_sleep, .context = post };
    loop_hook_add(loop, &post->hook);
    post->check = (struct loop_timer) { .fire = check_due, .context = post };
    post->retry = (struct loop_timer) { .fire = turn_wanted, .context = post };
    post->again = (struct loop_timer) { .fire = turn_wanted, .context = post };
    loop_timer_set(loop, &post->check, clock_mono_ns() + POST_CHECK_NS);
    *out = post;
    return 0;
}

static void listeners_free(struct post_listener *l)
{
    while (l) {
        struct post_listener *next = l->next;
        free(l);
        l = next;
    }
}

void post_free(struct post *post)
{
    if (!post) return;
    bell_busy(post->segment, post->process, BELL_MAIN);
    loop_hook_remove(post->loop, &post->hook);
    if (post->bell.fd >= 0) loop_watch_remove(post->loop, &post->bell);
    for (uint32_t p = 0; p < post->peers_count; p++) {
        post_flush(post, &post->peers[p]);
        post->peers[p].keeps = false;
        post_letters_drop(post, &post->peers[p]);
        buf_free(&post->peers[p].parts);
    }
    for (uint32_t b = 0; b < POST_BUCKETS; b++)
        while (post->requests[b]) free(post_request_take(post, post->requests[b]->id));
    loop_timer_clear(post->loop, &post->check);
    loop_timer_clear(post->loop, &post->retry);
    loop_timer_clear(post->loop, &post->again);
    listeners_free(post->watchers);
    listeners_free(post->sources);
    free(post->peers);
    free(post);
}

/* Appended, so that they are called in the order in which they came. */
static void listener_add(struct post_listener **at, struct post_listener listener)
{
    struct post_listener *l = malloc(sizeof *l);
    CHECK(l); /* at a process's start only */
    *l = listener;
    while (*at) at = &(*at)->next;
    *at = l;
}

void post_watch(struct post *post, void (*changed)(void *context, uint32_t process, bool alive), void *context)
{
    listener_add(&post->watchers, (struct post_listener) { .changed = changed, .context = context });
}

void post_source_add(struct post *post, void (*poll)(void *context), void *context)
{
    listener_add(&post->sources, (struct post_listener) { .poll = poll, .context = context });
}

void post_on_cancel(struct post *post, void (*cancelled)(void *context, uint64_t ticket), void *context)
{
    post->cancelled = cancelled;
    post->cancelled_context = context;
}
