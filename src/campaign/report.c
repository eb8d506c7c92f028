/* report.c: the queries. One reading transaction, so that the numbers of one report belong together. */
#include "campaign/report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int by_campaign(struct db *db, struct db_statement **s, const char *sql, int64_t campaign)
{
    int e = db_prepare(db, s, sql);
    if (e == 0) db_bind_int(*s, 1, campaign);
    return e;
}

/* SELECT word, count[, answered] … ORDER BY 2 DESC */
static int words(struct db *db, const char *sql, int64_t campaign, struct report_words *out)
{
    struct db_statement *s = NULL;
    int e = by_campaign(db, &s, sql, campaign);
    while (e == 0 && (e = db_step(s)) == 1) {
        bool full = out->count == REPORT_WORDS_MAX;
        struct report_word *w = &out->word[full ? REPORT_WORDS_MAX - 1 : out->count++];
        snprintf(w->word, sizeof w->word, "%s", full ? "other" : db_text(s, 0));
        w->count = (full ? w->count : 0) + db_int(s, 1);
        w->answered = (full ? w->answered : 0) + db_int(s, 2);
        e = 0;
    }
    db_finalize(s);
    return e;
}

static int find_campaign(struct db *db, const char *name, struct report *r, int64_t *id, struct buf *error)
{
    struct db_statement *s = NULL;
    int e = db_prepare(db, &s, "SELECT id, state, problem, started_us, ended_us FROM campaign WHERE name = ?");
    if (e) return e;
    db_bind_text(s, 1, name);
    e = db_step(s);
    if (e == 1) {
        *id = db_int(s, 0);
        snprintf(r->state, sizeof r->state, "%s", db_text(s, 1));
        snprintf(r->problem, sizeof r->problem, "%s", db_text(s, 2));
        r->started_us = db_int(s, 3);
        r->ended_us = db_int(s, 4);
    }
    db_done(s);
    db_finalize(s);
    if (e) return e == 1 ? 0 : e;
    buf_printf(error, "no campaign \"%s\" in the database; there are:", name);
    if (db_prepare(db, &s, "SELECT name FROM campaign ORDER BY id DESC LIMIT 20") == 0) {
        while (db_step(s) == 1) buf_printf(error, " %s", db_text(s, 0));
        db_finalize(s);
    }
    return -ENOENT;
}

static int read_leads(struct db *db, int64_t id, struct report *r)
{
    struct db_statement *s = NULL;
    int e = by_campaign(
        db, &s,
        "SELECT COUNT(*), SUM(CASE WHEN state = 'pending' AND tries = 0 THEN 1 ELSE 0 END),"
        " SUM(CASE WHEN state = 'pending' AND tries > 0 THEN 1 ELSE 0 END), SUM(CASE WHEN state IN ('claimed', 'dialling') THEN 1 ELSE 0 "
        "END),"
        " SUM(CASE WHEN state = 'done' THEN 1 ELSE 0 END), MIN(CASE WHEN state = 'pending' THEN next_us END) FROM lead WHERE campaign = ?",
        id);
    if (e == 0 && (e = db_step(s)) == 1) {
        r->leads = db_int(s, 0), r->fresh = db_int(s, 1), r->retrying = db_int(s, 2), r->open = db_int(s, 3), r->done = db_int(s, 4),
        r->next_due_us = db_int(s, 5);
        e = 0;
    }
    db_finalize(s);
    return e;
}

static int read_attempts(struct db *db, int64_t id, struct report *r)
{
    struct db_statement *s = NULL;
    int e = by_campaign(
        db, &s,
        "SELECT COUNT(*), COUNT(invite_us), COUNT(answer_us), SUM(CASE WHEN state = 'interrupted' THEN 1 ELSE 0 END),"
        " SUM(CASE WHEN state = 'refused' THEN 1 ELSE 0 END), SUM(CASE WHEN state = 'claimed' THEN 1 ELSE 0 END),"
        " SUM(CASE WHEN answer_us IS NOT NULL THEN billsec_ms ELSE 0 END), SUM(CASE WHEN answer_us IS NULL AND invite_us IS NOT NULL THEN "
        "end_us - invite_us ELSE 0 END),"
        " SUM(packets_sent), SUM(packets_received), SUM(packets_lost), SUM(packets_late), COUNT(packets_sent),"
        " AVG(CASE WHEN packets_received > 0 THEN jitter_us END), AVG(mos), MIN(claimed_us), MAX(end_us) FROM attempt WHERE campaign = ?",
        id);
    if (e == 0 && (e = db_step(s)) == 1) {
        r->attempts = db_int(s, 0), r->invites = db_int(s, 1), r->answered = db_int(s, 2), r->interrupted = db_int(s, 3),
        r->refused = db_int(s, 4);
        r->unfinished = db_int(s, 5), r->billsec_ms = db_int(s, 6), r->ring_ms = db_int(s, 7) / 1000;
        r->sent = db_int(s, 8), r->received = db_int(s, 9), r->lost = db_int(s, 10), r->late = db_int(s, 11), r->with_media = db_int(s, 12);
        r->jitter_ms = db_real(s, 13) / 1000, r->mos = db_real(s, 14), r->first_us = db_int(s, 15), r->last_us = db_int(s, 16);
        e = 0;
    }
    db_finalize(s);
    return e;
}

/* Nearest rank: the smallest value that at least `percent` of all do not exceed. */
static int percentile(struct db *db, int64_t id, const char *column, const char *where, int percent, int64_t *out)
{
    char sql[400];
    int64_t count = 0;
    *out = -1;
    snprintf(sql, sizeof sql, "SELECT COUNT(*) FROM attempt WHERE campaign = %lld AND %s", (long long)id, where);
    int e = db_value_int(db, sql, &count);
    if (e || count == 0) return e;
    snprintf(sql, sizeof sql, "SELECT %s FROM attempt WHERE campaign = %lld AND %s ORDER BY %s LIMIT 1 OFFSET %lld", column, (long long)id,
             where, column, (long long)((count * percent + 99) / 100 - 1));
    return db_value_int(db, sql, out);
}

#define ATTEMPT_WORDS(expression, where)                                                                                                   \
    "SELECT " expression ", COUNT(*), COUNT(answer_us) FROM attempt WHERE campaign = ? AND " where " GROUP BY 1 ORDER BY 2 DESC, 1"

static int read_words(struct db *db, int64_t id, struct report *r)
{
    const struct {
        struct report_words *out;
        const char *sql;
    } all[] = {
        { &r->dispositions, "SELECT COALESCE(disposition, 'unknown'), COUNT(*), 0 FROM lead WHERE campaign = ? AND state = 'done' GROUP BY "
                            "1 ORDER BY 2 DESC, 1" },
        { &r->tries, "SELECT CAST(tries AS TEXT), COUNT(*), 0 FROM lead WHERE campaign = ? GROUP BY 1 ORDER BY 1" },
        { &r->attempt_dispositions, ATTEMPT_WORDS("disposition", "disposition IS NOT NULL") },
        { &r->causes, ATTEMPT_WORDS("cause", "cause IS NOT NULL AND state <> 'refused'") },
        { &r->statuses, ATTEMPT_WORDS("CAST(sip_status AS TEXT)", "sip_status IS NOT NULL") },
        { &r->refusals, ATTEMPT_WORDS("refused", "refused IS NOT NULL") },
        { &r->trunks, ATTEMPT_WORDS("trunk", "invite_us IS NOT NULL AND trunk IS NOT NULL") },
        { &r->digits, ATTEMPT_WORDS("digits", "digits IS NOT NULL") },
    };
    int e = 0;
    for (size_t i = 0; i < sizeof all / sizeof all[0] && e == 0; i++) e = words(db, all[i].sql, id, all[i].out);
    return e;
}

static int read_all(struct db *db, int64_t id, struct report *r)
{
    int e = read_leads(db, id, r);
    if (e == 0) e = read_attempts(db, id, r);
    if (e == 0) e = percentile(db, id, "pdd_ms", "pdd_ms IS NOT NULL AND invite_us IS NOT NULL", 50, &r->pdd_p50);
    if (e == 0) e = percentile(db, id, "pdd_ms", "pdd_ms IS NOT NULL AND invite_us IS NOT NULL", 95, &r->pdd_p95);
    if (e == 0) e = percentile(db, id, "billsec_ms", "answer_us IS NOT NULL", 50, &r->bill_p50);
    if (e == 0) e = percentile(db, id, "billsec_ms", "answer_us IS NOT NULL", 95, &r->bill_p95);
    return e ? e : read_words(db, id, r);
}

int report_make(struct db *db, const char *campaign, struct report *out, struct buf *error)
{
    int64_t id = 0;
    *out = (struct report) { 0 };
    snprintf(out->name, sizeof out->name, "%s", campaign);
    int e = db_exec(db, db_kind(db) == DB_SQLITE ? "BEGIN" : "BEGIN ISOLATION LEVEL REPEATABLE READ");
    if (e == 0) e = find_campaign(db, campaign, out, &id, error);
    if (e == 0) e = read_all(db, id, out);
    if (e && e != -ENOENT) buf_printf(error, "the database fails: %s", db_error(db));
    db_exec(db, "ROLLBACK");
    return e;
}

double report_share(int64_t part, int64_t whole) { return whole ? 100.0 * (double)part / (double)whole : 0; }
