/* esl_ask.c: an API command's way to a worker, and its answer's way back.
 *
 * A command that names a call goes to the worker that has it: the directory knows SIP calls; for others (loopback, null)
 * the workers are asked one after the other. Every other command goes to the next worker in turn. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/esl_own.h"
#include "control/worker_choice.h"

#define LOOK_TIMEOUT_NS (5 * NS_PER_S)

struct esl_asked {
    struct esl *esl;
    esl_answer *answer;
    void *context;
    char *command, *args;
    char call[UUID_TEXT_SIZE]; /* empty = nobody's */
    uint32_t looked;           /* workers that were asked for the call */
    uint32_t process, request;
    struct loop_timer fail; /* for what failed at once: answers never come before esl_ask returns */
    int status;
};

const char *esl_ask_error(int status)
{
    switch (-status) {
    case EPIPE:
        return "no worker is running, or the one that worked on this died";
    case ETIMEDOUT:
        return "the worker gave no answer in time";
    case EAGAIN:
        return "the engine is busy";
    case EMSGSIZE:
        return "the command or its output is longer than 16 MB";
    default:
        return strerror(-status);
    }
}

static void asked_free(struct esl_asked *asked)
{
    loop_timer_clear(asked->esl->loop, &asked->fail);
    free(asked->command);
    free(asked->args);
    free(asked);
}

void esl_ask_cancel(struct esl_asked *asked)
{
    if (asked->request != 0) post_cancel(asked->esl->post, asked->process, asked->request);
    asked_free(asked);
}

static void answered(struct esl_asked *asked, int status, const char *text, size_t length)
{
    esl_answer *answer = asked->answer;
    void *context = asked->context;
    asked->request = 0;
    answer(context, status, text, length);
    asked_free(asked);
}

static void fail_fired(struct loop_timer *timer)
{
    struct esl_asked *asked = timer->context;
    answered(asked, asked->status, "", 0);
}

static void fail_later(struct esl_asked *asked, int status)
{
    asked->status = status;
    loop_timer_set(asked->esl->loop, &asked->fail, clock_mono_ns());
}

static void command_answered(void *context, int status, struct kv_view pairs)
{
    size_t length = 0;
    const char *text = status == 0 ? kv_get_bytes(pairs, "text", &length) : NULL;
    answered(context, status, text != NULL ? text : "", length);
}

static int request(struct esl_asked *asked, uint32_t worker, const char *command, const char *args, int64_t timeout_ns, post_answer *answer)
{
    struct kv pairs = KV_INIT;
    int rc = kv_add(&pairs, "command", command);
    if (rc == 0) rc = kv_add(&pairs, "args", args);
    asked->process = BUS_WORKER_0 + worker;
    if (rc == 0) rc = post_request(asked->esl->post, asked->process, MSG_API, &pairs, timeout_ns, answer, asked, &asked->request);
    kv_free(&pairs);
    return rc;
}

static void run_in(struct esl_asked *asked, uint32_t worker)
{
    int rc = request(asked, worker, asked->command, asked->args, API_TIMEOUT_NS, command_answered);
    if (rc < 0) fail_later(asked, rc);
}

static void run_anywhere(struct esl_asked *asked)
{
    int worker = worker_in_turn(asked->esl->segment, &asked->esl->next_worker);
    if (worker >= 0)
        run_in(asked, (uint32_t)worker);
    else
        fail_later(asked, -EPIPE);
}

static void look_answered(void *context, int status, struct kv_view pairs);

/* Asks the next worker whether it has the call. With none left, any one may say that there is no such call. */
static void look_on(struct esl_asked *asked)
{
    uint32_t workers = segment_workers(asked->esl->segment);
    while (asked->looked < workers) {
        uint32_t worker = asked->looked++;
        if (worker_serves(asked->esl->segment, worker) &&
            request(asked, worker, "uuid_exists", asked->call, LOOK_TIMEOUT_NS, look_answered) == 0)
            return;
    }
    run_anywhere(asked);
}

static void look_answered(void *context, int status, struct kv_view pairs)
{
    struct esl_asked *asked = context;
    asked->request = 0;
    if (status == 0 && strncmp(kv_get_or(pairs, "text", ""), "true", 4) == 0)
        run_in(asked, asked->process - BUS_WORKER_0);
    else
        look_on(asked);
}

/* The first word that is a uuid. */
static bool find_call(const char *args, char out[UUID_TEXT_SIZE], struct uuid *id)
{
    for (const char *at = args; *at != 0; at += strspn(at, " ")) {
        size_t length = strcspn(at, " ");
        if (length == UUID_TEXT_SIZE - 1) {
            memcpy(out, at, length);
            out[length] = 0;
            if (uuid_parse(id, out) == 0) return true;
        }
        at += length;
    }
    out[0] = 0;
    return false;
}

struct esl_asked *esl_ask(struct esl *esl, const char *call, const char *command, const char *args, esl_answer *answer, void *context)
{
    struct esl_asked *asked = calloc(1, sizeof *asked);
    if (asked == NULL) return NULL;
    struct uuid id;
    struct directory_entry entry;
    *asked = (struct esl_asked) { .esl = esl, .answer = answer, .context = context, .command = strdup(command), .args = strdup(args) };
    asked->fail = (struct loop_timer) { .fire = fail_fired, .context = asked };
    if (asked->command == NULL || asked->args == NULL) {
        asked_free(asked);
        return NULL;
    }
    bool named = find_call(call != NULL ? call : args, asked->call, &id);
    if (named && directory_find(esl->segment, id.bytes, &entry) && worker_serves(esl->segment, entry.worker))
        run_in(asked, entry.worker);
    else if (named && segment_workers(esl->segment) > 1)
        look_on(asked);
    else
        run_anywhere(asked);
    return asked;
}
