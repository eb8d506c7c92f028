/* leads.c: the leads' SQL, on the ledger's thread. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaign/campaigns_own.h"
#include "campaign/import.h"
#include "campaign/json.h"
#include "core/check.h"
#include "core/clock.h"

#define CLAIM_ROUNDS 8 /* batches that turned out to be wholly outside their window, per claim */

/* --- lists ------------------------------------------------------------------------------------------------------------ */

void lead_list_add(struct lead_list *list, struct lead *lead)
{
    lead->next = NULL;
    if (list->first)
        list->last->next = lead;
    else
        list->first = lead;
    list->last = lead;
    list->count++;
}

struct lead *lead_list_take(struct lead_list *list)
{
    struct lead *lead = list->first;
    if (lead) {
        list->first = lead->next;
        list->count--;
    }
    return lead;
}

void lead_list_put_back(struct lead_list *list, struct lead *lead)
{
    lead->next = list->first;
    if (!list->first) list->last = lead;
    list->first = lead;
    list->count++;
}

void lead_free(struct lead *lead)
{
    if (!lead) return;
    kv_free(&lead->variables);
    free(lead);
}

void lead_list_free(struct lead_list *list)
{
    struct lead *lead;
    while ((lead = lead_list_take(list))) lead_free(lead);
}

const char *lead_zone(const struct lead *lead, const struct campaign_file *file)
{
    const char *zone = lead->zone[0] ? lead->zone : zone_by_number(lead->number);
    return zone ? zone : file->default_zone;
}

int64_t lead_callable_us(const struct lead *lead, const struct campaign_file *file, int64_t now_us)
{
    const char *zone = lead_zone(lead, file);
    int64_t at = window_next(&file->window, zone, now_us);
    for (int turn = 0; file->has_engine_window && at != INT64_MAX && turn < 16; turn++) {
        int64_t later = window_next(&file->engine_window, zone, at);
        if (later == at) return at;
        at = later == INT64_MAX ? later : window_next(&file->window, zone, later);
    }
    return at;
}

/* --- claiming ----------------------------------------------------------------------------------------------------------- */

#define CLAIM_SQL(LOCK)                                                                                                                    \
    "UPDATE lead SET state = 'claimed', claimed_by = ?, updated_us = ? WHERE id IN (SELECT id FROM lead WHERE campaign = ? AND state = "   \
    "'pending'"                                                                                                                            \
    " AND next_us <= ? ORDER BY next_us, id LIMIT ?" LOCK ") RETURNING id, number, zone, variables, tries, history, disposition, next_us"

static struct lead *read_lead(const struct db_statement *s)
{
    struct lead *lead = calloc(1, sizeof *lead);
    CHECK(lead);
    lead->id = db_int(s, 0);
    snprintf(lead->number, sizeof lead->number, "%s", db_text(s, 1));
    snprintf(lead->zone, sizeof lead->zone, "%s", db_text(s, 2));
    if (json_read_flat(db_text(s, 3), &lead->variables)) /* somebody wrote into the table by hand: the call is made without variables */
        kv_clear(&lead->variables);
    lead->tries = (uint32_t)db_int(s, 4);
    snprintf(lead->history, sizeof lead->history, "%s", db_text(s, 5));
    snprintf(lead->disposition, sizeof lead->disposition, "%s", db_text(s, 6));
    lead->due_us = db_int(s, 7);
    return lead;
}

static int claim_batch(struct db_statement *s, int64_t campaign, const char *node, int64_t now, uint32_t limit, struct lead_list *out)
{
    int e;
    db_bind_text(s, 1, node);
    db_bind_int(s, 2, now);
    db_bind_int(s, 3, campaign);
    db_bind_int(s, 4, now);
    db_bind_int(s, 5, limit);
    while ((e = db_step(s)) == 1) lead_list_add(out, read_lead(s));
    return e;
}

static int defer(struct db_statement *s, const struct lead *lead, int64_t next_us, int64_t now)
{
    db_bind_int(s, 1, next_us);
    db_bind_int(s, 2, now);
    db_bind_int(s, 3, lead->id);
    return db_run(s);
}

/* Leads outside their window go back until it opens. A window that never opens (a wrong zone) is looked at once a day. */
static int defer_closed(struct db_statement *s, const struct campaign_file *file, int64_t now, struct lead_list *batch,
                        struct lead_list *out)
{
    struct lead *lead;
    int e = 0;
    while ((lead = lead_list_take(batch))) {
        int64_t at = lead_callable_us(lead, file, now);
        if (at <= now) {
            lead_list_add(out, lead);
            continue;
        }
        if (e == 0) e = defer(s, lead, at == INT64_MAX ? now + 86400000000LL : at, now);
        lead_free(lead);
    }
    return e;
}

/* RETURNING gives no order; callers want the file's. */
static int by_due(const void *a, const void *b)
{
    const struct lead *x = *(struct lead *const *)a, *y = *(struct lead *const *)b;
    return x->due_us != y->due_us ? (x->due_us > y->due_us) - (x->due_us < y->due_us) : (x->id > y->id) - (x->id < y->id);
}

static void sort_list(struct lead_list *list)
{
    size_t count = list->count;
    struct lead **all = malloc((count + 1) * sizeof *all);
    CHECK(all);
    for (size_t i = 0; i < count; i++) all[i] = lead_list_take(list);
    if (count > 1) qsort(all, count, sizeof *all, by_due);
    for (size_t i = 0; i < count; i++) lead_list_add(list, all[i]);
    free(all);
}

static int next_due(struct db *db, int64_t campaign, int64_t *out)
{
    char sql[160];
    snprintf(sql, sizeof sql, "SELECT COALESCE(MIN(next_us), -1) FROM lead WHERE state = 'pending' AND campaign = %lld",
             (long long)campaign);
    int e = db_value_int(db, sql, out);
    if (e == 0 && *out == 0) *out = 1; /* a row made by hand may have 0; here 0 means that none is left */
    if (e == 0 && *out < 0) *out = 0;
    return e;
}

static int claim_rounds(struct db *db, const struct campaign_file *file, int64_t campaign, const char *node, uint32_t limit,
                        struct lead_list *out, struct db_statement *claim, struct db_statement *back)
{
    int64_t now = clock_utc_us();
    int e = 0;
    for (int round = 0; round < CLAIM_ROUNDS && out->count < limit && e == 0; round++) {
        struct lead_list batch = { 0 };
        e = claim_batch(claim, campaign, node, now, limit - (uint32_t)out->count, &batch);
        bool last = batch.count == 0;
        if (e == 0) e = defer_closed(back, file, now, &batch, out);
        lead_list_free(&batch);
        if (last) break;
    }
    return e;
}

int leads_claim(struct db *db, const struct campaign_file *file, int64_t campaign, const char *node, uint32_t limit, struct lead_list *out,
                int64_t *next_due_us)
{
    struct db_statement *claim = NULL, *back = NULL;
    int e = db_prepare(db, &claim, db_kind(db) == DB_SQLITE ? CLAIM_SQL("") : CLAIM_SQL(" FOR UPDATE SKIP LOCKED"));
    if (e == 0) e = db_prepare(db, &back, "UPDATE lead SET state = 'pending', next_us = ?, claimed_by = NULL, updated_us = ? WHERE id = ?");
    if (e == 0) e = db_begin(db);
    if (e == 0) e = claim_rounds(db, file, campaign, node, limit, out, claim, back);
    if (e == 0) e = db_commit(db);
    if (e == 0) e = next_due(db, campaign, next_due_us);
    if (e) db_rollback(db);
    db_finalize(claim);
    db_finalize(back);
    if (e)
        lead_list_free(out);
    else
        sort_list(out);
    return e;
}

int leads_release(struct db *db, const struct lead *first)
{
    struct db_statement *s = NULL;
    int e = db_prepare(db, &s, "UPDATE lead SET state = 'pending', claimed_by = NULL, updated_us = ? WHERE id = ? AND state = 'claimed'");
    if (e == 0) e = db_begin(db);
    for (const struct lead *lead = first; lead && e == 0; lead = lead->next) {
        db_bind_int(s, 1, clock_utc_us());
        db_bind_int(s, 2, lead->id);
        e = db_run(s);
    }
    if (e == 0) e = db_commit(db);
    if (e) db_rollback(db);
    db_finalize(s);
    return e;
}

/* --- the campaign's row --------------------------------------------------------------------------------------------------- */

int leads_count(struct db *db, int64_t campaign, struct lead_counts *out)
{
    struct db_statement *s = NULL;
    *out = (struct lead_counts) { 0 };
    int e = db_prepare(db, &s, "SELECT state, COUNT(*) FROM lead WHERE campaign = ? GROUP BY state");
    if (e) return e;
    db_bind_int(s, 1, campaign);
    while ((e = db_step(s)) == 1) {
        const char *state = db_text(s, 0);
        int64_t count = db_int(s, 1);
        out->total += count;
        *(strcmp(state, "pending") == 0 ? &out->pending : strcmp(state, "done") == 0 ? &out->done : &out->open) += count;
    }
    db_finalize(s);
    return e;
}

int campaign_state_save(struct db *db, int64_t campaign, const char *state, const char *problem)
{
    struct db_statement *s = NULL;
    bool ended = strcmp(state, "running") != 0 && strcmp(state, "paused") != 0 && strcmp(state, "stopping") != 0;
    int e = db_prepare(db, &s, "UPDATE campaign SET state = ?, problem = ?, ended_us = ? WHERE id = ?");
    if (e) return e;
    db_bind_text(s, 1, state);
    db_bind_text(s, 2, problem && *problem ? problem : NULL);
    if (ended) db_bind_int(s, 3, clock_utc_us());
    db_bind_int(s, 4, campaign);
    e = db_run(s);
    db_finalize(s);
    return e;
}

int campaign_state_begin(struct db *db, const char *name, const struct campaign_file *file, const char *node, const char *state,
                         int64_t *id)
{
    struct db_statement *s = NULL;
    const struct retry_rule *interrupted = retry_rule_find(&file->retry, "INTERRUPTED");
    int e = campaign_row(db, name, id);
    if (e == 0)
        e = db_prepare(db, &s,
                       "UPDATE campaign SET file = ?, node = ?, state = ?, problem = NULL, max_attempts = ?, interrupted_after_us = ?,"
                       " started_us = COALESCE(started_us, ?), ended_us = NULL WHERE id = ?");
    if (e) return e;
    db_bind_text(s, 1, file->path);
    db_bind_text(s, 2, node);
    db_bind_text(s, 3, state);
    db_bind_int(s, 4, interrupted && interrupted->tries ? file->max_attempts : 0); /* 0: an interrupted lead is done */
    db_bind_int(s, 5, interrupted ? interrupted->after_us : 0);
    db_bind_int(s, 6, clock_utc_us());
    db_bind_int(s, 7, *id);
    e = db_run(s);
    db_finalize(s);
    return e;
}
