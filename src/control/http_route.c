/* http_route.c: the table of addresses: what may be asked, by which method, by whom. */
#include <errno.h>
#include <string.h>

#include "control/http_own.h"

/* A part of a path that stands for a name ("/v1/calls/UUID"); the handler gets the first one. */
struct route {
    const char *method, *path; /* '*' = a name */
    enum http_role role;
    void (*run)(struct http_request *request);
    void (*run_name)(struct http_request *request, const char *name);
    const char *verb; /* of a campaign */
};

static const struct route routes[] = {
    { "GET", "/healthz", HTTP_NOBODY, http_health, NULL, NULL },
    { "POST", "/v1/login", HTTP_NOBODY, http_login, NULL, NULL },
    { "GET", "/v1/session", HTTP_NOBODY, http_session_look, NULL, NULL },
    { "POST", "/v1/logout", HTTP_VIEWER, http_logout, NULL, NULL },
    { "GET", "/v1/whoami", HTTP_VIEWER, http_whoami, NULL, NULL },
    { "GET", "/v1/status", HTTP_VIEWER, http_status, NULL, NULL },
    { "GET", "/v1/calls", HTTP_VIEWER, http_calls, NULL, NULL },
    { "POST", "/v1/calls", HTTP_OPERATOR, http_originate, NULL, NULL },
    { "GET", "/v1/calls/*", HTTP_VIEWER, NULL, http_call, NULL },
    { "DELETE", "/v1/calls/*", HTTP_OPERATOR, NULL, http_call_hangup, NULL },
    { "GET", "/v1/calls/*/trace", HTTP_VIEWER, NULL, http_call_trace, NULL },
    { "GET", "/v1/recent", HTTP_VIEWER, http_recent, NULL, NULL },
    { "GET", "/v1/campaigns", HTTP_VIEWER, http_campaigns, NULL, NULL },
    { "GET", "/v1/campaign-files", HTTP_VIEWER, http_campaign_files, NULL, NULL },
    { "GET", "/v1/campaigns/*", HTTP_VIEWER, NULL, http_campaign, NULL },
    { "GET", "/v1/campaigns/*/report", HTTP_VIEWER, NULL, http_campaign_report, NULL },
    { "GET", "/v1/campaigns/*/leads", HTTP_VIEWER, NULL, http_campaign_leads, NULL },
    { "POST", "/v1/campaigns/*/leads", HTTP_OPERATOR, NULL, http_campaign_lead_add, NULL },
    { "POST", "/v1/campaigns/*/run", HTTP_OPERATOR, NULL, NULL, "run" },
    { "POST", "/v1/campaigns/*/pause", HTTP_OPERATOR, NULL, NULL, "pause" },
    { "POST", "/v1/campaigns/*/resume", HTTP_OPERATOR, NULL, NULL, "resume" },
    { "POST", "/v1/campaigns/*/stop", HTTP_OPERATOR, NULL, NULL, "stop" },
    { "GET", "/v1/trunks", HTTP_VIEWER, http_trunks, NULL, NULL },
    { "PATCH", "/v1/trunks/*", HTTP_OPERATOR, NULL, http_trunk_set, NULL },
    { "POST", "/v1/trunks/*", HTTP_OPERATOR, NULL, http_trunk_set, NULL },
    { "GET", "/v1/audit", HTTP_OPERATOR, http_audit_read, NULL, NULL },
    { "GET", "/events", HTTP_VIEWER, http_live_begin, NULL, NULL },
};

/* True if it is this path; `name` gets what stands for '*'. */
static bool path_is(const char *pattern, const char *path, char *name, size_t size)
{
    for (; *pattern != 0; pattern++) {
        if (*pattern != '*') {
            if (*path++ != *pattern) return false;
            continue;
        }
        size_t length = strcspn(path, "/");
        if (length == 0 || length >= size) return false;
        memcpy(name, path, length);
        name[length] = 0;
        path += length;
    }
    return *path == 0;
}

static bool is_get(const struct http_request *request)
{
    return strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
}

/* What a browser sends for another site's page, or by a cookie without our page's own header, is not its user's will. */
static bool forged(const struct http_request *request)
{
    const char *site = http_request_header(request, "Sec-Fetch-Site");
    if (site != NULL && (strcmp(site, "cross-site") == 0 || strcmp(site, "same-site") == 0)) return true;
    return request->by_cookie && !is_get(request) && http_request_header(request, "X-Carillon") == NULL;
}

/* May he? Otherwise it is answered. */
static bool allowed(struct http_request *request, enum http_role role)
{
    if (role == HTTP_NOBODY) return true;
    if (!http_auth(request)) return false;
    if (request->user == NULL)
        http_auth_ask(request, false);
    else if (forged(request))
        http_reply_error(request, 403, "this request came from another site's page, or without the header X-Carillon");
    else if (request->user->role < role)
        http_reply_error(request, 403, "this needs the role operator");
    else
        return true;
    return false;
}

static void run(struct http_request *request, const struct route *route, const char *name)
{
    if (!allowed(request, route->role)) return;
    if (route->run != NULL)
        route->run(request);
    else if (!http_name_valid(name))
        http_reply_error(request, 400, "a name has letters, digits, '.', '_' and '-' only");
    else if (route->verb != NULL)
        http_campaign_act(request, name, route->verb);
    else
        route->run_name(request, name);
}

static bool is_web_api(const char *path)
{
    return strncmp(path, "/webapi/", 8) == 0 || strncmp(path, "/txtapi/", 8) == 0 || strncmp(path, "/xmlapi/", 8) == 0 ||
           strncmp(path, "/api/", 5) == 0;
}

void http_route(struct http_request *request)
{
    char name[128] = "";
    bool known = false;
    if (is_web_api(request->path)) {
        if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "POST") != 0)
            http_reply_error(request, 405, "GET or POST");
        else if (allowed(request, HTTP_OPERATOR))
            http_webapi(request);
        return;
    }
    if (strcmp(request->path, "/metrics") == 0 && is_get(request)) {
        if (allowed(request, request->http->metrics_open ? HTTP_NOBODY : HTTP_VIEWER)) http_metrics(request);
        return;
    }
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++) {
        if (!path_is(routes[i].path, request->path, name, sizeof name)) continue;
        known = true;
        if (strcmp(routes[i].method, request->method) == 0 ||
            (strcmp(request->method, "HEAD") == 0 && strcmp(routes[i].method, "GET") == 0)) {
            run(request, &routes[i], name);
            return;
        }
    }
    if (known)
        http_reply_error(request, 405, "this address takes another method");
    else if (!is_get(request) || !http_page(request))
        http_reply_error(request, 404, "nothing is here; docs/http.md lists what there is");
}
