/* http_request.c: one request: its bytes, being set aside, its answer.
 *
 * A handler answers by http_reply… before it returns, or later: then the connection is suspended meanwhile. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "control/http_own.h"
#include "core/log.h"

static void later_fired(struct loop_timer *timer)
{
    struct http_request *request = timer->context;
    request->later_run(request);
}

static void address_text(struct MHD_Connection *connection, char out[INET6_ADDRSTRLEN])
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *from = info != NULL ? info->client_addr : NULL;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)from;
    strcpy(out, "unknown");
    if (from != NULL && from->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)from)->sin_addr, out, INET6_ADDRSTRLEN);
    else if (from != NULL && from->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
        inet_ntop(AF_INET, six->sin6_addr.s6_addr + 12, out, INET6_ADDRSTRLEN);
    else if (from != NULL && from->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &six->sin6_addr, out, INET6_ADDRSTRLEN);
}

void *http_request_begin(void *cls, const char *uri, struct MHD_Connection *connection)
{
    struct http *http = cls;
    struct http_request *request = calloc(1, sizeof *request);
    if (request == NULL) return NULL;
    *request = (struct http_request) { .http = http, .connection = connection, .target = strdup(uri), .next = http->requests };
    if (request->target == NULL) {
        free(request);
        return NULL;
    }
    request->later = (struct loop_timer) { .fire = later_fired, .context = request };
    if (http->requests != NULL) http->requests->previous = request;
    http->requests = request;
    address_text(connection, request->address);
    char *question = strchr(request->target, '?');
    request->query = question != NULL ? question + 1 : "";
    return request;
}

void http_request_over(void *cls, struct MHD_Connection *connection, void **con_cls, enum MHD_RequestTerminationCode why)
{
    struct http_request *request = *con_cls;
    *con_cls = NULL;
    if (request == NULL) return;
    struct http *http = request->http;
    http_ask_cancel(request);
    http_live_request_over(request);
    http_report_free(request);
    loop_timer_clear(http->loop, &request->later);
    if (request->response != NULL) MHD_destroy_response(request->response);
    if (request->next != NULL) request->next->previous = request->previous;
    if (request->previous != NULL)
        request->previous->next = request->next;
    else
        http->requests = request->next;
    buf_free(&request->body);
    free(request->action);
    free(request->target);
    free(request);
}

void http_later(struct http_request *request, int64_t after_ns, void (*run)(struct http_request *request))
{
    request->later_run = run;
    loop_timer_set(request->http->loop, &request->later, clock_mono_ns() + after_ns);
}

const char *http_request_header(const struct http_request *request, const char *name)
{
    return MHD_lookup_connection_value(request->connection, MHD_HEADER_KIND, name);
}

/* A client that went while its request was set aside is known by its socket alone. */
void http_requests_look(struct http *http)
{
    char byte;
    for (struct http_request *request = http->requests; request != NULL; request = request->next) {
        const union MHD_ConnectionInfo *info;
        if (!request->suspended || request->response != NULL) continue;
        info = MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
        ssize_t n = info != NULL ? recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) : -1;
        if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
            http_ask_cancel(request);
            http_report_free(request);
            loop_timer_clear(http->loop, &request->later);
            http_reply_text(request, 499, "the client went away\n");
        }
    }
}

/* --- the answer ------------------------------------------------------------------------------------------------------ */

void http_reply_response(struct http_request *request, unsigned status, struct MHD_Response *response)
{
    if (request->response != NULL) { /* somebody answered already */
        MHD_destroy_response(response);
        return;
    }
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "X-Frame-Options", "DENY");
    MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    if (MHD_get_response_header(response, "Cache-Control") == NULL) MHD_add_response_header(response, "Cache-Control", "no-store");
    request->response = response;
    request->status = status;
    if (request->suspended && !request->http->closing) {
        request->suspended = false;
        MHD_resume_connection(request->connection);
        http_run_soon(request->http);
    }
}

void http_reply(struct http_request *request, unsigned status, const char *type, const char *data, size_t length)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(length, (void *)(uintptr_t)data, MHD_RESPMEM_MUST_COPY);
    if (response == NULL) response = MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
    if (response == NULL) return; /* no memory at all: the client's own timeout ends it */
    if (type != NULL) MHD_add_response_header(response, "Content-Type", type);
    http_reply_response(request, status, response);
}

void http_reply_text(struct http_request *request, unsigned status, const char *text)
{
    http_reply(request, status, "text/plain; charset=utf-8", text, strlen(text));
}

void http_reply_error(struct http_request *request, unsigned status, const char *text)
{
    struct buf out = BUF_INIT;
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == '\n') length--;
    if (strncmp(text, "-ERR ", 5) == 0) {
        text += 5;
        length -= 5;
    }
    buf_puts(&out, "{\"error\":");
    http_json_string(&out, text, length);
    buf_puts(&out, "}\n");
    http_reply(request, status, "application/json", buf_text(&out), out.length);
    buf_free(&out);
}

void http_header(struct http_request *request, const char *name, const char *value)
{
    if (request->response != NULL) MHD_add_response_header(request->response, name, value);
}

/* The library writes algorithm=md5; RFC 7616's name is MD5, and some clients know no other. */
static void mend_challenge(struct MHD_Response *response)
{
    static const char from[] = "algorithm=md5", to[] = "algorithm=MD5";
    const char *value = MHD_get_response_header(response, "WWW-Authenticate"), *at = value != NULL ? strstr(value, from) : NULL;
    struct buf old = BUF_INIT, mended = BUF_INIT;
    if (at == NULL) return;
    buf_puts(&old, value);
    buf_put(&mended, value, (size_t)(at - value));
    buf_printf(&mended, "%s%s", to, at + sizeof from - 1);
    if (MHD_del_response_header(response, "WWW-Authenticate", buf_text(&old)) == MHD_YES)
        MHD_add_response_header(response, "WWW-Authenticate", buf_text(&mended));
    buf_free(&old);
    buf_free(&mended);
}

static enum MHD_Result send_answer(struct http_request *request)
{
    enum MHD_Result result;
    request->over = true;
    if (request->challenge && request->user == NULL) {
        /* Digest stands first: some clients look at the first one alone. */
        struct buf basic = BUF_INIT;
        result = MHD_queue_auth_fail_response2(request->connection, request->http->realm, "carillon", request->response,
                                               request->stale ? MHD_YES : MHD_NO, MHD_DIGEST_ALG_MD5);
        mend_challenge(request->response);
        buf_printf(&basic, "Basic realm=\"%s\", charset=\"UTF-8\"", request->http->realm);
        MHD_add_response_header(request->response, "WWW-Authenticate", buf_text(&basic));
        buf_free(&basic);
    } else {
        result = MHD_queue_response(request->connection, request->status, request->response);
    }
    MHD_destroy_response(request->response);
    request->response = NULL;
    return result;
}

/* --- the library's door ------------------------------------------------------------------------------------------------ */

static bool says_who(const struct http_request *request)
{
    return http_request_header(request, "Authorization") != NULL || http_request_header(request, "Cookie") != NULL;
}

static void body_more(struct http_request *request, const char *data, size_t length)
{
    size_t max = says_who(request) ? HTTP_BODY_BYTES_MAX : HTTP_BODY_UNKNOWN_BYTES_MAX;
    if (request->body.length + length > max || buf_put(&request->body, data, length) < 0) request->too_long = true;
}

static void dispatch(struct http_request *request)
{
    struct buf path = BUF_INIT;
    size_t length = strcspn(request->target, "?");
    request->dispatched = true;
    if (request->too_long) {
        http_reply_error(request, 413, "the request's body is too long");
    } else if (http_url_decode(&path, request->target, length) < 0 || path.length >= sizeof request->path ||
               strlen(buf_text(&path)) != path.length) {
        http_reply_error(request, 414, "the address is too long, or holds a zero");
    } else {
        memcpy(request->path, buf_text(&path), path.length + 1);
        http_route(request);
    }
    buf_free(&path);
}

enum MHD_Result http_request_handle(void *cls, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
                                    const char *upload, size_t *upload_size, void **con_cls)
{
    struct http_request *request = *con_cls;
    if (request == NULL || request->over) return MHD_NO;
    request->method = method;
    if (!request->begun) {
        request->begun = true;
        return MHD_YES;
    }
    if (*upload_size > 0) {
        body_more(request, upload, *upload_size);
        *upload_size = 0;
        return MHD_YES;
    }
    if (request->http->closing) return MHD_NO;
    if (!request->dispatched) dispatch(request);
    if (request->response != NULL) return send_answer(request);
    request->suspended = true;
    MHD_suspend_connection(connection);
    return MHD_YES;
}
