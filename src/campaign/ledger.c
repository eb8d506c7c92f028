/* ledger.c: the loop's side of the ledger. Nothing here blocks or takes a lock; what blocks is in ledger_thread.c. */
#include "campaign/ledger.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "campaign/ledger_own.h"
#include "core/check.h"
#include "core/clock.h"

/* --- the queue ---------------------------------------------------------------------------------------------- */

int64_t ledger_op_due_ns(const struct ledger_op *op)
{
    if (op->kind == OP_JOB) return 0;
    return op->queued_ns + (op->kind == OP_BEGIN ? LEDGER_BEGIN_LINGER_MS : LEDGER_RESULT_LINGER_MS) * NS_PER_MS;
}

void ledger_push(struct ledger *ledger, struct ledger_op *op)
{
    const uint64_t one = 1;
    int64_t due = op == &ledger->stub ? INT64_MAX : ledger_op_due_ns(op); /* pushed, it is the thread's, and may be gone */
    atomic_store_explicit(&op->link, NULL, memory_order_relaxed);
    struct ledger_op *before = atomic_exchange_explicit(&ledger->tail, op, memory_order_acq_rel);
    atomic_store_explicit(&before->link, op, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);
    if (due >= atomic_load(&ledger->sleeps_until_ns)) return;
    atomic_store(&ledger->sleeps_until_ns, due); /* one ring is enough; what is due even earlier rings again */
    if (write(ledger->wake_fd, &one, sizeof one) < 0) CHECK(errno == EAGAIN);
}

struct ledger_op *ledger_pop(struct ledger *ledger)
{
    struct ledger_op *head = ledger->head, *next = atomic_load_explicit(&head->link, memory_order_acquire);
    if (head == &ledger->stub) {
        if (!next) return NULL;
        ledger->head = head = next;
        next = atomic_load_explicit(&head->link, memory_order_acquire);
    }
    if (next) {
        ledger->head = next;
        return head;
    }
    if (head != atomic_load_explicit(&ledger->tail, memory_order_acquire))
        return NULL; /* a pusher is between its two steps: its bell follows */
    ledger_push(ledger, &ledger->stub);
    next = atomic_load_explicit(&head->link, memory_order_acquire);
    if (!next) return NULL;
    ledger->head = next;
    return head;
}

bool ledger_pushing(const struct ledger *ledger) { return ledger->head != atomic_load_explicit(&ledger->tail, memory_order_acquire); }

void op_list_add(struct op_list *list, struct ledger_op *op)
{
    op->next = NULL;
    if (!list->first) list->end = &list->first;
    *list->end = op;
    list->end = &op->next;
    list->count++;
}

struct ledger_op *op_list_take(struct op_list *list)
{
    struct ledger_op *op = list->first;
    if (op) {
        list->first = op->next;
        list->count--;
    }
    return op;
}

/* --- completions --------------------------------------------------------------------------------------------- */

static void deliver(void *context)
{
    for (struct ledger_op *op = context, *next; op; op = next) {
        next = op->next;
        if (op->durable)
            op->durable(op->context, op->error);
        else if (op->kind == OP_JOB)
            op->job->done(op->job, op->error);
        free(op);
    }
}

/* Most operations are results, which nobody waits for: they need no way back over the loop. */
void ledger_complete(struct ledger *ledger, struct op_list *done)
{
    struct op_list told = { 0 };
    struct ledger_op *op;
    while ((op = op_list_take(done))) {
        if (op->kind == OP_JOB || op->durable)
            op_list_add(&told, op);
        else
            free(op);
    }
    if (told.first) CHECK(loop_post(ledger->loop, deliver, told.first) == 0);
}

/* --- what the loop's thread calls ----------------------------------------------------------------------------- */

static struct ledger_op *op_new(enum op_kind kind)
{
    struct ledger_op *op = calloc(1, sizeof *op);
    CHECK(op);
    op->kind = kind;
    op->queued_ns = clock_mono_ns();
    return op;
}

int ledger_attempt_begin(struct ledger *ledger, const struct attempt_begin *attempt, void (*durable)(void *context, int error),
                         void *context)
{
    if (atomic_load_explicit(&ledger->begins_waiting, memory_order_relaxed) >= LEDGER_BEGINS_MAX) return -EAGAIN;
    struct ledger_op *op = op_new(OP_BEGIN);
    op->begin = *attempt;
    if (!op->begin.node[0]) snprintf(op->begin.node, sizeof op->begin.node, "%s", ledger->node);
    op->durable = durable;
    op->context = context;
    atomic_fetch_add_explicit(&ledger->begins_waiting, 1, memory_order_relaxed);
    ledger_push(ledger, op);
    return 0;
}

void ledger_attempt_end(struct ledger *ledger, const struct attempt_end *end)
{
    struct ledger_op *op = op_new(OP_END);
    op->end = *end;
    if (!op->end.end_us) op->end.end_us = clock_utc_us();
    ledger_push(ledger, op);
}

void ledger_attempt_refused(struct ledger *ledger, const struct attempt_begin *attempt, const char *reason, const char *cause)
{
    struct ledger_op *op = op_new(OP_REFUSED);
    op->begin = *attempt;
    if (!op->begin.node[0]) snprintf(op->begin.node, sizeof op->begin.node, "%s", ledger->node);
    op->end.id = attempt->id;
    op->end.end_us = clock_utc_us();
    snprintf(op->end.refused, sizeof op->end.refused, "%s", reason ? reason : "");
    snprintf(op->end.cause, sizeof op->end.cause, "%s", cause ? cause : "");
    ledger_push(ledger, op);
}

void ledger_lead_next(struct ledger *ledger, const struct attempt_end *end)
{
    struct ledger_op *op = op_new(OP_LEAD);
    op->end = *end;
    op->end.end_us = clock_utc_us();
    ledger_push(ledger, op);
}

void ledger_audit(struct ledger *ledger, const struct audit_row *row, void (*durable)(void *context, int error), void *context)
{
    struct ledger_op *op = op_new(OP_AUDIT);
    op->audit = *row;
    op->durable = durable;
    op->context = context;
    ledger_push(ledger, op);
}

void ledger_submit(struct ledger *ledger, struct ledger_job *job)
{
    struct ledger_op *op = op_new(OP_JOB);
    op->job = job;
    ledger_push(ledger, op);
}

void ledger_status(const struct ledger *ledger, struct ledger_status *out)
{
    out->database_up = atomic_load(&ledger->database_up);
    out->accepting = atomic_load(&ledger->accepting);
    out->rows_written = atomic_load(&ledger->rows_written);
    out->rows_spooled = atomic_load(&ledger->rows_spooled);
    out->begins_waiting = atomic_load(&ledger->begins_waiting);
    out->last_commit_us = atomic_load(&ledger->last_commit_us);
    memcpy(out->problem, ledger->problem[atomic_load(&ledger->problem_at)], sizeof out->problem);
    out->problem[sizeof out->problem - 1] = 0;
}

/* --- opening and closing ------------------------------------------------------------------------------------- */

static void ledger_free(struct ledger *ledger)
{
    ledger_disconnect(ledger);
    spool_close(ledger->spool);
    if (ledger->wake_fd >= 0) close(ledger->wake_fd);
    free(ledger->database);
    free(ledger->node);
    free(ledger);
}

static int open_spool(struct ledger *ledger, const char *folder, struct buf *error)
{
    char name[80];
    snprintf(name, sizeof name, "ledger-%s", ledger->node);
    for (char *c = name; *c; c++)
        if (*c == '/') *c = '_';
    int e = spool_open(&ledger->spool, folder, name);
    if (e == -EBUSY)
        buf_printf(error,
                   "the spool %s/%s.spool is in use: another engine of the name \"%s\" runs; give this one another name or end that one",
                   folder, name, ledger->node);
    else if (e)
        buf_printf(error, "cannot open the spool %s/%s.spool: %s; make the folder writable for this user or set another data_dir", folder,
                   name, strerror(-e));
    return e;
}

/* What the last engine spooled goes in first: recovery must see it. */
static int open_database(struct ledger *ledger, bool start_away, struct buf *error)
{
    int e = ledger_connect(ledger, error);
    if (e && start_away && db_away(e)) {
        ledger_problem(ledger, buf_text(error));
        buf_clear(error);
        return 0;
    }
    while (e == 0 && ledger->catching_up) {
        e = ledger_replay(ledger);
        if (e == 1)
            e = 0;
        else if (e)
            buf_printf(error, "cannot write the spool into the database: %s", ledger->db ? db_error(ledger->db) : strerror(-e));
    }
    return e;
}

int ledger_open(struct ledger **out, const struct ledger_params *params, struct buf *error)
{
    struct ledger *ledger;
    if (posix_memalign((void **)&ledger, 64, sizeof *ledger)) return -ENOMEM;
    memset(ledger, 0, sizeof *ledger);
    ledger->loop = params->loop;
    ledger->database = strdup(params->database);
    ledger->node = strdup(params->node && params->node[0] ? params->node : "carillon");
    ledger->head = &ledger->stub;
    atomic_store(&ledger->tail, &ledger->stub);
    atomic_store(&ledger->accepting, true);
    atomic_store(&ledger->sleeps_until_ns, INT64_MIN);
    ledger->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int e = ledger->wake_fd < 0 ? -errno : open_spool(ledger, params->spool_dir, error);
    if (e == 0) e = open_database(ledger, params->start_away, error);
    if (e == 0 && pthread_create(&ledger->thread, NULL, ledger_main, ledger)) e = -EAGAIN;
    if (e) {
        ledger_free(ledger);
        return e;
    }
    *out = ledger;
    return 0;
}

void ledger_close(struct ledger *ledger)
{
    const uint64_t one = 1;
    if (!ledger) return;
    atomic_store(&ledger->stopping, true);
    if (write(ledger->wake_fd, &one, sizeof one) < 0) CHECK(errno == EAGAIN);
    pthread_join(ledger->thread, NULL);
    ledger_free(ledger);
}
