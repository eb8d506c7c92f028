/* link_test.c: audio links: who may lease and attach, what a frame survives, and either side killed at random moments. */
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <errno.h>

#include "bus/link.h"
#include "core/check.h"
#include "segment_fixture.h"

enum { HOME = BUS_WORKER_0, AWAY = BUS_WORKER_0 + 1 };

static struct link *link_here(void) { return segment_link(segment, 0, 0); }

static int put(struct link *link, enum link_side side, uint32_t value, uint32_t bytes)
{
    uint8_t data[LINK_BYTES_MAX];
    memset(data, (int)value, sizeof data);
    return link_put(link, side, &(struct link_frame) { .kind = LINK_AUDIO, .value = value }, data, bytes);
}

static void a_link_is_leased_once_and_again_only_when_both_ends_let_go(void **state)
{
    struct link *link = link_here();
    uint32_t first = link_lease(link);
    assert_true(first);
    assert_int_equal(link_lease(link), 0);
    assert_int_equal(link_attach(link, LINK_HOME, first, HOME), 0);
    assert_int_equal(link_attach(link, LINK_AWAY, first + 1, AWAY), -ESTALE);
    assert_int_equal(link_attach(link, LINK_AWAY, first, AWAY), 0);
    assert_int_equal(link_attach(link, LINK_AWAY, first, AWAY), -ESTALE);
    assert_true(link_other_attached(link, LINK_HOME, first));
    link_return(link, first + 1); /* not ours */
    assert_int_equal(link_lease(link), 0);
    link_return(link, first);
    link_detach(link, LINK_HOME);
    assert_int_equal(link_lease(link), 0); /* away still writes */
    link_detach(link, LINK_AWAY);
    uint32_t second = link_lease(link);
    assert_true(second && second != first);
    assert_int_equal(link_attach(link, LINK_AWAY, first, AWAY), -ESTALE);
    link_return(link, second);
}

static void frames_go_both_ways_in_order_and_a_full_ring_says_so(void **state)
{
    struct link *link = link_here();
    uint32_t lease = link_lease(link);
    assert_int_equal(link_attach(link, LINK_HOME, lease, HOME), 0);
    assert_int_equal(link_attach(link, LINK_AWAY, lease, AWAY), 0);
    assert_null(link_peek(link, LINK_AWAY));
    for (uint32_t i = 0; i < LINK_FRAMES; i++) assert_int_equal(put(link, LINK_HOME, i + 1, 100 + i), 0);
    assert_int_equal(put(link, LINK_HOME, 99, 1), -EAGAIN);
    assert_int_equal(put(link, LINK_AWAY, 77, LINK_BYTES_MAX), 0); /* the other ring has room */
    assert_int_equal(link_waiting(link, LINK_AWAY), LINK_FRAMES);
    for (uint32_t i = 0; i < LINK_FRAMES; i++) {
        const struct link_frame *frame = link_peek(link, LINK_AWAY);
        assert_non_null(frame);
        assert_int_equal(frame->value, i + 1);
        assert_int_equal(frame->bytes, 100 + i);
        assert_int_equal(frame->data[99 + i], i + 1);
        link_next(link, LINK_AWAY);
    }
    assert_null(link_peek(link, LINK_AWAY));
    assert_int_equal(link_peek(link, LINK_HOME)->bytes, LINK_BYTES_MAX);
    link_detach(link, LINK_HOME);
    link_detach(link, LINK_AWAY);
    link_return(link, lease);
}

static void frames_of_an_old_lease_are_never_heard(void **state)
{
    struct link *link = link_here();
    uint32_t lease = link_lease(link);
    assert_int_equal(link_attach(link, LINK_HOME, lease, HOME), 0);
    assert_int_equal(put(link, LINK_HOME, 1, 10), 0); /* nobody takes it */
    link_detach(link, LINK_HOME);
    link_return(link, lease);
    lease = link_lease(link);
    assert_int_equal(link_attach(link, LINK_HOME, lease, HOME), 0);
    assert_int_equal(link_attach(link, LINK_AWAY, lease, AWAY), 0);
    assert_null(link_peek(link, LINK_AWAY));
    assert_int_equal(put(link, LINK_HOME, 2, 10), 0);
    assert_int_equal(link_peek(link, LINK_AWAY)->value, 2);
    link_detach(link, LINK_HOME);
    link_detach(link, LINK_AWAY);
    link_return(link, lease);
}

static void a_worker_that_was_started_anew_takes_back_what_the_dead_one_held_and_nothing_else(void **state)
{
    struct link *link = link_here(), *other = segment_link(segment, 1, 3);
    uint32_t lease = link_lease(link), lease_other = link_lease(other);
    assert_int_equal(link_attach(link, LINK_HOME, lease, HOME), 0);
    assert_int_equal(link_attach(link, LINK_AWAY, lease, AWAY), 0);
    assert_int_equal(link_attach(other, LINK_HOME, lease_other, AWAY), 0);
    assert_int_equal(link_attach(other, LINK_AWAY, lease_other, HOME), 0);
    segment_repair(segment, HOME);
    assert_false(link_other_attached(link, LINK_AWAY, lease)); /* its end is free … */
    assert_true(link_other_attached(link, LINK_HOME, lease));  /* … the living one's is not */
    assert_int_equal(link_lease(link), 0);
    link_detach(link, LINK_AWAY);
    lease = link_lease(link); /* the lease died with its home */
    assert_true(lease);
    link_return(link, lease);
    assert_false(link_other_attached(other, LINK_HOME, lease_other)); /* its end of the other's pool … */
    assert_int_equal(link_lease(other), 0);                           /* … which is the other's to lease */
    link_detach(other, LINK_HOME);
    link_return(other, lease_other);
    assert_true((lease_other = link_lease(other)));
    link_return(other, lease_other);
}

/* --- whoever dies ----------------------------------------------------------------------------------------------------- */

struct book {
    volatile uint32_t next, seen;
    volatile uint64_t taken, torn, disorder;
    volatile int stop;
};
static struct book *book;

static uint8_t byte_of(uint32_t n, uint32_t i) { return (uint8_t)(n * 2654435761u >> (i % 4 * 8)); }

static void end_begin(enum link_side side, uint32_t process, uint32_t lease)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    link_repair(link_here(), process, false);
    CHECK(link_attach(link_here(), side, lease, process) == 0);
}

static void producer(uint32_t lease)
{
    uint8_t data[LINK_BYTES_MAX];
    end_begin(LINK_HOME, HOME, lease);
    while (!book->stop) {
        uint32_t n = book->next = book->next + 1; /* a number whose writer died is never used again */
        for (uint32_t i = 0; i < sizeof data; i++) data[i] = byte_of(n, i);
        if (link_put(link_here(), LINK_HOME, &(struct link_frame) { .kind = LINK_AUDIO, .value = n }, data, sizeof data)) sched_yield();
    }
}

static void consumer(uint32_t lease)
{
    end_begin(LINK_AWAY, AWAY, lease);
    while (!book->stop) {
        const struct link_frame *frame = link_peek(link_here(), LINK_AWAY);
        if (!frame) {
            sched_yield();
            continue;
        }
        bool whole = frame->bytes == LINK_BYTES_MAX;
        for (uint32_t i = 0; whole && i < LINK_BYTES_MAX; i++) whole = frame->data[i] == byte_of(frame->value, i);
        if (!whole) book->torn++;
        if (frame->value < book->seen) book->disorder++;
        book->seen = frame->value;
        book->taken++;
        link_next(link_here(), LINK_AWAY);
    }
}

static pid_t start(void (*role)(uint32_t), uint32_t lease)
{
    pid_t pid = fork();
    if (pid) return pid;
    role(lease);
    _exit(0);
}

static void no_frame_is_torn_or_heard_twice_whoever_dies(void **state)
{
    void (*role[2])(uint32_t) = { producer, consumer };
    uint32_t lease = link_lease(link_here());
    unsigned seed = 1;
    int status, kills = getenv("CARILLON_LONG") ? 4000 : 400;
    book = mmap(NULL, sizeof *book, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid[2] = { start(producer, lease), start(consumer, lease) };
    for (int i = 0; i < kills; i++) {
        int who = rand_r(&seed) % 2;
        nanosleep(&(struct timespec) { .tv_nsec = 20000 + rand_r(&seed) % 1500000 }, NULL);
        kill(pid[who], SIGKILL);
        waitpid(pid[who], &status, 0);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL); /* not by an assertion of its own */
        pid[who] = start(role[who], lease);
    }
    for (int i = 0; book->taken < 1000 && i < 5000; i++) usleep(1000); /* a busy machine */
    book->stop = 1;
    for (int i = 0; i < 2; i++) {
        waitpid(pid[i], &status, 0);
        assert_int_equal(status, 0);
    }
    print_message("link: %llu frames taken over %d deaths\n", (unsigned long long)book->taken, kills);
    assert_int_equal(book->torn, 0);
    assert_int_equal(book->disorder, 0);
    assert_true(book->taken >= 1000);
    link_repair(link_here(), HOME, true);
    link_repair(link_here(), AWAY, false);
    assert_true(link_lease(link_here())); /* nothing leaked */
    munmap((void *)book, sizeof *book);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_is_leased_once_and_again_only_when_both_ends_let_go),
        cmocka_unit_test(frames_go_both_ways_in_order_and_a_full_ring_says_so),
        cmocka_unit_test(frames_of_an_old_lease_are_never_heard),
        cmocka_unit_test(a_worker_that_was_started_anew_takes_back_what_the_dead_one_held_and_nothing_else),
        cmocka_unit_test(no_frame_is_torn_or_heard_twice_whoever_dies),
    };
    return cmocka_run_group_tests(tests, segment_setup, segment_teardown);
}
