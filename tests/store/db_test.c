/* db.h over SQLite, and over PostgreSQL when TEST_DATABASE names one (tests/campaign/postgresql_test.py does). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "store/db.h"

static char folder[64], dsn[200];
static struct db *db;

static int setup(void **state)
{
    struct buf error = BUF_INIT;
    strcpy(folder, "/tmp/carillon-db-XXXXXX");
    assert_non_null(mkdtemp(folder));
    if (getenv("TEST_DATABASE"))
        snprintf(dsn, sizeof dsn, "%s", getenv("TEST_DATABASE"));
    else
        snprintf(dsn, sizeof dsn, "sqlite://%s/a.db", folder);
    const struct db_options options = { .durable = true, .busy_ms = 100, .statement_ms = 1000 };
    assert_int_equal(db_open(&db, dsn, &options, &error), 0);
    assert_int_equal(db_exec(db, "DROP TABLE IF EXISTS t; CREATE TABLE t (id BIGINT PRIMARY KEY, name TEXT, x DOUBLE PRECISION)"), 0);
    buf_free(&error);
    return 0;
}

static int teardown(void **state)
{
    char command[100];
    db_exec(db, "DROP TABLE IF EXISTS t");
    db_close(db);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

static void insert(int64_t id, const char *name, double x, int expected)
{
    struct db_statement *s;
    assert_int_equal(db_prepare(db, &s, "INSERT INTO t (id, name, x) VALUES (?, ?, ?)"), 0);
    db_bind_int(s, 1, id);
    db_bind_text(s, 2, name);
    db_bind_real(s, 3, x);
    assert_int_equal(db_run(s), expected);
    db_finalize(s);
}

static void values_come_back_as_they_went(void **state)
{
    struct db_statement *s;
    insert(INT64_MIN, "it's \"odd\" \\ ☎", 0.1, 0);
    insert(7, NULL, -1e300, 0);
    assert_int_equal(db_prepare(db, &s, "SELECT id, name, x, '?' FROM t WHERE id <= ? ORDER BY id"), 0);
    for (int again = 0; again < 2; again++) {
        db_bind_int(s, 1, 7);
        assert_int_equal(db_step(s), 1);
        assert_true(db_int(s, 0) == INT64_MIN);
        assert_string_equal(db_text(s, 1), "it's \"odd\" \\ ☎");
        assert_true(db_real(s, 2) == 0.1);
        assert_string_equal(db_text(s, 3), "?");
        assert_int_equal(db_step(s), 1);
        assert_true(db_null(s, 1));
        assert_string_equal(db_text(s, 1), "");
        assert_true(db_real(s, 2) == -1e300);
        assert_int_equal(db_step(s), 0);
    }
    db_finalize(s);
}

static void errors_tell_whose_fault_it_was(void **state)
{
    struct db_statement *s;
    insert(1, "a", 0, 0);
    insert(1, "a", 0, -EEXIST);
    assert_int_equal(db_exec(db, "SELEKT 1"), -EINVAL);
    assert_true(strlen(db_error(db)) > 5);
    assert_false(db_lost(db));
    int e = db_prepare(db, &s, "SELECT * FROM nowhere");
    if (e == 0) {
        e = db_step(s);
        db_finalize(s);
    }
    assert_int_equal(e, -EINVAL);
    assert_false(db_away(e));
    int64_t n;
    assert_int_equal(db_value_int(db, "SELECT COUNT(*) FROM t", &n), 0);
    assert_int_equal(n, 1);
}

static void a_rolled_back_transaction_leaves_nothing(void **state)
{
    int64_t n;
    assert_int_equal(db_begin(db), 0);
    insert(1, "a", 0, 0);
    insert(1, "a", 0, -EEXIST);
    db_rollback(db);
    db_rollback(db);
    assert_int_equal(db_begin(db), 0);
    insert(2, "b", 0, 0);
    assert_int_equal(db_commit(db), 0);
    assert_int_equal(db_value_int(db, "SELECT COUNT(*) FROM t WHERE id = 2", &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(db_value_int(db, "SELECT COUNT(*) FROM t", &n), 0);
    assert_int_equal(n, 1);
}

static void changes_are_counted(void **state)
{
    struct db_statement *s;
    insert(1, "a", 0, 0), insert(2, "a", 0, 0), insert(3, "b", 0, 0);
    assert_int_equal(db_prepare(db, &s, "UPDATE t SET x = 5 WHERE name = ?"), 0);
    db_bind_text(s, 1, "a");
    assert_int_equal(db_run(s), 0);
    assert_int_equal(db_changes(s), 2);
    db_bind_text(s, 1, "z");
    assert_int_equal(db_run(s), 0);
    assert_int_equal(db_changes(s), 0);
    db_finalize(s);
    assert_int_equal(db_prepare(db, &s, "UPDATE t SET x = 6 RETURNING id"), 0);
    int rows = 0;
    while (db_step(s) == 1) rows++;
    assert_int_equal(rows, 3);
    db_finalize(s);
}

static void another_writer_is_busy_and_not_an_error_of_the_statement(void **state)
{
    struct buf error = BUF_INIT;
    struct db *other;
    const struct db_options options = { .busy_ms = 100 };
    if (db_kind(db) != DB_SQLITE) skip();
    assert_int_equal(db_open(&other, dsn, &options, &error), 0);
    assert_int_equal(db_begin(other), 0);
    int64_t begun = clock_mono_ns();
    int e = db_begin(db);
    assert_int_equal(e, -EBUSY);
    assert_true(db_away(e));
    assert_true(clock_mono_ns() - begun < 2 * NS_PER_S);
    db_rollback(other);
    db_close(other);
    assert_int_equal(db_begin(db), 0);
    db_rollback(db);
}

static void a_statement_that_takes_too_long_ends_at_its_deadline(void **state)
{
    if (db_kind(db) != DB_POSTGRESQL) skip();
    int64_t begun = clock_mono_ns();
    int e = db_exec(db, "SELECT pg_sleep(20)");
    assert_true(e == -EBUSY || e == -ENOTCONN);
    assert_true(clock_mono_ns() - begun < 3 * NS_PER_S);
}

static void a_connection_that_was_cut_is_told_apart(void **state)
{
    if (db_kind(db) != DB_POSTGRESQL) skip();
    struct buf error = BUF_INIT;
    db_exec(db, "SELECT pg_terminate_backend(pg_backend_pid())");
    assert_true(db_lost(db));
    assert_int_equal(db_exec(db, "SELECT 1"), -ENOTCONN);
    db_close(db);
    assert_int_equal(db_open(&db, dsn, NULL, &error), 0);
    assert_int_equal(db_exec(db, "SELECT 1"), 0);
}

static void a_database_that_cannot_be_opened_says_why_and_how_to_mend(void **state)
{
    static const struct {
        const char *dsn, *says;
    } wrong[] = {
        { "sqlite:///nowhere/at/all/a.db", "folder" },
        { "sqlite://relative.db", "absolute" },
        { "mysql://x", "no known kind" },
        { "postgresql://user:secret@127.0.0.1:1/db", "is PostgreSQL running" },
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct buf error = BUF_INIT;
        struct db *none = NULL;
        assert_int_not_equal(db_open(&none, wrong[i].dsn, NULL, &error), 0);
        assert_null(none);
        if (!strstr(buf_text(&error), wrong[i].says)) fail_msg("%s", buf_text(&error));
        assert_null(strstr(buf_text(&error), "secret"));
        buf_free(&error);
    }
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(values_come_back_as_they_went),
        CASE(errors_tell_whose_fault_it_was),
        CASE(a_rolled_back_transaction_leaves_nothing),
        CASE(changes_are_counted),
        CASE(another_writer_is_busy_and_not_an_error_of_the_statement),
        CASE(a_statement_that_takes_too_long_ends_at_its_deadline),
        CASE(a_connection_that_was_cut_is_told_apart),
        CASE(a_database_that_cannot_be_opened_says_why_and_how_to_mend),
    };
    return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}
