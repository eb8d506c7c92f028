/* row.c: see row.h. */
#include "broker/row.h"

#include <stdio.h>
#include <string.h>

#include "broker/charge.h"
#include "broker/reason.h"

#define COPY(to, from) snprintf((to), sizeof(to), "%s", (from) ? (from) : "")

void row_begin_fill(const struct call *call, struct attempt_begin *begin)
{
    *begin = (struct attempt_begin) { .id = call->attempt, .channel = call->channel, .campaign = call->campaign, .lead = call->lead };
    COPY(begin->trunk, call->trunk ? call->trunk->name : "");
    COPY(begin->number, call->number);
    COPY(begin->caller_id, call->caller_number);
    COPY(begin->node, call->broker->node);
    begin->claimed_us = call->at.claimed;
}

/* Times in a row never decrease, whatever crossed on the wire. */
static int64_t not_before(int64_t time, int64_t earlier) { return time && time < earlier ? earlier : time; }

static void times_settle(struct call_times *at)
{
    at->invite = not_before(at->invite, at->claimed);
    at->ring = not_before(at->ring, at->invite);
    at->answer = not_before(at->answer, at->ring ? at->ring : at->invite);
    int64_t last = at->answer ? at->answer : at->ring ? at->ring : at->invite ? at->invite : at->claimed;
    at->end = not_before(at->end, last);
}

static int64_t pdd_ms(const struct call_times *at)
{
    int64_t first = at->ring ? at->ring : at->answer;
    return at->invite && first ? (first - at->invite) / 1000 : 0;
}

static void outcome_fill(const struct call *call, struct call_outcome *outcome)
{
    *outcome = (struct call_outcome) {
        .attempt = call->attempt,
        .channel = call->channel,
        .claimed_us = call->at.claimed,
        .invite_us = call->at.invite,
        .ring_us = call->at.ring,
        .answer_us = call->at.answer,
        .end_us = call->at.end,
        .sip_status = call->sip_status,
        .cause = call->cause,
        .cause_name = cause_name(call->cause),
        .trunk = call->trunk ? call->trunk->name : "",
        .refused = call->refused,
        .answered = call->answered,
        .script_result = *call->script_result ? call->script_result : NULL,
        .script_disposition = *call->script_disposition ? call->script_disposition : NULL,
        .digits = call->digits,
        .error = call->error,
        .billsec_ms = call->at.answer ? (call->at.end - call->at.answer) / 1000 : 0,
        .pdd_ms = pdd_ms(&call->at),
        .packets_sent = call->totals.packets_sent,
        .packets_received = call->totals.packets_received,
        .packets_lost = call->totals.packets_lost,
        .jitter_us = call->totals.jitter_us,
        .mos_x100 = call->totals.mos_x100,
    };
}

static const char *disposition_of(const struct call *call)
{
    if (call->refused) return "refused";
    if (!strcmp(call->script_result, "script_error")) return "script_error";
    if (*call->script_disposition) return call->script_disposition;
    if (call->answered) return "answered";
    if (call->cause == CAUSE_SYSTEM_SHUTDOWN || call->cause == CAUSE_CRASH) return "interrupted";
    if (call->cause == CAUSE_USER_BUSY) return "busy";
    bool silent = call->cause == CAUSE_NO_ANSWER || call->cause == 18 || call->cause == CAUSE_PROGRESS_TIMEOUT ||
                  call->cause == CAUSE_ALLOTTED_TIMEOUT;
    return silent ? "no_answer" : "failed";
}

static enum attempt_state state_of(const struct call *call)
{
    if (call->refused) return ATTEMPT_REFUSED;
    bool interrupted = call->cause == CAUSE_SYSTEM_SHUTDOWN || call->cause == CAUSE_CRASH;
    return interrupted ? ATTEMPT_INTERRUPTED : ATTEMPT_DONE;
}

static void row_fill(const struct call *call, const struct call_outcome *outcome, struct attempt_end *row)
{
    *row = (struct attempt_end) {
        .id = call->attempt,
        .lead = call->lead,
        .campaign = call->campaign,
        .state = state_of(call),
        .invite_us = call->at.invite,
        .ring_us = call->at.ring,
        .answer_us = call->at.answer,
        .end_us = call->at.end,
        .sip_status = (uint16_t)call->sip_status,
        .billsec_ms = outcome->billsec_ms,
        .pdd_ms = outcome->pdd_ms,
        .packets_sent = outcome->packets_sent,
        .packets_received = outcome->packets_received,
        .packets_lost = outcome->packets_lost,
        .jitter_us = outcome->jitter_us,
        .mos_x100 = outcome->mos_x100,
    };
    COPY(row->cause, outcome->cause_name);
    COPY(row->disposition, disposition_of(call));
    COPY(row->refused, call->refused);
    COPY(row->trunk, outcome->trunk);
    COPY(row->digits, call->digits);
    COPY(row->error, call->error);
}

void row_write(struct call *call)
{
    if (call->inbound) return;
    struct call_outcome outcome;
    struct attempt_end row;
    times_settle(&call->at);
    outcome_fill(call, &outcome);
    row_fill(call, &outcome, &row);
    row.cost_micro = charge_end(call);
    if (call->watched && call->watch.over) call->watch.over(call->watch.context, call, &outcome, &row);
    if (row.kept) return;
    /* A refusal's row is written by ledger_attempt_refused; its lead's next state comes with this one. */
    if (call->row_begun || call->lead) ledger_attempt_end(call->broker->ledger, &row);
}
