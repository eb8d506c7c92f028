/* db.c: choosing the backend, and what both share. */
#include "store/db.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "store/db_own.h"

static bool starts_with(const char *text, const char *prefix) { return strncmp(text, prefix, strlen(prefix)) == 0; }

static struct db_options with_defaults(const struct db_options *options)
{
    struct db_options o = options ? *options : (struct db_options) { 0 };
    if (!o.connect_ms) o.connect_ms = 5000;
    if (!o.statement_ms) o.statement_ms = 30000;
    if (!o.busy_ms) o.busy_ms = 5000;
    if (!o.cache_kb) o.cache_kb = 8192;
    return o;
}

int db_open(struct db **out, const char *dsn, const struct db_options *options, struct buf *error)
{
    struct db_options o = with_defaults(options);
    *out = NULL;
    if (starts_with(dsn, "sqlite://")) return db_sqlite_open(out, dsn + strlen("sqlite://"), &o, error);
    if (starts_with(dsn, "postgresql://") || starts_with(dsn, "postgres://")) return db_postgres_open(out, dsn, &o, error);
    buf_puts(error, "database \"");
    db_dsn_public(dsn, error);
    buf_puts(error, "\" is of no known kind: write \"sqlite:///absolute/path.db\" or \"postgresql://user:password@host/database\"");
    return -EINVAL;
}

void db_close(struct db *db)
{
    if (db) db->backend->close(db);
}

enum db_kind db_kind(const struct db *db) { return db->kind; }

const char *db_error(const struct db *db) { return db->error; }

void db_error_set(struct db *db, const char *text)
{
    snprintf(db->error, sizeof db->error, "%s", text ? text : "unknown error");
    size_t n = strlen(db->error);
    while (n > 0 && (db->error[n - 1] == '\n' || db->error[n - 1] == ' ')) db->error[--n] = 0;
    for (char *c = db->error; *c; c++)
        if (*c == '\n' || *c == '\t') *c = ' ';
}

bool db_away(int error)
{
    switch (error) {
    case -ENOTCONN:
    case -EBUSY:
    case -EAGAIN:
    case -ENOSPC:
    case -EIO:
    case -EROFS:
    case -ENOMEM:
        return true;
    default:
        return false;
    }
}

bool db_lost(const struct db *db) { return db->lost; }

void db_busy_set(struct db *db, uint32_t busy_ms) { db->options.busy_ms = busy_ms; /* read by db_sqlite.c's handler at each wait */ }

/* scheme://user:password@host → scheme://user:***@host, and password=… in the query part. */
void db_dsn_public(const char *dsn, struct buf *out)
{
    const char *authority = strstr(dsn, "://");
    const char *at = authority ? strrchr(dsn, '@') : NULL;
    const char *colon = at ? memchr(authority + 3, ':', (size_t)(at - authority - 3)) : NULL;
    const char *rest = dsn;
    if (colon) {
        buf_put(out, dsn, (size_t)(colon + 1 - dsn));
        buf_puts(out, "***");
        rest = at;
    }
    const char *word = strstr(rest, "password=");
    if (!word) {
        buf_puts(out, rest);
        return;
    }
    buf_put(out, rest, (size_t)(word - rest));
    buf_puts(out, "password=***");
    buf_puts(out, word + strcspn(word, "&"));
}

int db_exec(struct db *db, const char *sql) { return db->backend->exec(db, sql); }

int db_begin(struct db *db)
{
    int e = db_exec(db, db->kind == DB_SQLITE ? "BEGIN IMMEDIATE" : "BEGIN");
    if (e == 0) db->in_transaction = true;
    return e;
}

int db_commit(struct db *db)
{
    int e = db_exec(db, "COMMIT");
    if (e == 0) db->in_transaction = false;
    return e;
}

void db_rollback(struct db *db)
{
    if (!db->in_transaction) return;
    db->in_transaction = false;
    if (db->lost) return; /* the server rolls back by itself */
    char kept[DB_ERROR_MAX];
    memcpy(kept, db->error, sizeof kept); /* the reason for the rollback is what the caller will want to tell */
    db_exec(db, "ROLLBACK");
    memcpy(db->error, kept, sizeof kept);
}

int db_prepare(struct db *db, struct db_statement **out, const char *sql)
{
    *out = NULL;
    return db->backend->prepare(db, out, sql);
}

void db_finalize(struct db_statement *statement)
{
    if (statement) statement->db->backend->finalize(statement);
}

void db_bind_int(struct db_statement *statement, int index, int64_t value) { statement->db->backend->bind_int(statement, index, value); }

void db_bind_real(struct db_statement *statement, int index, double value) { statement->db->backend->bind_real(statement, index, value); }

void db_bind_text(struct db_statement *statement, int index, const char *text)
{
    statement->db->backend->bind_text(statement, index, text);
}

void db_bind_text_kept(struct db_statement *statement, int index, const char *text, size_t length)
{
    const struct db_backend *backend = statement->db->backend;
    if (backend->bind_text_kept)
        backend->bind_text_kept(statement, index, text, length);
    else
        backend->bind_text(statement, index, text);
}

int db_step(struct db_statement *statement) { return statement->db->backend->step(statement); }

void db_done(struct db_statement *statement) { statement->db->backend->done(statement); }

int db_run(struct db_statement *statement)
{
    int e;
    while ((e = db_step(statement)) == 1)
        ;
    return e;
}

int64_t db_changes(const struct db_statement *statement) { return statement->changes; }

int64_t db_int(const struct db_statement *statement, int column) { return statement->db->backend->get_int(statement, column); }

double db_real(const struct db_statement *statement, int column) { return statement->db->backend->get_real(statement, column); }

const char *db_text(const struct db_statement *statement, int column) { return statement->db->backend->get_text(statement, column); }

bool db_null(const struct db_statement *statement, int column) { return statement->db->backend->get_null(statement, column); }

int db_value_int(struct db *db, const char *sql, int64_t *out)
{
    struct db_statement *statement;
    int e = db_prepare(db, &statement, sql);
    if (e) return e;
    e = db_step(statement);
    if (e == 1) *out = db_int(statement, 0);
    db_done(statement);
    db_finalize(statement);
    return e == 1 ? 0 : e == 0 ? -ENOENT : e;
}
