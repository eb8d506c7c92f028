/* CSV, numbers, zones, retry rules, JSON: what is pure. */
#include "campaign_support.h"

#include "campaign/campaign_file.h"
#include "campaign/csv.h"
#include "campaign/json.h"
#include "campaign/numbers.h"
#include "campaign/retry.h"
#include "campaign/zones.h"

static void put_record(void *context, const struct csv_record *record)
{
    struct buf *out = context;
    buf_printf(out, "%llu:", (unsigned long long)record->line);
    if (record->error) buf_printf(out, "!%s", record->error);
    for (size_t i = 0; i < record->count; i++) buf_printf(out, "[%s]", record->field[i]);
    buf_putc(out, ' ');
}

static void expect_csv(const char *text, const char *expected)
{
    for (size_t chunk = 1; chunk <= strlen(text); chunk++) { /* however it is cut */
        struct buf out = BUF_INIT;
        struct csv csv;
        char *copy = strdup(text);
        csv_start(&csv, put_record, &out);
        for (size_t at = 0, n; at < strlen(text); at += n) {
            n = strlen(text) - at < chunk ? strlen(text) - at : chunk;
            char *part = malloc(n);
            memcpy(part, copy + at, n);
            assert_int_equal(csv_feed(&csv, part, n), 0);
            free(part);
        }
        assert_int_equal(csv_finish(&csv), 0);
        assert_string_equal(buf_text(&out), expected);
        csv_free(&csv);
        buf_free(&out);
        free(copy);
    }
}

static void csv_reads_what_rfc_4180_allows(void **state)
{
    expect_csv("a,b\n1,2\n", "1:[a][b] 2:[1][2] ");
    expect_csv("a,b\r\n1,2", "1:[a][b] 2:[1][2] ");
    expect_csv("\xef\xbb\xbf"
               "a,b\n",
               "1:[a][b] ");
    expect_csv("a,b\n\"x,y\",\"say \"\"hi\"\"\"\n", "1:[a][b] 2:[x,y][say \"hi\"] ");
    expect_csv("a,b\n\"two\nlines\",3\n4,5\n", "1:[a][b] 2:[two\nlines][3] 4:[4][5] ");
    expect_csv("a;b\n1;2\n", "1:[a][b] 2:[1][2] ");
    expect_csv("a\tb\n1\t\n", "1:[a][b] 2:[1][] ");
    expect_csv("a,b\n\n,\n\"\",\"\"\n", "1:[a][b] 3:[][] 4:[][] ");
}

static void csv_loses_only_the_bad_record(void **state)
{
    expect_csv("a,b\nx\"y,2\n3,4\n", "1:[a][b] 2:!a quote within an unquoted field (write \"\" within quotes) 3:[3][4] ");
    expect_csv("a,b\n\"x\"y,2\n3,4\n", "1:[a][b] 2:!text after a closing quote 3:[3][4] ");
    expect_csv("a,b\n\"open,2\n3,4\n5,6\n", "1:[a][b] 2:!a quoted field is not closed 3:[3][4] 4:[5][6] ");
}

static void expect_number(const char *text, const char *country, const char *expected)
{
    char out[NUMBER_SIZE] = "";
    const char *reason;
    int e = number_to_e164(text, country, out, &reason);
    if (strcmp(e ? "" : out, expected) != 0)
        fail_msg("%s (%s): %s %s, not %s", text, country ? country : "", out, reason ? reason : "", expected);
}

static void numbers_become_e164(void **state)
{
    expect_number("+1 (212) 555-0123", "1", "12125550123");
    expect_number("212.555.0123", "1", "12125550123");
    expect_number("1-212-555-0123", "1", "12125550123");
    expect_number("011 44 20 7946 0123", "1", "442079460123");
    expect_number("0044 20 7946 0123", "49", "442079460123");
    expect_number("020 7946 0123", "44", "442079460123");
    expect_number("447911123456", "44", "447911123456");
    expect_number("06 1234 5678", "39", "390612345678");
    expect_number("tel:+4930123456", "", "4930123456");
    expect_number("+49\xc2\xa0"
                  "30 123456",
                  "1", "4930123456");
    expect_number("12125550123", NULL, "");
    expect_number("", "1", "");
    expect_number("555-0123", "1", "");
    expect_number("1-800-FLOWERS", "1", "");
    expect_number("+0123456789", "1", "");
    expect_number("112-555-0123", "1", "");
    expect_number("+1234567890123456", "1", "");
    expect_number("99999999999999999999999999999999999999999", "1", "");
}

#define UTC_2026_11_23 1795392000000000LL /* a Monday, 00:00 */
#define HOUR           3600000000LL

static void zones_know_offsets_beyond_their_tables(void **state)
{
    assert_true(zone_known("America/New_York"));
    assert_true(zone_known("America/New_York+America/Chicago"));
    assert_false(zone_known("America/Nowhere"));
    assert_false(zone_known("../../etc/passwd"));
    assert_false(zone_known(""));
    assert_int_equal(zone_offset_s("America/New_York", 1795392000), -5 * 3600);
    assert_int_equal(zone_offset_s("America/New_York", 1785000000), -4 * 3600); /* July 2026 */
    assert_int_equal(zone_offset_s("America/New_York", 2542233600), -4 * 3600); /* July 2050: the footer's rule */
    assert_int_equal(zone_offset_s("Europe/Berlin", 2526681600), 3600);         /* January 2050 */
    assert_int_equal(zone_offset_s("Australia/Sydney", 2526681600), 11 * 3600); /* summer over the new year */
    assert_int_equal(zone_offset_s("Asia/Kolkata", 1795392000), 19800);
}

static void a_window_is_open_only_where_it_is_day(void **state)
{
    const struct window day = { 8 * 60, 21 * 60, 0 }, weekdays = { 8 * 60, 21 * 60, 0x1f }, night = { 22 * 60, 2 * 60, 0 }, always = { 0 };
    const char *ny = "America/New_York", *both = "America/New_York+America/Los_Angeles";
    assert_false(window_open(&day, ny, UTC_2026_11_23 + 12 * HOUR));
    assert_true(window_open(&day, ny, UTC_2026_11_23 + 13 * HOUR));
    assert_true(window_open(&day, ny, UTC_2026_11_23 + 26 * HOUR - 1));
    assert_false(window_open(&day, ny, UTC_2026_11_23 + 26 * HOUR));
    assert_false(window_open(&day, both, UTC_2026_11_23 + 15 * HOUR));
    assert_true(window_open(&day, both, UTC_2026_11_23 + 16 * HOUR));
    assert_true(window_open(&night, "UTC", UTC_2026_11_23 + HOUR));
    assert_false(window_open(&night, "UTC", UTC_2026_11_23 + 2 * HOUR));
    assert_true(window_open(&always, ny, UTC_2026_11_23));
    assert_true(window_next(&day, ny, UTC_2026_11_23) == UTC_2026_11_23); /* Sunday, 19:00 */
    assert_true(window_next(&day, ny, UTC_2026_11_23 + 4 * HOUR) == UTC_2026_11_23 + 13 * HOUR);
    assert_true(window_next(&day, both, UTC_2026_11_23) == UTC_2026_11_23); /* Sunday 19:00 and 16:00 */
    assert_true(window_next(&day, both, UTC_2026_11_23 + 10 * HOUR) == UTC_2026_11_23 + 16 * HOUR);
    assert_true(window_next(&weekdays, ny, UTC_2026_11_23) == UTC_2026_11_23 + 13 * HOUR); /* still Sunday there */
    assert_true(window_next(&weekdays, "UTC", UTC_2026_11_23 + 5 * 24 * HOUR + 9 * HOUR) ==
                UTC_2026_11_23 + 7 * 24 * HOUR + 8 * HOUR); /* Saturday → Monday */
}

static void a_number_tells_its_zone(void **state)
{
    assert_string_equal(zone_by_number("12125550123"), "America/New_York");
    assert_string_equal(zone_by_number("14155550123"), "America/Los_Angeles");
    assert_string_equal(zone_by_number("18505550123"), "America/New_York+America/Chicago");
    assert_string_equal(zone_by_number("15552010001"), "America/New_York+America/Los_Angeles");
    assert_string_equal(zone_by_number("442079460123"), "Europe/London");
    assert_string_equal(zone_by_number("351912345678"), "Europe/Lisbon+Atlantic/Azores");
    assert_null(zone_by_number("999123"));
    for (int i = 200; i < 1000; i++) { /* every zone of the tables exists on this system */
        char number[16];
        snprintf(number, sizeof number, "%d5550123", i);
        assert_true(!zone_by_number(number) || zone_known(zone_by_number(number)));
        snprintf(number, sizeof number, "1%d5550123", i);
        assert_true(zone_known(zone_by_number(number)));
    }
}

static struct lead_fate decide(const struct attempt_facts *facts)
{
    struct retry_rules rules;
    struct lead_fate fate;
    retry_rules_default(&rules);
    lead_decide(&rules, facts, &fate);
    return fate;
}

static void rules_decide_between_final_and_again(void **state)
{
    struct attempt_facts f = { .cause = "USER_BUSY", .tries = 1, .max_attempts = 5, .now_us = 1000 };
    struct lead_fate fate = decide(&f);
    assert_false(fate.final);
    assert_int_equal(fate.retry_at_us, 1000 + 600000000);
    assert_string_equal(fate.disposition, "busy");
    assert_string_equal(fate.history, "USER_BUSY=1");
    f.history = "NO_ANSWER=1,USER_BUSY=2";
    fate = decide(&f);
    assert_true(fate.final); /* the third busy */
    assert_string_equal(fate.history, "USER_BUSY=3,NO_ANSWER=1");
    f = (struct attempt_facts) { .cause = "NO_ANSWER", .tries = 5, .max_attempts = 5 };
    assert_true(decide(&f).final);
    f = (struct attempt_facts) {
        .cause = "NORMAL_CLEARING", .answered = true, .script_disposition = "sold", .tries = 1, .max_attempts = 5
    };
    fate = decide(&f);
    assert_true(fate.final);
    assert_string_equal(fate.disposition, "sold");
    f.script_result = "script_error";
    assert_string_equal(decide(&f).disposition, "script_error");
    f = (struct attempt_facts) { .cause = "CALL_REJECTED", .refused = "country", .tries = 1, .max_attempts = 5 };
    assert_true(decide(&f).final);
    f.refused = "trunk_concurrent";
    assert_false(decide(&f).final);
    f = (struct attempt_facts) { .cause = "NORMAL_CLEARING", .answered = true, .interrupted = true, .tries = 1, .max_attempts = 5 };
    fate = decide(&f);
    assert_false(fate.final);
    assert_string_equal(fate.disposition, "interrupted");
}

static void a_full_history_forgets_its_oldest(void **state)
{
    char history[40] = "", next[40];
    for (int i = 0; i < 20; i++) {
        char cause[20];
        snprintf(cause, sizeof cause, "CAUSE_NUMBER_%d", i);
        history_add(history, cause, next, sizeof next);
        memcpy(history, next, sizeof next);
    }
    assert_int_equal(history_count(history, "CAUSE_NUMBER_19"), 1);
    assert_true(strlen(history) < sizeof history);
}

static void json_comes_back_as_it_went(void **state)
{
    static const char odd[] = "\"quoted\" \\ tab\t line\n é ☎ 𝄞 \x01";
    struct buf out = BUF_INIT;
    struct kv pairs = KV_INIT;
    buf_putc(&out, '{');
    json_text(&out, "odd", odd);
    json_int(&out, "n", 5);
    json_text(&out, "none", NULL);
    buf_putc(&out, '}');
    assert_int_equal(json_read_flat(buf_text(&out), &pairs), 0);
    assert_string_equal(kv_get(kv_view(&pairs), "odd"), odd);
    assert_string_equal(kv_get(kv_view(&pairs), "n"), "5");
    assert_null(kv_get(kv_view(&pairs), "none"));
    kv_clear(&pairs);
    assert_int_equal(json_read_flat("{\"a\":\"\\ud834\\udd1e\\u00e9\"}", &pairs), 0);
    assert_string_equal(kv_get(kv_view(&pairs), "a"), "𝄞é");
    static const char *const bad[] = { "",
                                       "{",
                                       "{\"a\"}",
                                       "{\"a\":}",
                                       "{\"a\":\"x\",}",
                                       "{\"a\":\"x\"} x",
                                       "{\"a\":{\"b\":1}}",
                                       "{\"a\":[1]}",
                                       "{\"a\":\"\\ud834\"}",
                                       "{\"a\":\"\\u0000\"}" };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) assert_int_not_equal(json_read_flat(bad[i], &pairs), 0);
    kv_free(&pairs);
    buf_free(&out);
}

static void durations_have_units(void **state)
{
    int64_t ms;
    assert_int_equal(duration_parse("25s", &ms), 0);
    assert_int_equal(ms, 25000);
    assert_int_equal(duration_parse("1.5m", &ms), 0);
    assert_int_equal(ms, 90000);
    assert_int_equal(duration_parse("90", &ms), 0);
    assert_int_equal(ms, 90000);
    assert_int_not_equal(duration_parse("soon", &ms), 0);
    assert_int_not_equal(duration_parse("5x", &ms), 0);
    assert_int_not_equal(duration_parse("-5s", &ms), 0);
    assert_int_not_equal(duration_parse("nan", &ms), 0);
}

/* --- the campaign's file ------------------------------------------------------------------------------------------------ */

static void expect_mistakes(const char *text, const char *const *wanted)
{
    struct place place;
    struct campaign_file *file = NULL;
    struct buf errors = BUF_INIT;
    place_make(&place);
    free(place_file(&place, "s.lua", ""));
    char *path = place_file(&place, "c.lua", text);
    int e = campaign_file_load(&file, path, NULL, &errors);
    if ((e == 0) != (*wanted == NULL)) fail_msg("%s", buf_text(&errors));
    for (; *wanted; wanted++)
        if (!strstr(buf_text(&errors), *wanted)) fail_msg("\"%s\" is not in: %s", *wanted, buf_text(&errors));
    campaign_file_free(file);
    buf_free(&errors);
    free(path);
    place_remove(&place);
}

static void every_mistake_of_a_file_is_named_with_line_and_key(void **state)
{
    expect_mistakes("return { trunks = { \"acme\" }, script = \"s.lua\" }", (const char *[]) { NULL });
    expect_mistakes("return {\n trunks = {},\n script = \"nowhere.lua\",\n ring_timeout = \"5s\",\n retry = {\n  USER_BUZY = { after = "
                    "\"1m\" },\n  NO_ANSWER = { tries = 0, after = \"x\" },\n },\n"
                    " window = { from = \"25:00\", days = { \"sunday\" } },\n pacing = { cps = -1, speed = 9 },\n zone = \"Mars\",\n early "
                    "= 7,\n colour = 1,\n}",
                    (const char *[]) { "c.lua:2: trunks", "c.lua:3: script", "c.lua:4: ring_timeout", "c.lua:6: retry.USER_BUZY",
                                       "c.lua:7: retry.NO_ANSWER", "c.lua:9: window.from", "window.days", "c.lua:10: pacing.cps",
                                       "pacing.speed: unknown key", "c.lua:11: zone", "early", "c.lua:13: colour: unknown key", NULL });
    expect_mistakes("return {\n trunks = ", (const char *[]) { "c.lua:", NULL });
    expect_mistakes("return os.time()", (const char *[]) { "env", NULL });
    expect_mistakes("while true do end", (const char *[]) { "too long", NULL });
    expect_mistakes("return { trunks = \"acme\", script = \"s.lua\", ring_timeout = \"10s\", short_ring = true, window = \"always\", retry "
                    "= { USER_BUSY = false } }",
                    (const char *[]) { NULL });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_reads_what_rfc_4180_allows),
        cmocka_unit_test(csv_loses_only_the_bad_record),
        cmocka_unit_test(numbers_become_e164),
        cmocka_unit_test(zones_know_offsets_beyond_their_tables),
        cmocka_unit_test(a_window_is_open_only_where_it_is_day),
        cmocka_unit_test(a_number_tells_its_zone),
        cmocka_unit_test(rules_decide_between_final_and_again),
        cmocka_unit_test(a_full_history_forgets_its_oldest),
        cmocka_unit_test(json_comes_back_as_it_went),
        cmocka_unit_test(durations_have_units),
        cmocka_unit_test(every_mistake_of_a_file_is_named_with_line_and_key),
    };
    return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
