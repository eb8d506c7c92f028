/* ledger_thread.c: the ledger's own thread.
 *
 * One turn: take what was queued; if a group is due, write it. Where to, depends on the state:
 *
 *   up            the spool is empty; a group is one transaction
 *   away          a group is one fsync of the spool; the database is tried again each second
 *   catching up   connected again; groups still go to the spool (order!) while each turn replays the next records of it; at its end: up
 *
 * When neither takes a group, begins are given back with an error, results stay in memory, and `accepting` is false until one of them does.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "campaign/ledger_own.h"
#include "campaign/schema.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/log.h"

void ledger_problem(struct ledger *ledger, const char *text)
{
    unsigned next = !atomic_load(&ledger->problem_at);
    snprintf(ledger->problem[next], sizeof ledger->problem[next], "%s", text);
    atomic_store(&ledger->problem_at, next);
}

/* --- the connection ------------------------------------------------------------------------------------------ */

int ledger_connect(struct ledger *ledger, struct buf *error)
{
    const struct db_options options = {
        .durable = true, .connect_ms = LEDGER_STATEMENT_MS, .statement_ms = LEDGER_STATEMENT_MS, .busy_ms = LEDGER_STATEMENT_MS
    };
    int e = db_open(&ledger->db, ledger->database, &options, error);
    if (e) return e;
    e = schema_migrate(ledger->db, error);
    if (e == 0 && (e = ledger_sql_prepare(&ledger->sql, ledger->db)) != 0)
        buf_printf(error, "the database's tables are not Carillon's: %s; give another database", db_error(ledger->db));
    if (e) {
        ledger_disconnect(ledger);
        return e;
    }
    ledger->catching_up = spool_count(ledger->spool) > 0;
    ledger->replay_at = 0;
    ledger->replayed = 0;
    atomic_store(&ledger->database_up, !ledger->catching_up);
    return 0;
}

void ledger_disconnect(struct ledger *ledger)
{
    atomic_store(&ledger->database_up, false);
    ledger->catching_up = false;
    if (!ledger->db) return;
    db_rollback(ledger->db);
    ledger_sql_finalize(&ledger->sql);
    db_close(ledger->db);
    ledger->db = NULL;
}

static void go_away(struct ledger *ledger)
{
    struct buf text = BUF_INIT;
    buf_printf(&text, "database away: %s", ledger->db ? db_error(ledger->db) : "not connected");
    ledger_problem(ledger, buf_text(&text));
    if (!ledger->away_told)
        log_crit(NULL, "ledger: %s; results wait in the spool, and the database is tried again each second", buf_text(&text));
    ledger->away_told = true;
    buf_free(&text);
    ledger_disconnect(ledger);
    ledger->retry_ns = clock_mono_ns() + LEDGER_RETRY_MS * NS_PER_MS;
}

static void database_is_back(struct ledger *ledger)
{
    atomic_store(&ledger->database_up, true);
    atomic_store(&ledger->accepting, true);
    if (ledger->away_told || ledger->replayed)
        log_notice(NULL, "ledger: the database is there; %llu operations replayed from the spool", (unsigned long long)ledger->replayed);
    ledger->away_told = false;
    ledger_problem(ledger, "");
}

/* Can it be written, not only opened? Asked briefly: what is pending waits meanwhile. */
static int probe_database(struct ledger *ledger, struct buf *error)
{
    int e = ledger_connect(ledger, error);
    if (e) return e;
    db_busy_set(ledger->db, LEDGER_PROBE_MS);
    e = db_begin(ledger->db);
    if (e == 0 && db_kind(ledger->db) == DB_SQLITE) /* a page that is really written: a full disk opens well enough, too */
        e = db_exec(ledger->db, "PRAGMA user_version = 1");
    if (e == 0) e = db_commit(ledger->db);
    if (e) buf_printf(error, "database away: %s", db_error(ledger->db));
    db_rollback(ledger->db);
    db_busy_set(ledger->db, LEDGER_STATEMENT_MS);
    if (e) ledger_disconnect(ledger);
    return e;
}

static void try_connect(struct ledger *ledger)
{
    struct buf error = BUF_INIT;
    int64_t now = clock_mono_ns();
    if (now < ledger->retry_ns) return;
    if (probe_database(ledger, &error)) {
        ledger_problem(ledger, buf_text(&error));
        ledger->retry_ns = clock_mono_ns() + LEDGER_RETRY_MS * NS_PER_MS;
    } else if (!ledger->catching_up) {
        database_is_back(ledger);
    }
    buf_free(&error);
}

/* --- one group into the database ------------------------------------------------------------------------------ */

static void written(struct ledger *ledger, uint64_t count)
{
    atomic_fetch_add_explicit(&ledger->rows_written, count, memory_order_relaxed);
    atomic_store_explicit(&ledger->last_commit_us, clock_utc_us(), memory_order_relaxed);
}

static int write_transaction(struct ledger *ledger, const struct ledger_op *first, size_t count)
{
    int e = db_begin(ledger->db);
    for (const struct ledger_op *op = first; op && count && e == 0; op = op->next, count--) e = ledger_write(ledger, op);
    if (e == 0) e = db_commit(ledger->db);
    if (e) db_rollback(ledger->db);
    return e;
}

static const struct uuid *op_id(const struct ledger_op *op)
{
    return op->kind == OP_AUDIT ? &op->audit.id : op->kind == OP_BEGIN ? &op->begin.id : &op->end.id;
}

/* A statement that the database refuses (not: cannot take now) must not hold up the others: each alone, and the culprit is named. */
static int write_singly(struct ledger *ledger, struct ledger_op *first)
{
    char id[UUID_TEXT_SIZE];
    for (struct ledger_op *op = first; op; op = op->next) {
        int e = write_transaction(ledger, op, 1);
        if (e && db_away(e)) return e;
        if (e) log_err(uuid_text(op_id(op), id), "ledger: the database refuses this row: %s", db_error(ledger->db));
        op->error = e;
    }
    return 0;
}

static int write_group(struct ledger *ledger, struct op_list *group)
{
    int e = write_transaction(ledger, group->first, SIZE_MAX);
    if (e && !db_away(e)) e = write_singly(ledger, group->first);
    if (e)
        go_away(ledger);
    else
        written(ledger, group->count);
    return e;
}

/* --- one group into the spool ------------------------------------------------------------------------------ */

static int spool_group(struct ledger *ledger, const struct op_list *group)
{
    struct kv record = KV_INIT;
    int e = 0;
    for (const struct ledger_op *op = group->first; op && e == 0; op = op->next) {
        kv_clear(&record);
        e = ledger_record_encode(op, &record);
        if (e == 0) e = spool_put(ledger->spool, (uint32_t)op->kind, kv_view(&record).data, (uint32_t)kv_view(&record).length);
    }
    kv_free(&record);
    int s = spool_sync(ledger->spool);
    if (e == 0) e = s;
    if (e == 0) atomic_fetch_add_explicit(&ledger->rows_spooled, group->count, memory_order_relaxed);
    return e;
}

/* Neither takes it: begins fail, the rest goes back to the front of what is pending. */
static void keep_group(struct ledger *ledger, struct op_list *group, int error)
{
    struct op_list failed = { 0 }, kept = { 0 };
    struct ledger_op *op;
    if (atomic_exchange(&ledger->accepting, false))
        log_crit(NULL, "ledger: neither the database nor the spool can be written (%s): no new calls until one of them can",
                 strerror(-error));
    ledger_problem(ledger, "neither the database nor the spool can be written: no new calls");
    while ((op = op_list_take(group))) {
        if (op->kind == OP_BEGIN) {
            op->error = error;
            atomic_fetch_sub_explicit(&ledger->begins_waiting, 1, memory_order_relaxed);
            op_list_add(&failed, op);
        } else {
            op_list_add(&kept, op);
        }
    }
    while ((op = op_list_take(&ledger->pending))) op_list_add(&kept, op);
    ledger->pending = kept;
    ledger->retry_ns = clock_mono_ns() + LEDGER_RETRY_MS * NS_PER_MS;
    ledger_complete(ledger, &failed);
}

/* --- replay --------------------------------------------------------------------------------------------------- */

/* Up to LEDGER_GROUP_MAX records in one transaction. `singly`: each in its own, past those that the database refuses. */
static int replay_some(struct ledger *ledger, size_t most, uint64_t *at, size_t *count)
{
    struct ledger_op op;
    uint32_t kind, length;
    const void *body;
    int e = db_begin(ledger->db), more = 1;
    for (*count = 0; e == 0 && *count < most; ++*count) {
        more = spool_next(ledger->spool, at, &kind, &body, &length);
        if (more <= 0) break;
        if (kind == 0) /* a probe */
            continue;
        if (ledger_record_decode(&op, kind, (struct kv_view) { body, length }) < 0)
            log_err(NULL, "ledger: the spool has a record that this version cannot read (kind %u): left out", kind);
        else
            e = ledger_write(ledger, &op);
    }
    if (e == 0) e = db_commit(ledger->db);
    if (e) db_rollback(ledger->db);
    return e ? e : more < 0 ? more : 0;
}

int ledger_replay(struct ledger *ledger)
{
    uint64_t at = ledger->replay_at;
    size_t count;
    int e = replay_some(ledger, LEDGER_GROUP_MAX, &at, &count);
    if (e && !db_away(e)) { /* one of them is refused: record by record */
        at = ledger->replay_at;
        e = replay_some(ledger, 1, &at, &count);
        if (e && !db_away(e)) {
            log_err(NULL, "ledger: the database refuses a record of the spool: %s", db_error(ledger->db));
            uint32_t kind, length;
            const void *body;
            at = ledger->replay_at;
            e = spool_next(ledger->spool, &at, &kind, &body, &length) < 0 ? -EIO : 0;
            count = 1;
        }
    }
    if (e) return e;
    ledger->replay_at = at;
    ledger->replayed += count;
    written(ledger, count);
    if (count > 0) return 1;
    e = spool_clear(ledger->spool);
    ledger->catching_up = false;
    database_is_back(ledger);
    return e;
}

/* --- the turn --------------------------------------------------------------------------------------------------- */

static void take_queue(struct ledger *ledger)
{
    struct ledger_op *op;
    while (ledger->pending.count < LEDGER_BACKLOG_MAX && (op = ledger_pop(ledger))) op_list_add(&ledger->pending, op);
}

/* When the pending group must be written, INT64_MAX if there is none. */
static int64_t group_due_ns(const struct ledger *ledger)
{
    int64_t due = INT64_MAX;
    if (ledger->pending.count >= LEDGER_GROUP_MAX) return 0;
    for (const struct ledger_op *op = ledger->pending.first; op; op = op->next) {
        int64_t at = ledger_op_due_ns(op);
        if (at < due) due = at;
    }
    return due;
}

static void run_job(struct ledger *ledger, struct ledger_op *op)
{
    struct op_list done = { 0 };
    op->error = -ENOTCONN;
    if (ledger->db && !ledger->catching_up) {
        op->error = op->job->run(op->job, ledger->db);
        db_rollback(ledger->db); /* harmless unless the job left one open */
        if (db_lost(ledger->db)) go_away(ledger);
    }
    op_list_add(&done, op);
    ledger_complete(ledger, &done);
}

static void group_done(struct ledger *ledger, struct op_list *group)
{
    for (const struct ledger_op *op = group->first; op; op = op->next)
        if (op->kind == OP_BEGIN) atomic_fetch_sub_explicit(&ledger->begins_waiting, 1, memory_order_relaxed);
    ledger_complete(ledger, group);
}

/* Writes what is pending, in order: groups up to the next job, then the job. False: nothing takes it at the moment. */
static bool write_pending(struct ledger *ledger)
{
    while (ledger->pending.first) {
        struct op_list group = { 0 };
        if (ledger->pending.first->kind == OP_JOB) {
            run_job(ledger, op_list_take(&ledger->pending));
            continue;
        }
        while (ledger->pending.first && ledger->pending.first->kind != OP_JOB && group.count < LEDGER_GROUP_MAX)
            op_list_add(&group, op_list_take(&ledger->pending));
        int e = ledger->db && !ledger->catching_up ? write_group(ledger, &group) : -ENOTCONN;
        if (e) e = spool_group(ledger, &group);
        if (e) {
            keep_group(ledger, &group, e);
            return false;
        }
        if (!atomic_exchange(&ledger->accepting, true)) log_notice(NULL, "ledger: rows can be written again; calls go on");
        group_done(ledger, &group);
    }
    return true;
}

/* Nothing is pending and nothing could be written: a record without meaning tells whether the spool works again. */
static void probe_spool(struct ledger *ledger)
{
    if (spool_put(ledger->spool, 0, "", 0) == 0 && spool_sync(ledger->spool) == 0) {
        atomic_store(&ledger->accepting, true);
        log_notice(NULL, "ledger: the spool can be written again; calls go on");
    }
    ledger->retry_ns = clock_mono_ns() + LEDGER_RETRY_MS * NS_PER_MS;
}

/* `blocked`: what is pending can be written nowhere before `until_ns`. */
static void sleep_until(struct ledger *ledger, int64_t until_ns, bool blocked)
{
    uint64_t rung;
    struct pollfd p = { .fd = ledger->wake_fd, .events = POLLIN };
    atomic_store(&ledger->sleeps_until_ns, INT64_MAX);
    atomic_thread_fence(memory_order_seq_cst);
    take_queue(ledger); /* what came before the bell was armed */
    int64_t due = blocked ? INT64_MAX : group_due_ns(ledger);
    if (due < until_ns) until_ns = due;
    if (ledger_pushing(ledger) && ledger->pending.count < LEDGER_BACKLOG_MAX) /* somebody may hide what another pushed */
        until_ns = clock_mono_ns() + NS_PER_MS;
    /* From here on only what is due earlier rings. What came in between has rung, or is due later and is taken then: a push that read
     * INT64_MAX has lowered it, and this exchange fails. */
    int64_t armed = INT64_MAX;
    atomic_compare_exchange_strong(&ledger->sleeps_until_ns, &armed, until_ns);
    int64_t left = until_ns == INT64_MAX ? 0 : until_ns - clock_mono_ns();
    if (until_ns == INT64_MAX || left > 0) {
        struct timespec t = { .tv_sec = left / NS_PER_S, .tv_nsec = left % NS_PER_S };
        if (ppoll(&p, 1, until_ns == INT64_MAX ? NULL : &t, NULL) > 0 && read(ledger->wake_fd, &rung, sizeof rung) < 0)
            CHECK(errno == EAGAIN);
    }
    atomic_store(&ledger->sleeps_until_ns, INT64_MIN);
}

static void one_turn(struct ledger *ledger)
{
    bool stopping = atomic_load(&ledger->stopping);
    take_queue(ledger);
    if (!ledger->db) try_connect(ledger);
    bool blocked = !atomic_load(&ledger->accepting) && !ledger->db && clock_mono_ns() < ledger->retry_ns;
    if (!blocked && !ledger->pending.first && !atomic_load(&ledger->accepting) && !ledger->db)
        probe_spool(ledger);
    else if (stopping || (!blocked && group_due_ns(ledger) <= clock_mono_ns()))
        blocked = !write_pending(ledger);
    if (ledger->catching_up && ledger_replay(ledger) < 0) go_away(ledger);
    if (!ledger->catching_up && !stopping) sleep_until(ledger, ledger->db ? INT64_MAX : ledger->retry_ns, blocked);
}

void *ledger_main(void *context)
{
    struct ledger *ledger = context;
    prctl(PR_SET_NAME, "ledger");
    while (!atomic_load(&ledger->stopping)) one_turn(ledger);
    one_turn(ledger);
    if (ledger->pending.first) log_crit(NULL, "ledger: %zu results could be written nowhere and are lost", ledger->pending.count);
    return NULL;
}
