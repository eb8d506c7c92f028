/* ledger_write.c: one operation as SQL. Each statement is idempotent, since a replayed spool or a commit whose answer was lost runs it
 * again: a row is inserted once, closed once, and a lead moves only while it is at this very attempt. Row and lead are written in one
 * transaction. */
#include <errno.h>
#include <string.h>

#include "campaign/ledger_own.h"
#include "core/clock.h"

/* The larger of the row's claim and a time, NULL staying NULL: a row's times never run backwards, though the clock stepped between two
 * engines. The parameter comes twice; both dialects infer its type from claimed_us. */
#define LATER "CASE WHEN ? < claimed_us THEN claimed_us ELSE ? END"

#define BEGIN_SQL                                                                                                                          \
    "INSERT INTO attempt (id, channel, campaign, lead, node, trunk, number, caller_id, failover_of, claimed_us, state)"                    \
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'claimed') ON CONFLICT (id) DO NOTHING"
/* A failover is the same try of the lead on another trunk. */
#define BEGIN_LEAD_SQL                                                                                                                     \
    "UPDATE lead SET state = 'dialling', attempt = ?, tries = tries + ?, updated_us = ? WHERE id = ? AND (attempt IS NULL OR attempt <> "  \
    "?)"                                                                                                                                   \
    " AND state IN ('claimed', 'dialling', 'pending')"
#define END_SQL                                                                                                                            \
    "UPDATE attempt SET state = ?, trunk = COALESCE(?, trunk), invite_us = " LATER ", ring_us = " LATER ", answer_us = " LATER             \
    ", end_us = " LATER ", sip_status = ?, cause = ?, disposition = ?, refused = ?, billsec_ms = ?, pdd_ms = ?, packets_sent = ?,"         \
    " packets_received = ?, packets_lost = ?, packets_late = ?, jitter_us = ?, mos = ?, cost = ?, digits = ?, error = ?"                   \
    " WHERE id = ? AND state IN ('claimed', 'interrupted')"
#define REFUSED_SQL                                                                                                                        \
    "INSERT INTO attempt (id, channel, campaign, lead, node, trunk, number, caller_id, failover_of, claimed_us, end_us, state, cause, "    \
    "disposition, refused)"                                                                                                                \
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'refused', ?, 'refused', ?) ON CONFLICT (id) DO NOTHING"
#define REFUSED_LEAD_SQL "UPDATE lead SET attempt = ? WHERE id = ? AND (attempt IS NULL OR attempt <> ?)" /* no INVITE: no try */
#define LEAD_FINAL_SQL                                                                                                                     \
    "UPDATE lead SET state = 'done', disposition = ?, history = ?, claimed_by = NULL, updated_us = ? WHERE id = ? AND attempt = ?"         \
    " AND state = 'dialling'"
#define LEAD_RETRY_SQL                                                                                                                     \
    "UPDATE lead SET state = 'pending', disposition = ?, history = ?, next_us = ?, claimed_by = NULL, updated_us = ? WHERE id = ? AND "    \
    "attempt = ?"                                                                                                                          \
    " AND state = 'dialling'"
/* Without an attempt of its own that got anywhere (refused, or the ledger could not take it). */
#define LEAD_NOW_SQL                                                                                                                       \
    "UPDATE lead SET state = ?, disposition = ?, history = ?, next_us = ?, claimed_by = NULL, updated_us = ? WHERE id = ?"                 \
    " AND state IN ('claimed', 'dialling') AND (updated_us IS NULL OR updated_us <= ?)"

#define AUDIT_SQL                                                                                                                          \
    "INSERT INTO audit (id, node, time_us, who, role, origin, what, argument, result) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT "     \
    "(id) DO NOTHING"

int ledger_sql_prepare(struct ledger_sql *sql, struct db *db)
{
    const struct {
        struct db_statement **out;
        const char *text;
    } all[] = {
        { &sql->begin, BEGIN_SQL },           { &sql->begin_lead, BEGIN_LEAD_SQL },     { &sql->end, END_SQL },
        { &sql->refused, REFUSED_SQL },       { &sql->refused_lead, REFUSED_LEAD_SQL }, { &sql->lead_final, LEAD_FINAL_SQL },
        { &sql->lead_retry, LEAD_RETRY_SQL }, { &sql->lead_now, LEAD_NOW_SQL },         { &sql->audit, AUDIT_SQL },
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        int e = db_prepare(db, all[i].out, all[i].text);
        if (e) return e;
    }
    return 0;
}

void ledger_sql_finalize(struct ledger_sql *sql)
{
    db_finalize(sql->begin);
    db_finalize(sql->begin_lead);
    db_finalize(sql->end);
    db_finalize(sql->refused);
    db_finalize(sql->refused_lead);
    db_finalize(sql->lead_final);
    db_finalize(sql->lead_retry);
    db_finalize(sql->lead_now);
    db_finalize(sql->audit);
    *sql = (struct ledger_sql) { 0 };
}

static void bind_text(struct db_statement *s, int *at, const char *text) { db_bind_text(s, (*at)++, *text ? text : NULL); }

/* 0 = never happened = NULL. */
static void bind_time(struct db_statement *s, int *at, int64_t value)
{
    if (value) db_bind_int(s, *at, value);
    ++*at;
}

static void bind_int(struct db_statement *s, int *at, int64_t value) { db_bind_int(s, (*at)++, value); }

static void bind_begin(struct db_statement *s, int *at, const struct attempt_begin *b)
{
    char id[UUID_TEXT_SIZE], channel[UUID_TEXT_SIZE];
    bind_text(s, at, uuid_text(&b->id, id));
    bind_text(s, at, uuid_is_nil(&b->channel) ? "" : uuid_text(&b->channel, channel));
    bind_time(s, at, b->campaign);
    bind_time(s, at, b->lead);
    db_bind_text(s, (*at)++, b->node);
    bind_text(s, at, b->trunk);
    db_bind_text(s, (*at)++, b->number);
    bind_text(s, at, b->caller_id);
    bind_int(s, at, b->failover_of);
    bind_int(s, at, b->claimed_us);
}

static int write_begin(struct ledger_sql *sql, const struct attempt_begin *b)
{
    char id[UUID_TEXT_SIZE];
    int at = 1;
    bind_begin(sql->begin, &at, b);
    int e = db_run(sql->begin);
    if (e || !b->lead || db_changes(sql->begin) == 0) /* a row that was there: the lead has had its share, and may be further on */
        return e;
    uuid_text(&b->id, id);
    db_bind_text(sql->begin_lead, 1, id);
    db_bind_int(sql->begin_lead, 2, b->failover_of ? 0 : 1);
    db_bind_int(sql->begin_lead, 3, b->claimed_us);
    db_bind_int(sql->begin_lead, 4, b->lead);
    db_bind_text(sql->begin_lead, 5, id);
    return db_run(sql->begin_lead);
}

static const char *const state_names[] = { "claimed", "done", "interrupted", "refused" };

/* The named times in ascending order: a later one is never smaller than an earlier one. */
static void settle_times(struct attempt_end *end)
{
    int64_t *const times[] = { &end->invite_us, &end->ring_us, &end->answer_us, &end->end_us };
    int64_t latest = 0;
    if (!end->end_us) end->end_us = clock_utc_us();
    for (size_t i = 0; i < 4; i++) {
        if (*times[i] && *times[i] < latest) *times[i] = latest;
        if (*times[i]) latest = *times[i];
    }
}

static void bind_end(struct db_statement *s, const struct attempt_end *end, const char *id)
{
    int at = 1;
    bool media = end->answer_us || end->packets_sent || end->packets_received;
    db_bind_text(s, at++, state_names[end->state]);
    bind_text(s, &at, end->trunk);
    bind_time(s, &at, end->invite_us), bind_time(s, &at, end->invite_us);
    bind_time(s, &at, end->ring_us), bind_time(s, &at, end->ring_us);
    bind_time(s, &at, end->answer_us), bind_time(s, &at, end->answer_us);
    bind_int(s, &at, end->end_us), bind_int(s, &at, end->end_us);
    bind_time(s, &at, end->sip_status);
    bind_text(s, &at, end->cause);
    bind_text(s, &at, end->disposition);
    bind_text(s, &at, end->refused);
    bind_int(s, &at, end->billsec_ms);
    if (end->pdd_ms || end->ring_us || end->answer_us) db_bind_int(s, at, end->pdd_ms);
    at++;
    const uint64_t packets[] = { end->packets_sent, end->packets_received, end->packets_lost, end->packets_late, end->jitter_us };
    for (size_t i = 0; i < 5; i++, at++)
        if (media) db_bind_int(s, at, (int64_t)packets[i]);
    if (end->mos_x100) db_bind_real(s, at, end->mos_x100 / 100.0);
    at++;
    if (end->cost_micro) db_bind_real(s, at, (double)end->cost_micro / 1e6);
    at++;
    bind_text(s, &at, end->digits);
    bind_text(s, &at, end->error);
    db_bind_text(s, at++, id);
}

static int write_lead(struct ledger_sql *sql, const struct attempt_end *end, const char *id)
{
    int at = 1;
    bool retry = !end->lead_final && end->retry_at_us;
    if (!end->lead || (!end->lead_final && !retry)) return 0;
    struct db_statement *s = retry ? sql->lead_retry : sql->lead_final;
    bind_text(s, &at, end->lead_disposition);
    bind_text(s, &at, end->lead_history);
    if (retry) bind_int(s, &at, end->retry_at_us);
    bind_int(s, &at, clock_utc_us());
    bind_int(s, &at, end->lead);
    db_bind_text(s, at, id);
    return db_run(s);
}

static int write_end(struct ledger_sql *sql, const struct attempt_end *given)
{
    struct attempt_end end = *given;
    char id[UUID_TEXT_SIZE];
    uuid_text(&end.id, id);
    settle_times(&end);
    bind_end(sql->end, &end, id);
    int e = db_run(sql->end);
    return e ? e : write_lead(sql, &end, id);
}

static int write_refused(struct ledger_sql *sql, const struct ledger_op *op)
{
    char id[UUID_TEXT_SIZE];
    int at = 1;
    bind_begin(sql->refused, &at, &op->begin);
    bind_int(sql->refused, &at, op->end.end_us > op->begin.claimed_us ? op->end.end_us : op->begin.claimed_us);
    bind_text(sql->refused, &at, op->end.cause);
    bind_text(sql->refused, &at, op->end.refused);
    int e = db_run(sql->refused);
    if (e || !op->begin.lead || db_changes(sql->refused) == 0) return e;
    uuid_text(&op->begin.id, id);
    db_bind_text(sql->refused_lead, 1, id);
    db_bind_int(sql->refused_lead, 2, op->begin.lead);
    db_bind_text(sql->refused_lead, 3, id);
    return db_run(sql->refused_lead);
}

static int write_lead_now(struct ledger_sql *sql, const struct attempt_end *end)
{
    int at = 1;
    db_bind_text(sql->lead_now, at++, end->lead_final ? "done" : "pending");
    bind_text(sql->lead_now, &at, end->lead_disposition);
    bind_text(sql->lead_now, &at, end->lead_history);
    bind_int(sql->lead_now, &at, end->retry_at_us);
    bind_int(sql->lead_now, &at, end->end_us);
    bind_int(sql->lead_now, &at, end->lead);
    bind_int(sql->lead_now, &at, end->end_us); /* a replayed one must not undo what came later */
    return db_run(sql->lead_now);
}

static int write_audit(struct ledger_sql *sql, const struct audit_row *row, const char *node)
{
    char id[UUID_TEXT_SIZE];
    int at = 1;
    db_bind_text(sql->audit, at++, uuid_text(&row->id, id));
    db_bind_text(sql->audit, at++, node);
    bind_int(sql->audit, &at, row->time_us);
    db_bind_text(sql->audit, at++, row->who);
    bind_text(sql->audit, &at, row->role);
    bind_text(sql->audit, &at, row->origin);
    db_bind_text(sql->audit, at++, row->what);
    bind_text(sql->audit, &at, row->argument);
    bind_text(sql->audit, &at, row->result);
    return db_run(sql->audit);
}

int ledger_write(struct ledger *ledger, const struct ledger_op *op)
{
    switch (op->kind) {
    case OP_BEGIN:
        return write_begin(&ledger->sql, &op->begin);
    case OP_END:
        return write_end(&ledger->sql, &op->end);
    case OP_REFUSED:
        return write_refused(&ledger->sql, op);
    case OP_LEAD:
        return write_lead_now(&ledger->sql, &op->end);
    case OP_AUDIT:
        return write_audit(&ledger->sql, &op->audit, ledger->node);
    case OP_JOB:
        break;
    }
    return -EINVAL;
}
