/* reason_test.c: the broker's Reason headers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/reason.h"

static int reason(const char *text)
{
    int cause = -1;
    return cause_from_reason(text, &cause) ? cause : -1;
}

static void a_Q850_reason_gives_its_cause(void **state)
{
    assert_int_equal(reason("Q.850;cause=17;text=\"USER_BUSY\""), 17);
    assert_int_equal(reason("SIP;cause=486, Q.850;cause=19"), 19);
    assert_int_equal(reason("FreeSWITCH;cause=802;text=\"x\""), 802);
}

static void what_is_no_Q850_reason_gives_nothing(void **state)
{
    assert_int_equal(reason(NULL), -1);
    assert_int_equal(reason(""), -1);
    assert_int_equal(reason("SIP;cause=200;text=\"Call completed elsewhere\""), -1);
    assert_int_equal(reason("Q.850"), -1);
    assert_int_equal(reason("Q.850;cause="), -1);
    assert_int_equal(reason("Q.850;cause=0"), -1);
    assert_int_equal(reason("Q.850;cause=99999999999999999999"), -1);
    assert_int_equal(reason("Q.850;text=\"unclosed, Q.850;cause=17"), -1);
}

static void a_cause_is_written_as_FreeSWITCH_writes_it(void **state)
{
    char text[96];
    cause_write_reason(16, text, sizeof text);
    assert_string_equal(text, "Q.850;cause=16;text=\"NORMAL_CLEARING\"");
    cause_write_reason(CAUSE_LOSE_RACE, text, sizeof text);
    assert_string_equal(text, "SIP;cause=200;text=\"Call completed elsewhere\"");
    cause_write_reason(CAUSE_ALLOTTED_TIMEOUT, text, sizeof text);
    assert_string_equal(text, "SIP;cause=480;text=\"ALLOTTED_TIMEOUT\"");
    cause_write_reason(0, text, sizeof text);
    assert_string_equal(text, "");
}

static void both_mappings_are_FreeSWITCHs_and_no_inverses(void **state)
{
    assert_int_equal(cause_from_sip(480), 18);
    assert_int_equal(cause_to_sip(18), 408);
    assert_int_equal(cause_from_sip(408), 102);
    assert_int_equal(cause_to_sip(102), 504);
    assert_int_equal(cause_from_sip(486), 17);
    assert_int_equal(cause_from_sip(600), 17);
    assert_int_equal(cause_from_sip(603), 21);
    assert_int_equal(cause_from_sip(404), 1);
    assert_int_equal(cause_from_sip(503), 41);
    assert_int_equal(cause_from_sip(299), 31);
    assert_int_equal(cause_to_sip(16), 480);
    assert_int_equal(cause_to_sip(17), 486);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_Q850_reason_gives_its_cause),
        cmocka_unit_test(what_is_no_Q850_reason_gives_nothing),
        cmocka_unit_test(a_cause_is_written_as_FreeSWITCH_writes_it),
        cmocka_unit_test(both_mappings_are_FreeSWITCHs_and_no_inverses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
