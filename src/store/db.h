/* db.h: one small synchronous door to SQLite and PostgreSQL, for threads that may block (the ledger's, the command line's).
 *
 * Text of statements is the dialect both understand; `?` marks a parameter in both (PostgreSQL gets $1, $2 …). One `struct db` is
 * one connection and belongs to one thread at a time. After a lost connection nothing on it works any more: finalise the
 * statements, close, open again. Nothing here waits for longer than the deadlines of its options.
 *
 * Errors are negative errno, and tell whose fault it was, since the ledger must know whether to spool or to complain:
 *   -ENOTCONN  connection lost, refused or not answering within its deadline
 *   -EBUSY     locked by another for longer than busy_ms; -EAGAIN  deadlock or serialisation: the same again may work
 *   -ENOSPC    disk full; -EIO  disk error; -EROFS  read-only (a standby, a read-only file)
 *   -EEXIST    a unique constraint; -EINVAL  the statement itself (syntax, type, unknown table)
 * db_error() has the text of the last one. */
#ifndef STORE_DB_H
#define STORE_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"

struct db;
struct db_statement;

enum db_kind { DB_SQLITE, DB_POSTGRESQL };

struct db_options {
    bool durable;          /* SQLite: synchronous=FULL: a commit that returned survives a power cut. Otherwise NORMAL */
    bool read_only;        /* never creates or writes */
    uint32_t connect_ms;   /* 0 = 5,000; PostgreSQL's resolution is a second, 2 at least */
    uint32_t statement_ms; /* longest wait for one statement; 0 = 30,000. PostgreSQL only */
    uint32_t busy_ms;      /* longest wait for another writer of the SQLite file; 0 = 5,000 */
    uint32_t cache_kb;     /* SQLite's page cache; 0 = 8,192 */
};

/* `dsn`: "sqlite:///absolute/path.db" (made if missing, its folder must exist) or "postgresql://user:password@host/database".
 * On failure a negative errno and in `error` one line: what, why, and the mend. The password never shows. */
int db_open(struct db **out, const char *dsn, const struct db_options *options, struct buf *error);
void db_close(struct db *db); /* NULL is harmless. Statements must have been finalised */

enum db_kind db_kind(const struct db *db);
const char *db_error(const struct db *db); /* of the last failure; one line; valid until the next call */
/* True if the database is the trouble and not the statement: wait and try again, the statement itself was fine. */
bool db_away(int error);
/* True once the connection is gone: close it and open another. */
bool db_lost(const struct db *db);
/* Changes busy_ms (SQLite; no effect elsewhere). */
void db_busy_set(struct db *db, uint32_t busy_ms);
/* The dsn without its password, for logs and error texts. */
void db_dsn_public(const char *dsn, struct buf *out);

/* One or more statements without parameters; rows are thrown away. */
int db_exec(struct db *db, const char *sql);
/* BEGIN (for writing: SQLite takes the write lock at once, so that a later statement cannot find it taken), COMMIT, ROLLBACK. */
int db_begin(struct db *db);
int db_commit(struct db *db);
void db_rollback(struct db *db); /* harmless outside a transaction */

/* Prepared statements. Parameters are numbered from 1; one that was not bound since the last run is NULL. */
int db_prepare(struct db *db, struct db_statement **out, const char *sql);
void db_finalize(struct db_statement *statement); /* NULL is harmless */
void db_bind_int(struct db_statement *statement, int index, int64_t value);
void db_bind_real(struct db_statement *statement, int index, double value);
void db_bind_text(struct db_statement *statement, int index, const char *text);                     /* copied; NULL = NULL */
void db_bind_text_kept(struct db_statement *statement, int index, const char *text, size_t length); /* not copied: it stays until the run */

/* Runs to the end, ignores rows, forgets the parameters: 0 or an error. */
int db_run(struct db_statement *statement);
/* Next row: 1, 0 at the end (parameters forgotten), or an error. db_done ends a walk early. */
int db_step(struct db_statement *statement);
void db_done(struct db_statement *statement);
/* Rows inserted, updated or deleted by the last complete run. */
int64_t db_changes(const struct db_statement *statement);

/* Columns of the current row, from 0. Text is valid until the next step; NULL reads as 0 and as "". */
int64_t db_int(const struct db_statement *statement, int column);
double db_real(const struct db_statement *statement, int column);
const char *db_text(const struct db_statement *statement, int column);
bool db_null(const struct db_statement *statement, int column);

/* One value of one row, for counts and the like. 0; -ENOENT if there was no row; or an error. */
int db_value_int(struct db *db, const char *sql, int64_t *out);

#endif
