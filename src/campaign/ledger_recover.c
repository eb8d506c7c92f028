/* ledger_recover.c: what the last engine of this name left open, in one transaction, so that no lead is ever between two states. */
#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

#include "campaign/ledger_own.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/log.h"

/* The leads first, while the attempts are still open. `except` is a list of quoted ids, '' or a select. */
static int recover_leads(struct db *db, const char *node, const char *except, int64_t now)
{
    struct buf sql = BUF_INIT;
    struct db_statement *s = NULL;
    buf_printf(&sql,
               "UPDATE lead SET state = CASE WHEN lead.tries >= c.max_attempts THEN 'done' ELSE 'pending' END, disposition = 'interrupted',"
               " next_us = ? + c.interrupted_after_us, claimed_by = NULL, updated_us = ?"
               " FROM campaign c WHERE c.id = lead.campaign AND lead.state = 'dialling' AND lead.attempt IN"
               " (SELECT id FROM attempt WHERE node = ? AND state = 'claimed') AND lead.attempt NOT IN (%s)",
               except);
    int e = db_prepare(db, &s, buf_text(&sql));
    if (e == 0) {
        db_bind_int(s, 1, now);
        db_bind_int(s, 2, now);
        db_bind_text(s, 3, node);
        e = db_run(s);
    }
    db_finalize(s);
    buf_free(&sql);
    return e;
}

static int recover_attempts(struct db *db, const char *node, const char *except, int64_t now, int64_t *count)
{
    struct buf sql = BUF_INIT;
    struct db_statement *s = NULL;
    buf_printf(&sql,
               "UPDATE attempt SET state = 'interrupted', disposition = 'interrupted', end_us = CASE WHEN ? < claimed_us THEN claimed_us "
               "ELSE ? END"
               " WHERE node = ? AND state = 'claimed' AND id NOT IN (%s)",
               except);
    int e = db_prepare(db, &s, buf_text(&sql));
    if (e == 0) {
        db_bind_int(s, 1, now);
        db_bind_int(s, 2, now);
        db_bind_text(s, 3, node);
        e = db_run(s);
        *count = e ? 0 : db_changes(s);
    }
    db_finalize(s);
    buf_free(&sql);
    return e;
}

/* Claimed and never dialled: nobody was called, so back they go as they were. */
static int recover_claims(struct db *db, const char *node, int64_t now)
{
    struct db_statement *s = NULL;
    int e = db_prepare(db, &s,
                       "UPDATE lead SET state = 'pending', claimed_by = NULL, updated_us = ? WHERE state = 'claimed' AND claimed_by = ?");
    if (e == 0) {
        db_bind_int(s, 1, now);
        db_bind_text(s, 2, node);
        e = db_run(s);
    }
    db_finalize(s);
    return e;
}

/* Tens of thousands are too many for one statement's text. */
#define ADOPTED_ROWS 500
static int adopted_insert(struct db *db, const struct uuid *adopted, size_t count)
{
    struct buf sql = BUF_INIT;
    char text[UUID_TEXT_SIZE];
    buf_puts(&sql, "INSERT INTO adopted_now (id) VALUES ");
    for (size_t i = 0; i < count; i++)
        buf_printf(&sql, "%s('%s')", i ? "," : "", uuid_text(&adopted[i], text)); /* hexadecimal digits: nothing to escape */
    int e = db_exec(db, buf_text(&sql));
    buf_free(&sql);
    return e;
}

static int adopted_write(struct db *db, const struct uuid *adopted, size_t count)
{
    int e = db_exec(db, "CREATE TEMPORARY TABLE IF NOT EXISTS adopted_now (id TEXT NOT NULL)");
    if (e == 0) e = db_exec(db, "DELETE FROM adopted_now");
    for (size_t i = 0; i < count && e == 0; i += ADOPTED_ROWS)
        e = adopted_insert(db, adopted + i, count - i < ADOPTED_ROWS ? count - i : ADOPTED_ROWS);
    return e;
}

int ledger_recover_run(struct db *db, const char *node, const struct uuid *adopted, size_t count, int64_t *attempts)
{
    const char *except = count ? "SELECT id FROM adopted_now" : "''";
    int64_t now = clock_utc_us();
    *attempts = 0;
    int e = count ? adopted_write(db, adopted, count) : 0;
    if (e == 0) e = db_begin(db);
    if (e == 0) e = recover_leads(db, node, except, now);
    if (e == 0) e = recover_attempts(db, node, except, now, attempts);
    if (e == 0) e = recover_claims(db, node, now);
    if (e == 0) e = db_commit(db);
    if (e) db_rollback(db);
    return e;
}

/* --- the loop's side -------------------------------------------------------------------------------------------- */

struct recovery {
    struct ledger_job job;
    const char *node;
    const struct uuid *adopted;
    size_t count;
    int64_t attempts;
    int error;
    sem_t ready;
};

static int recovery_run(struct ledger_job *job, struct db *db)
{
    struct recovery *r = CONTAINER_OF(job, struct recovery, job);
    r->error = ledger_recover_run(db, r->node, r->adopted, r->count, &r->attempts);
    if (r->error) log_err(NULL, "ledger: cannot mark what the last engine left open: %s", db_error(db));
    return r->error;
}

/* On the loop that stood still in ledger_recover_except: later, and only to free. */
static void recovery_done(struct ledger_job *job, int error) { free(CONTAINER_OF(job, struct recovery, job)); }

/* The loop's thread waits here, so `done` (posted to that loop) cannot be what wakes it: `run` does. A job that is never run (database
 * away) is told apart by the database's state before. */
static int recovery_run_and_wake(struct ledger_job *job, struct db *db)
{
    struct recovery *r = CONTAINER_OF(job, struct recovery, job);
    int e = recovery_run(job, db);
    sem_post(&r->ready);
    return e;
}

int64_t ledger_recover_except(struct ledger *ledger, const struct uuid *adopted, size_t count)
{
    if (!atomic_load(&ledger->database_up)) return -ENOTCONN;
    struct recovery *r = calloc(1, sizeof *r);
    CHECK(r);
    *r = (struct recovery) {
        .job = { recovery_run_and_wake, recovery_done, NULL }, .node = ledger->node, .adopted = adopted, .count = count, .error = -ENOTCONN
    };
    sem_init(&r->ready, 0, 0);
    ledger_submit(ledger, &r->job);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 20;
    while (sem_timedwait(&r->ready, &until) < 0)
        if (errno != EINTR) return -ENOTCONN;
    return r->error ? r->error : r->attempts;
}

int64_t ledger_recover(struct ledger *ledger) { return ledger_recover_except(ledger, NULL, 0); }
