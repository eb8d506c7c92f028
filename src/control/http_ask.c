/* http_ask.c: questions to a worker or the broker; a request has at most one open. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/http_own.h"
#include "core/uuid.h"

unsigned http_ask_status(int status)
{
    switch (-status) {
    case ENOENT: return 404;
    case EINVAL: return 400;
    case ETIMEDOUT: return 504;
    case EPIPE:
    case EAGAIN: return 503;
    case EMSGSIZE: return 413;
    default: return 500;
    }
}

const char *http_ask_error(int status)
{
    switch (-status) {
    case EPIPE: return "the process that answers this is not running, or died over it; it is started again: ask once more";
    case ETIMEDOUT: return "no answer in time";
    case EAGAIN: return "the engine is busy; ask again in a moment";
    case EMSGSIZE: return "the request or its answer is longer than 16 MB";
    default: return strerror(-status);
    }
}

static void answered(void *context, int status, struct kv_view pairs)
{
    struct http_request *request = context;
    request->post_id = 0;
    request->answer(request, status, pairs);
}

static void ask(struct http_request *request, uint32_t process, enum message_kind kind, const struct kv *pairs, int64_t timeout_ns, http_answer *answer)
{
    request->process = process;
    request->answer = answer;
    int rc = post_request(request->http->control->post, process, kind, pairs, timeout_ns, answered, request, &request->post_id);
    if (rc < 0) {
        request->post_id = 0;
        answer(request, rc, (struct kv_view){ 0 });
    }
}

void http_ask_cancel(struct http_request *request)
{
    if (request->post_id != 0)
        post_cancel(request->http->control->post, request->process, request->post_id);
    request->post_id = 0;
}

static bool worker_serves(struct control *control, uint32_t worker)
{
    struct proc_view view;
    proc_look(control->segment, BUS_WORKER_0 + worker, &view);
    return view.alive && view.state == PROC_RUNNING;
}

/* The first uuid in the arguments says where the call lives; everything else goes around. -1 = no worker serves. */
static int choose_worker(struct http *http, const char *args)
{
    struct control *control = http->control;
    struct directory_entry entry;
    struct uuid id;
    char word[UUID_TEXT_SIZE];
    size_t length = strcspn(args, " ");
    if (length == UUID_TEXT_SIZE - 1) {
        memcpy(word, args, length);
        word[length] = 0;
        if (uuid_parse(&id, word) == 0 && directory_find(control->segment, id.bytes, &entry) && worker_serves(control, entry.worker))
            return (int)entry.worker;
    }
    uint32_t workers = segment_workers(control->segment);
    for (uint32_t i = 0; i < workers; i++) {
        uint32_t worker = (http->next_worker + i) % workers;
        if (worker_serves(control, worker)) {
            http->next_worker = worker + 1;
            return (int)worker;
        }
    }
    return -1;
}

void http_ask_api(struct http_request *request, const char *command, const char *args, const struct kv *env, http_answer *answer)
{
    struct kv pairs = KV_INIT;
    int worker = choose_worker(request->http, args);
    int rc = worker < 0 ? -EPIPE : kv_add(&pairs, "command", command);
    if (rc == 0)
        rc = kv_add(&pairs, "args", args);
    if (rc == 0 && env != NULL && env->bytes.length > 0)
        rc = buf_put(&pairs.bytes, env->bytes.data, env->bytes.length);
    if (rc == 0)
        ask(request, BUS_WORKER_0 + (uint32_t)worker, MSG_API, &pairs, HTTP_API_TIMEOUT_NS, answer);
    else
        answer(request, rc, (struct kv_view){ 0 });
    kv_free(&pairs);
}

void http_ask_engine(struct http_request *request, http_answer *answer, int64_t timeout_ns, ...)
{
    struct kv pairs = KV_INIT;
    char name[16] = "command";
    const char *word;
    va_list words;
    int rc = 0;
    va_start(words, timeout_ns);
    for (int i = 1; rc == 0 && (word = va_arg(words, const char *)) != NULL; i++) {
        rc = kv_add(&pairs, name, word);
        snprintf(name, sizeof name, "a%d", i);
    }
    va_end(words);
    if (rc == 0)
        ask(request, BUS_BROKER, MSG_ENGINE, &pairs, timeout_ns, answer);
    else
        answer(request, rc, (struct kv_view){ 0 });
    kv_free(&pairs);
}
