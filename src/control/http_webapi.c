/* http_webapi.c: FreeSWITCH's web interface (mod_xml_rpc): /webapi/COMMAND?ARGUMENTS as a page, /txtapi and /api as plain
 * text, /xmlapi as XML.
 *
 * The command gets the query as its arguments. A script run by `lua` finds in `env` the request's facts (HTTP-…) and the
 * parameters of its query and of a posted form, and may begin its output with headers of its own ("Content-Type: …" and a
 * blank line), as old scripts do. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/http_own.h"
#include "core/log.h"

#define OWN_HEAD_BYTES_MAX 8192u

static enum MHD_Result add_header(void *cls, enum MHD_ValueKind kind, const char *name, const char *value)
{
    struct kv *env = cls;
    struct buf key = BUF_INIT;
    /* Whoever reads `env` may write it to a page: no secrets in it. */
    if (value == NULL || strcasecmp(name, "Authorization") == 0 || strcasecmp(name, "Cookie") == 0) return MHD_YES;
    int rc = buf_printf(&key, "e.HTTP-%s", name);
    for (char *c = key.data != NULL ? key.data + 2 : NULL; c != NULL && *c != 0; c++)
        if (*c >= 'a' && *c <= 'z') *c = (char)(*c - 'a' + 'A');
    if (rc == 0) rc = kv_add(env, buf_text(&key), value);
    buf_free(&key);
    return rc == 0 ? MHD_YES : MHD_NO;
}

static bool is_form(const struct http_request *request)
{
    const char *type = http_request_header(request, "Content-Type");
    return type == NULL || strncasecmp(type, "application/x-www-form-urlencoded", 33) == 0;
}

/* The request's facts first, then its parameters: a script that asks for "command" gets the parameter; facts have names
 * that begin with HTTP-, and the first header of a name counts, so that no parameter can stand for a fact. */
static int env_make(struct http_request *request, const char *path_info, struct kv *env)
{
    size_t path_length = strcspn(request->target, "?");
    int rc = kv_add_bytes(env, "e.HTTP-URI", request->target, path_length);
    if (rc == 0) rc = kv_add(env, "e.HTTP-REQUESTLINE", request->target);
    if (rc == 0) rc = kv_add(env, "e.HTTP-METHOD", request->method);
    if (rc == 0) rc = kv_add(env, "e.HTTP-QUERY", request->query);
    if (rc == 0) rc = kv_add_int(env, "e.HTTP-PORT", request->http->port);
    if (rc == 0) rc = kv_add(env, "e.HTTP-USER", request->user->name);
    if (rc == 0) rc = kv_add(env, "e.HTTP-CLIENT-IP", request->address);
    if (rc == 0 && *path_info != 0) rc = kv_add(env, "e.http-path-info", path_info);
    if (rc == 0) MHD_get_connection_values(request->connection, MHD_HEADER_KIND, add_header, env);
    if (rc == 0) rc = http_form_read(env, "e.", request->query, strlen(request->query));
    if (rc == 0 && request->body.length > 0 && is_form(request)) rc = http_form_read(env, "e.", request->body.data, request->body.length);
    if (rc == 0 && request->body.length > 0) rc = kv_add_bytes(env, "body", request->body.data, request->body.length);
    return rc;
}

/* --- the answer -------------------------------------------------------------------------------------------------------- */

/* Bytes of a head of its own ("Name: value" lines and a blank one); 0 if the output does not begin with one. */
static size_t own_head(const char *text, size_t length)
{
    static const char *const first[] = { "Content-Type:", "Status:", "Location:" };
    bool begins = false;
    for (size_t i = 0; i < sizeof first / sizeof first[0]; i++) begins = begins || strncasecmp(text, first[i], strlen(first[i])) == 0;
    if (!begins) return 0;
    for (size_t at = 0; at < length && at < OWN_HEAD_BYTES_MAX;) {
        size_t line = strcspn(text + at, "\n");
        bool blank = line == 0 || (line == 1 && text[at] == '\r');
        if (text[at + line] != '\n') return 0;
        if (blank) return at + line + 1;
        if (memchr(text + at, ':', line) == NULL) return 0;
        at += line + 1;
    }
    return 0;
}

static void head_apply(struct http_request *request, const char *text, size_t length, struct buf *type)
{
    struct buf name = BUF_INIT, value = BUF_INIT;
    for (size_t at = 0; at < length;) {
        size_t line = strcspn(text + at, "\n"), used = line > 0 && text[at + line - 1] == '\r' ? line - 1 : line;
        const char *colon = memchr(text + at, ':', used);
        if (colon != NULL) {
            const char *from = colon + 1 + strspn(colon + 1, " \t"), *to = text + at + used;
            buf_clear(&name);
            buf_clear(&value);
            buf_put(&name, text + at, (size_t)(colon - text) - at);
            buf_put(&value, from, to > from ? (size_t)(to - from) : 0);
            if (strcasecmp(buf_text(&name), "Content-Type") == 0) {
                buf_clear(type);
                buf_puts(type, buf_text(&value));
            } else if (strcasecmp(buf_text(&name), "Status") == 0) {
                unsigned status = (unsigned)atoi(buf_text(&value));
                request->status = status >= 200 && status <= 599 ? status : request->status;
            } else if (strcasecmp(buf_text(&name), "Content-Length") != 0 && strcasecmp(buf_text(&name), "Transfer-Encoding") != 0 &&
                       strcasecmp(buf_text(&name), "Connection") != 0) {
                http_header(request, buf_text(&name), buf_text(&value));
                if (strcasecmp(buf_text(&name), "Location") == 0 && request->status == 200) request->status = 302;
            }
        }
        at += line + 1;
    }
    buf_free(&name);
    buf_free(&value);
}

static void reply_output(struct http_request *request, const char *text, size_t length)
{
    struct buf type = BUF_INIT, ignored = BUF_INIT;
    size_t head = own_head(text, length);
    struct http_request typed = { .status = 200 };
    buf_puts(&type, request->subject);
    head_apply(&typed, text, head, &type);
    http_reply(request, 200, buf_text(&type), text + head, length - head);
    head_apply(request, text, head, &ignored);
    buf_free(&type);
    buf_free(&ignored);
}

static void answered(struct http_request *request, int status, struct kv_view pairs)
{
    size_t length = 0;
    const char *text = status == 0 ? kv_get_bytes(pairs, "text", &length) : NULL;
    http_audit(request, request->action != NULL ? request->action : "api", text != NULL ? text : http_ask_error(status));
    if (text != NULL)
        reply_output(request, text, length);
    else
        http_reply_text(request, http_ask_status(status), http_ask_error(status));
}

static const char *content_type(const char *path)
{
    if (strncmp(path, "/webapi/", 8) == 0) return "text/html; charset=utf-8";
    return strncmp(path, "/xmlapi/", 8) == 0 ? "text/xml; charset=utf-8" : "text/plain; charset=utf-8";
}

void http_webapi(struct http_request *request)
{
    struct kv env = KV_INIT;
    struct buf args = BUF_INIT, action = BUF_INIT;
    const char *at = strchr(request->path + 1, '/') + 1;
    size_t length = strcspn(at, "/");
    const char *path_info = at[length] == '/' ? at + length + 1 : "";
    char command[64];
    if (length == 0 || length >= sizeof command) {
        http_reply_text(request, 404, "which command? (as in /txtapi/status)\n");
        return;
    }
    memcpy(command, at, length);
    command[length] = 0;
    strncpy(request->subject, content_type(request->path), sizeof request->subject - 1);
    /* As there: with a form posted and no query, the form's text is the arguments. */
    bool posted = *request->query == 0 && request->body.length > 0 && is_form(request) && strcasecmp(command, "lua") != 0;
    /* lua?api.lua&command=status: the script's arguments end where its parameters begin. */
    size_t query = strcasecmp(command, "lua") == 0 ? strcspn(request->query, "&") : strlen(request->query);
    int rc = posted ? http_url_decode(&args, request->body.data, request->body.length) : http_url_decode(&args, request->query, query);
    if (rc == 0) rc = strlen(buf_text(&args)) == args.length ? env_make(request, path_info, &env) : -EINVAL;
    buf_printf(&action, "api %s %s", command, buf_text(&args));
    request->action = buf_take(&action);
    if (rc == 0)
        http_ask_api(request, command, buf_text(&args), &env, answered);
    else
        http_reply_text(request, http_ask_status(rc), "the parameters cannot be read\n");
    kv_free(&env);
    buf_free(&args);
}
