/* http_own.h: what the files of HTTP share.
 *
 *   http_listen.c    the library's daemon on our loop
 *   http_request.c   one request: its bytes, being set aside, its answer
 *   http_auth.c      who asks, and what wrong passwords cost
 *   http_session.c   log-in of the page: cookies
 *   http_route.c     the table of addresses
 *   http_ask.c       questions to a worker or the broker
 *   http_webapi.c    /webapi /txtapi /api /xmlapi, as FreeSWITCH's mod_xml_rpc has them
 *   http_rest.c      /v1/…: status, calls, campaigns, trunks
 *   http_report.c    /v1/campaigns/NAME/report and …/leads: from the ledger, by `carillon campaign report|leads|add`
 *   http_live.c      /events: server-sent events, with resume
 *   http_page.c      the page, /healthz
 *   http_json.c http_text.c   text, without any state
 *   http_audit.c     who changed what
 *   metrics.c        /metrics for Prometheus */
#ifndef CONTROL_HTTP_OWN_H
#define CONTROL_HTTP_OWN_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <microhttpd.h>

#include "control/http.h"
#include "control/own.h"
#include "core/config.h"
#include "core/kv.h"

#define HTTP_CONNECTIONS_MAX        500u
#define HTTP_CONNECTION_MEMORY      (64u << 10)
#define HTTP_IDLE_S                 60u  /* a connection that makes no progress ends */
#define HTTP_LIVE_IDLE_S            600u /* one of /events */
#define HTTP_BODY_BYTES_MAX         (4u << 20)
#define HTTP_BODY_UNKNOWN_BYTES_MAX (16u << 10) /* of somebody who did not say who he is */
#define HTTP_SESSIONS_MAX           256u
#define HTTP_SESSION_IDLE_NS        (12 * 3600 * NS_PER_S)
#define HTTP_API_TIMEOUT_NS         (3600 * NS_PER_S)
#define HTTP_ENGINE_TIMEOUT_NS      (30 * NS_PER_S)
#define HTTP_LIVES_MAX              100u /* readers of /events */

enum http_role { HTTP_NOBODY, HTTP_VIEWER, HTTP_OPERATOR };

struct http_request;
struct http_live;
struct http_report;
struct http_failures;
struct http_session;
struct esl;

/* status 0 or -errno; pairs as the other process sent them, valid during the call only. */
typedef void http_answer(struct http_request *request, int status, struct kv_view pairs);

struct http_user {
    const char *name, *password, *token; /* the configuration's; password and token may be NULL */
    enum http_role role;
};

struct http {
    struct control *control;
    struct loop *loop;
    struct MHD_Daemon *daemon; /* NULL while the port is taken */
    struct loop_watch watch;
    struct loop_timer due, retry, poll;
    bool closing;
    char address[INET6_ADDRSTRLEN];
    uint16_t port;
    const char *realm;
    bool metrics_open;
    struct http_user *users;
    size_t user_count;
    struct http_request *requests;
    struct http_failures *failures;
    struct http_session *sessions;
    struct http_live *lives;
    uint32_t live_count;
    struct http_report *reports;
    uint32_t next_worker;
    int64_t next_look_ns; /* for clients that went while their request was set aside */
    uint64_t wish[2], kept[2];
    int64_t kept_until_ns;
    char random[32];
};

struct http_request {
    struct http *http;
    struct http_request *next, *previous;
    struct MHD_Connection *connection;
    char *target;      /* path and query as they came */
    const char *query; /* in target, behind '?'; "" = none */
    const char *method;
    char path[1024]; /* decoded */
    char address[INET6_ADDRSTRLEN];
    struct buf body;
    bool begun, too_long, dispatched, suspended, over;
    const struct http_user *user;
    bool by_cookie;

    /* What it waits for. */
    http_answer *answer;
    uint32_t process, post_id;
    struct loop_timer later;
    void (*later_run)(struct http_request *request);
    struct http_report *report;
    char subject[80]; /* a handler's own: a name, a content type */
    char *action;     /* to be audited with its result */

    /* Its answer. */
    struct MHD_Response *response;
    unsigned status;
    bool challenge, stale;
};

/* --- http_listen.c --- */
void http_run_soon(struct http *http);

/* --- http_request.c --- */
void *http_request_begin(void *cls, const char *uri, struct MHD_Connection *connection);
enum MHD_Result http_request_handle(void *cls, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
                                    const char *upload, size_t *upload_size, void **con_cls);
void http_request_over(void *cls, struct MHD_Connection *connection, void **con_cls, enum MHD_RequestTerminationCode why);
/* Answers, now or later, exactly once. `data` is copied. */
void http_reply(struct http_request *request, unsigned status, const char *type, const char *data, size_t length);
void http_reply_text(struct http_request *request, unsigned status, const char *text);
/* {"error": text} */
void http_reply_error(struct http_request *request, unsigned status, const char *text);
/* A response of the caller's own making, which is taken over. */
void http_reply_response(struct http_request *request, unsigned status, struct MHD_Response *response);
void http_header(struct http_request *request, const char *name, const char *value); /* of a reply that was given and not sent */
/* Calls `run` after that time unless the request ends before. */
void http_later(struct http_request *request, int64_t after_ns, void (*run)(struct http_request *request));
const char *http_request_header(const struct http_request *request, const char *name); /* NULL = absent */
void http_requests_look(struct http *http);

/* --- http_auth.c --- */
int http_users_read(struct http *http);
/* Fills request->user. True = go on (perhaps as nobody); false = it is answered, or will be. */
bool http_auth(struct http_request *request);
/* 401. */
void http_auth_ask(struct http_request *request, bool stale);
/* As http_auth with a name and a password of the caller's: the user, or NULL and it will be answered. */
const struct http_user *http_auth_password(struct http_request *request, const char *name, const char *password);
bool http_same_secret(const char *a, const char *b);

/* --- http_session.c --- */
const struct http_user *http_session_user(struct http *http, const char *cookies);
void http_login(struct http_request *request);
void http_logout(struct http_request *request);
void http_session_look(struct http_request *request);
void http_whoami(struct http_request *request);

/* --- http_route.c --- */
void http_route(struct http_request *request);

/* --- http_ask.c --- */
/* An API command to a worker. `env` (may be NULL): further pairs of MSG_API. */
void http_ask_api(struct http_request *request, const char *command, const char *args, const struct kv *env, http_answer *answer);
/* A command of the engine to the broker: words, the last one NULL. */
void http_ask_engine(struct http_request *request, http_answer *answer, int64_t timeout_ns, ...);
void http_ask_cancel(struct http_request *request);
unsigned http_ask_status(int status); /* of -errno */
const char *http_ask_error(int status);

/* --- the handlers --- */
void http_webapi(struct http_request *request);
void http_status(struct http_request *request);
void http_calls(struct http_request *request);
void http_call(struct http_request *request, const char *uuid);
void http_call_hangup(struct http_request *request, const char *uuid);
void http_originate(struct http_request *request);
void http_call_trace(struct http_request *request, const char *call);
void http_recent(struct http_request *request);
void http_campaigns(struct http_request *request);
void http_campaign_files(struct http_request *request);
void http_campaign(struct http_request *request, const char *name);
void http_campaign_act(struct http_request *request, const char *name, const char *verb);
void http_campaign_report(struct http_request *request, const char *name);
void http_campaign_leads(struct http_request *request, const char *name);
void http_campaign_lead_add(struct http_request *request, const char *name);
/* What the request is about to change, in words: for the audit. */
void http_action(struct http_request *request, const char *format, ...) __attribute__((format(printf, 2, 3)));
void http_trunks(struct http_request *request);
void http_trunk_set(struct http_request *request, const char *name);
void http_audit_read(struct http_request *request);
void http_live_begin(struct http_request *request);
void http_lives_poll(struct http *http);
void http_live_request_over(struct http_request *request);
void http_health(struct http_request *request);
bool http_page(struct http_request *request);
void http_metrics(struct http_request *request);
void http_report_free(struct http_request *request);

/* --- http_audit.c --- */
/* One line: who, from where, what, and what came of it. */
void http_audit(struct http_request *request, const char *action, const char *result);
/* The same for what is with another process when its client goes: it may be done all the same. */
void http_audit_open_action(struct http_request *request);

/* --- http_text.c, http_json.c --- */
/* %XX and '+' decoded. */
int http_url_decode(struct buf *out, const char *text, size_t length);
/* "a=b&c=d" as pairs, with `prefix` before each name. 0, -ENOMEM, -E2BIG beyond 1000 of them. */
int http_form_read(struct kv *out, const char *prefix, const char *text, size_t length);
/* The request's parameters: of its query, and of its body (a form, or a flat JSON object). 0, or -EINVAL: it was answered. */
int http_parameters(struct http_request *request, struct kv *out);
void http_json_string(struct buf *out, const char *text, size_t length);
void http_json_member(struct buf *out, const char *name, const char *value); /* text */
void http_json_number(struct buf *out, const char *name, const char *value); /* as it is, if it is a number; else null */
void http_json_int(struct buf *out, const char *name, long long value);
/* A flat object of texts, numbers and words → pairs. 0, -EINVAL, -ENOMEM. */
int http_json_read(struct kv *out, const char *text, size_t length);
bool http_name_valid(const char *name); /* 1 to 64 of [A-Za-z0-9._-], and not beginning with '.' or '-' */

#endif
