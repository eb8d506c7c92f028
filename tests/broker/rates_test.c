/* rates_test.c: what calls cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/rates.h"
#include "broker/spend.h"

static char path[] = "/tmp/carillon-rates-XXXXXX";

static int load(const char *text, struct rates **out, struct buf *error)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    buf_clear(error);
    return rates_load(out, path, error);
}

static void price_is(const struct rates *rates, const char *number, double per_minute)
{
    const struct rate *rate = rates_find(rates, number);
    assert_non_null(rate);
    assert_true(fabs(rate->per_minute - per_minute) < 1e-9);
}

static void the_longest_prefix_counts(void **state)
{
    struct rates *rates;
    struct buf error = BUF_INIT;
    assert_int_equal(load("prefix;price\n1;0.01\n1242;0.2\n49;0,5\n", &rates, &error), -EINVAL);
    assert_int_equal(load("prefix;price\n1;0.01\n+1242;0.2\n12;0.02\n491;0.5\n", &rates, &error), 0);
    price_is(rates, "12125550100", 0.02);
    price_is(rates, "12425550100", 0.2);
    price_is(rates, "13005550100", 0.01);
    price_is(rates, "1", 0.01);
    assert_null(rates_find(rates, "4930123456"));
    assert_null(rates_find(rates, ""));
    rates_free(rates);
    buf_free(&error);
}

static void first_and_step_seconds_round_up(void **state)
{
    struct rate by_second = { .per_minute = 0.6, .first_s = 1, .step_s = 1 },
                by_minute = { .per_minute = 0.6, .setup = 0.1, .first_s = 60, .step_s = 60 },
                thirty_six = { .per_minute = 0.6, .first_s = 30, .step_s = 6 };
    assert_true(fabs(rate_cost(&by_second, 10000) - 0.10) < 1e-9);
    assert_true(fabs(rate_cost(&by_second, 10001) - 0.11) < 1e-9);
    assert_true(fabs(rate_cost(&by_minute, 1) - 0.7) < 1e-9);
    assert_true(fabs(rate_cost(&by_minute, 60001) - 1.3) < 1e-9);
    assert_true(fabs(rate_cost(&thirty_six, 31000) - 0.36) < 1e-9);
    assert_true(rate_cost(&by_minute, 0) == 0);
}

static void mistakes_name_the_line(void **state)
{
    struct rates *rates;
    struct buf error = BUF_INIT;
    assert_int_equal(load("1,0.01\n44,cheap\n", &rates, &error), -EINVAL);
    assert_non_null(strstr(buf_text(&error), ":2: expected prefix,price"));
    assert_int_equal(load("1,0.01\n4x,1\n", &rates, &error), -EINVAL);
    assert_int_equal(load("1,-1\n", &rates, &error), -EINVAL);
    assert_int_equal(load("1,1,1,0\n", &rates, &error), -EINVAL);
    assert_int_equal(load("1,1\n44,2\n1,3\n", &rates, &error), -EINVAL);
    assert_non_null(strstr(buf_text(&error), "prefix 1 stands there twice"));
    assert_int_equal(load("prefix,price\n", &rates, &error), -EINVAL);
    buf_clear(&error);
    assert_int_equal(rates_load(&rates, "/nowhere/rates.csv", &error), -ENOENT);
    buf_free(&error);
}

#define SECOND_US 1000000LL

static void a_day_sums_ended_and_running_calls(void **state)
{
    struct rate rate = { .per_minute = 6, .setup = 0.5, .first_s = 1, .step_s = 1 };
    int64_t noon = (20000LL * 86400 + 43200) * SECOND_US;
    struct spend spend = { .limit = 3, .day = 20000 };
    assert_true(spend_allows(&spend, noon));
    spend_answered(&spend, &rate, noon);
    spend_answered(&spend, &rate, noon + 5 * SECOND_US);
    assert_true(fabs(spend_sum(&spend, noon + 10 * SECOND_US) - 2.5) < 1e-6);
    assert_true(spend_allows(&spend, noon + 10 * SECOND_US));
    assert_false(spend_allows(&spend, noon + 13 * SECOND_US));
    spend_ended(&spend, &rate, noon, noon + 10 * SECOND_US);
    spend_ended(&spend, &rate, noon + 5 * SECOND_US, noon + 10 * SECOND_US);
    assert_true(fabs(spend_sum(&spend, noon + 3600 * SECOND_US) - 2.5) < 1e-6);
    assert_true(spend_allows(&spend, noon + 3600 * SECOND_US));
}

static void a_new_day_begins_at_nothing_but_what_still_runs(void **state)
{
    struct rate rate = { .per_minute = 60, .first_s = 1, .step_s = 1 };
    int64_t late = (20001LL * 86400 - 10) * SECOND_US;
    struct spend spend = { .limit = 5, .day = 20000, .ended = 100 };
    assert_false(spend_allows(&spend, late));
    spend_answered(&spend, &rate, late);
    assert_true(fabs(spend_sum(&spend, late + 12 * SECOND_US) - 12) < 1e-6);
    spend_ended(&spend, &rate, late, late + 12 * SECOND_US);
    assert_true(fabs(spend_sum(&spend, late + 20 * SECOND_US) - 12) < 1e-6);
    assert_true(fabs(spend_sum(&spend, late - 3600 * SECOND_US) - 12) < 1e-6); /* a clock that was set back brings no old day back */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_prefix_counts),
        cmocka_unit_test(first_and_step_seconds_round_up),
        cmocka_unit_test(mistakes_name_the_line),
        cmocka_unit_test(a_day_sums_ended_and_running_calls),
        cmocka_unit_test(a_new_day_begins_at_nothing_but_what_still_runs),
    };
    close(mkstemp(path));
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(path);
    return failed;
}
