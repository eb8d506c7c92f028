/* number_set_test.c: sets of numbers, and how often a number was called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "campaign/number_history.h"
#include "campaign/number_set.h"

static void a_sealed_set_has_what_was_appended_once_each(void **state)
{
    struct number_set *set = number_set_new();
    assert_int_equal(number_set_append(set, "4930123456"), 0);
    assert_int_equal(number_set_append(set, "15550100"), 0);
    assert_int_equal(number_set_append(set, "4930123456"), 0);
    assert_int_equal(number_set_append(set, "0123"), -EINVAL);
    assert_int_equal(number_set_append(set, ""), -EINVAL);
    assert_int_equal(number_set_append(set, "12a"), -EINVAL);
    assert_int_equal(number_set_append(set, "1234567890123456"), -EINVAL);
    number_set_seal(set);
    assert_int_equal(number_set_count(set), 2);
    assert_true(number_set_has(set, "15550100"));
    assert_false(number_set_has(set, "15550101"));
    assert_false(number_set_has(set, "1555010"));
    assert_false(number_set_has(set, "alice"));
    number_set_free(set);
}

static void what_is_added_and_removed_later_counts_at_once(void **state)
{
    struct number_set *set = number_set_new();
    number_set_append(set, "15550100");
    number_set_seal(set);
    assert_int_equal(number_set_add(set, "15550101"), 0);
    assert_int_equal(number_set_add(set, "15550101"), 0);
    assert_int_equal(number_set_add(set, "15550100"), 0);
    assert_int_equal(number_set_count(set), 2);
    number_set_remove(set, "15550100");
    number_set_remove(set, "15550101");
    number_set_remove(set, "15550102");
    assert_int_equal(number_set_count(set), 0);
    assert_false(number_set_has(set, "15550100"));
    number_set_add(set, "15550100");
    assert_true(number_set_has(set, "15550100"));
    number_set_free(set);
}

/* Against a plain table of flags. */
static void a_set_agrees_with_a_plain_model(void **state)
{
    enum { SPAN = 20000 };
    static char model[SPAN];
    struct number_set *set = number_set_new();
    char text[24];
    srand(7);
    for (int i = 0; i < 5000; i++) {
        int n = rand() % SPAN;
        model[n] = 1;
        snprintf(text, sizeof text, "49%05d", n);
        number_set_append(set, text);
    }
    number_set_seal(set);
    for (int i = 0; i < 5000; i++) {
        int n = rand() % SPAN;
        snprintf(text, sizeof text, "49%05d", n);
        model[n] = i % 3 != 0;
        if (model[n])
            number_set_add(set, text);
        else
            number_set_remove(set, text);
    }
    size_t count = 0;
    for (int n = 0; n < SPAN; n++) {
        snprintf(text, sizeof text, "49%05d", n);
        count += (size_t)model[n];
        assert_int_equal(number_set_has(set, text), model[n]);
    }
    assert_int_equal(number_set_count(set), count);
    number_set_free(set);
}

static void a_number_is_free_when_its_oldest_attempt_is_a_day_old(void **state)
{
    struct number_history *history = number_history_new(3);
    int64_t t = 1800000000, day = NUMBER_HISTORY_DAY_S;
    assert_int_equal(number_history_free_at(history, "15550100", t), 0);
    number_history_note(history, "15550100", t);
    number_history_note(history, "15550100", t + 100);
    assert_int_equal(number_history_free_at(history, "15550100", t + 100), 0);
    number_history_note(history, "15550100", t + 200);
    assert_int_equal(number_history_free_at(history, "15550100", t + 200), t + day);
    assert_int_equal(number_history_free_at(history, "15550100", t + day - 1), t + day);
    assert_int_equal(number_history_free_at(history, "15550100", t + day), 0);
    assert_int_equal(number_history_free_at(history, "15550101", t + 200), 0);
    number_history_note(history, "15550100", t + day);
    assert_int_equal(number_history_free_at(history, "15550100", t + day), t + 100 + day);
    number_history_note(history, "alice", t);
    assert_int_equal(number_history_count(history), 1);
    number_history_free(history);
}

static void sweeping_forgets_what_is_older_than_a_day(void **state)
{
    struct number_history *history = number_history_new(1);
    char text[24];
    int64_t t = 1800000000;
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "1555%06d", i);
        number_history_note(history, text, i % 2 ? t : t + 5000);
    }
    for (int i = 0; i < 3700; i++) number_history_sweep(history, t + NUMBER_HISTORY_DAY_S + 1);
    assert_int_equal(number_history_count(history), 500);
    assert_int_equal(number_history_free_at(history, "1555000001", t + NUMBER_HISTORY_DAY_S + 1), 0);
    assert_true(number_history_free_at(history, "1555000002", t + NUMBER_HISTORY_DAY_S + 1) > 0);
    number_history_free(history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sealed_set_has_what_was_appended_once_each),
        cmocka_unit_test(what_is_added_and_removed_later_counts_at_once),
        cmocka_unit_test(a_set_agrees_with_a_plain_model),
        cmocka_unit_test(a_number_is_free_when_its_oldest_attempt_is_a_day_old),
        cmocka_unit_test(sweeping_forgets_what_is_older_than_a_day),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
