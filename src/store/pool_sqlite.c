/* pool_sqlite.c: SQLite for scripts: every step is a job of a helper thread. */
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/pool_private.h"

#define BUSY_MS 5000

/* "sqlite://name" → folder/name.db; an absolute path is kept; memory://name is a database of this process's memory. */
static void sqlite_file(const struct session *session, struct buf *out)
{
    const char *name = session->dsn + strlen("sqlite://");
    if (strncmp(name, "memory://", 9) == 0)
        buf_printf(out, "file:%s?mode=memory&cache=shared", name + 9);
    else if (name[0] == '/')
        buf_puts(out, name);
    else if (strlen(name) > 3 && strcmp(name + strlen(name) - 3, ".db") == 0)
        buf_printf(out, "%s/%s", session->pool->folder, name);
    else
        buf_printf(out, "%s/%s.db", session->pool->folder, name);
}

static void open_run(struct job *job)
{
    struct session *session = job->context;
    struct buf file = BUF_INIT;
    sqlite_file(session, &file);
    sqlite3 *db = NULL;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI | SQLITE_OPEN_FULLMUTEX;
    int status = sqlite3_open_v2(buf_text(&file), &db, flags, NULL);
    if (status == SQLITE_OK) /* opening is lazy: only a read shows that the file is a database */
        status = sqlite3_exec(db, "PRAGMA schema_version", NULL, NULL, NULL);
    if (status == SQLITE_OK) {
        sqlite3_busy_timeout(db, BUSY_MS);
        session->connection = db;
    } else {
        session_fail(session, db ? sqlite3_errmsg(db) : sqlite3_errstr(status));
        sqlite3_close_v2(db);
    }
    buf_free(&file);
}

static void session_job_done(struct job *job) { session_ready(job->context); }

static int sqlite_open(struct session *session)
{
    session->job = (struct job) { .run = open_run, .done = session_job_done, .context = session };
    return jobs_submit(session->pool->params.jobs, &session->job);
}

static bool statement_names(struct cursor *cursor, sqlite3_stmt *statement)
{
    int count = sqlite3_column_count(statement);
    struct columns *columns = cursor_columns_new(cursor, (size_t)count);
    if (!columns) return false;
    for (int i = 0; i < count; i++) columns->names[i] = strdup(sqlite3_column_name(statement, i));
    return true;
}

static void statement_row(struct cursor *cursor, sqlite3_stmt *statement)
{
    batch_row(&cursor->batch, cursor->current);
    for (int i = 0; i < sqlite3_column_count(statement); i++) {
        if (sqlite3_column_type(statement, i) == SQLITE_NULL)
            batch_cell(&cursor->batch, NULL, 0);
        else
            batch_cell(&cursor->batch, (const char *)sqlite3_column_text(statement, i), (size_t)sqlite3_column_bytes(statement, i));
    }
}

/* The next statement of the text; false at its end or on an error. */
static bool statement_prepare(struct cursor *cursor, sqlite3 *db)
{
    while (*cursor->rest) {
        sqlite3_stmt *statement = NULL;
        if (sqlite3_prepare_v2(db, cursor->rest, -1, &statement, &cursor->rest) != SQLITE_OK) {
            cursor_fail(cursor, sqlite3_errmsg(db));
            return false;
        }
        if (!statement) continue; /* a comment or white space */
        cursor->statement = statement;
        return statement_names(cursor, statement);
    }
    cursor->ended = true;
    return false;
}

/* Steps until the batch is full, a statement failed or all are done. */
static void statements_step(struct cursor *cursor, sqlite3 *db)
{
    while (!batch_full(&cursor->batch)) {
        if (!cursor->statement && !statement_prepare(cursor, db)) return;
        int status = sqlite3_step(cursor->statement);
        if (status == SQLITE_ROW) {
            statement_row(cursor, cursor->statement);
            continue;
        }
        if (status != SQLITE_DONE) cursor_fail(cursor, sqlite3_errmsg(db));
        sqlite3_finalize(cursor->statement);
        cursor->statement = NULL;
        if (cursor->ended) return;
    }
}

/* The affected rows are the connection's: those of its last write, whenever that was. */
static void step_run(struct job *job)
{
    struct cursor *cursor = job->context;
    sqlite3 *db = cursor->session->connection;
    statements_step(cursor, db);
    cursor->affected = sqlite3_changes(db);
}

static void cursor_job_done(struct job *job) { cursor_ready(job->context); }

static int sqlite_step(struct cursor *cursor)
{
    if (!cursor->session->connection) return -ENOTCONN;
    cursor->job = (struct job) { .run = step_run, .done = cursor_job_done, .context = cursor };
    return jobs_submit(cursor->session->pool->params.jobs, &cursor->job);
}

/* Finalising a statement does not touch the disk unless it ends a write: cheap enough for the caller's thread. */
static void sqlite_close_cursor(struct cursor *cursor)
{
    if (cursor->statement) sqlite3_finalize(cursor->statement);
    cursor_freed(cursor);
}

static void close_run(struct job *job)
{
    struct session *session = job->context;
    sqlite3 *db = session->connection;
    if (db && !sqlite3_get_autocommit(db)) sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    sqlite3_close_v2(db);
}

static void close_done(struct job *job) { session_freed(job->context); }

static void sqlite_close(struct session *session)
{
    session->busy = true;
    session->job = (struct job) { .run = close_run, .done = close_done, .context = session };
    if (jobs_submit(session->pool->params.jobs, &session->job) == 0) return;
    close_run(&session->job); /* the queue is full: better here than never */
    session_freed(session);
}

static void extension_run(struct job *job)
{
    struct session *session = job->context;
    sqlite3 *db = session->connection;
    char *error = NULL;
    sqlite3_enable_load_extension(db, 1);
    free(session->error);
    session->error = NULL;
    if (sqlite3_load_extension(db, session->argument, NULL, &error) != SQLITE_OK)
        session_fail(session, error ? error : "cannot load the extension");
    sqlite3_free(error);
    sqlite3_enable_load_extension(db, 0);
}

static int sqlite_extension(struct session *session, const char *path)
{
    free(session->argument);
    session->argument = strdup(path);
    session->job = (struct job) { .run = extension_run, .done = session_job_done, .context = session };
    return jobs_submit(session->pool->params.jobs, &session->job);
}

const struct backend backend_sqlite = {
    .open = sqlite_open,
    .start = sqlite_step,
    .more = sqlite_step,
    .close_cursor = sqlite_close_cursor,
    .close = sqlite_close,
    .load_extension = sqlite_extension,
};
