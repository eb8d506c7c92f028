/* http_session.c: the page's log-in: a random cookie that only this process knows. A control that starts again forgets
 * them, and people log in again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "control/http_own.h"
#include "core/log.h"

#define COOKIE       "carillon"
#define ID_TEXT_SIZE 49

struct http_session {
    char id[ID_TEXT_SIZE]; /* empty = free */
    const struct http_user *user;
    int64_t last_ns;
};

static struct http_session *session_find(struct http *http, const char *cookies)
{
    static const char name[] = COOKIE "=";
    char id[ID_TEXT_SIZE] = "";
    for (const char *at = cookies; at != NULL && *at != 0; at += strcspn(at, ";"), at += *at == ';', at += strspn(at, " "))
        if (strncmp(at, name, sizeof name - 1) == 0 && strcspn(at + sizeof name - 1, ";") == ID_TEXT_SIZE - 1)
            memcpy(id, at + sizeof name - 1, ID_TEXT_SIZE - 1);
    if (id[0] == 0 || http->sessions == NULL) return NULL;
    int64_t now = clock_mono_ns();
    for (unsigned i = 0; i < HTTP_SESSIONS_MAX; i++) {
        struct http_session *session = &http->sessions[i];
        if (session->id[0] != 0 && http_same_secret(id, session->id)) {
            if (now - session->last_ns > HTTP_SESSION_IDLE_NS) session->id[0] = 0;
            session->last_ns = now;
            return session->id[0] != 0 ? session : NULL;
        }
    }
    return NULL;
}

const struct http_user *http_session_user(struct http *http, const char *cookies)
{
    struct http_session *session = session_find(http, cookies);
    return session != NULL ? session->user : NULL;
}

/* A free one, or the one that was idle longest. */
static struct http_session *session_new(struct http *http)
{
    uint8_t random[(ID_TEXT_SIZE - 1) / 2];
    if (http->sessions == NULL) http->sessions = calloc(HTTP_SESSIONS_MAX, sizeof *http->sessions);
    if (http->sessions == NULL || getrandom(random, sizeof random, 0) != sizeof random) return NULL;
    struct http_session *best = &http->sessions[0];
    for (unsigned i = 0; i < HTTP_SESSIONS_MAX && best->id[0] != 0; i++)
        if (http->sessions[i].id[0] == 0 || http->sessions[i].last_ns < best->last_ns) best = &http->sessions[i];
    for (size_t i = 0; i < sizeof random; i++) snprintf(best->id + 2 * i, 3, "%02x", random[i]);
    best->last_ns = clock_mono_ns();
    return best;
}

static void reply_user(struct http_request *request, const struct http_user *user)
{
    struct buf out = BUF_INIT;
    buf_putc(&out, '{');
    http_json_member(&out, "user", user->name);
    http_json_member(&out, "role", user->role == HTTP_OPERATOR ? "operator" : "viewer");
    buf_puts(&out, "}\n");
    http_reply(request, 200, "application/json", buf_text(&out), out.length);
    buf_free(&out);
}

void http_login(struct http_request *request)
{
    struct kv form = KV_INIT;
    if (http_parameters(request, &form) == 0) {
        struct kv_view view = kv_view(&form);
        const struct http_user *user = http_auth_password(request, kv_get_or(view, "user", ""), kv_get_or(view, "password", ""));
        struct http_session *session = user != NULL ? session_new(request->http) : NULL;
        if (session != NULL) {
            char cookie[160];
            session->user = request->user = user;
            snprintf(cookie, sizeof cookie, COOKIE "=%s; Path=/; HttpOnly; SameSite=Strict", session->id);
            log_info(NULL, "http: %s logged in from %s", user->name, request->address);
            http_audit(request, "login", "+OK");
            reply_user(request, user);
            http_header(request, "Set-Cookie", cookie);
        } else if (user != NULL) {
            http_reply_error(request, 503, "no memory");
        }
    }
    kv_free(&form);
}

void http_logout(struct http_request *request)
{
    struct http_session *session = session_find(request->http, http_request_header(request, "Cookie"));
    if (session != NULL) session->id[0] = 0;
    http_reply(request, 200, "application/json", "{}\n", 3);
    http_header(request, "Set-Cookie", COOKIE "=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
}

/* For the page's beginning: who the cookie says it is, and {} if nobody, which is no error. */
void http_session_look(struct http_request *request)
{
    request->user = http_session_user(request->http, http_request_header(request, "Cookie"));
    if (request->user != NULL)
        reply_user(request, request->user);
    else
        http_reply(request, 200, "application/json", "{}\n", 3);
}

void http_whoami(struct http_request *request) { reply_user(request, request->user); }
