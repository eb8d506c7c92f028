#include "campaign_support.h"

#include <fcntl.h>

#include "campaign/command.h"
#include "campaign/import.h"
#include "campaign/report.h"

static struct place place;

/* Imports, and puts what was said about bad rows into *said. */
static int import_text(const char *text, struct import_result *result, struct buf *said)
{
    char *path = place_file(&place, "leads.csv", text);
    char lines[4000] = "";
    FILE *bad = fmemopen(lines, sizeof lines, "w");
    struct db *db = NULL;
    struct buf error = BUF_INIT;
    assert_int_equal(import_database(&db, place.database, &error), 0);
    const struct import_params params = { .db = db, .campaign = "c", .default_country = "1", .bad_rows = bad };
    int e = import_csv(&params, path, result, said);
    fclose(bad);
    buf_puts(said, lines);
    db_close(db);
    free(path);
    buf_free(&error);
    return e;
}

static void rows_become_leads_once(void **state)
{
    static const char text[] = "Phone Number,Name,Zone\r\n"
                               "\"+1 (212) 555-0123\",\"Ann \"\"A\"\" \\ O'Neil, é\",America/New_York\r\n"
                               "2125550124,Ben,\r\n"
                               "1 212 555 0124,Ben again,\r\n"
                               "555,too short,\r\n"
                               "2125550125,bad zone,Mars/Phobos\r\n"
                               "2125550126,too,many,fields\r\n"
                               "2125550127\r\n"
                               "2125550128,\xff\xfe,\r\n"
                               "2125550129,fine,UTC\r\n";
    struct import_result r;
    struct buf said = BUF_INIT;
    assert_int_equal(import_text(text, &r, &said), 0);
    assert_int_equal(r.rows, 9);
    assert_int_equal(r.added, 3);
    assert_int_equal(r.repeated, 1);
    assert_int_equal(r.known, 0);
    assert_int_equal(r.bad, 5);
    assert_non_null(strstr(buf_text(&said), "leads.csv:5: "));
    assert_non_null(strstr(buf_text(&said), "leads.csv:6: unknown time zone"));
    assert_non_null(strstr(buf_text(&said), "leads.csv:7: more fields"));
    assert_non_null(strstr(buf_text(&said), "leads.csv:8: fewer fields"));
    assert_non_null(strstr(buf_text(&said), "leads.csv:9: not UTF-8"));
    buf_clear(&said);
    assert_int_equal(import_text(text, &r, &said), 0);
    assert_int_equal(r.added, 0);
    assert_int_equal(r.known, 4);
    assert_int_equal(place_int(&place, "SELECT COUNT(*) FROM lead"), 3);
    assert_int_equal(
        place_int(
            &place,
            "SELECT COUNT(*) FROM lead WHERE variables = '{\"Name\":\"Ann \\\"A\\\" \\\\ O''Neil, é\"}' AND zone = 'America/New_York'"),
        1);
    assert_int_equal(
        place_int(&place, "SELECT COUNT(*) FROM lead WHERE number = '12125550124' AND zone IS NULL AND state = 'pending' AND tries = 0"),
        1);
    buf_free(&said);
}

static void a_file_without_a_number_column_is_refused(void **state)
{
    struct import_result r;
    struct buf said = BUF_INIT;
    assert_int_not_equal(import_text("name,town\nAnn,Rome\n", &r, &said), 0);
    assert_non_null(strstr(buf_text(&said), "number"));
    assert_non_null(strstr(buf_text(&said), "\"town\""));
    buf_clear(&said);
    assert_int_not_equal(import_text("", &r, &said), 0);
    assert_non_null(strstr(buf_text(&said), "empty"));
    buf_clear(&said);
    assert_int_not_equal(import_text("number,Number\n1,2\n", &r, &said), 0);
    assert_non_null(strstr(buf_text(&said), "rename"));
    buf_free(&said);
}

static void many_batches_add_up(void **state)
{
    struct buf text = BUF_INIT, said = BUF_INIT;
    struct import_result r;
    buf_puts(&text, "number;name\n");
    for (int i = 0; i < 7000; i++) buf_printf(&text, "212555%04d;n%d\n", i % 6500, i);
    assert_int_equal(import_text(buf_text(&text), &r, &said), 0);
    assert_int_equal(r.rows, 7000);
    assert_int_equal(r.added, 6500);
    assert_int_equal(r.repeated, 500);
    assert_int_equal(import_text(buf_text(&text), &r, &said), 0);
    assert_int_equal(r.added, 0);
    assert_int_equal(r.known, 7000);
    buf_free(&text);
    buf_free(&said);
}

static void a_report_adds_up(void **state)
{
    struct import_result r;
    struct buf said = BUF_INIT, json = BUF_INIT, text = BUF_INIT;
    static struct report report;
    assert_int_equal(import_text("number\n2125550101\n2125550102\n2125550103\n2125550104\n", &r, &said), 0);
    struct db *db = place_db(&place);
    assert_int_equal(
        db_exec(db, "UPDATE lead SET state = 'done', disposition = 'answered', tries = 1 WHERE number < '12125550103';"
                    "UPDATE lead SET tries = 2, next_us = 5 WHERE number = '12125550103';"
                    "INSERT INTO attempt (id, campaign, lead, node, number, trunk, state, claimed_us, invite_us, ring_us, answer_us, "
                    "end_us, sip_status, cause, disposition, billsec_ms, pdd_ms, digits, packets_sent, packets_received, packets_lost)"
                    " VALUES ('a', 1, 1, 'n', '1', 't', 'done', 1000000, 1000000, 1100000, 2000000, 12000000, 200, 'NORMAL_CLEARING', "
                    "'answered', 10000, 100, '1', 500, 490, 10),"
                    " ('b', 1, 2, 'n', '2', 't', 'done', 1000000, 1000000, 1300000, 2000000, 22000000, 200, 'NORMAL_CLEARING', 'answered', "
                    "20000, 300, NULL, 1000, 1000, 0),"
                    " ('c', 1, 3, 'n', '3', 't', 'done', 1000000, 1000000, NULL, NULL, 1500000, 486, 'USER_BUSY', 'busy', 0, NULL, NULL, "
                    "NULL, NULL, NULL),"
                    " ('d', 1, 3, 'n', '3', 't', 'interrupted', 1000000, NULL, NULL, NULL, 1500000, NULL, NULL, 'interrupted', 0, NULL, "
                    "NULL, NULL, NULL, NULL)"),
        0);
    if (report_make(db, "c", &report, &said)) fail_msg("%s", buf_text(&said));
    assert_int_equal(report.leads, 4);
    assert_int_equal(report.done, 2);
    assert_int_equal(report.fresh, 1);
    assert_int_equal(report.retrying, 1);
    assert_int_equal(report.attempts, 4);
    assert_int_equal(report.invites, 3);
    assert_int_equal(report.answered, 2);
    assert_int_equal(report.pdd_p50, 100);
    assert_int_equal(report.pdd_p95, 300);
    assert_int_equal(report.billsec_ms, 30000);
    report_json(&report, &json);
    assert_non_null(strstr(buf_text(&json), "\"asr\":0.6667,\"acd_s\":15.000"));
    assert_non_null(strstr(buf_text(&json), "\"causes\":{\"NORMAL_CLEARING\":2,\"USER_BUSY\":1}"));
    assert_non_null(strstr(buf_text(&json), "\"dispositions\":{\"answered\":2}"));
    report_text(&report, &text);
    assert_non_null(strstr(buf_text(&text), "ASR 66.7 %, ACD 15.0 s"));
    buf_clear(&said);
    assert_int_equal(report_make(db, "nobody", &report, &said), -2);
    assert_non_null(strstr(buf_text(&said), "there are: c"));
    db_close(db);
    buf_free(&said), buf_free(&json), buf_free(&text);
}

static int setup(void **state)
{
    place_make(&place);
    return 0;
}

static int teardown(void **state)
{
    place_remove(&place);
    return 0;
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(rows_become_leads_once),
        CASE(a_file_without_a_number_column_is_refused),
        CASE(many_batches_add_up),
        CASE(a_report_adds_up),
    };
    return cmocka_run_group_tests_name("import", tests, NULL, NULL);
}
