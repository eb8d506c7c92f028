/* pool_pg_statement.c: one statement on a PostgreSQL connection: sent, its rows read in single-row mode batch by batch. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>

#include "core/clock.h"
#include "store/pool_pg.h"

static struct pg_session *session_of(const struct cursor *cursor) { return cursor->session->connection; }

/* Statements that change the connection for those who come later. */
static bool sql_touches(const char *sql)
{
    static const char *const words[] = { "SET", "LISTEN", "PREPARE", "DECLARE", "LOAD", "DISCARD", "RESET", "UNLISTEN" };
    while (isspace((unsigned char)*sql)) sql++;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strncasecmp(sql, words[i], strlen(words[i])) == 0) return true;
    return strcasestr(sql, "temp") || strcasestr(sql, "set_config") || strcasestr(sql, "pg_advisory_lock");
}

static void deadline_fired(struct loop_timer *timer)
{
    struct cursor *cursor = timer->context;
    struct pg_session *session = session_of(cursor);
    struct pg_connection *connection = session->connection;
    if (!connection || connection->running != cursor) return;
    session->connection = NULL;
    pg_connection_drop(connection); /* the server may still work on it: nobody else gets this connection */
    cursor_fail(cursor, "the statement ran longer than the engine allows and was given up");
    cursor->statement = NULL;
    if (cursor->busy) cursor_ready(cursor);
}

/* The cursor's results are all read: the connection is free for the session's next statement, or for others. */
static void statement_ended(struct cursor *cursor)
{
    struct pg_session *session = session_of(cursor);
    struct pg_connection *connection = session->connection;
    cursor->ended = true;
    loop_timer_clear(cursor->session->pool->params.loop, &cursor->deadline);
    if (!connection) return;
    connection->running = NULL;
    bool broken = PQstatus(connection->pg) != CONNECTION_OK;
    if (broken || (PQtransactionStatus(connection->pg) == PQTRANS_IDLE && !connection->touched)) {
        session->connection = NULL;
        pg_connection_give(connection);
    }
}

void pg_statement_failed(struct cursor *cursor, const char *text)
{
    cursor_fail(cursor, text);
    cursor_ready(cursor);
}

static void result_columns(struct cursor *cursor, const PGresult *result)
{
    int count = PQnfields(result);
    struct columns *current = cursor->current;
    bool same = current && current->count == (size_t)count;
    for (int i = 0; same && i < count; i++) same = strcmp(current->names[i], PQfname(result, i)) == 0;
    if (same) return;
    struct columns *columns = cursor_columns_new(cursor, (size_t)count);
    for (int i = 0; columns && i < count; i++) columns->names[i] = strdup(PQfname(result, i));
}

static void result_rows(struct cursor *cursor, const PGresult *result)
{
    result_columns(cursor, result);
    for (int row = 0; row < PQntuples(result); row++) {
        batch_row(&cursor->batch, cursor->current);
        for (int i = 0; i < PQnfields(result); i++)
            batch_cell(&cursor->batch, PQgetisnull(result, row, i) ? NULL : PQgetvalue(result, row, i),
                       (size_t)PQgetlength(result, row, i));
    }
}

/* Rows written, or found by a SELECT; a command that counts none leaves what an earlier one of the same query said. */
static void affected_take(struct cursor *cursor, PGresult *result)
{
    const char *count = PQcmdTuples(result);
    if (*count) cursor->affected = atoll(count);
}

static void result_take(struct cursor *cursor, PGresult *result)
{
    switch (PQresultStatus(result)) {
    case PGRES_SINGLE_TUPLE:
    case PGRES_TUPLES_OK:
        if (!cursor->closed) result_rows(cursor, result);
        affected_take(cursor, result);
        break;
    case PGRES_COMMAND_OK:
        affected_take(cursor, result);
        break;
    case PGRES_EMPTY_QUERY:
        break;
    case PGRES_COPY_IN:
        PQputCopyEnd(session_of(cursor)->connection->pg, "COPY needs a client that sends the data");
        break;
    default:
        cursor_fail(cursor, PQresultErrorMessage(result));
        cursor->ended = false; /* not before all results are read */
        break;
    }
    PQclear(result);
}

/* Reads what is there. True once the batch is full, the end is reached or the connection broke. */
static bool results_read(struct cursor *cursor)
{
    struct pg_connection *connection = session_of(cursor)->connection;
    if (!connection) {
        cursor_fail(cursor, "the database connection was lost");
        return true;
    }
    while (cursor->closed || !batch_full(&cursor->batch)) {
        if (PQisBusy(connection->pg)) return false;
        PGresult *result = PQgetResult(connection->pg);
        if (!result) {
            statement_ended(cursor);
            return true;
        }
        result_take(cursor, result);
    }
    return true;
}

/* A connection that nobody holds runs its own ROLLBACK or DISCARD ALL, or has been closed by the server. */
static void idle_ready(struct pg_connection *connection)
{
    bool cleaning = PQtransactionStatus(connection->pg) == PQTRANS_ACTIVE;
    if (!cleaning) { /* among the idle ones: taken out when somebody wants it */
        if (PQstatus(connection->pg) != CONNECTION_OK && connection->watched) {
            loop_watch_remove(connection->dsn->pool->params.loop, &connection->watch);
            connection->watched = false;
        }
        return;
    }
    PGresult *result;
    while (!PQisBusy(connection->pg)) {
        if (!(result = PQgetResult(connection->pg))) {
            pg_connection_give(connection);
            return;
        }
        PQclear(result);
    }
}

static void broken(struct pg_connection *connection)
{
    struct cursor *cursor = connection->running;
    struct pg_session *session = connection->holder;
    char *text = text_trimmed(PQerrorMessage(connection->pg));
    if (!session) { /* idle: found dead when taken */
        idle_ready(connection);
        free(text);
        return;
    }
    session->connection = NULL;
    pg_connection_drop(connection);
    if (cursor) {
        loop_timer_clear(cursor->session->pool->params.loop, &cursor->deadline);
        cursor_fail(cursor, text[0] ? text : "the database connection was lost");
        if (cursor->busy)
            cursor_ready(cursor);
        else if (cursor->closed)
            cursor_freed(cursor);
    }
    free(text);
}

void pg_connection_ready(struct loop_watch *watch, uint32_t events)
{
    struct pg_connection *connection = watch->context;
    if (events & EPOLLOUT && PQflush(connection->pg) == 0) loop_watch_change(connection->dsn->pool->params.loop, watch, EPOLLIN);
    if (!PQconsumeInput(connection->pg)) {
        broken(connection);
        return;
    }
    struct cursor *cursor = connection->running;
    if (!connection->holder) {
        idle_ready(connection);
    } else if (cursor && cursor->closed && !cursor->busy) { /* its rest is thrown away */
        if (results_read(cursor)) cursor_freed(cursor);
    } else if (cursor && cursor->busy && results_read(cursor)) {
        cursor_ready(cursor);
    }
}

void pg_statement_start(struct cursor *cursor)
{
    struct pg_session *session = session_of(cursor);
    struct pg_connection *connection = session->connection;
    struct loop *loop = cursor->session->pool->params.loop;
    if (!PQsendQuery(connection->pg, cursor->sql)) {
        char *text = text_trimmed(PQerrorMessage(connection->pg));
        session->connection = NULL;
        pg_connection_drop(connection);
        pg_statement_failed(cursor, text);
        free(text);
        return;
    }
    PQsetSingleRowMode(connection->pg);
    connection->running = cursor;
    connection->touched |= sql_touches(cursor->sql);
    if (PQflush(connection->pg) == 1) loop_watch_change(loop, &connection->watch, EPOLLIN | EPOLLOUT);
    cursor->deadline = (struct loop_timer) { .fire = deadline_fired, .context = cursor };
    loop_timer_set(loop, &cursor->deadline, clock_mono_ns() + (int64_t)cursor->session->pool->params.statement_ms * NS_PER_MS);
}

/* A statement within another's row callback: the outer one's rows are read into memory first, then the connection is free.
 * Within a transaction it must be this connection; outside, another one serves. */
static bool outer_statement_runs(const struct pg_session *session) { return session->connection && session->connection->running; }

int pg_statement_begin(struct cursor *cursor)
{
    struct pg_session *session = session_of(cursor);
    if (!session) return -ENOTCONN;
    if (outer_statement_runs(session)) {
        struct cursor *outer = session->connection->running;
        while (!outer->ended && session->connection) { /* blocking, but only for rows that are already on their way */
            PGresult *result = PQgetResult(session->connection->pg);
            if (result)
                result_take(outer, result);
            else
                statement_ended(outer);
        }
    }
    if (session->connection) {
        pg_statement_start(cursor);
        return 0;
    }
    return pg_wait(session, cursor);
}

/* Posted: cursor_ready must not run within cursor_next. */
static void more_posted(void *context)
{
    struct cursor *cursor = context;
    if (cursor->ended || results_read(cursor)) cursor_ready(cursor);
}

int pg_statement_more(struct cursor *cursor) { return loop_post(cursor->session->pool->params.loop, more_posted, cursor); }

void pg_statement_close(struct cursor *cursor)
{
    struct pg_session *session = session_of(cursor);
    if (session && session->queued && session->waiting == cursor) pg_wait_cancel(session);
    struct pg_connection *connection = session ? session->connection : NULL;
    if (!connection || connection->running != cursor) {
        cursor_freed(cursor);
        return;
    }
    batch_clear(&cursor->batch);
    if (results_read(cursor)) cursor_freed(cursor);
}

/* --- sessions --------------------------------------------------------------------------------------------------------------- */

static void probe_done(void *context)
{
    struct session *session = context;
    struct cursor *probe = session->cursors;
    if (cursor_error(probe)) session_fail(session, cursor_error(probe));
    cursor_close(probe);
    session_ready(session);
}

/* Connecting is trying: the first connection of a DSN is made, later sessions find one in the pool. */
static int pg_open(struct session *session)
{
    struct pg_session *pg = calloc(1, sizeof(*pg));
    if (!pg) return -ENOMEM;
    pg->session = session;
    session->connection = pg;
    session->busy = false; /* the probe's cursor is what is busy */
    struct cursor *probe;
    int error = cursor_open(&probe, session, "", probe_done, session);
    if (error < 0) free(pg);
    return error;
}

static void pg_close(struct session *session)
{
    struct pg_session *pg = session->connection;
    struct pg_connection *connection = pg->connection;
    pg->connection = NULL;
    free(pg);
    session_freed(session);
    if (connection) pg_connection_give(connection);
}

const struct backend backend_pg = {
    .open = pg_open,
    .start = pg_statement_begin,
    .more = pg_statement_more,
    .close_cursor = pg_statement_close,
    .close = pg_close,
};
