/* post_test.c: notes, requests and replies between two post offices, and what happens when the other one dies. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "bus/post.h"
#include "core/clock.h"
#include "segment_fixture.h"

/* Two offices in one process, each with a loop of its own. */
static struct loop *loop_b, *loop_w;
static struct post *broker, *worker;
static int notes, answers, last_status, deaths, births, cancels;
static uint64_t kept_ticket;
static size_t last_length;

static void echo(void *context, const struct post_message *m)
{
    struct kv kv = KV_INIT;
    size_t length;
    const char *value = kv_get_bytes(m->pairs, "value", &length);
    if (!m->is_request) {
        assert_int_equal(kv_get_int(m->pairs, "n", -1), notes);
        notes++;
        return;
    }
    if (m->kind == MSG_CALL_REFER) { /* answered later */
        kept_ticket = m->ticket;
        return;
    }
    if (value) kv_add_bytes(&kv, "value", value, length);
    assert_int_equal(post_reply(context ? *(struct post **)context : worker, m->ticket, 0, &kv), 0);
    kv_free(&kv);
}

static void answered(void *context, int status, struct kv_view pairs)
{
    const char *value;
    answers++;
    last_status = status;
    last_length = 0;
    value = status ? NULL : kv_get_bytes(pairs, "value", &last_length);
    for (size_t i = 0; i < last_length; i++) assert_int_equal(value[i], (char)(i * 7));
}

static void changed(void *context, uint32_t process, bool alive)
{
    assert_int_equal(process, BUS_WORKER_0);
    alive ? births++ : deaths++;
}

static void cancelled(void *context, uint64_t ticket) { cancels++; }

static int setup(void **state)
{
    if (segment_setup(state)) return -1;
    notes = answers = last_status = deaths = births = cancels = 0;
    proc_enter(segment, BUS_BROKER);
    proc_enter(segment, BUS_WORKER_0);
    if (loop_new(&loop_b) || loop_new(&loop_w)) return -1;
    if (post_new(&broker, segment, BUS_BROKER, loop_b, echo, &broker)) return -1;
    return post_new(&worker, segment, BUS_WORKER_0, loop_w, echo, NULL);
}

static int teardown(void **state)
{
    post_free(broker);
    post_free(worker);
    loop_free(loop_b);
    loop_free(loop_w);
    return segment_teardown(state);
}

static void turn(int64_t wait_ns)
{
    proc_beat(segment, BUS_BROKER, clock_mono_ns());
    proc_beat(segment, BUS_WORKER_0, clock_mono_ns());
    loop_step(loop_w, wait_ns);
    loop_step(loop_b, wait_ns);
}

static void turns_until(const int *what, int is)
{
    for (int i = 0; i < 20000 && *what < is; i++) turn(NS_PER_MS / 5);
    assert_int_equal(*what, is);
}

static int request(size_t length, enum message_kind kind, int64_t timeout_ns, uint32_t *id)
{
    struct kv kv = KV_INIT;
    char *value = malloc(length + 1);
    int err;
    for (size_t i = 0; i < length; i++) value[i] = (char)(i * 7);
    kv_add_bytes(&kv, "value", value, length);
    err = post_request(broker, BUS_WORKER_0, kind, &kv, timeout_ns, answered, NULL, id);
    kv_free(&kv);
    free(value);
    return err;
}

static void a_request_is_answered_and_not_before_it_returned(void **state)
{
    assert_int_equal(request(10, MSG_API, NS_PER_S, NULL), 0);
    assert_int_equal(answers, 0);
    turns_until(&answers, 1);
    assert_int_equal(last_status, 0);
    assert_int_equal(last_length, 10);
}

static void messages_of_megabytes_go_in_parts_through_a_small_lane(void **state)
{
    static const size_t lengths[] = { 16 << 10, 16384 - 24, 100000, 3 << 20, (16 << 20) - 100 };
    for (int i = 0; i < 5; i++) {
        assert_int_equal(request(lengths[i], MSG_API, 20 * NS_PER_S, NULL), 0);
        turns_until(&answers, i + 1);
        assert_int_equal(last_status, 0);
        assert_int_equal(last_length, lengths[i]);
    }
    assert_int_equal(request(17 << 20, MSG_API, NS_PER_S, NULL), -EMSGSIZE);
}

static void notes_keep_their_order_when_the_lane_is_full(void **state)
{
    struct kv kv = KV_INIT;
    char filler[3000];
    memset(filler, 'x', sizeof filler);
    for (int n = 0; n < 5000; n++) {
        kv_clear(&kv);
        kv_add_int(&kv, "n", n);
        kv_add_bytes(&kv, "filler", filler, (size_t)n % sizeof filler);
        assert_int_equal(post_note(broker, BUS_WORKER_0, MSG_GLOBAL_SET, &kv), 0);
    }
    turns_until(&notes, 5000);
    kv_free(&kv);
}

static void beyond_its_bound_the_queue_says_busy(void **state)
{
    int n = 0;
    while (!request(8 << 20, MSG_API, 60 * NS_PER_S, NULL)) n++;
    assert_int_equal(n, 7); /* 64 MB, and each is a little over 8 */
    assert_int_equal(request(8 << 20, MSG_API, NS_PER_S, NULL), -EAGAIN);
    turns_until(&answers, n);
    assert_int_equal(last_status, 0);
}

static void an_unanswered_request_times_out_and_a_late_reply_is_harmless(void **state)
{
    assert_int_equal(request(1, MSG_CALL_REFER, 20 * NS_PER_MS, NULL), 0);
    post_on_cancel(worker, cancelled, NULL);
    turns_until(&answers, 1);
    assert_int_equal(last_status, -ETIMEDOUT);
    turns_until(&cancels, 1);
    assert_int_equal(post_reply(worker, kept_ticket, 0, NULL), 0);
    assert_int_equal(post_reply(worker, kept_ticket, 0, NULL), 0);
    for (int i = 0; i < 20; i++) turn(NS_PER_MS / 5);
    assert_int_equal(answers, 1);
}

static void a_cancelled_request_is_never_answered(void **state)
{
    uint32_t id;
    assert_int_equal(request(1, MSG_API, NS_PER_S, &id), 0);
    post_cancel(broker, BUS_WORKER_0, id);
    for (int i = 0; i < 50; i++) turn(NS_PER_MS / 5);
    assert_int_equal(answers, 0);
}

static void when_the_other_dies_requests_get_epipe_once_and_watchers_are_told(void **state)
{
    post_watch(broker, changed, NULL);
    assert_int_equal(request(1, MSG_CALL_REFER, 0, NULL), 0);
    assert_int_equal(request(1 << 20, MSG_CALL_REFER, 0, NULL), 0);
    turn(0);
    proc_state_set(segment, BUS_WORKER_0, PROC_DEAD);
    assert_int_equal(request(1, MSG_API, 0, NULL), -EPIPE);
    turns_until(&deaths, 1);
    assert_int_equal(answers, 2);
    assert_int_equal(last_status, -EPIPE);
    assert_int_equal(births, 0);
}

static void restart_worker(void)
{
    post_free(worker);
    proc_enter(segment, BUS_WORKER_0);
    assert_int_equal(post_new(&worker, segment, BUS_WORKER_0, loop_w, echo, NULL), 0);
}

static void a_new_incarnation_never_sees_what_was_meant_for_the_old_one(void **state)
{
    post_watch(broker, changed, NULL);
    assert_int_equal(request(1, MSG_CALL_REFER, 0, NULL), 0);
    assert_int_equal(request(1 << 20, MSG_API, 0, NULL), 0); /* half of it is in the lane */
    kept_ticket = 0;
    restart_worker();
    turns_until(&births, 1);
    assert_int_equal(deaths, 1);
    assert_int_equal(answers, 2);
    assert_int_equal(last_status, -EPIPE);
    assert_true(kept_ticket == 0);
    assert_int_equal(request(100, MSG_API, NS_PER_S, NULL), 0);
    turns_until(&answers, 3);
    assert_int_equal(last_status, 0);
}

static void notes_that_are_kept_reach_the_next_incarnation_in_order(void **state)
{
    struct kv kv = KV_INIT;
    post_keep_notes(broker, BUS_WORKER_0);
    for (int i = 0; i < 6; i++) {
        kv_clear(&kv);
        kv_add_int(&kv, "n", i);
        if (i == 3) { /* the first three lie unread in its lane */
            proc_state_set(segment, BUS_WORKER_0, PROC_DEAD);
            loop_step(loop_b, 0);
        }
        assert_int_equal(post_note(broker, BUS_WORKER_0, MSG_CALL_HANGUP, &kv), 0);
    }
    restart_worker();
    post_inherit_notes(worker);
    turns_until(&notes, 6);
    kv_free(&kv);
}

static void what_was_said_before_death_is_heard_before_the_death(void **state)
{
    struct kv kv = KV_INIT;
    kv_add_int(&kv, "n", 0);
    assert_int_equal(post_note(worker, BUS_BROKER, MSG_GLOBAL_SET, &kv), 0);
    kv_free(&kv);
    restart_worker();
    turns_until(&notes, 1);
}

static void a_reply_to_a_ticket_of_a_dead_asker_is_dropped(void **state)
{
    struct kv kv = KV_INIT;
    assert_int_equal(request(1, MSG_CALL_REFER, 0, NULL), 0);
    for (int i = 0; i < 3; i++) turn(0);
    post_free(broker);
    proc_enter(segment, BUS_BROKER);
    assert_int_equal(post_new(&broker, segment, BUS_BROKER, loop_b, echo, &broker), 0);
    for (int i = 0; i < 400; i++) turn(NS_PER_MS / 5);
    assert_int_equal(post_reply(worker, kept_ticket, 0, &kv), 0);
    for (int i = 0; i < 20; i++) turn(NS_PER_MS / 5);
    assert_int_equal(answers, 0);
}

/* The only test with two processes and real sleep: no wake-up may be lost. */
static void bounce(void *context, int status, struct kv_view pairs)
{
    int *left = context;
    assert_int_equal(status, 0);
    if (--*left)
        assert_int_equal(post_request(broker, BUS_WORKER_0 + 1, MSG_API, NULL, 5 * NS_PER_S, bounce, left, NULL), 0);
    else
        loop_stop(loop_b);
}

static void serve(void *context, const struct post_message *m) { post_reply(*(struct post **)context, m->ticket, 0, NULL); }

static void sleeping_processes_wake_each_other_each_time(void **state)
{
    enum { ROUNDS = 20000 };
    int left = ROUNDS, status;
    int64_t began;
    struct proc_view view;
    pid_t pid = fork();
    if (!pid) {
        struct loop *loop;
        struct post *mine;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        proc_enter(segment, BUS_WORKER_0 + 1);
        if (loop_new(&loop) || post_new(&mine, segment, BUS_WORKER_0 + 1, loop, serve, &mine)) _exit(1);
        proc_state_set(segment, BUS_WORKER_0 + 1, PROC_RUNNING);
        for (;;) loop_step(loop, -1);
    }
    do proc_peek(segment, BUS_WORKER_0 + 1, &view);
    while (view.state != PROC_RUNNING);
    began = clock_mono_ns();
    assert_int_equal(post_request(broker, BUS_WORKER_0 + 1, MSG_API, NULL, 5 * NS_PER_S, bounce, &left, NULL), 0);
    loop_run(loop_b);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    /* A lost wake-up costs 50 ms, until the next check; a few thousand of them would show. */
    assert_true(clock_mono_ns() - began < 10 * NS_PER_S);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_request_is_answered_and_not_before_it_returned),
        T(messages_of_megabytes_go_in_parts_through_a_small_lane),
        T(notes_keep_their_order_when_the_lane_is_full),
        T(beyond_its_bound_the_queue_says_busy),
        T(an_unanswered_request_times_out_and_a_late_reply_is_harmless),
        T(a_cancelled_request_is_never_answered),
        T(when_the_other_dies_requests_get_epipe_once_and_watchers_are_told),
        T(a_new_incarnation_never_sees_what_was_meant_for_the_old_one),
        T(notes_that_are_kept_reach_the_next_incarnation_in_order),
        T(what_was_said_before_death_is_heard_before_the_death),
        T(a_reply_to_a_ticket_of_a_dead_asker_is_dropped),
        T(sleeping_processes_wake_each_other_each_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
