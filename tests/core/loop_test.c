/* loop_test.c: the event loop and the helper threads. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/check.h"
#include "core/clock.h"
#include "core/jobs.h"
#include "core/loop.h"

static struct loop *loop;

static int setup(void **state) { return loop_new(&loop); }

static int teardown(void **state)
{
    loop_free(loop);
    return 0;
}

static int64_t fired_at;
static int fired;

static void timer_in_order(struct loop_timer *timer)
{
    assert_true(timer->at_ns >= fired_at);
    assert_true(timer->at_ns <= loop_now_ns(loop));
    fired_at = timer->at_ns;
    fired++;
}

static void timers_fire_in_order_whatever_was_set_moved_or_cleared(void **state)
{
    enum { COUNT = 2000 };
    static struct loop_timer timers[COUNT];
    int64_t now = clock_mono_ns();
    int left = COUNT;
    srand(7);
    fired = 0, fired_at = 0;
    for (int i = 0; i < COUNT; i++) {
        timers[i] = (struct loop_timer) { .fire = timer_in_order };
        loop_timer_set(loop, &timers[i], now + rand() % 5000000);
    }
    for (int i = 0; i < COUNT; i += 3) loop_timer_set(loop, &timers[i], now + rand() % 9000000);
    for (int i = 1; i < COUNT; i += 7) {
        loop_timer_clear(loop, &timers[i]);
        loop_timer_clear(loop, &timers[i]); /* harmless */
        left--;
    }
    while (loop_next_ns(loop) != INT64_MAX) loop_step(loop, -1);
    assert_int_equal(fired, left);
}

static void again_at_once(struct loop_timer *timer)
{
    fired++;
    loop_timer_set(loop, timer, loop_now_ns(loop));
}

static void a_timer_that_sets_itself_to_now_does_not_hold_the_loop(void **state)
{
    struct loop_timer timer = { .fire = again_at_once };
    fired = 0;
    loop_timer_set(loop, &timer, 0);
    for (int i = 0; i < 5; i++) loop_step(loop, 0);
    assert_int_equal(fired, 5);
}

static struct loop_watch watch_a, watch_b;
static int ready;

static void remove_the_other(struct loop_watch *watch, uint32_t events)
{
    ready++;
    loop_watch_remove(loop, &watch_a);
    loop_watch_remove(loop, &watch_b);
}

static void a_watch_removed_in_a_callback_is_not_called_any_more(void **state)
{
    int a[2], b[2];
    assert_int_equal(pipe(a) | pipe(b), 0);
    watch_a = (struct loop_watch) { .fd = a[0], .ready = remove_the_other };
    watch_b = (struct loop_watch) { .fd = b[0], .ready = remove_the_other };
    assert_int_equal(loop_watch_add(loop, &watch_a, EPOLLIN), 0);
    assert_int_equal(loop_watch_add(loop, &watch_b, EPOLLIN), 0);
    assert_int_equal(write(a[1], "x", 1) + write(b[1], "x", 1), 2);
    ready = 0;
    for (int i = 0; i < 3; i++) loop_step(loop, 0);
    assert_int_equal(ready, 1);
    for (int i = 0; i < 2; i++) close(a[i]), close(b[i]);
}

static void hook_count(struct loop_hook *hook) { ++*(int *)hook->context; }

static void hooks_run_before_the_first_sleep_and_after_each_turn(void **state)
{
    int count = 0;
    struct loop_hook hook = { .run = hook_count, .context = &count };
    loop_hook_add(loop, &hook);
    loop_step(loop, 0);
    assert_int_equal(count, 2); /* before the wait, and at the end */
    loop_step(loop, 0);
    assert_int_equal(count, 3);
    loop_hook_remove(loop, &hook);
    loop_step(loop, 0);
    assert_int_equal(count, 3);
}

enum { POSTERS = 4, POSTS = 20000 };
static int posted[POSTERS], posted_all;

static void posted_run(void *context)
{
    int number = (int)(intptr_t)context;
    assert_int_equal(posted[number / POSTS], number % POSTS);
    posted[number / POSTS]++;
    if (++posted_all == POSTERS * POSTS) loop_stop(loop);
}

static void *poster(void *context)
{
    for (int i = 0; i < POSTS; i++) CHECK(!loop_post(loop, posted_run, (void *)((intptr_t)context * POSTS + i)));
    return NULL;
}

static void what_threads_post_runs_once_each_in_each_threads_order(void **state)
{
    pthread_t threads[POSTERS];
    posted_all = 0;
    for (intptr_t i = 0; i < POSTERS; i++) {
        posted[i] = 0;
        pthread_create(&threads[i], NULL, poster, (void *)i);
    }
    loop_run(loop);
    for (int i = 0; i < POSTERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(posted[i], POSTS);
    }
}

struct work {
    struct job job;
    pthread_t ran_on;
    int *done;
};

static void work_run(struct job *job) { CONTAINER_OF(job, struct work, job)->ran_on = pthread_self(); }

static void work_done(struct job *job)
{
    struct work *work = CONTAINER_OF(job, struct work, job);
    assert_false(pthread_equal(work->ran_on, pthread_self()));
    if (++*work->done == 1000) loop_stop(loop);
    free(work);
}

static void submit(struct jobs *jobs, int *done)
{
    struct work *work = calloc(1, sizeof *work);
    work->job.run = work_run;
    work->job.done = work_done;
    work->done = done;
    assert_int_equal(jobs_submit(jobs, &work->job), 0);
}

static void jobs_run_on_helpers_and_end_on_the_loop(void **state)
{
    struct jobs *jobs;
    int done = 0;
    assert_int_equal(jobs_new(&jobs, loop, 3, "test"), 0);
    for (int i = 0; i < 1000; i++) submit(jobs, &done);
    loop_run(loop);
    assert_int_equal(done, 1000);
    jobs_free(jobs);
}

static void jobs_free_runs_what_is_queued(void **state)
{
    struct jobs *jobs;
    int done = 0;
    assert_int_equal(jobs_new(&jobs, loop, 2, "test"), 0);
    for (int i = 0; i < 500; i++) submit(jobs, &done);
    jobs_free(jobs);
    assert_int_equal(done, 500);
}

#define WITH_LOOP(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_LOOP(timers_fire_in_order_whatever_was_set_moved_or_cleared),
        WITH_LOOP(a_timer_that_sets_itself_to_now_does_not_hold_the_loop),
        WITH_LOOP(a_watch_removed_in_a_callback_is_not_called_any_more),
        WITH_LOOP(hooks_run_before_the_first_sleep_and_after_each_turn),
        WITH_LOOP(what_threads_post_runs_once_each_in_each_threads_order),
        WITH_LOOP(jobs_run_on_helpers_and_end_on_the_loop),
        WITH_LOOP(jobs_free_runs_what_is_queued),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
