/* ledger_keep.c: see ledger_keep.h. */
#include "campaign/ledger_keep.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/uuid.h"

#define BATCH    1000
#define PAUSE_US 20000 /* the engine's own commits come first */

/* Ids sort by time: a range of the primary key, without an index of its own. */
#define OLD_ATTEMPTS "FROM attempt WHERE id < ? AND state <> 'claimed'"
#define OLD_LEADS                                                                                                                          \
    "FROM lead WHERE state = 'done' AND updated_us < ? AND campaign IN (SELECT id FROM campaign WHERE state IN ('done', 'stopped', "       \
    "'failed', 'idle'))"

static int64_t count(struct db *db, const char *sql, const char *id, int64_t before_us)
{
    struct db_statement *s = NULL;
    int64_t rows = db_prepare(db, &s, sql);
    if (rows == 0) {
        if (id)
            db_bind_text(s, 1, id);
        else
            db_bind_int(s, 1, before_us);
        rows = db_step(s);
        rows = rows == 1 ? db_int(s, 0) : rows;
        db_done(s);
    }
    db_finalize(s);
    return rows;
}

static int delete_all(struct ledger_prune *prune, struct db *db, const char *sql, const char *id, uint64_t *deleted)
{
    struct db_statement *s = NULL;
    uint32_t batch = prune->batch ? prune->batch : BATCH;
    int64_t rows = batch;
    int e = db_prepare(db, &s, sql);
    while (e == 0 && rows == batch) {
        if (id)
            db_bind_text(s, 1, id);
        else
            db_bind_int(s, 1, prune->before_us);
        db_bind_int(s, 2, batch);
        e = db_run(s);
        rows = e == 0 ? db_changes(s) : 0;
        *deleted += (uint64_t)rows;
        if (prune->progress) prune->progress(prune->context, prune);
        if (rows == batch) usleep(PAUSE_US);
    }
    db_finalize(s);
    return e;
}

static int count_old(struct ledger_prune *prune, struct db *db, const char *id)
{
    int64_t attempts = count(db, "SELECT COUNT(*) " OLD_ATTEMPTS, id, 0);
    int64_t leads = prune->leads ? count(db, "SELECT COUNT(*) " OLD_LEADS, NULL, prune->before_us) : 0;
    prune->attempts = attempts > 0 ? (uint64_t)attempts : 0;
    prune->lead_rows = leads > 0 ? (uint64_t)leads : 0;
    return attempts < 0 ? (int)attempts : leads < 0 ? (int)leads : 0;
}

int ledger_prune(struct ledger_prune *prune, struct db *db, struct buf *error)
{
    char id[UUID_TEXT_SIZE];
    uuid_text_at(prune->before_us, id);
    int e;
    if (prune->count_only) {
        e = count_old(prune, db, id);
    } else {
        e = delete_all(prune, db, "DELETE FROM attempt WHERE id IN (SELECT id " OLD_ATTEMPTS " ORDER BY id LIMIT ?)", id, &prune->attempts);
        if (e == 0 && prune->leads)
            e = delete_all(prune, db, "DELETE FROM lead WHERE id IN (SELECT id " OLD_LEADS " LIMIT ?)", NULL, &prune->lead_rows);
    }
    if (e)
        buf_printf(error, "the ledger cannot be pruned: %s; what was deleted before stays so, and running it again goes on", db_error(db));
    return e;
}

int ledger_copy(struct db *db, const char *path, struct buf *error)
{
    struct db_statement *s = NULL;
    if (db_kind(db) != DB_SQLITE)
        return buf_puts(error, "this ledger is in PostgreSQL: pg_dump copies it consistently while the engine runs"), -ENOTSUP;
    if (access(path, F_OK) == 0) return buf_printf(error, "%s exists already; name another file", path), -EEXIST;
    int e = db_prepare(db, &s, "VACUUM INTO ?");
    if (e == 0) {
        db_bind_text(s, 1, path);
        e = db_run(s);
    }
    if (e) buf_printf(error, "%s could not be written: %s", path, db_error(db));
    db_finalize(s);
    return e;
}
