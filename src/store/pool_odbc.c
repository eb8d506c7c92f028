/* pool_odbc.c: unixODBC for scripts: every step is a job of a helper thread. Error texts as FreeSWITCH writes them:
 * "STATE: x CODE n ERROR: text". */
#include <errno.h>
#include <sql.h>
#include <sqlext.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/pool_private.h"

#define VALUE_BYTES_MAX (1u << 20)

struct odbc {
    SQLHENV environment;
    SQLHDBC connection;
    char *value; /* one cell while it is read */
};

static void odbc_text(SQLSMALLINT type, SQLHANDLE handle, struct buf *out)
{
    SQLCHAR state[8] = "", text[512] = "";
    SQLINTEGER code = 0;
    SQLSMALLINT length;
    if (SQLGetDiagRec(type, handle, 1, state, &code, text, sizeof(text), &length) == SQL_SUCCESS)
        buf_printf(out, "STATE: %s CODE %d ERROR: %s", (char *)state, (int)code, (char *)text);
    else
        buf_puts(out, "unknown ODBC error");
}

static void odbc_free(struct odbc *odbc)
{
    if (odbc->connection) {
        SQLEndTran(SQL_HANDLE_DBC, odbc->connection, SQL_ROLLBACK);
        SQLDisconnect(odbc->connection);
        SQLFreeHandle(SQL_HANDLE_DBC, odbc->connection);
    }
    if (odbc->environment) SQLFreeHandle(SQL_HANDLE_ENV, odbc->environment);
    free(odbc->value);
    free(odbc);
}

/* dsn[:user[:password]] */
static bool odbc_connect(struct odbc *odbc, const char *dsn)
{
    char *text = strdup(dsn), *rest = text;
    char *name = strsep(&rest, ":"), *user = strsep(&rest, ":"), *password = rest;
    SQLSetConnectAttr(odbc->connection, SQL_LOGIN_TIMEOUT, (SQLPOINTER)5, 0);
    SQLRETURN status = SQLConnect(odbc->connection, (SQLCHAR *)name, SQL_NTS, (SQLCHAR *)user, user ? SQL_NTS : 0, (SQLCHAR *)password,
                                  password ? SQL_NTS : 0);
    free(text);
    return SQL_SUCCEEDED(status);
}

static void open_run(struct job *job)
{
    struct session *session = job->context;
    struct odbc *odbc = calloc(1, sizeof(*odbc));
    if (!odbc) return;
    odbc->value = malloc(VALUE_BYTES_MAX);
    SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &odbc->environment);
    SQLSetEnvAttr(odbc->environment, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)SQL_OV_ODBC3, 0);
    SQLAllocHandle(SQL_HANDLE_DBC, odbc->environment, &odbc->connection);
    if (odbc_connect(odbc, session->dsn + strlen("odbc://"))) {
        session->connection = odbc;
        return;
    }
    struct buf text = BUF_INIT;
    odbc_text(SQL_HANDLE_DBC, odbc->connection, &text);
    session_fail(session, buf_text(&text));
    buf_free(&text);
    odbc_free(odbc);
}

static void session_job_done(struct job *job) { session_ready(job->context); }

static int odbc_open(struct session *session)
{
    session->job = (struct job) { .run = open_run, .done = session_job_done, .context = session };
    return jobs_submit(session->pool->params.jobs, &session->job);
}

static void statement_fail(struct cursor *cursor)
{
    struct buf text = BUF_INIT;
    odbc_text(SQL_HANDLE_STMT, cursor->statement, &text);
    cursor_fail(cursor, buf_text(&text));
    buf_free(&text);
}

static void statement_names(struct cursor *cursor, SQLSMALLINT count)
{
    struct columns *columns = cursor_columns_new(cursor, (size_t)count);
    for (SQLSMALLINT i = 0; columns && i < count; i++) {
        SQLCHAR name[256] = "";
        SQLSMALLINT length, type, digits, nullable;
        SQLULEN size;
        SQLDescribeCol(cursor->statement, (SQLUSMALLINT)(i + 1), name, sizeof(name), &length, &type, &size, &digits, &nullable);
        columns->names[i] = strdup((char *)name);
    }
}

static void statement_execute(struct cursor *cursor, struct odbc *odbc)
{
    SQLAllocHandle(SQL_HANDLE_STMT, odbc->connection, (SQLHSTMT *)&cursor->statement);
    SQLRETURN status = SQLExecDirect(cursor->statement, (SQLCHAR *)cursor->sql, SQL_NTS);
    if (status != SQL_NO_DATA && !SQL_SUCCEEDED(status)) {
        statement_fail(cursor);
        return;
    }
    SQLSMALLINT count = 0;
    SQLNumResultCols(cursor->statement, &count);
    if (count > 0) {
        statement_names(cursor, count);
        return;
    }
    SQLLEN rows = 0;
    SQLRowCount(cursor->statement, &rows);
    cursor->affected = rows > 0 ? rows : 0;
    cursor->ended = true;
}

static void statement_row(struct cursor *cursor, struct odbc *odbc)
{
    batch_row(&cursor->batch, cursor->current);
    for (size_t i = 0; i < cursor->current->count; i++) {
        SQLLEN length = 0;
        SQLRETURN status = SQLGetData(cursor->statement, (SQLUSMALLINT)(i + 1), SQL_C_CHAR, odbc->value, VALUE_BYTES_MAX, &length);
        if (!SQL_SUCCEEDED(status) || length == SQL_NULL_DATA)
            batch_cell(&cursor->batch, NULL, 0);
        else
            batch_cell(&cursor->batch, odbc->value, strlen(odbc->value));
    }
}

static void step_run(struct job *job)
{
    struct cursor *cursor = job->context;
    struct odbc *odbc = cursor->session->connection;
    if (!cursor->statement) statement_execute(cursor, odbc);
    while (!cursor->ended && !batch_full(&cursor->batch)) {
        SQLRETURN status = SQLFetch(cursor->statement);
        if (SQL_SUCCEEDED(status))
            statement_row(cursor, odbc);
        else if (status == SQL_NO_DATA)
            cursor->ended = true;
        else
            statement_fail(cursor);
    }
}

static void cursor_job_done(struct job *job) { cursor_ready(job->context); }

static int odbc_step(struct cursor *cursor)
{
    if (!cursor->session->connection) return -ENOTCONN;
    cursor->job = (struct job) { .run = step_run, .done = cursor_job_done, .context = cursor };
    return jobs_submit(cursor->session->pool->params.jobs, &cursor->job);
}

static void close_cursor_run(struct job *job)
{
    struct cursor *cursor = job->context;
    if (cursor->statement) SQLFreeHandle(SQL_HANDLE_STMT, cursor->statement);
}

static void close_cursor_done(struct job *job) { cursor_freed(job->context); }

static void odbc_close_cursor(struct cursor *cursor)
{
    cursor->job = (struct job) { .run = close_cursor_run, .done = close_cursor_done, .context = cursor };
    if (jobs_submit(cursor->session->pool->params.jobs, &cursor->job) == 0) return;
    close_cursor_run(&cursor->job);
    cursor_freed(cursor);
}

static void close_run(struct job *job)
{
    struct session *session = job->context;
    if (session->connection) odbc_free(session->connection);
}

static void close_done(struct job *job) { session_freed(job->context); }

static void odbc_close(struct session *session)
{
    session->busy = true;
    session->job = (struct job) { .run = close_run, .done = close_done, .context = session };
    if (jobs_submit(session->pool->params.jobs, &session->job) == 0) return;
    close_run(&session->job);
    session_freed(session);
}

const struct backend backend_odbc = {
    .open = odbc_open,
    .start = odbc_step,
    .more = odbc_step,
    .close_cursor = odbc_close_cursor,
    .close = odbc_close,
};
