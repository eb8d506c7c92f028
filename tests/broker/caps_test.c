/* caps_test.c: the spacing of INVITEs, whatever the clock does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "broker/caps.h"
#include "core/clock.h"

#define SENDS 4000

static int64_t sent[SENDS];

/* Sends as soon as allowed, waking late by up to `late_ns`; returns how many left within `seconds`. */
static unsigned run(double cps, double seconds, int64_t late_ns)
{
    struct pace pace = { 0 };
    int64_t now = 7 * NS_PER_S, end = now + (int64_t)(seconds * 1e9);
    unsigned n = 0;
    pace_set(&pace, cps, now);
    while (now < end && n < SENDS) {
        while (n < SENDS && pace_when(&pace) <= now) {
            pace_take(&pace, now);
            sent[n++] = now;
        }
        now = pace_when(&pace) > now ? pace_when(&pace) : now;
        if (late_ns) now += rand() % late_ns;
    }
    return n;
}

/* The most that any window of one second holds, if each arrives up to `jitter_ns` late. */
static unsigned most_in_a_second(unsigned n, int64_t jitter_ns)
{
    unsigned most = 0;
    for (unsigned i = 0; i < n; i++)
        for (unsigned k = i; k < n && sent[k] < sent[i] + NS_PER_S + jitter_ns; k++)
            if (k - i + 1 > most) most = k - i + 1;
    return most;
}

static void no_window_of_a_second_holds_more_than_cps_and_one(void **state)
{
    const double rates[] = { 1, 2.5, 7, 50, 300, 1000 };
    srand(1);
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        unsigned n = run(rates[i], 3, 12 * NS_PER_MS);
        assert_true(most_in_a_second(n, CAPS_JITTER_NS) <= (unsigned)rates[i] + 1);
    }
}

static void a_thread_that_wakes_late_loses_little_rate(void **state)
{
    assert_true(run(300, 10, 3 * NS_PER_MS) >= 2830);
    assert_true(run(50, 10, 3 * NS_PER_MS) >= 470);
}

static void a_changed_rate_holds_from_the_next_send(void **state)
{
    struct pace pace = { 0 };
    pace_set(&pace, 1, 0);
    pace_take(&pace, 10 * NS_PER_S);
    pace_set(&pace, 100, 10 * NS_PER_S + NS_PER_MS);
    assert_true(pace_when(&pace) <= 10 * NS_PER_S + 12 * NS_PER_MS);
    pace_set(&pace, 0, 10 * NS_PER_S);
    assert_true(pace_when(&pace) == INT64_MAX);
    assert_int_equal(pace_room(&pace, 10 * NS_PER_S, 99 * NS_PER_S), 0);
    pace_set(&pace, 10, 11 * NS_PER_S);
    assert_true(pace_when(&pace) <= 12 * NS_PER_S);
}

static void room_is_what_could_leave(void **state)
{
    struct pace pace = { 0 };
    pace_set(&pace, 100, NS_PER_S);
    assert_in_range(pace_room(&pace, NS_PER_S, NS_PER_S + 100 * NS_PER_MS), 10, 11);
}

static void a_cap_of_zero_is_none(void **state)
{
    struct cap cap = { 5, 0 };
    assert_true(cap_free(&cap));
    cap.max = 5;
    assert_false(cap_free(&cap));
    assert_int_equal(cap_room(&cap), 0);
    cap.max = 3;
    assert_int_equal(cap_room(&cap), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_window_of_a_second_holds_more_than_cps_and_one),
        cmocka_unit_test(a_thread_that_wakes_late_loses_little_rate),
        cmocka_unit_test(a_changed_rate_holds_from_the_next_send),
        cmocka_unit_test(room_is_what_could_leave),
        cmocka_unit_test(a_cap_of_zero_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
