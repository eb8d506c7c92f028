/* campaigns_adopt.c: calls that a broker before this one began. Their slots kept what is known of the lead; the rules are in the campaign's
 * file, which is being loaded. Whoever ends before that waits here with its row, so that row and lead move in one transaction as always. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaign/campaigns_own.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/log.h"

#define USUAL_ATTEMPTS 3 /* as a campaign file's default */

static void adopted_free(struct adopted *a)
{
    if (a->running) running_free(a->running);
    free(a);
}

static void list_remove(struct campaigns *all, struct adopted *a)
{
    struct adopted **at = &all->adopted;
    while (*at != a) at = &(*at)->next;
    *at = a->next;
}

static struct attempt_facts facts_of(const struct adopted *a)
{
    return (struct attempt_facts) {
        .answered = a->row.answer_us != 0,
        .interrupted = a->row.state == ATTEMPT_INTERRUPTED,
        .cause = a->row.cause,
        .script_result = a->script_result[0] ? a->script_result : NULL,
        .script_disposition = a->script_disposition[0] ? a->script_disposition : NULL,
    };
}

/* --- the end of one whose campaign is not there ------------------------------------------------------------------------- */

/* Its file is gone or its campaign was ended: the lead still gets a fate. */
static void decide_by_usual_rules(struct adopted *a, struct attempt_end *row)
{
    struct retry_rules rules;
    struct lead_fate fate;
    struct attempt_facts facts = facts_of(a);
    retry_rules_default(&rules);
    facts.tries = a->running->lead->tries + 1;
    facts.history = a->running->lead->history;
    facts.max_attempts = USUAL_ATTEMPTS;
    facts.now_us = clock_utc_us();
    lead_decide(&rules, &facts, &fate);
    row->lead = a->running->lead->id;
    lead_fate_fill(row, &fate);
}

static void adopted_answered(void *context, struct call *call)
{
    struct adopted *a = context;
    if (a->running->campaign) on_answered(a->running, call);
    a->running->answered = true;
}

static void outcome_keep(struct adopted *a, const struct call_outcome *outcome, const struct attempt_end *row)
{
    a->row = *row;
    snprintf(a->script_result, sizeof a->script_result, "%s", outcome->script_result ? outcome->script_result : "");
    snprintf(a->script_disposition, sizeof a->script_disposition, "%s", outcome->script_disposition ? outcome->script_disposition : "");
    a->running->call = NULL;
}

static void adopted_over(void *context, struct call *call, const struct call_outcome *outcome, struct attempt_end *row)
{
    struct adopted *a = context;
    if (a->running->campaign) {
        on_over(a->running, call, outcome, row);
        a->running = NULL; /* freed */
        adopted_free(a);
        return;
    }
    outcome_keep(a, outcome, row);
    if (!a->forlorn) {
        a->kept = row->kept = true;
        return;
    }
    decide_by_usual_rules(a, row);
    list_remove(a->all, a);
    adopted_free(a);
}

/* --- adopting ----------------------------------------------------------------------------------------------------------- */

void campaigns_adopt(struct campaigns *campaigns, const struct campaign_adopted *adopted, struct call *call, struct dial_watch *watch)
{
    struct adopted *a = calloc(1, sizeof *a);
    CHECK(a);
    a->all = campaigns;
    a->running = calloc(1, sizeof *a->running);
    CHECK(a->running);
    a->running->lead = calloc(1, sizeof *a->running->lead);
    CHECK(a->running->lead);
    a->running->lead->variables = KV_INIT;
    a->running->lead->id = adopted->lead;
    a->running->lead->tries = adopted->lead_tries;
    snprintf(a->running->lead->history, sizeof a->running->lead->history, "%s", adopted->lead_history ? adopted->lead_history : "");
    snprintf(a->campaign, sizeof a->campaign, "%s", adopted->campaign);
    a->running->call = call;
    a->running->answered = adopted->answered;
    a->next = campaigns->adopted;
    campaigns->adopted = a;
    *watch = (struct dial_watch) { .answered = adopted_answered, .over = adopted_over, .context = a };
}

static void row_release(struct campaigns *all, struct adopted *a)
{
    ledger_attempt_end(all->params.ledger, &a->row);
    adopted_free(a);
}

/* Its campaign is loaded: the living count as its calls again; of the others the rows are written now. */
void campaign_take_adopted(struct campaign *campaign)
{
    struct campaigns *all = campaign->all;
    uint32_t living = 0, over = 0;
    for (struct adopted *a = all->adopted, *next; a; a = next) {
        next = a->next;
        if (strcmp(a->campaign, campaign->name) || a->forlorn) continue;
        list_remove(all, a);
        campaign->in_progress++;
        campaign->dialled++;
        campaign->answered += a->running->answered;
        if (!a->kept) {
            running_link(campaign, a->running);
            living++;
            continue;
        }
        struct attempt_facts facts = facts_of(a);
        a->running->campaign = campaign;
        campaign_call_over(a->running, &facts, &a->row);
        row_release(all, a);
        over++;
    }
    if (over) campaign_recount(campaign);
    if (living || over)
        log_notice(NULL, "campaign %s: %u calls of the broker before this one go on, %u had ended", campaign->name, living, over);
}

void campaigns_forsake(struct campaigns *campaigns, const char *name)
{
    for (struct adopted *a = campaigns->adopted, *next; a; a = next) {
        next = a->next;
        if (name ? strcmp(a->campaign, name) != 0 : campaign_find(campaigns, a->campaign) != NULL) continue;
        a->forlorn = true;
        if (!a->kept) continue;
        list_remove(campaigns, a);
        decide_by_usual_rules(a, &a->row);
        row_release(campaigns, a);
    }
}

/* The engine ends before their campaigns were loaded: rows that wait are written, the others are still in their slots. */
void adopted_give_up(struct campaigns *campaigns)
{
    struct adopted *a;
    while ((a = campaigns->adopted)) {
        campaigns->adopted = a->next;
        if (a->kept) {
            decide_by_usual_rules(a, &a->row);
            row_release(campaigns, a);
        } else {
            adopted_free(a);
        }
    }
}
