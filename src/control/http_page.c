/* http_page.c: the operators' page, from the binary, and /healthz. */
#include <stdio.h>
#include <string.h>

#include "control/embedded.h"
#include "control/http_own.h"

#define POLICY                                                                                                                             \
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action "     \
    "'self'; frame-ancestors 'none'"
#define SILENT_NS (5 * NS_PER_S)

static const char *type_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    static const struct {
        const char *suffix, *type;
    } types[] = {
        { ".html", "text/html; charset=utf-8" },
        { ".css", "text/css; charset=utf-8" },
        { ".js", "text/javascript; charset=utf-8" },
        { ".svg", "image/svg+xml" },
        { ".json", "application/json" },
    };
    for (size_t i = 0; dot != NULL && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(dot, types[i].suffix) == 0) return types[i].type;
    return "application/octet-stream";
}

bool http_page(struct http_request *request)
{
    const char *name = strcmp(request->path, "/") == 0 ? "page.html" : request->path + 1;
    for (const struct embedded_web *file = embedded_control; file->name != NULL; file++) {
        if (strcmp(file->name, name) != 0) continue;
        struct MHD_Response *response = MHD_create_response_from_buffer(file->length, (void *)(uintptr_t)file->source,
                                                                        MHD_RESPMEM_PERSISTENT);
        if (response == NULL) return false;
        MHD_add_response_header(response, "Content-Type", type_of(name));
        MHD_add_response_header(response, "Content-Security-Policy", POLICY);
        MHD_add_response_header(response, "Cache-Control", "no-cache");
        http_reply_response(request, 200, response);
        return true;
    }
    return false;
}

/* 200 while every process serves and beats; 503 with the names of those that do not. */
void http_health(struct http_request *request)
{
    const struct segment *segment = request->http->control->segment;
    static const char *const names[] = { "supervisor", "broker", "control" };
    struct buf out = BUF_INIT;
    int64_t now = clock_mono_ns();
    unsigned bad = 0;
    for (uint32_t p = 0; p < segment_processes(segment); p++) {
        struct proc_view view;
        proc_look(segment, p, &view);
        if (view.alive && view.state == PROC_RUNNING && now - view.beat_ns < SILENT_NS) continue;
        bad++;
        if (p < BUS_WORKER_0)
            buf_printf(&out, "%s does not serve\n", names[p]);
        else
            buf_printf(&out, "worker %u does not serve\n", p - BUS_WORKER_0);
    }
    if (segment_draining(segment)) buf_puts(&out, "draining\n"), bad++;
    http_reply_text(request, bad == 0 ? 200 : 503, bad == 0 ? "ok\n" : buf_text(&out));
    buf_free(&out);
}
