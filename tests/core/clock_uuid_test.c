/* clock_uuid_test.c: clocks and identifiers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/uuid.h"

static void utc_never_runs_backwards_and_follows_the_wall_clock(void **state)
{
    int64_t before = 0;
    struct timespec t;
    for (int i = 0; i < 200000; i++) {
        int64_t now = clock_utc_us();
        assert_true(now >= before);
        before = now;
    }
    clock_gettime(CLOCK_REALTIME, &t);
    assert_true(clock_utc_us() - (t.tv_sec * 1000000LL + t.tv_nsec / 1000) < 100000);
}

static void utc_is_written_with_microseconds(void **state)
{
    char text[32];
    assert_string_equal(clock_utc_text(1795415400123456, text, sizeof text), "2026-11-23T06:30:00.123456Z");
    assert_string_equal(clock_utc_text(-1, text, sizeof text), "1969-12-31T23:59:59.999999Z");
}

static void version_7_is_strictly_growing_and_marked(void **state)
{
    char before[UUID_TEXT_SIZE] = "", now[UUID_TEXT_SIZE];
    for (int i = 0; i < 50000; i++) {
        struct uuid id = uuid_make_v7();
        uuid_text(&id, now);
        assert_true(strcmp(before, now) < 0);
        assert_int_equal(now[14], '7');
        assert_non_null(strchr("89ab", now[19]));
        memcpy(before, now, sizeof now);
    }
}

static void version_4_does_not_repeat_and_is_marked(void **state)
{
    struct uuid a = uuid_make_v4(), b = uuid_make_v4();
    assert_false(uuid_equal(&a, &b));
    assert_false(uuid_is_nil(&a));
    assert_int_equal(a.bytes[6] >> 4, 4);
    assert_int_equal(a.bytes[8] >> 6, 2);
}

static void text_and_bytes_are_the_same_id_and_wrong_text_is_refused(void **state)
{
    static const char *const wrong[] = { "",
                                         "0",
                                         "01234567-89ab-cdef-0123-456789abcde",
                                         "01234567-89ab-cdef-0123-456789abcdef0",
                                         "0123456789abcdef0123456789abcdef",
                                         "01234567-89ab-cdef-0123-456789abcdeg",
                                         "01234567-89ab-cdef-0123_456789abcdef" };
    struct uuid id = uuid_make_v4(), again;
    char text[UUID_TEXT_SIZE];
    assert_int_equal(uuid_parse(&again, uuid_text(&id, text)), 0);
    assert_true(uuid_equal(&id, &again));
    assert_int_equal(uuid_parse(&again, "01234567-89AB-cdef-0123-456789ABCDEF"), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) assert_int_equal(uuid_parse(&again, wrong[i]), -22);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utc_never_runs_backwards_and_follows_the_wall_clock),
        cmocka_unit_test(utc_is_written_with_microseconds),
        cmocka_unit_test(version_7_is_strictly_growing_and_marked),
        cmocka_unit_test(version_4_does_not_repeat_and_is_marked),
        cmocka_unit_test(text_and_bytes_are_the_same_id_and_wrong_text_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
