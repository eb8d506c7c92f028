/* db_sqlite.c: SQLite behind db.h. WAL, so that reports read while the ledger writes. */
#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/clock.h"
#include "store/db_own.h"

struct lite {
    struct db db; /* first */
    sqlite3 *handle;
    int64_t busy_since_ns;
};
struct lite_statement {
    struct db_statement statement; /* first */
    sqlite3_stmt *handle;
};

static struct lite *lite_of(const struct db *db) { return (struct lite *)db; }

static struct lite_statement *lite_statement_of(const struct db_statement *statement) { return (struct lite_statement *)statement; }

static int error_number(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_IOERR:
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -EIO;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_CANTOPEN:
        return -ENOTCONN;
    case SQLITE_CONSTRAINT:
        return code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ? -EEXIST : -EINVAL;
    default:
        return -EINVAL;
    }
}

static int failed(struct lite *lite, int code)
{
    db_error_set(&lite->db, sqlite3_errmsg(lite->handle));
    return error_number(code);
}

/* SQLite's own handler backs off to 100 ms, in which an import that commits often never lets the ledger in. One millisecond at a time. */
static int wait_for_lock(void *context, int count)
{
    struct lite *lite = context;
    int64_t now = clock_mono_ns();
    if (count == 0) lite->busy_since_ns = now;
    if (now - lite->busy_since_ns > (int64_t)lite->db.options.busy_ms * NS_PER_MS) return 0;
    nanosleep(&(struct timespec) { .tv_nsec = NS_PER_MS }, NULL);
    return 1;
}

static void lite_close(struct db *db)
{
    sqlite3_close_v2(lite_of(db)->handle);
    free(db);
}

static int lite_exec(struct db *db, const char *sql)
{
    int code = sqlite3_exec(lite_of(db)->handle, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? 0 : failed(lite_of(db), sqlite3_extended_errcode(lite_of(db)->handle));
}

static int lite_prepare(struct db *db, struct db_statement **out, const char *sql)
{
    struct lite_statement *s = calloc(1, sizeof *s);
    if (!s) return -ENOMEM;
    s->statement.db = db;
    int code = sqlite3_prepare_v3(lite_of(db)->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &s->handle, NULL);
    if (code != SQLITE_OK) {
        free(s);
        return failed(lite_of(db), code);
    }
    *out = &s->statement;
    return 0;
}

static void lite_finalize(struct db_statement *statement)
{
    sqlite3_finalize(lite_statement_of(statement)->handle);
    free(statement);
}

static void lite_bind_int(struct db_statement *statement, int index, int64_t value)
{
    sqlite3_bind_int64(lite_statement_of(statement)->handle, index, value);
}

static void lite_bind_real(struct db_statement *statement, int index, double value)
{
    sqlite3_bind_double(lite_statement_of(statement)->handle, index, value);
}

static void lite_bind_text(struct db_statement *statement, int index, const char *text)
{
    if (text)
        sqlite3_bind_text(lite_statement_of(statement)->handle, index, text, (int)strlen(text), SQLITE_TRANSIENT);
    else
        sqlite3_bind_null(lite_statement_of(statement)->handle, index);
}

static void lite_bind_text_kept(struct db_statement *statement, int index, const char *text, size_t length)
{
    sqlite3_bind_text(lite_statement_of(statement)->handle, index, text, (int)length, SQLITE_STATIC);
}

static void lite_done(struct db_statement *statement)
{
    sqlite3_reset(lite_statement_of(statement)->handle);
    sqlite3_clear_bindings(lite_statement_of(statement)->handle);
}

static int lite_step(struct db_statement *statement)
{
    struct lite *lite = lite_of(statement->db);
    int code = sqlite3_step(lite_statement_of(statement)->handle);
    if (code == SQLITE_ROW) return 1;
    int e = code == SQLITE_DONE ? 0 : failed(lite, sqlite3_extended_errcode(lite->handle));
    statement->changes = e == 0 ? sqlite3_changes64(lite->handle) : 0;
    lite_done(statement);
    return e;
}

static int64_t lite_int(const struct db_statement *statement, int column)
{
    return sqlite3_column_int64(lite_statement_of(statement)->handle, column);
}

static double lite_real(const struct db_statement *statement, int column)
{
    return sqlite3_column_double(lite_statement_of(statement)->handle, column);
}

static const char *lite_text(const struct db_statement *statement, int column)
{
    const unsigned char *text = sqlite3_column_text(lite_statement_of(statement)->handle, column);
    return text ? (const char *)text : "";
}

static bool lite_null(const struct db_statement *statement, int column)
{
    return sqlite3_column_type(lite_statement_of(statement)->handle, column) == SQLITE_NULL;
}

static const struct db_backend backend = {
    .close = lite_close,
    .exec = lite_exec,
    .prepare = lite_prepare,
    .finalize = lite_finalize,
    .bind_int = lite_bind_int,
    .bind_real = lite_bind_real,
    .bind_text = lite_bind_text,
    .bind_text_kept = lite_bind_text_kept,
    .step = lite_step,
    .done = lite_done,
    .get_int = lite_int,
    .get_real = lite_real,
    .get_text = lite_text,
    .get_null = lite_null,
};

static int configure(struct lite *lite)
{
    const struct db_options *o = &lite->db.options;
    char sql[256];
    sqlite3_extended_result_codes(lite->handle, 1);
    sqlite3_busy_handler(lite->handle, wait_for_lock, lite);
    snprintf(sql, sizeof sql, "PRAGMA cache_size=-%u; PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=OFF", o->cache_kb);
    int e = lite_exec(&lite->db, sql);
    if (e || o->read_only) return e;
    snprintf(sql, sizeof sql, "PRAGMA journal_mode=WAL; PRAGMA synchronous=%s; PRAGMA journal_size_limit=67108864",
             o->durable ? "FULL" : "NORMAL");
    return lite_exec(&lite->db, sql);
}

static const char *mend(int error)
{
    switch (error) {
    case -ENOTCONN:
        return "does its folder exist, and may this user read and write there?";
    case -EROFS:
        return "may this user write the file and its folder?";
    case -EBUSY:
        return "another program holds it locked; end that one";
    case -EIO:
        return "it is not an SQLite database or is damaged; give another path or bring back a backup";
    case -ENOSPC:
        return "the disk is full; make room";
    default:
        return "see the message";
    }
}

/* Nobody reads SQLite's count of its memory, which costs a mutex at each allocation. */
static void settle_library(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); /* SQLITE_MISUSE, and harmless, if somebody in this process used SQLite before */
}

int db_sqlite_open(struct db **out, const char *path, const struct db_options *options, struct buf *error)
{
    if (path[0] != '/') {
        buf_printf(error, "database \"sqlite://%s\" has no absolute path: write sqlite:///folder/file.db", path);
        return -EINVAL;
    }
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, settle_library);
    struct lite *lite = calloc(1, sizeof *lite);
    if (!lite) return -ENOMEM;
    lite->db = (struct db) { .backend = &backend, .kind = DB_SQLITE, .options = *options };
    int flags = options->read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    int code = sqlite3_open_v2(path, &lite->handle, flags | SQLITE_OPEN_NOMUTEX, NULL);
    int e = code == SQLITE_OK ? configure(lite) : failed(lite, code);
    if (e) {
        buf_printf(error, "cannot open database %s: %s; %s", path, lite->db.error, mend(e));
        lite_close(&lite->db);
        return e;
    }
    *out = &lite->db;
    return 0;
}
