/* campaigns_feed.c: from a claimed lead to its fate. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaign/campaigns_own.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/log.h"

/* --- the end of a call ------------------------------------------------------------------------------------------------- */

void running_free(struct running *r)
{
    if (r->link) {
        *r->link = r->next;
        if (r->next) r->next->link = r->link;
    }
    lead_free(r->lead);
    free(r);
}

void running_link(struct campaign *campaign, struct running *r)
{
    r->campaign = campaign;
    r->next = campaign->running;
    r->link = &campaign->running;
    if (r->next) r->next->link = &r->next;
    campaign->running = r;
}

void lead_fate_fill(struct attempt_end *row, const struct lead_fate *fate)
{
    snprintf(row->disposition, sizeof row->disposition, "%s", fate->disposition);
    snprintf(row->lead_disposition, sizeof row->lead_disposition, "%s", fate->disposition);
    snprintf(row->lead_history, sizeof row->lead_history, "%s", fate->history);
    row->lead_final = fate->final;
    row->retry_at_us = fate->final ? 0 : fate->retry_at_us;
}

void on_answered(void *context, struct call *call)
{
    struct running *r = context;
    if (!r->answered) r->campaign->answered++;
    r->answered = true;
}

/* Somebody answered and nobody was there: the script failed, or says so itself. */
static bool was_abandoned(const struct attempt_facts *facts)
{
    bool failed = facts->script_result && strcmp(facts->script_result, "script_error") == 0;
    return facts->answered && (failed || (facts->script_disposition && strcmp(facts->script_disposition, "abandoned") == 0));
}

/* `outcome` is complete but for what the lead and the campaign know. */
void campaign_call_over(struct running *r, const struct attempt_facts *outcome, struct attempt_end *row)
{
    struct campaign *c = r->campaign;
    struct attempt_facts facts = *outcome;
    struct lead_fate fate;
    facts.tries = r->lead->tries + 1;
    facts.history = r->lead->history;
    facts.max_attempts = c->file->max_attempts;
    facts.now_us = clock_utc_us();
    lead_decide(&c->file->retry, &facts, &fate);
    if (facts.answered && !r->answered) on_answered(r, NULL);
    row->lead = r->lead->id;
    row->campaign = c->id;
    lead_fate_fill(row, &fate);
    c->overs++;
    c->ended++;
    c->in_progress--;
    c->refused += facts.refused != NULL;
    c->abandoned += was_abandoned(&facts);
    if (fate.final)
        c->counts.done++;
    else
        c->retries++;
}

void on_over(void *context, struct call *call, const struct call_outcome *outcome, struct attempt_end *row)
{
    struct running *r = context;
    const struct attempt_facts facts = {
        .answered = outcome->answered,
        .interrupted = row->state == ATTEMPT_INTERRUPTED,
        .refused = outcome->refused,
        .cause = outcome->cause_name,
        .script_result = outcome->script_result,
        .script_disposition = outcome->script_disposition,
    };
    campaign_call_over(r, &facts, row);
    if (outcome->refused) /* a refused row carries no lead, see ledger.h */
        ledger_lead_next(r->campaign->all->params.ledger, row);
    r->over = true;
    if (!r->dialling) running_free(r);
}

/* --- dialling ------------------------------------------------------------------------------------------------------------- */

static void add_variables(const struct campaign *c, const struct lead *lead, const char *zone, struct kv *out)
{
    struct kv_pair pair;
    size_t at = 0;
    while (kv_next(kv_view(&c->file->variables), &at, &pair)) kv_add(out, pair.name, pair.value);
    at = 0;
    while (kv_next(kv_view(&lead->variables), &at, &pair)) kv_add(out, pair.name, pair.value);
    kv_add(out, "number", lead->number);
    kv_add(out, "zone", zone);
    kv_add(out, "campaign", c->name);
    kv_add_int(out, "lead_id", lead->id);
    kv_add_int(out, "try", lead->tries + 1);
}

/* 0, or dialler_call's error; then the lead is still the caller's. */
static int dial(struct campaign *c, struct lead *lead)
{
    const struct campaign_file *f = c->file;
    struct kv variables = KV_INIT;
    struct running *r = calloc(1, sizeof *r);
    CHECK(r);
    *r = (struct running) { .campaign = c, .lead = lead, .dialling = true };
    add_variables(c, lead, lead_zone(lead, f), &variables);
    const struct dial_request request = {
        .trunks = f->trunks,
        .number = lead->number,
        .zone = lead_zone(lead, f),
        .caller_number = f->caller_id_count ? f->caller_ids[c->next_caller_id++ % f->caller_id_count] : NULL,
        .caller_name = f->caller_name,
        .ring_timeout_ms = f->ring_timeout_ms,
        .max_s = f->max_s,
        .early = f->early,
        .codecs = f->codecs,
        .campaign = c->id,
        .lead = lead->id,
        .lead_tries = lead->tries,
        .lead_history = lead->history,
        .campaign_name = c->name,
        .script = f->script,
        .arguments = f->arguments,
        .variables = &variables,
        .headers = &f->headers,
    };
    const struct dial_watch watch = { .answered = on_answered, .over = on_over, .context = r };
    c->in_progress++;
    int e = dialler_call(c->all->params.dialler, &request, &watch, &r->call);
    kv_free(&variables);
    if (e) {
        c->in_progress--;
        free(r);
        return e;
    }
    r->dialling = false;
    if (r->over) { /* refused on the spot */
        running_free(r);
        return 0;
    }
    running_link(c, r);
    return 0;
}

/* The window closed while the lead waited here: back until it opens. */
static void put_off(struct campaign *c, struct lead *lead)
{
    int64_t now = clock_utc_us(), at = lead_callable_us(lead, c->file, now);
    struct attempt_end end = { .lead = lead->id, .campaign = c->id, .retry_at_us = at == INT64_MAX ? now + 86400000000LL : at };
    snprintf(end.lead_history, sizeof end.lead_history, "%s", lead->history);
    snprintf(end.lead_disposition, sizeof end.lead_disposition, "%s", lead->disposition);
    ledger_lead_next(c->all->params.ledger, &end);
    c->overs++; /* something changed since the last claim */
    lead_free(lead);
}

/* How many may begin in this tick: trunks, the campaign's own cap on calls, its own pace. */
static uint32_t allowance(struct campaign *c, int64_t now_ns)
{
    const struct campaign_file *f = c->file;
    uint32_t n = dialler_room(c->all->params.dialler, f->trunks, ROOM_MS);
    if (f->concurrent) {
        uint32_t left = f->concurrent > c->in_progress ? f->concurrent - c->in_progress : 0;
        n = n < left ? n : left;
    }
    if (f->cps > 0) {
        double most = f->cps * ROOM_MS / 1000 > 1 ? f->cps * ROOM_MS / 1000 : 1;
        c->tokens += (double)(now_ns - c->filled_ns) / NS_PER_S * f->cps;
        if (c->tokens > most) c->tokens = most;
        n = n < (uint32_t)c->tokens ? n : (uint32_t)c->tokens;
    }
    c->filled_ns = now_ns;
    return n;
}

static void dial_some(struct campaign *c, int64_t now_ns)
{
    uint32_t most = allowance(c, now_ns);
    while (most > 0 && c->queue.first && c->state == CAMPAIGN_RUNNING) {
        struct lead *lead = lead_list_take(&c->queue);
        int64_t now_us = clock_utc_us();
        if (lead_callable_us(lead, c->file, now_us) > now_us) {
            put_off(c, lead);
            continue;
        }
        int e = dial(c, lead);
        if (e) {
            lead_list_put_back(&c->queue, lead);
            if (e != -EAGAIN) campaign_fail(c, e == -EINVAL ? "the dialler knows none of its trunks" : strerror(-e));
            return;
        }
        most--;
        c->dialled++;
        c->tokens -= c->file->cps > 0;
        campaign_count_dial(c, now_ns);
    }
}

/* About a second of calls ahead, so that a claim's round trip never makes the trunks wait. */
static uint32_t wanted_ahead(const struct campaign *c, int64_t now_ns)
{
    double rate = c->file->cps > 0 ? c->file->cps : campaign_cps(c, now_ns) * 1.5;
    uint32_t n = rate > CLAIM_MAX ? CLAIM_MAX : (uint32_t)rate;
    return n < CLAIM_MIN ? CLAIM_MIN : n;
}

static void claim_or_end(struct campaign *c, int64_t now_ns)
{
    uint32_t ahead = wanted_ahead(c, now_ns);
    bool nothing_new = c->overs == c->overs_at_claim;
    if (c->claiming || c->queue.count * 2 > ahead) return;
    if (c->claim_at_ns && c->queue.count == 0 && c->in_progress == 0 && c->next_due_us == 0 && nothing_new) {
        campaign_end(c, CAMPAIGN_DONE);
        return;
    }
    if (now_ns >= c->claim_at_ns) campaign_claim(c, ahead);
}

void campaign_feed(struct campaign *campaign, int64_t now_ns)
{
    struct ledger_status status;
    if (campaign->state == CAMPAIGN_STOPPING && campaign->in_progress == 0) campaign_end(campaign, CAMPAIGN_STOPPED);
    if (campaign->state != CAMPAIGN_RUNNING || campaign->all->draining) return;
    ledger_status(campaign->all->params.ledger, &status);
    if (status.accepting) dial_some(campaign, now_ns);
    if (campaign->state == CAMPAIGN_RUNNING) claim_or_end(campaign, now_ns);
}

void campaign_release_queue(struct campaign *campaign) { campaign_release(campaign, &campaign->queue); }

void campaign_hangup_all(struct campaign *campaign)
{
    /* `over` may come within the hangup and take the entry out; it never adds one. */
    for (struct running *r = campaign->running, *next; r; r = next) {
        next = r->next;
        dialler_hangup(campaign->all->params.dialler, r->call, 703 /* MANAGER_REQUEST */);
    }
}
