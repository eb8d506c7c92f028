/* http_audit.c: the web's part of the audit (audit.h): what its users change, and the list that they see. */
#include "control/audit.h"
#include "control/http_own.h"

void http_audit(struct http_request *request, const char *action, const char *result)
{
    const struct http_user *user = request->user;
    struct audit_entry entry = { .who = user != NULL ? user->name : "",
                                 .role = user == NULL                  ? ""
                                         : user->role == HTTP_OPERATOR ? "operator"
                                                                       : "viewer",
                                 .from = request->address,
                                 .action = action,
                                 .result = result };
    audit_write(request->http->control, &entry);
}

void http_audit_open_action(struct http_request *request)
{
    if (request->action != NULL && request->post_id != 0) http_audit(request, request->action, "the asker went away before the answer");
}

void http_audit_read(struct http_request *request)
{
    struct buf out = BUF_INIT;
    if (audit_read(request->http->control, &out) == 0)
        http_reply(request, 200, "application/json", buf_text(&out), out.length);
    else
        http_reply_error(request, 500, "the audit log cannot be read");
    buf_free(&out);
}
