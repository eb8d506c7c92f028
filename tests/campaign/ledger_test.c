#include "campaign_support.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "campaign/ledger.h"
#include "campaign/spool.h"

static struct place place;

static struct ledger *open_ledger(void)
{
    struct buf error = BUF_INIT;
    struct ledger *ledger = NULL;
    const struct ledger_params params = { .database = place.database, .spool_dir = place.folder, .node = "n1", .loop = place.loop };
    if (ledger_open(&ledger, &params, &error)) fail_msg("%s", buf_text(&error));
    buf_free(&error);
    return ledger;
}

/* And what it still had to say is said while those who asked are there. */
static void close_ledger(struct ledger *ledger)
{
    ledger_close(ledger);
    for (int i = 0; i < 5; i++) loop_step(place.loop, 0);
}

struct answer {
    int count, error;
};

static void durable(void *context, int error)
{
    struct answer *a = context;
    a->count++;
    a->error = error;
}

static int answered(void *context) { return ((struct answer *)context)->count > 0; }

static struct attempt_begin begin_of(int64_t lead)
{
    struct attempt_begin b = { .id = uuid_make_v7(), .channel = uuid_make_v4(), .campaign = 1, .lead = lead, .claimed_us = clock_utc_us() };
    strcpy(b.number, "15552010001");
    strcpy(b.trunk, "acme");
    return b;
}

static struct attempt_end end_of(const struct attempt_begin *b)
{
    struct attempt_end e = {
        .id = b->id, .lead = b->lead, .campaign = b->campaign, .state = ATTEMPT_DONE, .sip_status = 200, .lead_final = true
    };
    e.invite_us = b->claimed_us + 10, e.ring_us = b->claimed_us + 20, e.answer_us = b->claimed_us + 30, e.end_us = b->claimed_us + 1000000;
    strcpy(e.cause, "NORMAL_CLEARING");
    strcpy(e.disposition, "answered");
    strcpy(e.lead_disposition, "answered");
    strcpy(e.digits, "1");
    e.billsec_ms = 1000, e.packets_sent = 50, e.mos_x100 = 441;
    return e;
}

static void make_lead(int64_t id, const char *state)
{
    char sql[300];
    struct db *db = place_db(&place);
    snprintf(sql, sizeof sql, "INSERT INTO lead (id, campaign, number, state, claimed_by) VALUES (%lld, 1, '1555201%04lld', '%s', 'n1')",
             (long long)id, (long long)id, state);
    assert_int_equal(db_exec(db, sql), 0);
    db_close(db);
}

static void an_attempt_is_in_the_database_when_durable_is_called(void **state)
{
    struct ledger *ledger = open_ledger();
    struct attempt_begin b = begin_of(0);
    struct answer a = { 0 };
    assert_int_equal(ledger_attempt_begin(ledger, &b, durable, &a), 0);
    assert_int_equal(a.count, 0);
    assert_true(run_until(place.loop, answered, &a, 5000));
    assert_int_equal(a.error, 0);
    assert_int_equal(place_int(&place, "SELECT COUNT(*) FROM attempt WHERE state = 'claimed'"), 1);
    close_ledger(ledger);
}

static void a_result_closes_its_row_and_its_lead_once(void **state)
{
    make_lead(7, "claimed");
    struct ledger *ledger = open_ledger();
    struct attempt_begin b = begin_of(7);
    struct attempt_end e = end_of(&b);
    struct answer a = { 0 };
    ledger_attempt_begin(ledger, &b, durable, &a);
    ledger_attempt_begin(ledger, &b, durable, &a); /* the same again: a replay */
    ledger_attempt_end(ledger, &e);
    ledger_attempt_begin(ledger, &b, durable, &a);
    ledger_attempt_end(ledger, &e);
    close_ledger(ledger);
    assert_int_equal(place_int(&place, "SELECT COUNT(*) FROM attempt"), 1);
    assert_int_equal(place_int(&place, "SELECT COUNT(*) FROM attempt WHERE state = 'done' AND digits = '1' AND mos > 4.4 AND billsec_ms = "
                                       "1000 AND answer_us > invite_us"),
                     1);
    assert_int_equal(place_int(&place, "SELECT COUNT(*) FROM lead WHERE state = 'done' AND tries = 1 AND disposition = 'answered'"), 1);
}

static void times_never_run_backwards_in_a_row(void **state)
{
    struct ledger *ledger = open_ledger();
    struct attempt_begin b = begin_of(0);
    struct attempt_end e = end_of(&b);
    e.invite_us = b.claimed_us - 5000000; /* the clock stepped */
    e.ring_us = 0;
    e.answer_us = b.claimed_us - 6000000;
    e.end_us = b.claimed_us + 5;
    ledger_attempt_begin(ledger, &b, NULL, NULL);
    ledger_attempt_end(ledger, &e);
    close_ledger(ledger);
    assert_int_equal(place_int(&place, "SELECT COUNT(*) FROM attempt WHERE claimed_us <= invite_us AND invite_us <= answer_us AND "
                                       "answer_us <= end_us AND ring_us IS NULL"),
                     1);
}

static void a_refused_call_is_one_row_and_no_try(void **state)
{
    make_lead(3, "claimed");
    struct ledger *ledger = open_ledger();
    struct attempt_begin b = begin_of(3);
    struct attempt_end next = { .lead = 3, .lead_final = true };
    strcpy(next.lead_disposition, "refused");
    ledger_attempt_refused(ledger, &b, "country", "OUTGOING_CALL_BARRED");
    ledger_lead_next(ledger, &next);
    close_ledger(ledger);
    assert_int_equal(
        place_int(&place, "SELECT COUNT(*) FROM attempt WHERE state = 'refused' AND refused = 'country' AND invite_us IS NULL"), 1);
    assert_int_equal(place_int(&place, "SELECT COUNT(*) FROM lead WHERE state = 'done' AND tries = 0 AND disposition = 'refused'"), 1);
}

static void recovery_marks_open_attempts_and_gives_leads_back(void **state)
{
    struct db *db = place_db(&place);
    assert_int_equal(
        db_exec(db, "INSERT INTO campaign (id, name, max_attempts, interrupted_after_us, created_us) VALUES (1, 'c', 3, 5000000, 1)"), 0);
    db_close(db);
    make_lead(1, "claimed"), make_lead(2, "claimed"), make_lead(3, "claimed");
    struct ledger *ledger = open_ledger();
    struct attempt_begin dead = begin_of(1), adopted = begin_of(2);
    ledger_attempt_begin(ledger, &dead, NULL, NULL);
    ledger_attempt_begin(ledger, &adopted, NULL, NULL);
    close_ledger(ledger);
    ledger = open_ledger();
    assert_int_equal(ledger_recover_except(ledger, &adopted.id, 1), 1);
    assert_int_equal(ledger_recover_except(ledger, &adopted.id, 1), 0);
    close_ledger(ledger);
    assert_int_equal(place_int(&place, "SELECT COUNT(*) FROM attempt WHERE state = 'interrupted' AND lead = 1"), 1);
    assert_int_equal(place_int(&place, "SELECT COUNT(*) FROM lead WHERE id = 1 AND state = 'pending' AND tries = 1 AND next_us > 1000"), 1);
    assert_int_equal(place_int(&place, "SELECT COUNT(*) FROM lead WHERE id = 2 AND state = 'dialling'"), 1);
    assert_int_equal(place_int(&place, "SELECT COUNT(*) FROM lead WHERE id = 3 AND state = 'pending' AND tries = 0"), 1);
}

static int job_ran;

static int count_run(struct ledger_job *job, struct db *db)
{
    int64_t n = 0;
    int e = db_value_int(db, "SELECT COUNT(*) FROM attempt", &n);
    job_ran = (int)n;
    return e;
}

static void count_done(struct ledger_job *job, int error) { durable(job->context, error); }

static void a_job_sees_what_was_queued_before_it(void **state)
{
    struct ledger *ledger = open_ledger();
    struct answer a = { 0 };
    struct ledger_job job = { count_run, count_done, &a };
    for (int i = 0; i < 1500; i++) {
        struct attempt_begin b = begin_of(0);
        ledger_attempt_begin(ledger, &b, NULL, NULL);
    }
    ledger_submit(ledger, &job);
    assert_true(run_until(place.loop, answered, &a, 10000));
    assert_int_equal(job_ran, 1500);
    close_ledger(ledger);
}

static void a_spool_survives_a_torn_tail(void **state)
{
    struct spool *spool;
    char path[128];
    uint64_t at = 0;
    uint32_t kind, length;
    const void *body;
    assert_int_equal(spool_open(&spool, place.folder, "t"), 0);
    assert_int_equal(spool_put(spool, 1, "first", 5), 0);
    assert_int_equal(spool_put(spool, 2, "second", 6), 0);
    assert_int_equal(spool_sync(spool), 0);
    spool_close(spool);
    snprintf(path, sizeof path, "%s/t.spool", place.folder);
    for (off_t cut = 1; cut <= 22; cut++) { /* any number of bytes lost of the second record */
        struct stat st;
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(truncate(path, st.st_size - cut), 0);
        assert_int_equal(spool_open(&spool, place.folder, "t"), 0);
        assert_int_equal(spool_count(spool), 1);
        at = 0;
        assert_int_equal(spool_next(spool, &at, &kind, &body, &length), 1);
        assert_memory_equal(body, "first", 5);
        assert_int_equal(spool_next(spool, &at, &kind, &body, &length), 0);
        assert_int_equal(spool_put(spool, 2, "second", 6), 0);
        assert_int_equal(spool_sync(spool), 0);
        assert_int_equal(spool_count(spool), 2);
        spool_close(spool);
    }
}

static void two_engines_do_not_share_a_spool(void **state)
{
    struct ledger *first = open_ledger(), *second = NULL;
    struct buf error = BUF_INIT;
    const struct ledger_params params = { .database = place.database, .spool_dir = place.folder, .node = "n1", .loop = place.loop };
    assert_int_not_equal(ledger_open(&second, &params, &error), 0);
    assert_non_null(strstr(buf_text(&error), "in use"));
    buf_free(&error);
    close_ledger(first);
}

static void a_locked_database_is_spooled_around_and_caught_up(void **state)
{
    if (getenv("TEST_DATABASE")) skip();
    struct ledger *ledger = open_ledger();
    struct db *other = place_db(&place);
    struct answer a = { 0 };
    struct ledger_status status;
    struct attempt_begin b = begin_of(0);
    struct attempt_end e = end_of(&b);
    assert_int_equal(db_begin(other), 0); /* somebody's sqlite3 shell */
    ledger_attempt_begin(ledger, &b, durable, &a);
    ledger_attempt_end(ledger, &e);
    assert_true(run_until(place.loop, answered, &a, 10000));
    assert_int_equal(a.error, 0);
    ledger_status(ledger, &status);
    assert_false(status.database_up);
    assert_true(status.accepting);
    assert_true(status.rows_spooled >= 1);
    assert_true(status.problem[0]);
    db_rollback(other);
    db_close(other);
    for (int i = 0; i < 100 && !status.database_up; i++) {
        usleep(50000);
        ledger_status(ledger, &status);
    }
    assert_true(status.database_up);
    assert_int_equal(place_int(&place, "SELECT COUNT(*) FROM attempt WHERE state = 'done'"), 1);
    close_ledger(ledger);
}

/* A disk that is full both for the database and the spool, by a limit on file sizes. */
static struct audit_row audit_of(const char *argument)
{
    struct audit_row row = { .id = uuid_make_v7(), .time_us = clock_utc_us() };
    strcpy(row.who, "olga");
    strcpy(row.what, "trunk cap");
    strcpy(row.result, "+OK");
    snprintf(row.argument, sizeof row.argument, "%s", argument);
    return row;
}

/* The last kill, or the engine's end, leaves it in the spool; the next start writes it. */
static void what_was_changed_is_one_row_also_when_the_database_was_away(void **state)
{
    if (getenv("TEST_DATABASE")) skip();
    char longest[500];
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    struct answer told = { 0 };
    struct audit_row first = audit_of("acme cps=1"), away = audit_of(longest);
    struct ledger *ledger = open_ledger();
    ledger_audit(ledger, &first, durable, &told);
    ledger_audit(ledger, &first, durable, &told);
    close_ledger(ledger);
    assert_int_equal(
        place_int(&place, "SELECT COUNT(*) FROM audit WHERE who = 'olga' AND node = 'n1' AND argument = 'acme cps=1' AND role IS NULL"), 1);
    ledger = open_ledger();
    struct db *other = place_db(&place);
    assert_int_equal(db_begin(other), 0);
    ledger_audit(ledger, &away, durable, &told);
    close_ledger(ledger);
    db_rollback(other);
    db_close(other);
    assert_int_equal(place_int(&place, "SELECT COUNT(*) FROM audit"), 1);
    close_ledger(open_ledger());
    assert_int_equal(
        place_int(&place,
                  "SELECT COUNT(*) FROM audit WHERE LENGTH(argument) = 499 AND result = '+OK' AND what = 'trunk cap' AND time_us > 0"),
        1);
    assert_int_equal(place_int(&place, "SELECT COUNT(*) FROM audit"), 2);
    assert_int_equal(told.count, 3);
    assert_int_equal(told.error, 0);
}

static void with_nowhere_to_write_begins_fail_and_results_wait(void **state)
{
    if (getenv("TEST_DATABASE")) skip();
    struct ledger *ledger = open_ledger();
    struct attempt_begin b = begin_of(0);
    struct attempt_end e = end_of(&b);
    struct answer first = { 0 }, second = { 0 }, third = { 0 };
    struct ledger_status status;
    ledger_attempt_begin(ledger, &b, durable, &first);
    assert_true(run_until(place.loop, answered, &first, 5000));
    struct db *other = place_db(&place);
    assert_int_equal(db_begin(other), 0);
    struct rlimit all, none;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &all);
    none = (struct rlimit) { 0, all.rlim_max };
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0); /* the spool's write fails with EFBIG */
    struct attempt_begin lost = begin_of(0);
    ledger_attempt_end(ledger, &e);
    ledger_attempt_begin(ledger, &lost, durable, &second);
    assert_true(run_until(place.loop, answered, &second, 10000));
    assert_int_not_equal(second.error, 0);
    ledger_status(ledger, &status);
    assert_false(status.accepting);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &all), 0);
    db_rollback(other);
    db_close(other);
    for (int i = 0; i < 100 && !status.accepting; i++) {
        usleep(50000);
        ledger_status(ledger, &status);
    }
    assert_true(status.accepting);
    ledger_attempt_begin(ledger, &lost, durable, &third);
    assert_true(run_until(place.loop, answered, &third, 10000));
    assert_int_equal(third.error, 0);
    close_ledger(ledger);
    assert_int_equal(place_int(&place, "SELECT COUNT(*) FROM attempt WHERE state = 'done'"), 1);
    assert_int_equal(place_int(&place, "SELECT COUNT(*) FROM attempt"), 2);
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
        CASE(an_attempt_is_in_the_database_when_durable_is_called),
        CASE(a_result_closes_its_row_and_its_lead_once),
        CASE(times_never_run_backwards_in_a_row),
        CASE(a_refused_call_is_one_row_and_no_try),
        CASE(recovery_marks_open_attempts_and_gives_leads_back),
        CASE(a_job_sees_what_was_queued_before_it),
        CASE(a_spool_survives_a_torn_tail),
        CASE(two_engines_do_not_share_a_spool),
        CASE(a_locked_database_is_spooled_around_and_caught_up),
        CASE(what_was_changed_is_one_row_also_when_the_database_was_away),
        CASE(with_nowhere_to_write_begins_fail_and_results_wait),
    };
    return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
