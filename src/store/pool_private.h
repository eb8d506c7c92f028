/* pool_private.h: what pool.c shares with its backends. */
#ifndef STORE_POOL_PRIVATE_H
#define STORE_POOL_PRIVATE_H

#include "core/buf.h"
#include "store/pool.h"

#define BATCH_ROWS  512u
#define BATCH_BYTES (256u << 10)

/* Rows of one batch, flat: cells point into `bytes`. Column names are shared by the rows of one result. */
struct columns {
    char **names;
    size_t count;
    struct columns *next; /* all of this cursor's, freed with it */
};
struct row {
    struct columns *columns;
    size_t first_cell;
};
struct cell {
    size_t at, length;
    bool null;
};
struct batch {
    struct row *rows;
    size_t count, size;
    struct cell *cells;
    size_t cells_count, cells_size;
    struct buf bytes;
};
void batch_clear(struct batch *batch);
void batch_free(struct batch *batch);
int batch_row(struct batch *batch, struct columns *columns);
int batch_cell(struct batch *batch, const char *value, size_t length); /* NULL = SQL NULL */
bool batch_full(const struct batch *batch);

struct cursor {
    struct session *session;
    char *sql;
    const char *rest; /* SQLite: statements still to come */
    void *statement;  /* the backend's */
    struct batch batch;
    struct columns *columns, *current;
    char *error;
    int64_t affected;
    bool ended, closed, busy;
    pool_done *done;
    void *context;
    struct cursor *next; /* of the session */
    struct job job;
    struct loop_timer deadline;
};

struct connection; /* a backend's */

/* What a backend can do. Blocking ones fill run/step with jobs; `start` begins a cursor, `more` the next batch. */
struct backend {
    int (*open)(struct session *session); /* begins connecting; ends with session_opened */
    int (*start)(struct cursor *cursor);
    int (*more)(struct cursor *cursor);
    void (*close_cursor)(struct cursor *cursor); /* frees cursor->statement; may finish later: calls cursor_freed */
    void (*close)(struct session *session);      /* frees the connection; calls session_freed when done */
    int (*load_extension)(struct session *session, const char *path);
};
extern const struct backend backend_sqlite, backend_pg, backend_odbc;

struct session {
    struct pool *pool;
    const struct backend *backend;
    char *dsn;
    void *connection; /* the backend's */
    char *error;
    bool closed, busy;
    pool_done *done;
    void *context;
    struct cursor *cursors;
    struct job job;
    char *argument; /* of a load_extension */
};

struct pg_dsn;
struct pool {
    struct pool_params params;
    char *folder;
    struct pg_dsn *pg; /* PostgreSQL's connections by DSN */
};

void cursor_fail(struct cursor *cursor, const char *text); /* keeps the first error; trims the end */
struct columns *cursor_columns_new(struct cursor *cursor, size_t count);
/* A batch or the end is there: calls done. */
void cursor_ready(struct cursor *cursor);
void cursor_freed(struct cursor *cursor);
void session_fail(struct session *session, const char *text);
void session_ready(struct session *session);
void session_freed(struct session *session);
void pool_pg_free(struct pool *pool);
char *text_trimmed(const char *text);

#endif
