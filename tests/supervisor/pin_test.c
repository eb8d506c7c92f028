/* Which core a process gets, and how a death is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>

#include "supervisor/own.h"

static cpu_set_t cores(int first, int count)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < count; i++) CPU_SET(first + i, &set);
    return set;
}

static void auto_is_one_worker_per_core_but_one_and_at_least_one(void **state)
{
    cpu_set_t one = cores(0, 1), two = cores(0, 2), eight = cores(4, 8), many = cores(0, 200);
    assert_int_equal(pin_workers_auto(&one), 1);
    assert_int_equal(pin_workers_auto(&two), 1);
    assert_int_equal(pin_workers_auto(&eight), 7);
    assert_int_equal(pin_workers_auto(&many), BUS_WORKERS_MAX);
}

static void workers_have_cores_of_their_own_within_ours(void **state)
{
    cpu_set_t all = cores(4, 4), got, others;
    pin_choose(&all, 3, BUS_BROKER, &others);
    assert_int_equal(CPU_COUNT(&others), 1);
    assert_true(CPU_ISSET(4, &others));
    for (uint32_t w = 0; w < 3; w++) {
        pin_choose(&all, 3, BUS_WORKER_0 + w, &got);
        assert_int_equal(CPU_COUNT(&got), 1);
        assert_true(CPU_ISSET(5 + (int)w, &got));
    }
}

static void with_as_many_workers_as_cores_the_others_run_anywhere(void **state)
{
    cpu_set_t all = cores(0, 2), got;
    pin_choose(&all, 2, BUS_CONTROL, &got);
    assert_int_equal(CPU_COUNT(&got), 2);
    pin_choose(&all, 5, BUS_WORKER_0 + 4, &got);
    assert_int_equal(CPU_COUNT(&got), 1);
}

static void a_death_is_told_in_words(void **state)
{
    char why[128];
    assert_string_equal(child_why(SIGKILL, why, sizeof why), "was ended by signal 9 (Killed)");
    assert_string_equal(child_why(78 << 8, why, sizeof why), "ended by itself with exit code 78");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(auto_is_one_worker_per_core_but_one_and_at_least_one),
        cmocka_unit_test(workers_have_cores_of_their_own_within_ours),
        cmocka_unit_test(with_as_many_workers_as_cores_the_others_run_anywhere),
        cmocka_unit_test(a_death_is_told_in_words),
    };
    return cmocka_run_group_tests_name("pin", tests, NULL, NULL);
}
