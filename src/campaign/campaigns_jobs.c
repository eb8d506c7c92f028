/* campaigns_jobs.c: what a campaign asks of the ledger's thread, and what it does with the answer. A job copies what it needs: the campaign
 * may be stopped meanwhile, but it is not freed before its last job came back. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaign/campaigns_own.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/log.h"

#define RESUME_AGAIN_NS (2 * NS_PER_S) /* the database was away when we wanted to know which campaigns ran */

struct task {
    struct ledger_job job;
    struct campaigns *all;
    struct campaign *campaign; /* NULL: for all */
    int (*run)(struct task *task, struct db *db);
    void (*back)(struct task *task, int error);
    /* in */
    char name[64], path[512], state[16], problem[300];
    uint32_t limit;
    int64_t id;
    /* out */
    struct campaign_file *file;
    struct lead_counts counts;
    struct lead_list leads;
    int64_t next_due_us;
    struct task *found; /* campaigns_resume: a list, linked by found */
    struct buf text;    /* errors */
};

static void task_free(struct task *task)
{
    lead_list_free(&task->leads);
    campaign_file_free(task->file);
    buf_free(&task->text);
    free(task);
}

static int task_run(struct ledger_job *job, struct db *db)
{
    struct task *task = CONTAINER_OF(job, struct task, job);
    int e = task->run(task, db);
    if (e && task->text.length == 0) buf_puts(&task->text, db_error(db));
    return e;
}

static void task_done(struct ledger_job *job, int error)
{
    struct task *task = CONTAINER_OF(job, struct task, job);
    struct campaigns *all = task->all;
    all->jobs--;
    if (!all->ended) task->back(task, error);
    task_free(task);
    if (all->ended && all->jobs == 0) campaigns_free(all);
}

static struct task *task_new(struct campaigns *all, struct campaign *campaign, int (*run)(struct task *, struct db *),
                             void (*back)(struct task *, int))
{
    struct task *task = calloc(1, sizeof *task);
    CHECK(task);
    task->job = (struct ledger_job) { task_run, task_done, NULL };
    task->all = all;
    task->campaign = campaign;
    task->run = run;
    task->back = back;
    task->id = campaign ? campaign->id : 0;
    return task;
}

static void submit(struct task *task)
{
    task->all->jobs++;
    ledger_submit(task->all->params.ledger, &task->job);
}

/* --- load: the file, the row, the counts ------------------------------------------------------------------------------- */

static int load_run(struct task *task, struct db *db)
{
    int e = campaign_file_load(&task->file, task->path, task->all->params.config, &task->text);
    if (e == 0) e = campaign_state_begin(db, task->name, task->file, task->all->node, task->state, &task->id);
    if (e == 0) e = leads_count(db, task->id, &task->counts);
    return e;
}

static const char *state_word(enum campaign_state state)
{
    return state == CAMPAIGN_PAUSED ? "paused" : state == CAMPAIGN_STOPPING ? "stopping" : "running";
}

static void load_back(struct task *task, int error)
{
    struct campaign *c = task->campaign;
    if (c->state != CAMPAIGN_LOADING) return; /* stopped meanwhile */
    if (error) {
        campaign_fail(c, error == -ENOTCONN ? "the database is away; run it again when it is back" : buf_text(&task->text));
        return;
    }
    c->id = task->id;
    c->file = task->file;
    task->file = NULL;
    c->counts = task->counts;
    c->state = c->wanted;
    c->started_ns = c->filled_ns = clock_mono_ns();
    c->tokens = 1;
    log_notice(NULL, "campaign %s: %s, %lld leads, %lld of them done", c->name, state_word(c->state), (long long)c->counts.total,
               (long long)c->counts.done);
    campaign_take_adopted(c);
}

void campaign_load(struct campaign *campaign)
{
    struct task *task = task_new(campaign->all, campaign, load_run, load_back);
    snprintf(task->name, sizeof task->name, "%s", campaign->name);
    snprintf(task->path, sizeof task->path, "%s", campaign->path);
    snprintf(task->state, sizeof task->state, "%s", state_word(campaign->wanted));
    submit(task);
}

static int count_run(struct task *task, struct db *db) { return leads_count(db, task->id, &task->counts); }

static void count_back(struct task *task, int error)
{
    if (error == 0) task->campaign->counts = task->counts;
}

/* After rows were queued whose ends the counts at load had not seen. */
void campaign_recount(struct campaign *campaign) { submit(task_new(campaign->all, campaign, count_run, count_back)); }

/* --- claim --------------------------------------------------------------------------------------------------------------- */

static int claim_run(struct task *task, struct db *db)
{
    return leads_claim(db, task->campaign->file, task->id, task->all->node, task->limit, &task->leads, &task->next_due_us);
}

static void claim_back(struct task *task, int error)
{
    struct campaign *c = task->campaign;
    struct lead *lead;
    c->claiming = false;
    c->claim_at_ns = loop_now_ns(c->all->params.loop) + (error || task->leads.count < task->limit ? CLAIM_POLL_MS * NS_PER_MS : 0);
    if (error) {
        if (error != -ENOTCONN) log_err(NULL, "campaign %s: cannot claim leads: %s", c->name, buf_text(&task->text));
        c->next_due_us = 1; /* not known: certainly not the end */
        return;
    }
    c->next_due_us = task->next_due_us;
    while ((lead = lead_list_take(&task->leads))) lead_list_add(&c->queue, lead);
    if (c->state != CAMPAIGN_RUNNING) campaign_release_queue(c);
}

void campaign_claim(struct campaign *campaign, uint32_t limit)
{
    struct task *task = task_new(campaign->all, campaign, claim_run, claim_back);
    task->limit = limit;
    campaign->claiming = true;
    campaign->overs_at_claim = campaign->overs;
    submit(task);
}

/* --- release, state -------------------------------------------------------------------------------------------------------- */

static int release_run(struct task *task, struct db *db) { return leads_release(db, task->leads.first); }

static void release_back(struct task *task, int error)
{
    struct lead *lead;
    if (error) /* through the spool then: nothing claimed may stay behind */
        for (lead = task->leads.first; lead; lead = lead->next) {
            struct attempt_end end = { .lead = lead->id };
            snprintf(end.lead_history, sizeof end.lead_history, "%s", lead->history);
            snprintf(end.lead_disposition, sizeof end.lead_disposition, "%s", lead->disposition);
            ledger_lead_next(task->all->params.ledger, &end);
        }
}

void campaign_release(struct campaign *campaign, struct lead_list *leads)
{
    if (!leads->first) return;
    struct task *task = task_new(campaign->all, campaign, release_run, release_back);
    task->leads = *leads;
    *leads = (struct lead_list) { 0 };
    submit(task);
}

static int state_run(struct task *task, struct db *db) { return campaign_state_save(db, task->id, task->state, task->problem); }

static void state_back(struct task *task, int error)
{
    if (error)
        log_err(NULL, "campaign %s: its state \"%s\" could not be saved: %s", task->campaign->name, task->state,
                error == -ENOTCONN ? "the database is away" : buf_text(&task->text));
}

void campaign_save_state(struct campaign *campaign, const char *state)
{
    if (!campaign->id) return;
    struct task *task = task_new(campaign->all, campaign, state_run, state_back);
    snprintf(task->state, sizeof task->state, "%s", state);
    snprintf(task->problem, sizeof task->problem, "%s", campaign->problem);
    submit(task);
}

/* --- going on after a restart ---------------------------------------------------------------------------------------------- */

static int resume_run(struct task *task, struct db *db)
{
    struct db_statement *s = NULL;
    int e = db_prepare(
        db, &s,
        "SELECT name, file, state FROM campaign WHERE node = ? AND state IN ('running', 'paused', 'stopping') AND file IS NOT NULL");
    if (e) return e;
    db_bind_text(s, 1, task->all->node);
    while ((e = db_step(s)) == 1) {
        struct task *one = calloc(1, sizeof *one);
        CHECK(one);
        snprintf(one->name, sizeof one->name, "%s", db_text(s, 0));
        snprintf(one->path, sizeof one->path, "%s", db_text(s, 1));
        snprintf(one->state, sizeof one->state, "%s", db_text(s, 2));
        one->found = task->found;
        task->found = one;
    }
    db_finalize(s);
    return e;
}

static void resume_back(struct task *task, int error)
{
    for (struct task *one = task->found, *next; one; one = next) {
        next = one->found;
        if (!campaign_find(task->all, one->name)) {
            struct campaign *c = campaign_add(task->all, one->name, one->path);
            c->wanted = strcmp(one->state, "paused") == 0     ? CAMPAIGN_PAUSED
                        : strcmp(one->state, "stopping") == 0 ? CAMPAIGN_STOPPING
                                                              : CAMPAIGN_RUNNING;
            log_notice(NULL, "campaign %s: going on (%s)", c->name, one->state);
            campaign_load(c);
        }
        free(one);
    }
    if (error) {
        log_err(NULL, "campaigns: cannot see which ones were running: %s",
                error == -ENOTCONN ? "the database is away" : buf_text(&task->text));
        task->all->resume_at_ns = loop_now_ns(task->all->params.loop) + RESUME_AGAIN_NS;
        return;
    }
    campaigns_forsake(task->all, NULL);
}

void campaigns_resume(struct campaigns *campaigns) { submit(task_new(campaigns, NULL, resume_run, resume_back)); }
