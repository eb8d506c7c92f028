/* streams_test.c: ring, lane and event log, one process. Deaths are torture_test.c's. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bus/eventlog.h"
#include "bus/lane.h"
#include "bus/limits.h"
#include "bus/ring.h"

static void *memory(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 63) & ~(size_t)63);
    assert_non_null(p);
    memset(p, 0, bytes);
    return p;
}

static void a_ring_gives_records_in_order_and_a_full_one_says_so(void **state)
{
    struct ring *ring = memory(ring_bytes(8));
    struct ring_record r = { 0 };
    ring_init(ring, 8);
    assert_true(ring_empty(ring));
    assert_false(ring_peek(ring, &r));
    for (uint32_t round = 0, in = 0, out = 0; round < 100; round++) {
        while (r.slot = in, !ring_push(ring, &r)) in++;
        assert_int_equal(in - out, 8);
        for (uint32_t i = 0; i <= round % 8; i++) {
            assert_true(ring_peek(ring, &r) && ring_peek(ring, &r)); /* looking consumes nothing */
            assert_int_equal(r.slot, out++);
            ring_pop(ring);
        }
    }
    assert_int_equal(ring_repair(ring), 0);
    assert_false(ring_empty(ring));
    free(ring);
}

static void a_ring_with_senseless_cursors_is_made_anew(void **state)
{
    struct ring *ring = memory(ring_bytes(8));
    ring_init(ring, 8);
    memset((char *)ring + 64, 0x5a, 16); /* the producer's cursors */
    assert_int_equal(ring_repair(ring), -EPROTO);
    assert_true(ring_empty(ring));
    free(ring);
}

static uint32_t mix(uint32_t x)
{
    x = (x ^ x >> 16) * 0x7feb352du;
    return x ^ x >> 15;
}

static void lane_frames_of_all_lengths_come_out_as_they_went_in(void **state)
{
    struct lane *lane = memory(lane_bytes(4096));
    char bytes[2048];
    uint32_t in = 0, out = 0;
    lane_init(lane, 4096);
    while (out < 100000) {
        struct frame f = { .type = FRAME_REQUEST,
                           .kind = 7,
                           .id = in,
                           .status = -3,
                           .deadline_ns = in * 5,
                           .pairs = { bytes, mix(in) % 1900 },
                           .epoch = 4,
                           .to_epoch = 6 };
        memset(bytes, (int)in, f.pairs.length);
        if (!lane_send(lane, &f)) {
            in++;
            continue;
        }
        for (uint32_t n = mix(in + out) % 5 + 1; n-- && lane_receive(lane, &f); out++) {
            assert_int_equal(f.id, out);
            assert_int_equal(f.pairs.length, mix(out) % 1900);
            assert_true(f.kind == 7 && f.type == FRAME_REQUEST && f.status == -3 && f.deadline_ns == out * 5 && f.epoch == 4 &&
                        f.to_epoch == 6);
            for (size_t i = 0; i < f.pairs.length; i++) assert_int_equal((unsigned char)f.pairs.data[i], out & 255);
            lane_release(lane);
        }
    }
    free(lane);
}

static void a_frame_is_seen_again_until_it_is_released(void **state)
{
    struct lane *lane = memory(lane_bytes(4096));
    struct frame f = { .type = FRAME_NOTE, .id = 1 }, got;
    lane_init(lane, 4096);
    lane_send(lane, &f);
    assert_true(lane_receive(lane, &got));
    assert_int_equal(lane_repair(lane), 0); /* as a successor of a reader killed in its handler */
    assert_true(lane_receive(lane, &got) && got.id == 1);
    lane_release(lane);
    assert_false(lane_receive(lane, &got));
    free(lane);
}

static void a_lane_refuses_what_can_never_fit_and_what_does_not_fit_now(void **state)
{
    struct lane *lane = memory(lane_bytes(4096));
    char bytes[4096] = { 0 };
    struct frame f = { .type = FRAME_NOTE, .pairs = { bytes, 2048 } };
    lane_init(lane, 4096);
    assert_int_equal(lane_send(lane, &f), -EMSGSIZE);
    f.pairs.length = 2000;
    assert_int_equal(lane_send(lane, &f), 0);
    assert_int_equal(lane_send(lane, &f), 0);
    assert_int_equal(lane_send(lane, &f), -EAGAIN);
    free(lane);
}

static void a_scribbled_lane_is_skipped_and_goes_on(void **state)
{
    struct lane *lane = memory(lane_bytes(4096));
    struct frame f = { .type = FRAME_NOTE, .id = 1 }, got;
    lane_init(lane, 4096);
    lane_send(lane, &f);
    memset((char *)lane + lane_bytes(0), 0xff, 64);
    assert_false(lane_receive(lane, &got));
    f.id = 2;
    lane_send(lane, &f);
    assert_true(lane_receive(lane, &got) && got.id == 2);
    free(lane);
}

/* --- event log -------------------------------------------------------------------------------------------- */

enum { LOG_BYTES = 1 << 20 };

static struct eventlog *new_log(void)
{
    struct eventlog *log = memory(eventlog_bytes(LOG_BYTES));
    eventlog_init(log, 3, LOG_BYTES);
    return log;
}

static void publish(struct eventlog *log, uint64_t n)
{
    struct event_head head = { .producer = 3, .epoch = 1, .call_sequence = n, .type = 9 };
    struct kv kv = KV_INIT;
    char filler[2000];
    memset(filler, 'a' + (int)(n % 26), sizeof filler);
    kv_add_int(&kv, "n", (int64_t)n);
    kv_add_bytes(&kv, "filler", filler, mix((uint32_t)n) % sizeof filler);
    assert_int_equal(eventlog_publish(log, &head, kv_view(&kv)), 0);
    assert_int_equal(head.sequence, n);
    kv_free(&kv);
}

static void expect(const struct event_head *head, const struct kv *kv, uint64_t n)
{
    assert_int_equal(head->sequence, n);
    assert_int_equal(head->call_sequence, n);
    assert_true(kv_valid(kv_view(kv)));
    assert_int_equal(kv_get_int(kv_view(kv), "n", 0), n);
}

static void every_reader_that_keeps_up_sees_every_event(void **state)
{
    struct eventlog *log = new_log();
    struct eventlog_cursor a = { 0 }, b = { 0 };
    struct event_head head;
    struct kv kv = KV_INIT;
    uint64_t missed, seen_b = 0;
    eventlog_seek_end(log, &a);
    eventlog_seek_end(log, &b);
    for (uint64_t n = 1; n <= 20000; n++) {
        publish(log, n);
        assert_int_equal(eventlog_read(log, &a, &head, &kv, &missed), 1);
        expect(&head, &kv, n);
        assert_int_equal(eventlog_read(log, &a, &head, &kv, &missed), 0);
        if (n % 300) continue;
        while (eventlog_read(log, &b, &head, &kv, &missed) == 1) expect(&head, &kv, ++seen_b);
        assert_int_equal(seen_b, n);
    }
    kv_free(&kv);
    free(log);
}

static void a_lapped_reader_learns_exactly_how_many_it_missed(void **state)
{
    struct eventlog *log = new_log();
    struct eventlog_cursor c;
    struct event_head head;
    struct kv kv = KV_INIT;
    uint64_t missed, next = 1, published = 0;
    eventlog_seek_end(log, &c);
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < 3000; i++) publish(log, ++published);
        assert_int_equal(eventlog_read(log, &c, &head, &kv, &missed), -EOVERFLOW);
        assert_true(missed > 0);
        next += missed;
        for (int i = 0; i < 200; i++) {
            assert_int_equal(eventlog_read(log, &c, &head, &kv, &missed), 1);
            expect(&head, &kv, next++);
        }
    }
    while (eventlog_read(log, &c, &head, &kv, &missed) == 1) expect(&head, &kv, next++);
    assert_int_equal(next, published + 1);
    kv_free(&kv);
    free(log);
}

static void a_reader_resumes_from_a_sequence_that_is_still_there(void **state)
{
    struct eventlog *log = new_log();
    struct eventlog_cursor c;
    struct event_head head;
    struct kv kv = KV_INIT;
    uint64_t missed;
    assert_int_equal(eventlog_seek(log, &c, 1), 0); /* the one to come */
    for (uint64_t n = 1; n <= 5000; n++) publish(log, n);
    assert_int_equal(eventlog_seek(log, &c, 1), -ESRCH);
    assert_int_equal(eventlog_seek(log, &c, 5002), -ESRCH);
    assert_int_equal(eventlog_seek(log, &c, 4900), 0);
    for (uint64_t n = 4900; n <= 5000; n++) {
        assert_int_equal(eventlog_read(log, &c, &head, &kv, &missed), 1);
        expect(&head, &kv, n);
    }
    assert_int_equal(eventlog_seek(log, &c, 5001), 0);
    assert_int_equal(eventlog_read(log, &c, &head, &kv, &missed), 0);
    kv_free(&kv);
    free(log);
}

/* A writer that dies in the middle of a publish: the last page of its pairs cannot be read. */
static void die_publishing(struct eventlog *log, size_t length)
{
    int status;
    pid_t pid = fork();
    if (!pid) {
        struct event_head head = { 0 };
        size_t page = 4096, all = (length / page + 2) * page;
        char *bytes = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memset(bytes, 0xee, all);
        mprotect(bytes + all - page, page, PROT_NONE);
        signal(SIGSEGV, SIG_DFL);
        prctl(PR_SET_DUMPABLE, 0);
        eventlog_publish(log, &head, (struct kv_view) { bytes + all - page - length + 1, length });
        _exit(0);
    }
    waitpid(pid, &status, 0);
    assert_true(WIFSIGNALED(status));
}

static void a_slow_reader_never_takes_what_a_dead_writer_overwrote_for_an_event(void **state)
{
    struct eventlog *log = mmap(NULL, eventlog_bytes(LOG_BYTES), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct eventlog_cursor slow;
    struct event_head head;
    struct kv kv = KV_INIT;
    uint64_t missed, n = 0, next;
    int got;
    eventlog_init(log, 3, LOG_BYTES);
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 1500; i++) publish(log, ++n);
        for (next = n > 1500 ? n - 1500 : 1; eventlog_seek(log, &slow, next); next++) {} /* the oldest there */
        die_publishing(log, 1 + mix((uint32_t)round) % 64000);
        eventlog_repair(log);
        eventlog_repair(log); /* and its own death changes nothing */
        publish(log, ++n);
        got = eventlog_read(log, &slow, &head, &kv, &missed);
        if (got < 0) next += missed;
        while (got < 0 || (got = eventlog_read(log, &slow, &head, &kv, &missed)) == 1) {
            if (got < 0) {
                got = eventlog_read(log, &slow, &head, &kv, &missed);
                assert_int_equal(got, 1);
            }
            next = head.sequence;
            expect(&head, &kv, next);
        }
        assert_int_equal(next, n);
        assert_int_equal(got, 0);
    }
    kv_free(&kv);
    munmap(log, eventlog_bytes(LOG_BYTES));
}

static void an_event_too_long_is_refused_and_the_longest_passes(void **state)
{
    struct eventlog *log = new_log();
    struct event_head head = { 0 };
    char *bytes = calloc(1, BUS_EVENT_BYTES_MAX + 1);
    assert_int_equal(eventlog_publish(log, &head, (struct kv_view) { bytes, BUS_EVENT_BYTES_MAX + 1 }), -EMSGSIZE);
    for (int i = 0; i < 100; i++) assert_int_equal(eventlog_publish(log, &head, (struct kv_view) { bytes, BUS_EVENT_BYTES_MAX }), 0);
    free(bytes);
    free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ring_gives_records_in_order_and_a_full_one_says_so),
        cmocka_unit_test(a_ring_with_senseless_cursors_is_made_anew),
        cmocka_unit_test(lane_frames_of_all_lengths_come_out_as_they_went_in),
        cmocka_unit_test(a_frame_is_seen_again_until_it_is_released),
        cmocka_unit_test(a_lane_refuses_what_can_never_fit_and_what_does_not_fit_now),
        cmocka_unit_test(a_scribbled_lane_is_skipped_and_goes_on),
        cmocka_unit_test(every_reader_that_keeps_up_sees_every_event),
        cmocka_unit_test(a_lapped_reader_learns_exactly_how_many_it_missed),
        cmocka_unit_test(a_reader_resumes_from_a_sequence_that_is_still_there),
        cmocka_unit_test(a_slow_reader_never_takes_what_a_dead_writer_overwrote_for_an_event),
        cmocka_unit_test(an_event_too_long_is_refused_and_the_longest_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
