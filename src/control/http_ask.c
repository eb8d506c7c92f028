/* http_ask.c: questions to a worker or the broker; a request has at most one open. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/http_own.h"
#include "control/worker_choice.h"
#include "core/uuid.h"

unsigned http_ask_status(int status)
{
    switch (-status) {
    case ENOENT:
        return 404;
    case EINVAL:
        return 400;
    case ETIMEDOUT:
        return 504;
    case EPIPE:
    case EAGAIN:
        return 503;
    case EMSGSIZE:
        return 413;
    default:
        return 500;
    }
}

const char *http_ask_error(int status)
{
    switch (-status) {
    case EPIPE:
        return "the process that answers this is not running, or died over it; it is started again: ask once more";
    case ETIMEDOUT:
        return "no answer in time";
    case EAGAIN:
        return "the engine is busy; ask again in a moment";
    case EMSGSIZE:
        return "the request or its answer is longer than 16 MB";
    default:
        return strerror(-status);
    }
}

static void answered(void *context, int status, struct kv_view pairs)
{
    struct http_request *request = context;
    request->post_id = 0;
    request->answer(request, status, pairs);
}

static void ask(struct http_request *request, uint32_t process, enum message_kind kind, const struct kv *pairs, int64_t timeout_ns,
                http_answer *answer)
{
    request->process = process;
    request->answer = answer;
    int rc = post_request(request->http->control->post, process, kind, pairs, timeout_ns, answered, request, &request->post_id);
    if (rc < 0) {
        request->post_id = 0;
        answer(request, rc, (struct kv_view) { 0 });
    }
}

void http_ask_cancel(struct http_request *request)
{
    http_audit_open_action(request);
    if (request->post_id != 0) post_cancel(request->http->control->post, request->process, request->post_id);
    request->post_id = 0;
}

void http_ask_api(struct http_request *request, const char *command, const char *args, const struct kv *env, http_answer *answer)
{
    struct kv pairs = KV_INIT;
    int worker = worker_for(request->http->control->segment, args, &request->http->next_worker);
    int rc = worker < 0 ? -EPIPE : kv_add(&pairs, "command", command);
    if (rc == 0) rc = kv_add(&pairs, "args", args);
    if (rc == 0 && env != NULL && env->bytes.length > 0) rc = buf_put(&pairs.bytes, env->bytes.data, env->bytes.length);
    if (rc == 0)
        ask(request, BUS_WORKER_0 + (uint32_t)worker, MSG_API, &pairs, HTTP_API_TIMEOUT_NS, answer);
    else
        answer(request, rc, (struct kv_view) { 0 });
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
        answer(request, rc, (struct kv_view) { 0 });
    kv_free(&pairs);
}
