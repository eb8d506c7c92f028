/* dial.c: see dial.h; and the door of campaigns, campaign/dialler.h. */
#include "broker/dial.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "broker/call.h"
#include "broker/headers.h"
#include "broker/invite.h"
#include "broker/registrar.h"
#include "broker/row.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/log.h"

/* --- choosing ------------------------------------------------------------------------------------------------------- */

static void permit_ask(struct call *call, const struct trunk *trunk, struct permit_verdict *verdict)
{
    struct broker *broker = call->broker;
    struct ledger_status ledger;
    char host[128] = "";
    uint16_t port = 0;
    ledger_status(broker->ledger, &ledger);
    if (call->uri && !registrar_uri_target(*call->next_hop ? call->next_hop : call->uri, host, sizeof host, &port)) host[0] = 0;
    struct permit_request request = {
        .number = call->uri ? NULL : call->number,
        .uri_host = host,
        .uri_is_listener = call->uri && listener_of_text(&broker->agent, host, port),
        .uri_is_registered = call->uri && *host && registrar_has_target(broker, host, port),
        .prefix_strip = trunk ? trunk->strip : "",
        .prefix_add = trunk ? trunk->add : "",
        .max_s = call->max_asked_s,
        .campaign = call->campaign_name,
        .zone = call->zone,
        .rates = trunk ? trunk->rates : NULL,
        .now_us = call->at.claimed,
        .draining = segment_draining(broker->segment) || broker->terminating,
        .ledger_accepting = ledger.accepting,
        .trunk_usable = !trunk || trunk_usable(trunk, clock_mono_ns()),
        .engine_free = cap_free(&broker->cap),
        .trunk_free = !trunk || cap_free(&trunk->cap),
        .campaign_free = true,
    };
    permit_check(&broker->permit, &request, verdict);
}

/* The first trunk in order that the permit grants; without one the first, whose refusal then says why. */
static void trunk_choose(struct call *call, struct permit_verdict *verdict)
{
    call->trunk = call->trunk_count ? call->trunks[0] : NULL;
    call->trunk_at = 0;
    permit_ask(call, call->trunk, verdict);
    for (unsigned i = 1; verdict->refused && i < call->trunk_count; i++) {
        struct permit_verdict other;
        permit_ask(call, call->trunks[i], &other);
        if (other.refused) continue;
        *verdict = other;
        call->trunk = call->trunks[i];
        call->trunk_at = (uint8_t)i;
    }
}

/* --- refusing ------------------------------------------------------------------------------------------------------- */

void dial_refuse(struct call *call, const char *reason, int cause)
{
    struct attempt_begin begin;
    row_begin_fill(call, &begin);
    ledger_attempt_refused(call->broker->ledger, &begin, reason, cause_name(cause));
    COUNT(call->broker, invites_refused, 1);
    log_info(call->channel_text, "call to %s refused: %s", call->uri ? call->uri : call->number, reason);
    call->refused = reason;
    call->cause = cause;
    loop_timer_set(call->broker->loop, &call->timer, clock_mono_ns());
}

/* --- starting ------------------------------------------------------------------------------------------------------- */

static void durable(void *context, int error)
{
    struct call *call = call_by_call_id(((struct call_ticket *)context)->broker, ((struct call_ticket *)context)->call_id);
    free(context);
    if (!call) return;
    call->row_pending = false;
    if (call->trunk) call->trunk->pending--;
    if (call_is_ended(call)) { /* given up meanwhile: the row is closed as it is */
        call_check_over(call);
        return;
    }
    if (error < 0) {
        call->refused = "ledger";
        call_end(call, CAUSE_NORMAL_TEMPORARY_FAILURE, false, NULL);
        return;
    }
    invite_queue(call);
}

static int row_begin(struct call *call)
{
    struct attempt_begin begin;
    struct call_ticket *ticket = calloc(1, sizeof *ticket);
    if (!ticket) return -ENOMEM;
    ticket->broker = call->broker;
    uuid_text(&call->attempt, ticket->call_id);
    row_begin_fill(call, &begin);
    int err = ledger_attempt_begin(call->broker->ledger, &begin, durable, ticket);
    if (err < 0) {
        free(ticket);
        return err;
    }
    call->row_begun = call->row_pending = true;
    if (call->trunk) call->trunk->pending++;
    return 0;
}

static int take_slot(struct call *call, uint32_t worker)
{
    if (worker == UINT32_MAX && worker_least(call->broker, &worker) < 0) return -EAGAIN;
    if (worker >= call->broker->worker_count || !worker_takes(call->broker, worker)) return -EAGAIN;
    return slot_lease(call->broker, call, worker);
}

static void take_caps(struct call *call)
{
    call->capped = true;
    call->broker->cap.active++;
    if (call->trunk) call->trunk->cap.active++;
}

static void settle(struct call *call, const struct permit_verdict *verdict)
{
    struct trunk *trunk = call->trunk;
    call->permitted = true;
    call->max_s = verdict->max_s;
    snprintf(call->dialled, sizeof call->dialled, "%s", verdict->dialled);
    struct sdp_crypto wish = call->codecs.crypto;
    if (trunk && !call->codecs.count) call->codecs = trunk->codecs;
    if (!call->codecs.count) sdp_codecs_parse(&call->codecs, "PCMU,PCMA");
    call->codecs.comfort_noise = trunk && trunk->codecs.comfort_noise;
    sdp_crypto_begin(&call->codecs.crypto, &wish, trunk ? &trunk->codecs.crypto : NULL);
    if (trunk) call->listener = trunk->listener, call->transport = trunk->transport;
    if (!call->ring_timeout_ms) call->ring_timeout_ms = trunk ? trunk->ring_timeout_ms : 60000;
    if (trunk && !*call->caller_number) snprintf(call->caller_number, sizeof call->caller_number, "%s", trunk->caller_id);
    if (trunk && !*call->caller_name) snprintf(call->caller_name, sizeof call->caller_name, "%s", trunk->caller_name);
}

int dial_start(struct call *call, uint32_t worker, bool retry_later)
{
    struct permit_verdict verdict;
    call->at.claimed = clock_utc_us();
    trunk_choose(call, &verdict);
    if (verdict.refused && retry_later && verdict.heals) return -EAGAIN;
    if (verdict.refused) {
        dial_refuse(call, verdict.refused, verdict.cause);
        return 0;
    }
    settle(call, &verdict);
    int err = take_slot(call, worker);
    if (err < 0) return err;
    take_caps(call);
    permit_note(&call->broker->permit, &verdict, call->at.claimed);
    slot_mirror(call);
    err = row_begin(call);
    if (err == 0) return 0;
    call->refused = "ledger";
    call->cause = CAUSE_NORMAL_TEMPORARY_FAILURE;
    loop_timer_set(call->broker->loop, &call->timer, clock_mono_ns());
    return 0;
}

/* --- the campaigns' door -------------------------------------------------------------------------------------------- */

static void copy_variables(struct call *call, const struct kv *variables)
{
    struct kv_pair pair;
    size_t at = 0;
    if (!variables) return;
    char name[BUS_NAME_MAX * 2 + 3];
    while (kv_next(kv_view(variables), &at, &pair)) {
        snprintf(name, sizeof name, "v.%.120s", pair.name);
        kv_add_bytes(&call->variables, name, pair.value, pair.value_length);
    }
}

static int take_request(struct call *call, const struct dial_request *request)
{
    snprintf(call->number, sizeof call->number, "%s", request->number ? request->number : "");
    if (dial_trunks(call, request->trunks) < 0) return -EINVAL;
    snprintf(call->zone, sizeof call->zone, "%s", request->zone ? request->zone : "");
    snprintf(call->caller_number, sizeof call->caller_number, "%s", request->caller_number ? request->caller_number : "");
    snprintf(call->caller_name, sizeof call->caller_name, "%s", request->caller_name ? request->caller_name : "");
    snprintf(call->campaign_name, sizeof call->campaign_name, "%s", request->campaign_name ? request->campaign_name : "");
    call->campaign = request->campaign;
    call->lead = request->lead;
    call->lead_tries = request->lead_tries;
    snprintf(call->lead_history, sizeof call->lead_history, "%s", request->lead_history ? request->lead_history : "");
    call->ring_timeout_ms = request->ring_timeout_ms ? request->ring_timeout_ms : 60000;
    call->max_asked_s = request->max_s;
    call->early = request->early;
    if (request->codecs) sdp_codecs_parse(&call->codecs, request->codecs);
    call->script = request->script ? strdup(request->script) : NULL;
    call->arguments = request->arguments ? strdup(request->arguments) : NULL;
    call->headers = request->headers ? headers_from_list(kv_view(request->headers)) : NULL;
    copy_variables(call, request->variables);
    return 0;
}

int dialler_call(struct dialler *dialler, const struct dial_request *request, const struct dial_watch *watch, struct call **out)
{
    struct call *call = call_new(dialler->broker, &request->channel, false);
    if (!call) return -EAGAIN;
    int err = take_request(call, request);
    if (err == 0) err = dial_start(call, UINT32_MAX, true);
    if (err < 0) {
        call_drop(call);
        return err;
    }
    call->watched = true;
    call->watch = *watch;
    *out = call;
    return 0;
}

void dialler_hangup(struct dialler *dialler, struct call *call, int cause)
{
    CHECK(call->broker == dialler->broker);
    call_hangup(call, cause, 0, NULL);
}
