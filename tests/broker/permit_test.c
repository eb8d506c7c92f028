/* permit_test.c: what may be called, in every spelling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "broker/permit.h"
#include "broker/reason.h"

static char countries[2][8] = { "1", "4930" }, emergency[2][16] = { "112", "911" }, hosts[1][128] = { "pbx.example.com" };
static struct permit_rules rules = { .default_country = "1",
                                     .countries = countries,
                                     .country_count = 2,
                                     .emergency = emergency,
                                     .emergency_count = 2,
                                     .uri_hosts = hosts,
                                     .uri_host_count = 1,
                                     .max_call_s = 3600 };

static struct permit_request good(const char *number)
{
    return (struct permit_request) { .number = number,
                                     .prefix_strip = "",
                                     .prefix_add = "",
                                     .ledger_accepting = true,
                                     .trunk_usable = true,
                                     .engine_free = true,
                                     .trunk_free = true,
                                     .campaign_free = true };
}

static const char *verdict_of(const char *number, struct permit_verdict *verdict)
{
    struct permit_request request = good(number);
    permit_check(&rules, &request, verdict);
    return verdict->refused ? verdict->refused : "granted";
}

static void granted(const char *number, const char *e164, const char *dialled)
{
    struct permit_verdict verdict;
    assert_string_equal(verdict_of(number, &verdict), "granted");
    assert_string_equal(verdict.e164, e164);
    assert_string_equal(verdict.dialled, dialled);
}

static void refused(const char *number, const char *reason)
{
    struct permit_verdict verdict;
    assert_string_equal(verdict_of(number, &verdict), reason);
}

static void an_allowed_country_is_granted_in_every_spelling(void **state)
{
    granted("+15550123", "15550123", "+15550123");
    granted("15550123", "15550123", "15550123");
    granted("0015550123", "15550123", "0015550123");
    granted("+1 (555) 01-23", "15550123", "+15550123");
    granted("493012345", "493012345", "493012345");
}

static void a_national_number_is_sent_in_the_reading_that_was_checked(void **state)
{
    granted("5550123", "15550123", "15550123");
    granted("05550123", "15550123", "15550123");
    granted("442071234567", "1442071234567", "1442071234567");
}

static void any_other_country_is_refused_in_every_spelling(void **state)
{
    refused("+442071234567", "country");
    refused("00442071234567", "country");
    refused("+49891234", "country");
    refused("00 44 20", "country");
}

static void emergency_numbers_are_refused_whoever_asks(void **state)
{
    refused("911", "emergency");
    refused("112", "emergency");
    refused("+1911", "emergency");
    refused("1911", "emergency");
    refused("+112", "emergency");
    refused("9-1-1", "emergency");
    struct permit_request request = good("+19");
    struct permit_verdict verdict;
    request.prefix_strip = "+19";
    request.prefix_add = "911";
    permit_check(&rules, &request, &verdict);
    assert_string_equal(verdict.refused, "emergency"); /* also where the trunk's rule makes one */
    assert_int_equal(verdict.cause, CAUSE_OUTGOING_CALL_BARRED);
}

static void what_is_no_number_is_refused(void **state)
{
    refused("", "number");
    refused("+", "number");
    refused("00", "number");
    refused("alice", "number");
    refused("1555;phone-context=x", "number");
    refused("1555\r\nX: y", "number");
    refused("111111111111111111111111111111111111111111111111111111111111111111111111", "number");
}

static void a_URI_goes_to_our_own_loopback_or_a_named_host_only(void **state)
{
    struct permit_request request = good(NULL);
    struct permit_verdict verdict;
    request.uri_host = "192.0.2.1";
    permit_check(&rules, &request, &verdict);
    assert_string_equal(verdict.refused, "uri_host");
    request.uri_is_listener = true; /* a listener's public address is a way out and in again: not allowed */
    permit_check(&rules, &request, &verdict);
    assert_string_equal(verdict.refused, "uri_host");
    request.uri_host = "127.0.0.1";
    permit_check(&rules, &request, &verdict);
    assert_null(verdict.refused);
    request.uri_is_listener = false; /* somebody else on this machine */
    permit_check(&rules, &request, &verdict);
    assert_string_equal(verdict.refused, "uri_host");
    request.uri_host = "PBX.example.com";
    permit_check(&rules, &request, &verdict);
    assert_null(verdict.refused);
}

static void each_cap_has_its_reason(void **state)
{
    struct permit_verdict verdict;
    struct permit_request request = good("+15550123");
    request.draining = true;
    permit_check(&rules, &request, &verdict);
    assert_string_equal(verdict.refused, "draining");
    request = good("+15550123");
    request.engine_free = false;
    permit_check(&rules, &request, &verdict);
    assert_string_equal(verdict.refused, "engine_concurrent");
    request = good("+15550123");
    request.trunk_free = false;
    permit_check(&rules, &request, &verdict);
    assert_string_equal(verdict.refused, "trunk_concurrent");
    request = good("+15550123");
    request.ledger_accepting = false;
    permit_check(&rules, &request, &verdict);
    assert_string_equal(verdict.refused, "ledger");
    request = good("+15550123");
    request.max_s = 7200;
    permit_check(&rules, &request, &verdict);
    assert_int_equal(verdict.max_s, 3600);
}

static void a_prefix_rule_strips_then_adds(void **state)
{
    char out[16];
    assert_int_equal(number_rewrite("+1555", "+", "00", out, sizeof out), 0);
    assert_string_equal(out, "001555");
    assert_int_equal(number_rewrite("1555", "+", "00", out, sizeof out), 0);
    assert_string_equal(out, "001555");
    assert_int_equal(number_rewrite("1555", "", "", out, sizeof out), 0);
    assert_string_equal(out, "1555");
    assert_true(number_rewrite("1234567890", "", "1234567890", out, sizeof out) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_allowed_country_is_granted_in_every_spelling),
        cmocka_unit_test(a_national_number_is_sent_in_the_reading_that_was_checked),
        cmocka_unit_test(any_other_country_is_refused_in_every_spelling),
        cmocka_unit_test(emergency_numbers_are_refused_whoever_asks),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(a_URI_goes_to_our_own_loopback_or_a_named_host_only),
        cmocka_unit_test(each_cap_has_its_reason),
        cmocka_unit_test(a_prefix_rule_strips_then_adds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
