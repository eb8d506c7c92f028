/* esl_text_test.c: the event socket's text: requests, forms of events, filters, names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "control/esl_filter.h"
#include "control/esl_form.h"
#include "control/esl_request.h"
#include "control/esl_types.h"

static void a_request_is_the_same_however_it_is_cut(void **state)
{
    static const char text[] = "\r\n\nsendevent CUSTOM \r\nEvent-Subclass: a::b\r\nno colon here\nContent-Length: 6\n\nhe\nlloapi x\n\n";
    for (size_t piece = 1; piece < sizeof text; piece++) {
        struct esl_input input = { 0 };
        struct esl_request request = { 0 };
        int requests = 0, got;
        for (size_t at = 0; at < sizeof text - 1; at += piece) {
            size_t n = sizeof text - 1 - at;
            assert_int_equal(esl_input_put(&input, text + at, n < piece ? n : piece), 0);
            while ((got = esl_input_take(&input, &request)) > 0) {
                if (requests++ == 0) {
                    assert_string_equal(request.line.data, "sendevent CUSTOM");
                    assert_string_equal(esl_header(kv_view(&request.headers), "event-subclass"), "a::b");
                    assert_true(request.has_body);
                    assert_string_equal(request.body.data, "he\nllo");
                } else {
                    assert_string_equal(request.line.data, "api x");
                    assert_false(request.has_body);
                }
            }
            assert_int_equal(got, 0);
        }
        assert_int_equal(requests, 2);
        esl_input_free(&input);
        esl_request_free(&request);
    }
}

static int take(const char *text, size_t head_max)
{
    struct esl_input input = { .head_max = head_max };
    struct esl_request request = { 0 };
    esl_input_put(&input, text, strlen(text));
    int got = esl_input_take(&input, &request);
    esl_input_free(&input);
    esl_request_free(&request);
    return got;
}

static void lengths_beyond_their_limits_are_refused(void **state)
{
    assert_int_equal(take("x\nContent-Length: -1\n\n", 0), -EPROTO);
    assert_int_equal(take("x\nContent-Length: 2a\n\n", 0), 0); /* two bytes are to come, as atoi has it */
    assert_int_equal(take("x\nContent-Length: 16777217\n\n", 0), -EMSGSIZE);
    assert_int_equal(take("x\nContent-Length: 99999999999999999999\n\n", 0), -EMSGSIZE);
    assert_int_equal(take("x\nContent-Length: 16777216\n\n", 0), 0);
    assert_int_equal(take("x\nContent-Length: 1\n\n", 100), -EMSGSIZE);
    assert_int_equal(take("a line that goes on and on without an end", 20), -EMSGSIZE);
    assert_int_equal(take("short\n", 20), 0);
}

static void expect_form(enum esl_format format, const struct kv *pairs, const char *expected)
{
    struct buf out = BUF_INIT;
    assert_int_equal(esl_form(&out, format, kv_view(pairs), "3:7"), 0);
    assert_string_equal(buf_text(&out), expected);
    buf_free(&out);
}

static void an_event_has_three_forms(void **state)
{
    struct kv pairs = KV_INIT;
    kv_add(&pairs, "Event-Name", "CUSTOM");
    kv_add(&pairs, "A", "50% <a> \"q\"\n");
    kv_add(&pairs, "Empty", "");
    kv_add(&pairs, "Many", "ARRAY::one|:two");
    expect_form(
        ESL_PLAIN, &pairs,
        "Event-Name: CUSTOM\nA: 50%25%20%3Ca%3E%20%22q%22%0A\nEmpty: _undef_\nMany: ARRAY%3A%3Aone%7C%3Atwo\nEvent-Position: 3%3A7\n\n");
    kv_add(&pairs, "_body", "<b>\t&");
    expect_form(
        ESL_PLAIN, &pairs,
        "Event-Name: CUSTOM\nA: 50%25%20%3Ca%3E%20%22q%22%0A\nEmpty: _undef_\nMany: ARRAY%3A%3Aone%7C%3Atwo\nEvent-Position: 3%3A7\n"
        "Content-Length: 5\n\n<b>\t&");
    expect_form(
        ESL_JSON, &pairs,
        "{\"Event-Name\":\"CUSTOM\",\"A\":\"50% <a> \\\"q\\\"\\n\",\"Empty\":\"\",\"Many\":[\"one\",\"two\"],\"Event-Position\":\"3:7\","
        "\"Content-Length\":\"5\",\"_body\":\"<b>\\t&\"}");
    expect_form(ESL_XML, &pairs,
                "<event>\n  <headers>\n    <Event-Name>CUSTOM</Event-Name>\n    <A>50%25%20%3Ca%3E%20%22q%22%0A</A>\n    <Empty/>\n    "
                "<Many>one</Many>\n"
                "    <Many>two</Many>\n    <Event-Position>3%3A7</Event-Position>\n  </headers>\n  <Content-Length>5</Content-Length>\n"
                "  <body>&lt;b&gt;\t&amp;</body>\n</event>\n");
    kv_free(&pairs);
}

static const char *get(void *context, const char *header) { return esl_header(*(struct kv_view *)context, header); }

static void filters_are_joined_by_or_and_a_minus_drops(void **state)
{
    struct esl_filters filters = { 0 };
    struct kv pairs = KV_INIT;
    kv_add(&pairs, "Number", "1002");
    kv_add(&pairs, "Cause", "USER_BUSY");
    struct kv_view event = kv_view(&pairs);
    assert_true(esl_filter_pass(&filters, get, &event));
    esl_filter_add(&filters, "Cause", "-NORMAL_CLEARING");
    assert_false(esl_filter_pass(&filters, get, &event)); /* only negative ones: nothing */
    esl_filter_add(&filters, "number", "+1003");
    assert_false(esl_filter_pass(&filters, get, &event));
    esl_filter_add(&filters, "Number", "/^\\d{4}$/");
    assert_true(esl_filter_pass(&filters, get, &event));
    esl_filter_add(&filters, "Cause", "-user_busy");
    assert_false(esl_filter_pass(&filters, get, &event));
    esl_filter_delete(&filters, "cause", NULL);
    assert_true(esl_filter_pass(&filters, get, &event));
    esl_filter_clear(&filters);
    kv_free(&pairs);
}

/* glibc's compiler takes memory without bound for some. (The first one was a fuzzer's.) */
static void regular_expressions_without_bounds_are_refused(void **state)
{
    struct esl_filters filters = { 0 };
    static const char *const refused[] = {
        "/a++++++++++++++++++++++++++++/",
        "/((((((((((a+)+)+)+)+)+)+)+)+)+/",
        "/(a{60}){60}/",
        "/a{999999}/",
        "/(a)\\1/",
        "/(/",
        "/(x[)]y{60}){60}/",
        "/((((((((((((((((((((((((a))))))))))))))))))))))))/",
    };
    static const char *const taken[] = {
        "/^\\d+$/", "/^(sofia|loopback)\\/.*[)(]+$/", "/^[0-9a-f]{8}-[0-9a-f]{4}/", "/a|b|c/i", "/", "//"
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) assert_int_equal(esl_filter_add(&filters, "H", refused[i]), -EINVAL);
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++) assert_int_equal(esl_filter_add(&filters, "H", taken[i]), 0);
    esl_filter_clear(&filters);
}

static void types_are_found_by_freeswitch_s_names(void **state)
{
    assert_int_equal(esl_type_find("CUSTOM"), ESL_CUSTOM);
    assert_int_equal(esl_type_find("channel_hangup_complete"), ESL_CHANNEL_HANGUP_COMPLETE);
    assert_int_equal(esl_type_find("SWITCH_EVENT_HEARTBEAT"), ESL_HEARTBEAT);
    assert_int_equal(esl_type_find("BACKGROUND_JOB"), ESL_BACKGROUND_JOB);
    assert_int_equal(esl_type_find("all"), ESL_TYPE_ALL);
    assert_int_equal(esl_type_find("NOSUCH"), ESL_TYPE_UNKNOWN);
    assert_int_equal(esl_type_find(""), ESL_TYPE_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_the_same_however_it_is_cut),
        cmocka_unit_test(lengths_beyond_their_limits_are_refused),
        cmocka_unit_test(an_event_has_three_forms),
        cmocka_unit_test(filters_are_joined_by_or_and_a_minus_drops),
        cmocka_unit_test(regular_expressions_without_bounds_are_refused),
        cmocka_unit_test(types_are_found_by_freeswitch_s_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
