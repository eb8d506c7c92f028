/* trunk_choice_test.c: which trunk a call tries first: order, lot, price, and how trunks do (trunk_group.h, trunk_quality.h, rates.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/rates.h"
#include "broker/state.h"
#include "core/clock.h"

#define S NS_PER_S

static void trunks_make(struct trunk *list, unsigned count)
{
    memset(list, 0, count * sizeof *list);
    for (unsigned i = 0; i < count; i++) snprintf(list[i].name, sizeof list[i].name, "t%u", i);
}

static struct trunk_group group_of(struct trunk *list, unsigned count, enum group_choice choice)
{
    struct trunk_group group = { .choice = choice, .count = count };
    for (unsigned i = 0; i < count; i++) {
        group.trunks[i] = &list[i];
        group.weights[i] = 1;
    }
    return group;
}

static void order_is_kept_and_bad_trunks_stand_behind(void **state)
{
    struct trunk list[3], *out[GROUP_TRUNKS_MAX];
    trunks_make(list, 3);
    struct trunk_group group = group_of(list, 3, GROUP_ORDER);
    assert_int_equal(group_order(&group, "", out), 3);
    assert_ptr_equal(out[0], &list[0]);
    list[0].quality.rules = (struct quality_rules) { .window_s = 60, .calls_min = 4, .failure_max = 0.5 };
    for (int i = 0; i < 4; i++) quality_result(&list[0].quality, QUALITY_FAILED, clock_mono_ns());
    group_order(&group, "", out);
    assert_ptr_equal(out[0], &list[1]);
    assert_ptr_equal(out[1], &list[2]);
    assert_ptr_equal(out[2], &list[0]);
}

static void weights_are_the_odds_of_being_first(void **state)
{
    struct trunk list[2], *out[GROUP_TRUNKS_MAX];
    unsigned first = 0;
    trunks_make(list, 2);
    struct trunk_group group = group_of(list, 2, GROUP_WEIGHT);
    group.weights[1] = 3;
    srandom(1);
    for (int i = 0; i < 4000; i++) {
        group_order(&group, "", out);
        first += out[0] == &list[1];
    }
    assert_in_range(first, 2850, 3150); /* 3000 ± 5 standard deviations */
}

static struct rates *rates_of(const char *text)
{
    char path[] = "/tmp/carillon-rates-XXXXXX";
    struct rates *rates = NULL;
    struct buf error = BUF_INIT;
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
    assert_int_equal(rates_load(&rates, path, &error), 0);
    unlink(path);
    buf_free(&error);
    return rates;
}

static void the_cheapest_for_the_number_is_first_and_one_without_a_price_last(void **state)
{
    struct trunk list[3], *out[GROUP_TRUNKS_MAX];
    trunks_make(list, 3);
    list[1].rates = rates_of("1,0.010\n49,0.002\n");
    list[2].rates = rates_of("1,0.004\n49,0.009\n");
    struct trunk_group group = group_of(list, 3, GROUP_COST);
    group_order(&group, "15551234567", out);
    assert_ptr_equal(out[0], &list[2]);
    assert_ptr_equal(out[2], &list[0]);
    group_order(&group, "493012345", out);
    assert_ptr_equal(out[0], &list[1]);
    rates_free(list[1].rates);
    rates_free(list[2].rates);
}

static void a_trunk_is_judged_by_its_window_alone(void **state)
{
    struct trunk_quality quality = { .rules = {
                                         .window_s = 110, .calls_min = 10, .asr_min = 0.3, .failure_max = 0.5, .pdd_max_ms = 4000 } };
    int64_t now = 1000000 * S;
    for (int i = 0; i < 9; i++) quality_result(&quality, QUALITY_FAILED, now);
    assert_true(quality_good(&quality, now)); /* too few */
    quality_result(&quality, QUALITY_FAILED, now);
    assert_false(quality_good(&quality, now));
    assert_true(quality_good(&quality, now + 130 * S)); /* forgotten */
    now += 200 * S;
    for (int i = 0; i < 20; i++) quality_result(&quality, i < 5 ? QUALITY_ANSWERED : QUALITY_REFUSED, now);
    assert_false(quality_good(&quality, now)); /* 25 % answered */
    for (int i = 0; i < 20; i++) quality_result(&quality, QUALITY_ANSWERED, now + 50 * S);
    assert_true(quality_good(&quality, now + 50 * S));
    for (int i = 0; i < 3; i++) quality_delay(&quality, 5 * S, now + 60 * S);
    assert_int_equal(quality_look(&quality, now + 60 * S).pdd_ms, 5000);
    assert_false(quality_good(&quality, now + 60 * S));
}

/* One cause's line of trunk_causes_write. */
static const char *cause_line(const struct trunk_causes *causes, int64_t now, const char *name, char line[64])
{
    struct buf out = BUF_INIT;
    trunk_causes_write(causes, "acme", now, &out);
    const char *at = strstr(buf_text(&out), name);
    snprintf(line, 64, "%.*s", at ? (int)strcspn(at, "\n") : 0, at ? at : "");
    buf_free(&out);
    return line;
}

static void a_trunks_causes_are_counted_of_late_and_since_the_start_and_take_a_bounded_room(void **state)
{
    static struct trunk_causes causes;
    int64_t now = 1000000 * S;
    char line[64];
    for (int i = 0; i < 3; i++) trunk_causes_count(&causes, 17, now);
    trunk_causes_count(&causes, 16, now + 200 * S);
    assert_string_equal(cause_line(&causes, now + 250 * S, "USER_BUSY", line), "USER_BUSY\t3\t3");
    assert_string_equal(cause_line(&causes, now + 400 * S, "USER_BUSY", line), "USER_BUSY\t0\t3");
    assert_string_equal(cause_line(&causes, now + 400 * S, "NORMAL_CLEARING", line), "NORMAL_CLEARING\t1\t1");
    trunk_causes_count(&causes, 17, now + 3000 * S);
    assert_string_equal(cause_line(&causes, now + 3000 * S, "USER_BUSY", line), "USER_BUSY\t1\t4");
    for (int cause = 200; cause < 300; cause++) trunk_causes_count(&causes, cause, now);
    assert_int_equal(causes.count, TRUNK_CAUSES_MAX);
    assert_string_equal(cause_line(&causes, now, "OTHER", line), "OTHER\t71\t71");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_kept_and_bad_trunks_stand_behind),
        cmocka_unit_test(weights_are_the_odds_of_being_first),
        cmocka_unit_test(the_cheapest_for_the_number_is_first_and_one_without_a_price_last),
        cmocka_unit_test(a_trunk_is_judged_by_its_window_alone),
        cmocka_unit_test(a_trunks_causes_are_counted_of_late_and_since_the_start_and_take_a_bounded_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
