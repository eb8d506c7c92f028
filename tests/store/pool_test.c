/* Databases for scripts: what a Dbh stands on. PostgreSQL's part runs where CARILLON_TEST_PG holds a DSN. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/buf.h"
#include "core/clock.h"
#include "store/pool.h"

static struct loop *loop;
static struct jobs *jobs;
static struct pool *pool;
static char folder[] = "/tmp/carillon-pool-XXXXXX";

static void done(void *context) { *(int *)context += 1; }

static void wait_for(int *flag)
{
    int64_t until = clock_mono_ns() + 20 * NS_PER_S;
    while (!*flag && clock_mono_ns() < until) loop_step(loop, 50 * NS_PER_MS);
    assert_int_equal(*flag, 1);
}

static struct session *opened(const char *dsn)
{
    int flag = 0;
    struct session *session;
    assert_int_equal(session_open(&session, pool, dsn, done, &flag), 0);
    assert_int_equal(flag, 0);
    wait_for(&flag);
    return session;
}

/* Runs a statement to its end; the values of all rows joined by ',' and '|'. */
static char *run(struct session *session, const char *sql, char **error)
{
    struct cursor *cursor;
    struct buf text = BUF_INIT;
    int flag = 0;
    assert_int_equal(cursor_open(&cursor, session, sql, done, &flag), 0);
    for (;;) {
        wait_for(&flag);
        for (size_t row = 0; row < cursor_rows(cursor); row++) {
            for (size_t i = 0; i < cursor_columns(cursor, row); i++) {
                size_t length;
                const char *value = cursor_value(cursor, row, i, &length);
                buf_printf(&text, "%s%s", i ? "," : "", value ? value : "NULL");
            }
            buf_putc(&text, '|');
        }
        if (cursor_ended(cursor)) break;
        flag = 0;
        assert_int_equal(cursor_next(cursor, done, &flag), 0);
    }
    if (error) *error = cursor_error(cursor) ? strdup(cursor_error(cursor)) : NULL;
    cursor_close(cursor);
    return text.data ? buf_take(&text) : strdup("");
}

static void expect(struct session *session, const char *sql, const char *rows)
{
    char *error, *got = run(session, sql, &error);
    assert_null(error);
    assert_string_equal(got, rows);
    free(got);
}

static void all_rows_of_all_statements_come_in_batches(struct session *session)
{
    expect(session, "create table t(a integer, b text); insert into t values(1,'x'),(2,NULL)", "");
    expect(session, "select a, b from t order by a", "1,x|2,NULL|");
    char *error, *got = run(session, "selekt", &error);
    assert_non_null(error);
    free(error);
    free(got);
    expect(session, "select count(*) from t", "2|");
}

static void sqlite_runs_statements(void **state)
{
    struct session *session = opened("sqlite://first");
    assert_null(session_error(session));
    all_rows_of_all_statements_come_in_batches(session);
    char *all = run(session, "with recursive n(i) as (select 1 union all select i+1 from n where i < 5000) select i from n", NULL);
    assert_non_null(strstr(all, "|5000|"));
    free(all);
    session_close(session);
}

static void a_closed_session_rolls_back(void **state)
{
    struct session *session = opened("sqlite://second");
    expect(session, "create table t(a); begin; insert into t values(1)", "");
    session_close(session);
    session = opened("sqlite://second");
    expect(session, "select count(*) from t", "0|");
    session_close(session);
}

static void a_statement_within_another_ones_rows_works(void **state)
{
    struct session *session = opened("sqlite://third");
    expect(session, "create table t(a); insert into t values(1),(2)", "");
    struct cursor *outer;
    int flag = 0;
    assert_int_equal(cursor_open(&outer, session, "select a from t", done, &flag), 0);
    wait_for(&flag);
    expect(session, "select max(a) from t", "2|");
    cursor_close(outer);
    session_close(session);
}

static void what_is_no_database_gives_the_drivers_text(void **state)
{
    struct session *session = opened("sqlite:///nonexistent/folder/x.db");
    assert_non_null(session_error(session));
    session_close(session);
    assert_int_equal(session_open(&session, pool, "mysql://x", done, NULL), -22);
    session = opened("odbc://no-such-dsn");
    assert_non_null(strstr(session_error(session), "STATE: IM002"));
    session_close(session);
    session = opened("pgsql://host=127.0.0.1 port=1 dbname=x");
    assert_non_null(session_error(session));
    session_close(session);
}

static void postgresql_runs_statements(void **state)
{
    const char *dsn = getenv("CARILLON_TEST_PG");
    if (!dsn) skip();
    struct session *session = opened(dsn);
    assert_null(session_error(session));
    expect(session, "drop table if exists t", "");
    all_rows_of_all_statements_come_in_batches(session);
    char *all = run(session, "select generate_series(1, 20000)", NULL);
    assert_non_null(strstr(all, "|20000|"));
    free(all);
    expect(session, "begin", "");
    expect(session, "insert into t values(7,'seven')", "");
    struct session *other = opened(dsn);
    expect(other, "select count(*) from t where a = 7", "0|");
    struct cursor *outer;
    int flag = 0;
    assert_int_equal(cursor_open(&outer, session, "select generate_series(1, 3000)", done, &flag), 0);
    wait_for(&flag);
    expect(session, "select count(*) from t where a = 7", "1|"); /* nested, in the same transaction */
    cursor_close(outer);
    session_close(session); /* rolls back */
    expect(other, "select count(*) from t where a = 7", "0|");
    expect(other, "set application_name = 'mine'", "");
    expect(other, "show application_name", "mine|");
    session_close(other);
    other = opened(dsn);
    expect(other, "show application_name", "carillon|");
    session_close(other);
}

static int set_up(void **state)
{
    if (!mkdtemp(folder) || loop_new(&loop) < 0 || jobs_new(&jobs, loop, 2, "test") < 0) return -1;
    return pool_new(&pool, &(struct pool_params) { .loop = loop, .jobs = jobs, .folder = folder });
}

static int tear_down(void **state)
{
    for (int i = 0; i < 20; i++) /* closings are jobs */
        loop_step(loop, 10 * NS_PER_MS);
    pool_free(pool);
    jobs_free(jobs);
    loop_free(loop);
    char command[80];
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sqlite_runs_statements),
        cmocka_unit_test(a_closed_session_rolls_back),
        cmocka_unit_test(a_statement_within_another_ones_rows_works),
        cmocka_unit_test(what_is_no_database_gives_the_drivers_text),
        cmocka_unit_test(postgresql_runs_statements),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
