/* dispatch.c: whom a request is for, and what is said when nobody answers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "control/audit.h"
#include "control/own.h"
#include "control/worker_choice.h"
#include "core/log.h"
#include "core/uuid.h"

static const char *sentence(uint32_t process, int status)
{
    bool broker = process == BUS_BROKER;
    switch (-status) {
    case EPIPE:
        return broker ? "the broker died while it worked on this; it is started again: ask once more"
                      : "the worker that worked on this died; it is started again: ask once more";
    case ETIMEDOUT:
        return broker ? "the broker gave no answer in time" : "the worker gave no answer in time";
    case EAGAIN:
        return "the engine is busy; ask again in a moment";
    case EMSGSIZE:
        return "the request or its answer is longer than 16 MB";
    default:
        return strerror(-status);
    }
}

/* Who at a shell changed what. The kernel says who; a name would ask a directory that may be slow. */
static void audit(struct peer *peer, const char *action, const char *result)
{
    char who[32];
    snprintf(who, sizeof who, "uid %u", peer->uid);
    struct audit_entry entry = { .who = who, .role = "shell", .from = "control.sock", .action = action, .result = result };
    audit_write(peer->control, &entry);
}

static void audit_action(struct peer *peer, const char *result)
{
    if (peer->action != NULL) audit(peer, peer->action, result);
    free(peer->action);
    peer->action = NULL;
}

/* "trunk cap acme cps=20" of command=trunk a1=cap …; NULL: it changes nothing. */
static char *action_of(struct kv_view request)
{
    struct buf action = BUF_INIT;
    const char *command = kv_get_or(request, "command", ""), *word;
    char name[8];
    if (!audit_concerns(command, kv_get_or(request, "a1", ""))) return NULL;
    buf_puts(&action, command);
    for (int i = 1; i < 100; i++) {
        snprintf(name, sizeof name, "a%d", i);
        if ((word = kv_get(request, name)) == NULL) break;
        buf_printf(&action, " %s", word);
    }
    return buf_take(&action);
}

static void answered(void *context, int status, struct kv_view pairs)
{
    struct peer *peer = context;
    peer->waiting = false;
    const char *text = kv_get_or(pairs, "text", "");
    audit_action(peer, *text != 0 ? text : status == 0 ? "+OK" : sentence(peer->asked, status));
    /* An answerer's own words come first. */
    const char *said = status == 0 || kv_get(pairs, "error") != NULL ? NULL : sentence(peer->asked, status);
    peer_reply(peer, -status, pairs, said);
    /* A next request may have come with the first one. */
    if (!peer->gone) peer_requests(peer);
}

static void ask(struct peer *peer, uint32_t process, enum message_kind kind, const struct kv *pairs, int64_t timeout_ns)
{
    peer->asked = process;
    int rc = post_request(peer->control->post, process, kind, pairs, timeout_ns, answered, peer, &peer->request);
    if (rc < 0) {
        audit_action(peer, sentence(process, rc));
        peer_reply(peer, -rc, (struct kv_view) { 0 }, sentence(process, rc));
    } else
        peer->waiting = true;
}

static void dispatch_api(struct peer *peer, struct kv_view request)
{
    const char *command = kv_get_or(request, "command", ""), *args = kv_get_or(request, "args", "");
    if (*command == 0) {
        peer_reply(peer, EINVAL, (struct kv_view) { 0 }, "which command? (as in `carillon api status`)");
        return;
    }
    int worker = worker_for(peer->control->segment, args, &peer->control->next_worker);
    if (worker < 0) {
        peer_reply(peer, EPIPE, (struct kv_view) { 0 }, "no worker is running at this moment");
        return;
    }
    struct kv pairs = KV_INIT;
    int rc = kv_add(&pairs, "command", command);
    if (rc == 0) rc = kv_add(&pairs, "args", args);
    if (rc == 0)
        ask(peer, BUS_WORKER_0 + (uint32_t)worker, MSG_API, &pairs, API_TIMEOUT_NS);
    else
        peer_end(peer);
    kv_free(&pairs);
}

static void dispatch_engine(struct peer *peer, struct kv_view request)
{
    struct kv pairs = KV_INIT;
    struct kv_pair pair;
    size_t at = 0;
    int rc = 0;
    while (rc == 0 && kv_next(request, &at, &pair))
        if (strcmp(pair.name, "verb") != 0) rc = kv_add_bytes(&pairs, pair.name, pair.value, pair.value_length);
    peer->action = rc == 0 ? action_of(request) : NULL;
    if (rc == 0)
        ask(peer, BUS_BROKER, MSG_ENGINE, &pairs, ENGINE_TIMEOUT_NS);
    else
        peer_end(peer);
    kv_free(&pairs);
}

void dispatch_request(struct peer *peer, struct kv_view request)
{
    const char *verb = kv_get_or(request, "verb", "");
    if (strcmp(verb, "api") == 0)
        dispatch_api(peer, request);
    else if (strcmp(verb, "engine") == 0)
        dispatch_engine(peer, request);
    else if (strcmp(verb, "reloaded") == 0) { /* the supervisor did it, by a signal, which nobody else sees */
        audit(peer, "reload", kv_get_or(request, "result", ""));
        peer_reply(peer, 0, (struct kv_view) { 0 }, NULL);
    } else if (strcmp(verb, "ping") == 0)
        peer_reply(peer, 0, (struct kv_view) { 0 }, NULL);
    else
        peer_reply(peer, EINVAL, (struct kv_view) { 0 }, "unknown verb; known: api, engine, reloaded, ping");
}

void dispatch_cancel(struct peer *peer)
{
    if (peer->waiting) audit_action(peer, "the asker went away before the answer");
    if (peer->waiting) post_cancel(peer->control->post, peer->asked, peer->request);
    peer->waiting = false;
}
