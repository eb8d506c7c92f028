/* torture_test.c: processes on all cores; either side of a ring, lane, event log or slot half is killed (SIGKILL) at random
 * moments, and a successor repairs and goes on.
 *
 *   A record whose push returned is never lost or torn; at most the one being pushed is missing; handlers see a record at
 *   least once, and none out of order.
 *
 * A process tells its progress in `struct book`, which is shared and outlives it: `intent` before a push, `done` after it. A
 * record is allowed to be missing only if its number stands in `intent` and not in `done` at a death: the successor, which
 * cannot know whether it was pushed, goes on with the next number. Short by default; CARILLON_LONG=1: thousands of deaths. */
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

#include "bus/eventlog.h"
#include "bus/lane.h"
#include "bus/ring.h"
#include "bus/slot.h"
#include "core/check.h"
#include "core/clock.h"

enum { DOUBTS_MAX = 65536 };

/* What outlives the dead. Written by the one process of the role that lives, but `doubts`, which the parent writes. */
struct book {
    volatile uint64_t intent, done;   /* producer */
    volatile uint64_t seen;           /* consumer: highest number seen */
    volatile uint64_t handled, again; /* consumer */
    volatile uint64_t torn, lost, disorder, missed, jumped;
    volatile uint64_t first_bad;
    volatile uint32_t doubts_count;
    volatile uint64_t doubts[DOUBTS_MAX]; /* numbers of which nobody knows whether they were pushed */
    volatile int stop;
};

static struct book *book;
static void *stream; /* what is being tortured, in shared memory */
enum { STREAM_BYTES = 4 << 20 };

static int setup(void **state)
{
    book = mmap(NULL, sizeof *book, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    stream = mmap(NULL, STREAM_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return book == MAP_FAILED || stream == MAP_FAILED;
}

static int teardown(void **state)
{
    munmap(book, sizeof *book);
    munmap(stream, STREAM_BYTES);
    return 0;
}

static uint64_t hash(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

static bool doubted(uint64_t n)
{
    for (uint32_t i = book->doubts_count; i-- > 0;)
        if (book->doubts[i] == n) return true;
    return false;
}

/* The consumer's verdict on the next number. Out of order is anything but the last one again or the next ones. */
static void account(uint64_t n, bool whole)
{
    uint64_t before = book->seen;
    if (!whole && !book->torn++) book->first_bad = n;
    if (n == before) {
        book->again++; /* its reader died between handling and pop */
        return;
    }
    if (n < before) {
        book->disorder++;
        return;
    }
    for (uint64_t gap = before + 1; gap < n; gap++)
        if (!doubted(gap) && !book->lost++) book->first_bad = gap;
    book->seen = n;
    book->handled++;
}

/* --- processes -------------------------------------------------------------------------------------------- */

static pid_t start(void (*role)(void))
{
    pid_t pid = fork();
    if (pid) return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    role();
    _exit(0);
}

/* Lets both run and kills one of them after a random while, `kills` times; then lets them end. */
static void torture(void (*producer)(void), void (*consumer)(void), int kills)
{
    void (*role[2])(void) = { producer, consumer };
    pid_t pid[2] = { start(producer), start(consumer) };
    unsigned seed = (unsigned)clock_mono_ns();
    int status;
    for (int i = 0; i < kills; i++) {
        int who = rand_r(&seed) % 2;
        struct timespec nap = { .tv_nsec = 20000 + rand_r(&seed) % 1500000 };
        nanosleep(&nap, NULL);
        kill(pid[who], SIGKILL);
        waitpid(pid[who], &status, 0);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL); /* and not by an assertion of its own */
        if (who == 0 && book->intent != book->done && book->doubts_count < DOUBTS_MAX) {
            book->doubts[book->doubts_count] = book->intent;
            book->doubts_count++;
            book->done = book->intent;
        }
        pid[who] = start(role[who]);
    }
    usleep(20000);
    for (int i = 0; i < 2; i++) { /* the producer ends first, then the consumer when it has everything */
        book->stop = i + 1;
        waitpid(pid[i], &status, 0);
        assert_int_equal(status, 0);
    }
}

static int kills_wanted(void) { return getenv("CARILLON_LONG") ? 4000 : 600; }

static void verdict(const char *what)
{
    print_message("%s: %llu handled, %llu seen twice, %u in doubt, %llu missed by laps\n", what, (unsigned long long)book->handled,
                  (unsigned long long)book->again, book->doubts_count, (unsigned long long)book->missed);
    if (book->torn || book->lost || book->disorder)
        print_message("torn %llu, lost %llu, disorder %llu, first at %llu\n", (unsigned long long)book->torn,
                      (unsigned long long)book->lost, (unsigned long long)book->disorder, (unsigned long long)book->first_bad);
    assert_int_equal(book->torn, 0);
    assert_int_equal(book->lost, 0);
    assert_int_equal(book->disorder, 0);
    assert_true(book->handled > 1000);
}

/* The last pushed, too; but the last of all may be in doubt. */
static bool all_arrived(void)
{
    uint64_t last = book->done;
    while (last && doubted(last) && book->seen < last) last--;
    return book->seen >= last;
}

static void wait_a_little(void) { sched_yield(); }

/* --- ring ------------------------------------------------------------------------------------------------- */

static void ring_producer(void)
{
    struct ring_record r = { .kind = RING_MEDIA_START };
    CHECK(ring_repair(stream) == 0);
    while (!book->stop) {
        uint64_t n = book->done + 1;
        r.time_ns = (int64_t)n;
        for (int i = 0; i < 5; i++) memcpy(r.data + 8 * i, &(uint64_t) { hash(n + (uint64_t)i) }, 8);
        book->intent = n;
        while (ring_push(stream, &r)) {
            if (book->stop) return; /* not pushed, and not told */
            wait_a_little();
        }
        book->done = n;
    }
}

static void ring_consumer(void)
{
    struct ring_record r;
    CHECK(ring_repair(stream) == 0);
    for (;;) {
        bool whole = true;
        if (!ring_peek(stream, &r)) {
            if (book->stop == 2 && ring_empty(stream)) return;
            wait_a_little();
            continue;
        }
        for (int i = 0; i < 5; i++) whole = whole && !memcmp(r.data + 8 * i, &(uint64_t) { hash((uint64_t)r.time_ns + (uint64_t)i) }, 8);
        account((uint64_t)r.time_ns, whole);
        ring_pop(stream);
    }
}

static void a_ring_loses_and_tears_nothing_whoever_dies(void **state)
{
    ring_init(stream, 256);
    torture(ring_producer, ring_consumer, kills_wanted());
    verdict("ring");
    assert_true(all_arrived());
}

/* --- lane ------------------------------------------------------------------------------------------------- */

static char lane_text[4096];

static void lane_producer(void)
{
    CHECK(lane_repair(stream) == 0);
    while (!book->stop) {
        uint64_t n = book->done + 1;
        struct frame f = {
            .type = FRAME_NOTE, .id = (uint32_t)n, .deadline_ns = (int64_t)n, .pairs = { lane_text, hash(n) % sizeof lane_text }
        };
        memset(lane_text, (int)n, f.pairs.length);
        book->intent = n;
        while (lane_send(stream, &f)) {
            if (book->stop) return;
            wait_a_little();
        }
        book->done = n;
    }
}

static void lane_consumer(void)
{
    struct frame f;
    CHECK(lane_repair(stream) == 0);
    for (;;) {
        uint64_t n;
        bool whole, stopping = book->stop == 2; /* looked at first: what is not there then will never be */
        if (!lane_receive(stream, &f)) {
            if (stopping) return;
            wait_a_little();
            continue;
        }
        n = (uint64_t)f.deadline_ns;
        whole = f.id == (uint32_t)n && f.pairs.length == hash(n) % sizeof lane_text;
        for (size_t i = 0; whole && i < f.pairs.length; i++) whole = (unsigned char)f.pairs.data[i] == (n & 255);
        account(n, whole);
        lane_release(stream);
    }
}

static void a_lane_loses_and_tears_nothing_whoever_dies(void **state)
{
    lane_init(stream, 64 << 10);
    torture(lane_producer, lane_consumer, kills_wanted());
    verdict("lane");
    assert_true(all_arrived());
}

/* --- event log -------------------------------------------------------------------------------------------- */

/* Its cursor outlives a reader, as a client's resume token does; `seen` and the cursor are one. */
static struct eventlog_cursor *kept_cursor(void) { return (struct eventlog_cursor *)((char *)stream + STREAM_BYTES - 4096); }

static void log_producer(void)
{
    static char text[3000];
    eventlog_repair(stream);
    while (!book->stop) {
        uint64_t n = book->done + 1;
        struct event_head head = { .producer = 3, .call_sequence = n };
        size_t length = hash(n) % sizeof text;
        memset(text, (int)n, length);
        book->intent = n;
        CHECK(!eventlog_publish(stream, &head, (struct kv_view) { text, length }));
        book->done = n;
        if (n % 64 == 0) wait_a_little();
    }
}

static bool event_whole(const struct event_head *head, const struct kv *pairs)
{
    uint64_t n = head->call_sequence;
    if (head->producer != 3 || pairs->bytes.length != hash(n) % 3000) return false;
    for (size_t i = 0; i < pairs->bytes.length; i++)
        if ((unsigned char)pairs->bytes.data[i] != (n & 255)) return false;
    return true;
}

/* Sequence numbers of the log have no gap but those that a lap explains; the numbers inside follow with the doubts' gaps. */
static void log_consumer(void)
{
    struct eventlog_cursor c = *kept_cursor();
    struct event_head head;
    struct kv pairs = KV_INIT;
    uint64_t missed;
    for (;;) {
        uint64_t expected = c.sequence;
        bool stopping = book->stop == 2;
        int got = eventlog_read(stream, &c, &head, &pairs, &missed);
        if (!got && stopping) return;
        if (!got) wait_a_little();
        if (got < 0) {
            book->missed += missed;
            if (c.sequence != expected + missed) book->lost++;
            book->jumped = 1;
        }
        if (got <= 0) continue;
        if (head.sequence != expected && !book->lost++) book->first_bad = head.sequence;
        if (book->jumped) book->seen = head.call_sequence - 1, book->jumped = 0;
        account(head.call_sequence, event_whole(&head, &pairs));
        *kept_cursor() = c;
    }
}

static void an_event_log_tears_nothing_and_counts_what_a_lapped_reader_missed_whoever_dies(void **state)
{
    eventlog_init(stream, 3, 1 << 20);
    eventlog_seek_end(stream, kept_cursor());
    torture(log_producer, log_consumer, kills_wanted());
    verdict("event log");
}

/* --- slot halves ------------------------------------------------------------------------------------------ */

/* The fields that change together say the same number. */
static void slot_producer(void)
{
    struct slot *slot = stream;
    slot_repair(slot, true, false);
    while (!book->stop) {
        uint32_t n = slot->call.generation + 1;
        slot_call_write_begin(slot);
        slot->call.generation = n;
        memset(slot->call.target, 'a' + (int)(n % 26), BUS_URI_MAX - 1);
        slot->call.lead = n;
        memset(slot->call.route, 'a' + (int)(n % 26), BUS_ROUTE_MAX - 1);
        slot->call.free_since_ns = n;
        slot_call_write_end(slot);
        book->done++;
        if (n % 512 == 0) wait_a_little();
    }
}

static void slot_consumer(void)
{
    struct slot *slot = stream;
    struct slot_call c;
    while (!book->stop) {
        bool whole = true;
        if (!slot_call_read(slot, &c)) { /* its writer is dead or preempted in the middle */
            book->missed++;
            wait_a_little();
            continue;
        }
        whole = c.lead == c.generation && c.free_since_ns == c.generation && strlen(c.target) == BUS_URI_MAX - 1 &&
                strlen(c.route) == BUS_ROUTE_MAX - 1;
        for (int i = 0; whole && i < BUS_URI_MAX - 1; i++) whole = c.target[i] == 'a' + (char)(c.generation % 26);
        for (int i = 0; whole && i < BUS_ROUTE_MAX - 1; i++) whole = c.route[i] == c.target[0];
        /* After a death in the middle the repaired half is readable and mixed until its next change; see the note below. */
        if (!whole) book->torn++;
        book->handled++;
    }
}

static void a_half_is_read_whole_while_its_writer_lives(void **state)
{
    struct slot *slot = stream;
    pid_t pid[2];
    int status;
    memset(slot->call.target, 'a', BUS_URI_MAX - 1);
    memset(slot->call.route, 'a', BUS_ROUTE_MAX - 1);
    pid[0] = start(slot_producer);
    pid[1] = start(slot_consumer);
    usleep(getenv("CARILLON_LONG") ? 20000000 : 1000000);
    book->stop = 1;
    for (int i = 0; i < 2; i++) waitpid(pid[i], &status, 0);
    print_message("slot: %llu writes, %llu reads\n", (unsigned long long)book->done, (unsigned long long)book->handled);
    assert_int_equal(book->torn, 0);
    assert_true(book->handled > 1000);
}

/* A writer that dies in the middle leaves a mixed half, which nobody can undo. What must hold: readers do not take it for
 * whole before the repair, and its strings end within themselves after it. */
static void after_a_death_a_half_is_unreadable_until_repaired_and_then_terminated(void **state)
{
    struct slot *slot = stream;
    int unreadable = 0, status;
    for (int i = 0; i < kills_wanted() / 2; i++) {
        struct slot_call c;
        struct timespec nap = { .tv_nsec = 20000 + (long)(hash((uint64_t)i) % 500000) };
        pid_t pid = start(slot_producer);
        nanosleep(&nap, NULL);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        assert_int_equal(WTERMSIG(status), SIGKILL);
        if (!slot_call_read(slot, &c)) unreadable++;
        slot_repair(slot, true, false);
        assert_true(slot_call_read(slot, &c));
        assert_true(strlen(c.target) < BUS_URI_MAX && strlen(c.route) < BUS_ROUTE_MAX);
    }
    print_message("slot: %d of %d deaths were in the middle of a write\n", unreadable, kills_wanted() / 2);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_ring_loses_and_tears_nothing_whoever_dies),
        T(a_lane_loses_and_tears_nothing_whoever_dies),
        T(an_event_log_tears_nothing_and_counts_what_a_lapped_reader_missed_whoever_dies),
        T(a_half_is_read_whole_while_its_writer_lives),
        T(after_a_death_a_half_is_unreadable_until_repaired_and_then_terminated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
