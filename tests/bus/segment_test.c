/* segment_test.c: making, mapping, refusing; processes, bells, directory, counters, slots. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "bus/counter.h"
#include "bus/eventlog.h"
#include "bus/lane.h"
#include "bus/ring.h"
#include "bus/slot.h"
#include "core/clock.h"
#include "core/uuid.h"
#include "segment_fixture.h"

static int create(const char *name, uint32_t workers, uint32_t slots)
{
    struct buf error = BUF_INIT;
    struct segment *s;
    int err = segment_create(
        &s,
        &(struct segment_params) { .name = name, .workers = workers, .slots_each = slots, .lane_bytes = 64 << 10, .log_bytes = 256 << 10 },
        &error);
    assert_true(!err || error.length); /* every refusal says why */
    buf_free(&error);
    if (!err) segment_unmap(s);
    return err;
}

static void a_second_engine_of_the_same_name_is_refused_while_the_first_lives(void **state)
{
    assert_int_equal(create(segment_test_name, 1, 4), -EEXIST);
}

static void a_dead_owners_segment_can_be_read_and_removed_but_not_overwritten(void **state)
{
    struct buf error = BUF_INIT;
    struct segment *s;
    struct slot_call call;
    char name[33];
    int status;
    pid_t pid;
    snprintf(name, sizeof name, "dead-%d", (int)getpid());
    pid = fork();
    if (!pid) {
        if (segment_create(
                &s,
                &(struct segment_params) { .name = name, .workers = 1, .slots_each = 4, .lane_bytes = 64 << 10, .log_bytes = 256 << 10 },
                &error))
            _exit(1);
        slot_call_write_begin(segment_slot(s, 3));
        segment_slot(s, 3)->call.state = SLOT_MEDIA;
        slot_call_write_end(segment_slot(s, 3));
        _exit(0);
    }
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(create(name, 1, 4), -ESTALE);
    assert_int_equal(segment_map(&s, name, true, &error), 0);
    assert_false(segment_owner_alive(s));
    assert_true(slot_call_read(segment_slot(s, 3), &call));
    assert_int_equal(call.state, SLOT_MEDIA);
    segment_unmap(s);
    assert_int_equal(segment_remove(name), 0);
    assert_int_equal(segment_map(&s, name, true, &error), -ENOENT);
    buf_free(&error);
}

static void impossible_sizes_and_names_are_refused_with_a_reason(void **state)
{
    assert_int_equal(create("../etc", 1, 4), -EINVAL);
    assert_int_equal(create("", 1, 4), -EINVAL);
    assert_int_equal(create("x", 0, 4), -EINVAL);
    assert_int_equal(create("x", 65, 4), -EINVAL);
    assert_int_equal(create("x", 64, 1025), -EINVAL);
}

/* Flips one byte of the header and maps again. */
static int map_with_byte_changed(size_t offset)
{
    struct buf error = BUF_INIT;
    struct segment *s;
    char path[80], byte, changed;
    int fd, err;
    snprintf(path, sizeof path, "/dev/shm/carillon-%s", segment_test_name);
    fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, (off_t)offset), 1);
    changed = (char)(byte ^ 1);
    assert_int_equal(pwrite(fd, &changed, 1, (off_t)offset), 1);
    err = segment_map(&s, segment_test_name, true, &error);
    if (!err) segment_unmap(s);
    assert_true(!err || error.length);
    assert_int_equal(pwrite(fd, &byte, 1, (off_t)offset), 1);
    close(fd);
    buf_free(&error);
    return err;
}

static void another_magic_abi_or_size_is_refused(void **state)
{
    assert_int_equal(map_with_byte_changed(0), -EPROTO);  /* magic */
    assert_int_equal(map_with_byte_changed(8), -EPROTO);  /* ABI */
    assert_int_equal(map_with_byte_changed(12), -EPROTO); /* header's size */
    assert_int_equal(map_with_byte_changed(4000), 0);     /* behind the header: nobody's */
}

static void the_file_is_for_owner_and_group_only(void **state)
{
    char path[80];
    struct stat st;
    snprintf(path, sizeof path, "/dev/shm/carillon-%s", segment_test_name);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_true(st.st_blocks * 512 >= st.st_size); /* reserved: no SIGBUS later */
}

/* Writes the whole of each part with a number of its own and looks whether any was overwritten. */
static void parts_do_not_overlap(void **state)
{
    struct frame f = { .type = FRAME_NOTE };
    struct ring_record r = { .slot = 1 };
    struct event_head head = { 0 };
    char *bytes = calloc(1, 8000);
    for (uint32_t s = 0; s < segment_slots(segment); s++) memset(segment_slot(segment, s), (int)s, sizeof(struct slot));
    for (uint32_t w = 0; w < 2; w++) {
        while (!ring_push(segment_ring_down(segment, w), &r)) {}
        while (!ring_push(segment_ring_up(segment, w), &r)) {}
    }
    for (uint32_t a = 0; a < segment_processes(segment); a++) {
        for (int i = 0; i < 200; i++) eventlog_publish(segment_eventlog(segment, a), &head, (struct kv_view) { bytes, 8000 });
        for (uint32_t b = 0; b < segment_processes(segment); b++)
            for (f.pairs.length = 8000, f.pairs.data = bytes; !lane_send(segment_lane(segment, a, b), &f);) {}
    }
    for (uint32_t s = 0; s < segment_slots(segment); s++)
        for (size_t i = 0; i < sizeof(struct slot); i++) assert_int_equal(((unsigned char *)segment_slot(segment, s))[i], s);
    for (uint32_t w = 0; w < 2; w++) {
        int n = 0;
        while (ring_peek(segment_ring_up(segment, w), &r)) ring_pop(segment_ring_up(segment, w)), n++;
        assert_int_equal(n, 64 * RING_KINDS);
    }
    free(bytes);
}

static void each_incarnation_has_its_epoch_and_a_killed_one_is_seen_dead(void **state)
{
    struct proc_view view;
    int status;
    pid_t pid = fork();
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        proc_enter(segment, BUS_WORKER_0);
        proc_state_set(segment, BUS_WORKER_0, PROC_RUNNING);
        pause();
    }
    do proc_look(segment, BUS_WORKER_0, &view);
    while (view.state != PROC_RUNNING);
    assert_true(view.alive);
    assert_int_equal(view.pid, pid);
    assert_int_equal(view.epoch, 1);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    proc_look(segment, BUS_WORKER_0, &view);
    assert_false(view.alive);
    assert_int_equal(proc_enter(segment, BUS_WORKER_0), 2);
}

static void a_new_incarnation_mends_the_halves_that_its_predecessor_was_writing(void **state)
{
    struct slot_call call;
    struct slot_totals totals;
    slot_call_write_begin(segment_slot(segment, 5));
    memset(segment_slot(segment, 5)->call.call_id, 'x', BUS_CALL_ID_MAX);
    slot_totals_write_begin(segment_slot(segment, 5));
    assert_false(slot_call_read(segment_slot(segment, 5), &call));
    proc_enter(segment, BUS_WORKER_0 + 1); /* not its slot, and the call half is not a worker's */
    assert_false(slot_totals_read(segment_slot(segment, 5), &totals));
    proc_enter(segment, BUS_WORKER_0);
    assert_true(slot_totals_read(segment_slot(segment, 5), &totals));
    assert_false(slot_call_read(segment_slot(segment, 5), &call));
    proc_enter(segment, BUS_BROKER);
    assert_true(slot_call_read(segment_slot(segment, 5), &call));
    assert_int_equal(strlen(call.call_id), BUS_CALL_ID_MAX - 1);
}

static bool rung(void)
{
    struct pollfd p = { .fd = bell_fd(segment, BUS_BROKER, BELL_MAIN), .events = POLLIN };
    return poll(&p, 1, 0) == 1;
}

static void a_bell_rings_only_who_sleeps(void **state)
{
    bell_ring(segment, BUS_BROKER, BELL_MAIN);
    assert_false(rung());
    bell_sleep(segment, BUS_BROKER, BELL_MAIN);
    bell_ring(segment, BUS_BROKER, BELL_MEDIA);
    assert_false(rung());
    bell_ring(segment, BUS_BROKER, BELL_MAIN);
    bell_ring(segment, BUS_BROKER, BELL_MAIN);
    assert_true(rung());
    bell_awake(segment, BUS_BROKER, BELL_MAIN);
    assert_false(rung());
}

static void an_outsider_that_did_not_inherit_the_bells_rings_nothing(void **state)
{
    int status;
    pid_t pid = fork();
    if (!pid) {
        struct buf error = BUF_INIT;
        struct segment *s;
        close_range(3, ~0u, 0);
        if (segment_map(&s, segment_test_name, false, &error)) _exit(1);
        bell_sleep(s, BUS_BROKER, BELL_MAIN);
        bell_ring(s, BUS_BROKER, BELL_MAIN);
        _exit(bell_fd(s, BUS_BROKER, BELL_MAIN) < 0 ? 0 : 2);
    }
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_false(rung());
}

static void the_directory_finds_every_call_that_is_there_and_no_other(void **state)
{
    struct directory_entry e;
    struct uuid ids[128];
    for (uint32_t i = 0; i < 128; i++) {
        ids[i] = uuid_make_v4();
        assert_int_equal(directory_put(segment, ids[i].bytes, (struct directory_entry) { i, i + 1, i % 2 }), 0);
    }
    for (uint32_t i = 0; i < 128; i += 2) directory_remove(segment, ids[i].bytes);
    assert_int_equal(directory_put(segment, ids[1].bytes, (struct directory_entry) { 9, 9, 9 }), 0);
    for (uint32_t i = 0; i < 128; i++) {
        assert_int_equal(directory_find(segment, ids[i].bytes, &e), i % 2);
        if (i % 2 && i > 1) assert_int_equal(e.generation, i + 1);
    }
    assert_true(directory_find(segment, ids[1].bytes, &e) && e.slot == 9);
}

static void the_directory_holds_all_slots_calls_many_times_over(void **state)
{
    struct uuid ids[128];
    for (int round = 0; round < 2000; round++) {
        for (uint32_t i = 0; i < 128; i++) {
            ids[i] = uuid_make_v7();
            assert_int_equal(directory_put(segment, ids[i].bytes, (struct directory_entry) { i, 1, 0 }), 0);
        }
        for (uint32_t i = 0; i < 128; i++) directory_remove(segment, ids[i].bytes);
    }
}

static void counters_of_all_processes_sum_up_and_have_names(void **state)
{
    for (uint32_t p = 0; p < segment_processes(segment); p++)
        for (int c = 0; c < COUNTER_COUNT; c++) counter_add(counter_at(segment, p, (enum counter)c), c + 1);
    counter_add(counter_at(segment, 1, COUNTER_calls_active), -1);
    assert_int_equal(counter_sum(segment, COUNTER_calls_active), segment_processes(segment) - 1);
    assert_int_equal(counter_read(segment, 2, COUNTER_events_lost), COUNTER_events_lost + 1);
    assert_string_equal(counter_name(COUNTER_ring_stale), "ring_stale");
}

static void an_event_is_wanted_as_long_as_one_process_wishes_it(void **state)
{
    const uint64_t mine[2] = { 1ull << 5, 1ull << 1 }, all[2] = { UINT64_MAX, UINT64_MAX }, none[2] = { 0, 0 };
    assert_false(event_wanted(segment, 5));
    event_wish(segment, BUS_CONTROL, mine);
    event_wish(segment, BUS_WORKER_0, all);
    assert_true(event_wanted(segment, 6));
    proc_enter(segment, BUS_WORKER_0); /* a new incarnation wishes nothing */
    assert_false(event_wanted(segment, 6));
    assert_true(event_wanted(segment, 5));
    assert_true(event_wanted(segment, 65));
    assert_false(event_wanted(segment, 200));
    event_wish(segment, BUS_CONTROL, none);
    assert_false(event_wanted(segment, 5));
}

#define T(f) cmocka_unit_test_setup_teardown(f, segment_setup, segment_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_second_engine_of_the_same_name_is_refused_while_the_first_lives),
        T(a_dead_owners_segment_can_be_read_and_removed_but_not_overwritten),
        T(impossible_sizes_and_names_are_refused_with_a_reason),
        T(another_magic_abi_or_size_is_refused),
        T(the_file_is_for_owner_and_group_only),
        T(parts_do_not_overlap),
        T(each_incarnation_has_its_epoch_and_a_killed_one_is_seen_dead),
        T(a_new_incarnation_mends_the_halves_that_its_predecessor_was_writing),
        T(a_bell_rings_only_who_sleeps),
        T(an_outsider_that_did_not_inherit_the_bells_rings_nothing),
        T(the_directory_finds_every_call_that_is_there_and_no_other),
        T(the_directory_holds_all_slots_calls_many_times_over),
        T(counters_of_all_processes_sum_up_and_have_names),
        T(an_event_is_wanted_as_long_as_one_process_wishes_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
