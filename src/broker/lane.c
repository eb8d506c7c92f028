/* lane.c: worker → broker: what the workers ask of calls; and workers that come and go. */
#include "broker/lane.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/call.h"
#include "broker/headers.h"
#include "broker/inbound.h"
#include "broker/limits.h"
#include "broker/request.h"
#include "broker/tables.h"
#include "core/clock.h"
#include "core/log.h"

/* The call that a message means, if it is that worker's and of that generation. */
static struct call *call_meant(struct broker *broker, const struct post_message *message)
{
    struct call *call = call_by_channel(broker, kv_get(message->pairs, "uuid"));
    if (!call || message->from != BUS_WORKER_0 + call->worker) return NULL;
    int64_t generation = kv_get_int(message->pairs, "generation", -1);
    if (generation >= 0 && call->slot != SLOT_NONE && generation != call->generation) return NULL;
    return call;
}

static void take_end_headers(struct call *call, struct kv_view pairs)
{
    free(call->end_headers);
    call->end_headers = headers_from_pairs(pairs);
}

/* A redirect's target, in the form of a header line behind the others. */
static void take_contact(struct call *call, const char *contact)
{
    if (!contact || strpbrk(contact, "\r\n<>\"") || strlen(contact) > 200) return;
    struct buf text = BUF_INIT;
    if (call->end_headers) buf_puts(&text, call->end_headers);
    buf_printf(&text, strncmp(contact, "sip:", 4) ? "Contact: <sip:%s>\r\n" : "Contact: <%s>\r\n", contact);
    free(call->end_headers);
    call->end_headers = buf_take(&text);
}

static void take_hangup(struct call *call, struct kv_view pairs)
{
    int64_t status = kv_get_int(pairs, "status", 0);
    take_end_headers(call, pairs);
    take_contact(call, kv_get(pairs, "contact"));
    int64_t number = kv_get_int(pairs, "q850", 0); /* also of a cause that has no name */
    call_hangup(call, number > 0 ? (int)number : cause_number(kv_get(pairs, "cause")), status >= 300 && status <= 699 ? (int)status : 0,
                kv_get(pairs, "phrase"));
}

static void take_cancel(struct call *call, struct kv_view pairs)
{
    if (call->answered || call->inbound) return;
    take_end_headers(call, pairs);
    call_hangup(call, cause_number(kv_get_or(pairs, "cause", "ORIGINATOR_CANCEL")), 0, NULL);
}

static void take_inbound(struct call *call, enum message_kind kind, struct kv_view pairs)
{
    if (!call->inbound) return;
    char *headers = headers_from_pairs(pairs);
    if (kind == MSG_CALL_RING)
        inbound_ring(call, headers);
    else if (kind == MSG_CALL_EARLY)
        inbound_early(call, headers);
    else
        inbound_answer(call, headers);
    free(headers);
}

static void take_request(struct call *call, const struct post_message *message)
{
    const char *action = kv_get_or(message->pairs, "action", "");
    int err = message->kind == MSG_CALL_REFER ? refer_send(call, kv_get(message->pairs, "to"), message->ticket)
                                              : reinvite_send(call, action, kv_get(message->pairs, "codecs"), message->ticket);
    if (err < 0) post_reply(call->broker->post, message->ticket, err, NULL);
}

#define COPY(to, from) snprintf((to), sizeof(to), "%s", (from))

static void take_script_done(struct call *call, struct kv_view pairs)
{
    call->script_running = false;
    COPY(call->script_result, kv_get_or(pairs, "result", "ok"));
    COPY(call->script_disposition, kv_get_or(pairs, "disposition", ""));
    COPY(call->digits, kv_get_or(pairs, "digits", ""));
    COPY(call->error, kv_get_or(pairs, "error", ""));
    slot_mirror(call);
    call_check_over(call);
}

static void take_call_message(struct call *call, const struct post_message *message)
{
    switch (message->kind) {
    case MSG_DIAL_CANCEL:
        take_cancel(call, message->pairs);
        break;
    case MSG_CALL_HANGUP:
        take_hangup(call, message->pairs);
        break;
    case MSG_CALL_RING:
    case MSG_CALL_EARLY:
    case MSG_CALL_ANSWER:
        take_inbound(call, message->kind, message->pairs);
        break;
    case MSG_CALL_INFO:
        info_send(call, kv_get_or(message->pairs, "content_type", "application/dtmf-relay"), kv_get_or(message->pairs, "body", ""));
        break;
    case MSG_CALL_REFER:
    case MSG_CALL_REINVITE:
        take_request(call, message);
        break;
    case MSG_CALL_SCRIPT_DONE:
        take_script_done(call, message->pairs);
        break;
    default:
        break;
    }
}

/* --- workers -------------------------------------------------------------------------------------------------------- */

/* Its calls get BYE and their cause; nobody will release their media, so the slots rest and are used again. */
static void worker_lost(struct broker *broker, uint32_t worker)
{
    unsigned lost = 0;
    broker->workers[worker].ready = false;
    limits_worker_lost(broker, worker);
    CALLS_EACH(broker, call, following)
    {
        if (call->worker != worker || (call->slot == SLOT_NONE && !call->script_running)) continue;
        call->script_running = false;
        call->asked_by_worker = call->told_worker = false;
        call_hangup(call, CAUSE_CRASH, 0, NULL);
        if (call->slot != SLOT_NONE) slot_free(broker, call, true);
        call_check_over(call);
        lost++;
    }
    log_err(NULL, "worker %u died; its %u calls are ended", worker, lost);
}

static void globals_send(struct broker *broker, uint32_t process)
{
    struct kv_pair pair;
    size_t at = 0;
    while (kv_next(kv_view(&broker->globals), &at, &pair)) {
        struct kv note = KV_INIT;
        kv_add(&note, "name", pair.name);
        kv_add_bytes(&note, "value", pair.value, pair.value_length);
        post_note(broker->post, process, MSG_GLOBAL_SET, &note);
        kv_free(&note);
    }
}

static void worker_ready(struct broker *broker, uint32_t worker)
{
    struct proc_view view;
    struct worker_state *state = &broker->workers[worker];
    proc_look(broker->segment, BUS_WORKER_0 + worker, &view);
    if (state->ready && state->epoch != view.epoch) worker_lost(broker, worker);
    *state = (struct worker_state) { .ready = true, .epoch = view.epoch };
    globals_send(broker, BUS_WORKER_0 + worker);
    log_info(NULL, "worker %u takes calls", worker);
}

void lane_workers_look(struct broker *broker)
{
    for (uint32_t w = 0; w < broker->worker_count; w++) {
        struct proc_view view;
        proc_look(broker->segment, BUS_WORKER_0 + w, &view);
        if (view.alive && view.state == PROC_RUNNING) worker_ready(broker, w);
    }
}

void lane_process_changed(void *context, uint32_t process, bool alive)
{
    struct broker *broker = context;
    if (alive || process < BUS_WORKER_0 || process - BUS_WORKER_0 >= broker->worker_count) return;
    if (broker->workers[process - BUS_WORKER_0].ready) worker_lost(broker, process - BUS_WORKER_0);
}

/* --- global variables ----------------------------------------------------------------------------------------------- */

static void global_set(struct broker *broker, const struct post_message *message)
{
    const char *name = kv_get(message->pairs, "name");
    struct kv kept = KV_INIT, note = KV_INIT;
    struct kv_pair pair;
    size_t at = 0, length = 0;
    if (!name || !*name) return;
    const char *value = kv_get_bytes(message->pairs, "value", &length);
    while (kv_next(kv_view(&broker->globals), &at, &pair))
        if (strcmp(pair.name, name)) kv_add_bytes(&kept, pair.name, pair.value, pair.value_length);
    kv_add(&note, "name", name);
    if (value) {
        kv_add_bytes(&kept, name, value, length);
        kv_add_bytes(&note, "value", value, length);
    }
    kv_free(&broker->globals);
    broker->globals = kept;
    for (uint32_t w = 0; w < broker->worker_count; w++)
        if (broker->workers[w].ready && BUS_WORKER_0 + w != message->from) post_note(broker->post, BUS_WORKER_0 + w, MSG_GLOBAL_SET, &note);
    if (message->from != BUS_CONTROL) post_note(broker->post, BUS_CONTROL, MSG_GLOBAL_SET, &note);
    kv_free(&note);
}

struct audit_ticket {
    struct broker *broker;
    uint64_t ticket;
};

static void audit_durable(void *context, int error)
{
    struct audit_ticket *asked = context;
    post_reply(asked->broker->post, asked->ticket, error, NULL);
    free(asked);
}

/* Control has no database: what it tells becomes a row here. */
static void audit_take(struct broker *broker, const struct post_message *message)
{
    struct kv_view pairs = message->pairs;
    struct audit_row row = { .time_us = kv_get_int(pairs, "time_us", clock_utc_us()) };
    struct audit_ticket *asked = calloc(1, sizeof *asked);
    if (!asked) {
        post_reply(broker->post, message->ticket, -EAGAIN, NULL);
        return;
    }
    *asked = (struct audit_ticket) { broker, message->ticket };
    if (uuid_parse(&row.id, kv_get_or(pairs, "id", "")) < 0) row.id = uuid_make_v7();
    snprintf(row.who, sizeof row.who, "%s", kv_get_or(pairs, "who", ""));
    snprintf(row.role, sizeof row.role, "%s", kv_get_or(pairs, "role", ""));
    snprintf(row.origin, sizeof row.origin, "%s", kv_get_or(pairs, "origin", ""));
    snprintf(row.what, sizeof row.what, "%s", kv_get_or(pairs, "what", ""));
    snprintf(row.argument, sizeof row.argument, "%s", kv_get_or(pairs, "argument", ""));
    snprintf(row.result, sizeof row.result, "%s", kv_get_or(pairs, "result", ""));
    ledger_audit(broker->ledger, &row, audit_durable, asked);
}

/* --- the post office's handler -------------------------------------------------------------------------------------- */

void lane_message(void *context, const struct post_message *message)
{
    struct broker *broker = context;
    bool from_worker = message->from >= BUS_WORKER_0 && message->from - BUS_WORKER_0 < broker->worker_count;
    if (message->kind == MSG_DIAL && message->is_request)
        lane_dial(broker, message);
    else if (message->kind == MSG_ENGINE && message->is_request)
        engine_command_answer(broker, message);
    else if (message->kind == MSG_TABLE)
        table_request(broker, message);
    else if (message->kind == MSG_GLOBAL_SET)
        global_set(broker, message);
    else if (message->kind == MSG_AUDIT && message->is_request)
        audit_take(broker, message);
    else if (message->kind == MSG_WORKER_READY && from_worker)
        worker_ready(broker, message->from - BUS_WORKER_0);
    else {
        struct call *call = call_meant(broker, message);
        if (call)
            take_call_message(call, message);
        else if (message->is_request)
            post_reply(broker->post, message->ticket, -ESRCH, NULL);
    }
}
