/* pool.c: sessions and cursors, whatever the backend. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/check.h"
#include "store/pool_private.h"

int pool_new(struct pool **out, const struct pool_params *params)
{
    struct pool *pool = calloc(1, sizeof(*pool));
    if (!pool) return -ENOMEM;
    pool->params = *params;
    if (!pool->params.connections_max) pool->params.connections_max = 50;
    if (!pool->params.queue_max) pool->params.queue_max = 10000;
    if (!pool->params.wait_ms) pool->params.wait_ms = 30000;
    if (!pool->params.statement_ms) pool->params.statement_ms = 120000;
    pool->folder = strdup(params->folder ? params->folder : ".");
    *out = pool;
    return 0;
}

void pool_free(struct pool *pool)
{
    pool_pg_free(pool);
    free(pool->folder);
    free(pool);
}

char *text_trimmed(const char *text)
{
    size_t length = strlen(text);
    while (length > 0 && isspace((unsigned char)text[length - 1])) length--;
    return strndup(text, length);
}

/* --- batches ---------------------------------------------------------------------------------------------------------------- */

void batch_clear(struct batch *batch)
{
    batch->count = batch->cells_count = 0;
    buf_clear(&batch->bytes);
}

void batch_free(struct batch *batch)
{
    free(batch->rows);
    free(batch->cells);
    buf_free(&batch->bytes);
    *batch = (struct batch) { 0 };
}

static int grow(void **array, size_t count, size_t *size, size_t each)
{
    if (count < *size) return 0;
    size_t larger = *size ? *size * 2 : 64;
    void *moved = realloc(*array, larger * each);
    if (!moved) return -ENOMEM;
    *array = moved;
    *size = larger;
    return 0;
}

int batch_row(struct batch *batch, struct columns *columns)
{
    if (grow((void **)&batch->rows, batch->count, &batch->size, sizeof(*batch->rows)) < 0) return -ENOMEM;
    batch->rows[batch->count++] = (struct row) { .columns = columns, .first_cell = batch->cells_count };
    return 0;
}

int batch_cell(struct batch *batch, const char *value, size_t length)
{
    if (grow((void **)&batch->cells, batch->cells_count, &batch->cells_size, sizeof(*batch->cells)) < 0) return -ENOMEM;
    batch->cells[batch->cells_count++] = (struct cell) { .at = batch->bytes.length, .length = length, .null = !value };
    if (!value) return 0;
    return buf_put(&batch->bytes, value, length) < 0 ? -ENOMEM : buf_putc(&batch->bytes, '\0');
}

bool batch_full(const struct batch *batch) { return batch->count >= BATCH_ROWS || batch->bytes.length >= BATCH_BYTES; }

/* --- cursors ---------------------------------------------------------------------------------------------------------------- */

int cursor_open(struct cursor **out, struct session *session, const char *sql, pool_done *done, void *context)
{
    struct cursor *cursor = calloc(1, sizeof(*cursor));
    if (!cursor) return -ENOMEM;
    cursor->session = session;
    cursor->sql = strdup(sql);
    cursor->rest = cursor->sql;
    cursor->done = done;
    cursor->context = context;
    cursor->next = session->cursors;
    session->cursors = cursor;
    cursor->busy = true;
    *out = cursor;
    int error = session->backend->start(cursor);
    if (error < 0) {
        cursor->busy = false;
        cursor->closed = true;
        cursor_freed(cursor);
        *out = NULL;
    }
    return error;
}

int cursor_next(struct cursor *cursor, pool_done *done, void *context)
{
    CHECK(!cursor->busy && !cursor->ended);
    batch_clear(&cursor->batch);
    cursor->done = done;
    cursor->context = context;
    cursor->busy = true;
    return cursor->session->backend->more(cursor);
}

void cursor_ready(struct cursor *cursor)
{
    cursor->busy = false;
    if (cursor->closed) {
        cursor->session->backend->close_cursor(cursor);
        return;
    }
    pool_done *done = cursor->done;
    cursor->done = NULL;
    if (done) done(cursor->context);
}

void cursor_close(struct cursor *cursor)
{
    if (!cursor || cursor->closed) return;
    cursor->closed = true;
    cursor->done = NULL;
    if (!cursor->busy) cursor->session->backend->close_cursor(cursor);
}

void cursor_freed(struct cursor *cursor)
{
    struct session *session = cursor->session;
    struct cursor **at = &session->cursors;
    while (*at != cursor) at = &(*at)->next;
    *at = cursor->next;
    loop_timer_clear(session->pool->params.loop, &cursor->deadline);
    while (cursor->columns) {
        struct columns *columns = cursor->columns;
        cursor->columns = columns->next;
        for (size_t i = 0; i < columns->count; i++) free(columns->names[i]);
        free(columns->names);
        free(columns);
    }
    batch_free(&cursor->batch);
    free(cursor->error);
    free(cursor->sql);
    free(cursor);
    if (session->closed && !session->cursors && !session->busy) session->backend->close(session);
}

void cursor_fail(struct cursor *cursor, const char *text)
{
    if (!cursor->error) cursor->error = text_trimmed(text);
    cursor->ended = true;
}

struct columns *cursor_columns_new(struct cursor *cursor, size_t count)
{
    struct columns *columns = calloc(1, sizeof(*columns));
    char **names = calloc(count ? count : 1, sizeof(*names));
    if (!columns || !names) {
        free(columns);
        free(names);
        return NULL;
    }
    *columns = (struct columns) { .names = names, .count = count, .next = cursor->columns };
    cursor->columns = cursor->current = columns;
    return columns;
}

size_t cursor_rows(const struct cursor *cursor) { return cursor->batch.count; }

size_t cursor_columns(const struct cursor *cursor, size_t row) { return cursor->batch.rows[row].columns->count; }

const char *cursor_column(const struct cursor *cursor, size_t row, size_t column) { return cursor->batch.rows[row].columns->names[column]; }

const char *cursor_value(const struct cursor *cursor, size_t row, size_t column, size_t *length)
{
    const struct cell *cell = &cursor->batch.cells[cursor->batch.rows[row].first_cell + column];
    if (cell->null) return NULL;
    *length = cell->length;
    return cursor->batch.bytes.data + cell->at;
}

bool cursor_ended(const struct cursor *cursor) { return cursor->ended; }

const char *cursor_error(const struct cursor *cursor) { return cursor->error; }

int64_t cursor_affected(const struct cursor *cursor) { return cursor->affected; }

/* --- sessions --------------------------------------------------------------------------------------------------------------- */

static const struct backend *backend_of(const char *dsn)
{
    if (strncmp(dsn, "sqlite://", 9) == 0) return &backend_sqlite;
    if (strncmp(dsn, "pgsql://", 8) == 0 || strncmp(dsn, "postgresql://", 13) == 0 || strncmp(dsn, "postgres://", 11) == 0)
        return &backend_pg;
    if (strncmp(dsn, "odbc://", 7) == 0) return &backend_odbc;
    return NULL;
}

int session_open(struct session **out, struct pool *pool, const char *dsn, pool_done *done, void *context)
{
    *out = NULL;
    const struct backend *backend = backend_of(dsn);
    if (!backend) return -EINVAL;
    struct session *session = calloc(1, sizeof(*session));
    if (!session) return -ENOMEM;
    session->pool = pool;
    session->backend = backend;
    session->dsn = strdup(dsn);
    session->done = done;
    session->context = context;
    session->busy = true;
    int error = backend->open(session);
    if (error < 0) {
        free(session->dsn);
        free(session);
        return error;
    }
    *out = session;
    return 0;
}

const char *session_error(const struct session *session) { return session->error; }

void session_fail(struct session *session, const char *text)
{
    free(session->error);
    session->error = text_trimmed(text);
}

void session_ready(struct session *session)
{
    session->busy = false;
    if (session->closed) {
        if (!session->cursors) session->backend->close(session);
        return;
    }
    pool_done *done = session->done;
    session->done = NULL;
    if (done) done(session->context);
}

void session_close(struct session *session)
{
    if (!session || session->closed) return;
    session->closed = true;
    session->done = NULL;
    for (struct cursor *cursor = session->cursors, *next; cursor; cursor = next) {
        next = cursor->next;
        bool last = !next;
        cursor_close(cursor); /* the last one's end closes the session too */
        if (last) return;
    }
    if (!session->busy) session->backend->close(session);
}

void session_freed(struct session *session)
{
    free(session->dsn);
    free(session->error);
    free(session->argument);
    free(session);
}

int session_load_extension(struct session *session, const char *path, pool_done *done, void *context)
{
    if (!session->backend->load_extension) return -EOPNOTSUPP;
    session->done = done;
    session->context = context;
    session->busy = true;
    return session->backend->load_extension(session, path);
}
