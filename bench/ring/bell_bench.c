/* bell_bench.c: what it costs when the other side sleeps: a bell, and a request through two post offices. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "bus/post.h"
#include "bus/ring.h"
#include "core/check.h"
#include "core/clock.h"

enum { WAKES = 20000, REQUESTS = 50000 };

static struct segment *segment;
static struct bench_samples *samples;

static void segment_open(void)
{
    char name[33];
    struct buf error = BUF_INIT;
    snprintf(name, sizeof name, "bench-%d", (int)getpid());
    if (segment_create(&segment, &(struct segment_params) { .name = name, .workers = 1, .slots_each = 256 }, &error))
        fprintf(stderr, "%s\n", buf_text(&error)), CHECK(!"a segment");
    segment_remove(name); /* nobody else needs its name */
    buf_free(&error);
}

static void sleeper(void *context)
{
    struct ring *ring = segment_ring_down(segment, 0);
    struct pollfd p = { .fd = bell_fd(segment, BUS_WORKER_0, BELL_MEDIA), .events = POLLIN };
    struct ring_record r;
    for (uint32_t n = 0; n < WAKES;) {
        bell_sleep(segment, BUS_WORKER_0, BELL_MEDIA);
        if (ring_empty(ring)) poll(&p, 1, -1);
        bell_awake(segment, BUS_WORKER_0, BELL_MEDIA);
        for (; ring_peek(ring, &r); n++) {
            bench_sample(samples, clock_mono_ns() - r.time_ns);
            ring_pop(ring);
        }
    }
}

void bench_bell_latency(void)
{
    struct ring_record r = { 0 };
    struct timespec nap = { .tv_nsec = 50000 };
    pid_t pid;
    segment_open();
    samples = bench_samples_new(WAKES);
    pid = bench_fork(sleeper, NULL);
    for (uint32_t n = 0; n < WAKES; n++) {
        nanosleep(&nap, NULL);
        r.time_ns = clock_mono_ns();
        while (ring_push(segment_ring_down(segment, 0), &r)) bench_relax();
        bell_ring(segment, BUS_WORKER_0, BELL_MEDIA);
        bench_await(samples, n + 1);
    }
    bench_join(pid);
    bench_latency("ring + bell: one way, reader asleep", samples);
    segment_unmap(segment);
}

struct office {
    struct post *post;
    struct loop *loop;
    int64_t asked_ns;
    uint32_t left;
};

static void serve(void *context, const struct post_message *m)
{
    struct office *o = context;
    post_reply(o->post, m->ticket, 0, NULL);
}

static void office_open(struct office *o, uint32_t process)
{
    proc_enter(segment, process);
    CHECK(!loop_new(&o->loop) && !post_new(&o->post, segment, process, o->loop, serve, o));
    proc_state_set(segment, process, PROC_RUNNING);
}

static void served(void *context)
{
    struct office o = { 0 };
    office_open(&o, BUS_WORKER_0);
    for (;;) loop_step(o.loop, -1); /* until its parent is done with it */
}

static void ask(struct office *o);

static void answered(void *context, int status, struct kv_view pairs)
{
    struct office *o = context;
    CHECK(!status);
    bench_sample(samples, clock_mono_ns() - o->asked_ns);
    if (--o->left)
        ask(o);
    else
        loop_stop(o->loop);
}

static void ask(struct office *o)
{
    o->asked_ns = clock_mono_ns();
    CHECK(!post_request(o->post, BUS_WORKER_0, MSG_API, NULL, 5 * NS_PER_S, answered, o, NULL));
}

void bench_post_requests(void)
{
    struct office o = { .left = REQUESTS };
    struct proc_view view;
    pid_t pid;
    segment_open();
    samples = bench_samples_new(REQUESTS);
    pid = bench_fork(served, NULL);
    do proc_peek(segment, BUS_WORKER_0, &view);
    while (view.state != PROC_RUNNING);
    office_open(&o, BUS_BROKER);
    ask(&o);
    loop_run(o.loop);
    bench_latency("post: request → reply, both asleep between", samples);
    kill(pid, SIGKILL);
    post_free(o.post);
    loop_free(o.loop);
    segment_unmap(segment);
}
