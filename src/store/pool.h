/* pool.h: databases for scripts (Dbh): never blocks the calling thread.
 *
 * A *session* is what one script has open on one DSN. A *cursor* is one statement of it, whose rows come in batches. Backends:
 *   PostgreSQL  libpq, asynchronous on the loop; only connecting runs on a helper thread. A session holds a connection during a
 *               statement, and between statements only while a transaction is open or its settings were changed (SET, LISTEN,
 *               temporary tables …): such a connection is cleaned (DISCARD ALL) before anybody else gets it.
 *   SQLite, ODBC  each step runs on a helper thread; a session keeps its connection until it is closed.
 * Connections are pooled per DSN and bounded; who finds none free waits in a bounded queue with a deadline.
 *
 * All functions on the loop's thread; `done` is called there too, exactly once per call that returned 0, never before it
 * returns. Nothing may be freed by the caller within `done` but by cursor_close and session_close, which are safe at any time. */
#ifndef STORE_POOL_H
#define STORE_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/jobs.h"
#include "core/loop.h"

struct pool;
struct session;
struct cursor;

struct pool_params {
    struct loop *loop;
    struct jobs *jobs;
    const char *folder;       /* where "sqlite://name" becomes folder/name.db */
    uint32_t connections_max; /* per PostgreSQL DSN; 0 = 50 */
    uint32_t queue_max;       /* statements waiting for a connection; 0 = 10000 */
    uint32_t wait_ms;         /* longest wait for a connection; 0 = 30 s */
    uint32_t statement_ms;    /* longest run of a PostgreSQL statement; 0 = 120 s */
};
int pool_new(struct pool **out, const struct pool_params *params);
void pool_free(struct pool *pool);

typedef void pool_done(void *context);

/* DSN forms: sqlite://name, sqlite:///abs/path.db, sqlite://memory://name, pgsql://conninfo or pgsql://user@host/db,
 * postgresql://…, odbc://dsn[:user[:password]]. Connects once to see that it works: after `done`, session_error is NULL or the
 * driver's text. -EINVAL: no such scheme (and *out is NULL). */
int session_open(struct session **out, struct pool *pool, const char *dsn, pool_done *done, void *context);
const char *session_error(const struct session *session);
/* Rolls back what is open and gives the connection back. A running statement is cancelled; `done` is not called any more. */
void session_close(struct session *session);

/* Runs `sql` (PostgreSQL and SQLite: several statements with ; are allowed; the rows of all are delivered). `done` is called with the first
 * batch or the end. */
int cursor_open(struct cursor **out, struct session *session, const char *sql, pool_done *done, void *context);
/* The current batch. Rows are valid until cursor_next or cursor_close. */
size_t cursor_rows(const struct cursor *cursor);
size_t cursor_columns(const struct cursor *cursor, size_t row);
const char *cursor_column(const struct cursor *cursor, size_t row, size_t column);                /* its name */
const char *cursor_value(const struct cursor *cursor, size_t row, size_t column, size_t *length); /* NULL = SQL NULL */
bool cursor_ended(const struct cursor *cursor);                                                   /* no batch follows this one */
int cursor_next(struct cursor *cursor, pool_done *done, void *context);
/* After the end. */
const char *cursor_error(const struct cursor *cursor); /* NULL = it went well; the driver's text, without a newline at its end */
int64_t cursor_affected(const struct cursor *cursor);  /* of the last INSERT, UPDATE, DELETE … */
/* At any time: the rest of the rows is thrown away. */
void cursor_close(struct cursor *cursor);

/* SQLite: loads an extension. */
int session_load_extension(struct session *session, const char *path, pool_done *done, void *context);

#endif
