#include "dialler_fake.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/check.h"
#include "core/clock.h"

struct call {
    struct call *next;
    struct dialler *dialler;
    struct attempt_begin begin;
    struct dial_watch watch;
    struct call_outcome outcome;
    struct loop_timer timer;
    bool invited, hung_up;
    int tries;
};

static void finish(struct call *call)
{
    struct dialler *d = call->dialler;
    struct call_outcome *o = &call->outcome;
    struct attempt_end row = { .id = call->begin.id, .lead = call->begin.lead, .campaign = call->begin.campaign, .state = ATTEMPT_DONE };
    o->attempt = call->begin.id;
    o->claimed_us = call->begin.claimed_us;
    o->end_us = clock_utc_us();
    o->trunk = "acme";
    row.invite_us = o->invite_us, row.ring_us = o->ring_us, row.answer_us = o->answer_us, row.end_us = o->end_us;
    row.sip_status = (uint16_t)o->sip_status;
    row.billsec_ms = o->answered ? (o->end_us - o->answer_us) / 1000 : 0;
    row.pdd_ms = o->ring_us ? (o->ring_us - o->invite_us) / 1000 : 0;
    row.packets_sent = o->packets_sent, row.packets_received = o->packets_received;
    row.mos_x100 = o->answered ? 441 : 0;
    snprintf(row.cause, sizeof row.cause, "%s", o->cause_name);
    snprintf(row.trunk, sizeof row.trunk, "acme");
    snprintf(row.digits, sizeof row.digits, "%s", o->digits ? o->digits : "");
    snprintf(row.error, sizeof row.error, "%s", o->error ? o->error : "");
    if (o->refused) row.state = ATTEMPT_REFUSED;
    for (struct call **at = &d->calls; *at; at = &(*at)->next)
        if (*at == call) {
            *at = call->next;
            break;
        }
    d->active--;
    call->watch.over(call->watch.context, call, o, &row);
    if (!o->refused) ledger_attempt_end(d->ledger, &row);
    free(call);
}

static void on_timer(struct loop_timer *timer)
{
    struct call *call = timer->context;
    struct call_outcome *o = &call->outcome;
    char digit = call->begin.number[strlen(call->begin.number) - 1];
    if (call->dialler->all_busy) digit = '4';
    o->invite_us = call->begin.claimed_us + 1000;
    o->ring_us = o->invite_us + 20000;
    o->sip_status = 200;
    o->cause = 16;
    o->cause_name = "NORMAL_CLEARING";
    if (digit <= '3' || digit == '9' || (digit == '7' && call->tries > 0)) {
        o->answered = true;
        o->answer_us = o->ring_us + 1000;
        o->packets_sent = o->packets_received = 50;
        o->digits = digit == '1' ? "1" : "";
        o->script_result = digit == '9' ? "script_error" : "ok";
        o->error = digit == '9' ? "demo.lua:3: boom" : NULL;
        o->script_disposition = digit == '2' ? "interested" : NULL;
        if (call->watch.answered) call->watch.answered(call->watch.context, call);
    } else if (digit == '4' || digit == '7') {
        o->sip_status = 486, o->cause = 17, o->cause_name = "USER_BUSY";
    } else if (digit == '5') {
        o->sip_status = 487, o->cause = 19, o->cause_name = "NO_ANSWER";
    } else {
        o->sip_status = 404, o->cause = 1, o->cause_name = "UNALLOCATED_NUMBER";
    }
    finish(call);
}

static void on_durable(void *context, int error)
{
    struct call *call = context;
    char line[128], id[UUID_TEXT_SIZE];
    if (error) {
        call->dialler->failed_begins++;
        call->outcome.refused = "ledger";
        call->outcome.cause_name = "NORMAL_TEMPORARY_FAILURE";
        finish(call);
        return;
    }
    int n = snprintf(line, sizeof line, "%s %s\n", uuid_text(&call->begin.id, id), call->begin.number);
    if (call->dialler->book_fd >= 0) CHECK(write(call->dialler->book_fd, line, (size_t)n) == n);
    call->dialler->invites++;
    call->invited = true;
    loop_timer_set(call->dialler->loop, &call->timer, clock_mono_ns() + call->dialler->call_ms * NS_PER_MS);
}

int dialler_call(struct dialler *d, const struct dial_request *request, const struct dial_watch *watch, struct call **out)
{
    const char *name = kv_get(kv_view(request->variables), "name");
    struct call *call = calloc(1, sizeof *call);
    CHECK(call);
    call->dialler = d;
    call->watch = *watch;
    call->timer = (struct loop_timer) { .fire = on_timer, .context = call };
    call->tries = atoi(kv_get_or(kv_view(request->variables), "try", "1")) - 1;
    call->begin = (struct attempt_begin) {
        .id = uuid_make_v7(), .channel = uuid_make_v4(), .campaign = request->campaign, .lead = request->lead, .claimed_us = clock_utc_us()
    };
    snprintf(call->begin.number, sizeof call->begin.number, "%s", request->number);
    snprintf(call->begin.trunk, sizeof call->begin.trunk, "%s", request->trunks);
    snprintf(d->last_variable, sizeof d->last_variable, "%s", name ? name : "");
    snprintf(d->last_caller, sizeof d->last_caller, "%s", request->caller_number ? request->caller_number : "");
    for (struct call *other = d->calls; other; other = other->next) d->overlap |= strcmp(other->begin.number, request->number) == 0;
    call->next = d->calls;
    d->calls = call;
    d->active++;
    d->most_active = d->active > d->most_active ? d->active : d->most_active;
    *out = call;
    if (request->number[strlen(request->number) - 1] == '6') {
        ledger_attempt_refused(d->ledger, &call->begin, "country", "OUTGOING_CALL_BARRED");
        call->outcome.refused = "country";
        call->outcome.cause_name = "OUTGOING_CALL_BARRED";
        finish(call);
        return 0;
    }
    if (ledger_attempt_begin(d->ledger, &call->begin, on_durable, call)) {
        d->calls = call->next;
        d->active--;
        free(call);
        return -EAGAIN;
    }
    return 0;
}

void dialler_hangup(struct dialler *dialler, struct call *call, int cause)
{
    if (!call->invited) return;
    loop_timer_clear(dialler->loop, &call->timer);
    call->outcome.cause_name = "MANAGER_REQUEST";
    finish(call);
}

uint32_t dialler_room(const struct dialler *dialler, const char *trunks, uint32_t ms)
{
    return dialler->room > dialler->active ? dialler->room - dialler->active : 0;
}
