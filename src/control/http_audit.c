/* http_audit.c: who changed what: data_dir/audit.log, one JSON object per line, written by a helper thread so that a slow
 * disk holds nobody up. The same line goes to the engine's log. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/http_own.h"
#include "core/jobs.h"
#include "core/log.h"

#define RESULT_BYTES_MAX 300u
#define ACTION_BYTES_MAX 1000u
#define READ_BYTES_MAX (64u << 10)

struct http_audit {
    int fd;
    char *path;
    struct jobs *jobs;
};

struct line {
    struct job job;
    int fd;
    size_t length;
    char *text;
};

int http_audit_open(struct http *http)
{
    struct http_audit *audit = calloc(1, sizeof *audit);
    struct buf path = BUF_INIT;
    if (audit == NULL)
        return -ENOMEM;
    buf_printf(&path, "%s/audit.log", config_str(config_root(http->control->args->config), "data_dir", "data"));
    audit->path = buf_take(&path);
    audit->fd = audit->path != NULL ? open(audit->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640) : -1;
    int rc = audit->fd < 0 ? -errno : jobs_new(&audit->jobs, http->loop, 1, "audit");
    if (rc < 0) {
        log_crit(NULL, "http: cannot write %s: %s", audit->path != NULL ? audit->path : "audit.log", strerror(-rc));
        if (audit->fd >= 0)
            close(audit->fd);
        free(audit->path);
        free(audit);
        return rc;
    }
    http->audit = audit;
    return 0;
}

void http_audit_close(struct http *http)
{
    if (http->audit == NULL)
        return;
    jobs_free(http->audit->jobs);
    close(http->audit->fd);
    free(http->audit->path);
    free(http->audit);
    http->audit = NULL;
}

static void line_write(struct job *job)
{
    struct line *line = job->context;
    ssize_t n = write(line->fd, line->text, line->length);
    if (n != (ssize_t)line->length)
        log_err(NULL, "audit: a line was not written: %s", n < 0 ? strerror(errno) : "the disk is full");
}

static void line_written(struct job *job)
{
    struct line *line = job->context;
    free(line->text);
    free(line);
}

static void submit(struct http_audit *audit, struct buf *text)
{
    struct line *line = calloc(1, sizeof *line);
    if (line != NULL) {
        line->length = text->length;
        line->text = buf_take(text);
        line->fd = audit->fd;
        line->job = (struct job){ .run = line_write, .done = line_written, .context = line };
        if (line->text != NULL && jobs_submit(audit->jobs, &line->job) == 0)
            return;
        free(line->text);
        free(line);
    }
    log_err(NULL, "audit: a line was not written: %s", strerror(ENOMEM));
}

static void member(struct buf *out, const char *name, const char *text, size_t max)
{
    char part[ACTION_BYTES_MAX + 1];
    size_t length = strnlen(text, max);
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' '))
        length--;
    memcpy(part, text, length);
    part[length] = 0;
    http_json_member(out, name, part);
}

void http_audit(struct http_request *request, const char *action, const char *result)
{
    struct buf out = BUF_INIT;
    char when[32];
    buf_putc(&out, '{');
    http_json_member(&out, "time", clock_utc_text(clock_utc_us(), when, sizeof when));
    http_json_member(&out, "user", request->user != NULL ? request->user->name : "");
    http_json_member(&out, "from", request->address);
    member(&out, "action", action, ACTION_BYTES_MAX);
    member(&out, "result", result, RESULT_BYTES_MAX);
    buf_puts(&out, "}\n");
    if (out.length > 0) {
        log_notice(NULL, "audit: %.*s", (int)out.length - 1, buf_text(&out));
        submit(request->http->audit, &out);
    }
    buf_free(&out);
}

/* The newest lines, as a list. A few pages from the cache: no job is worth it. */
void http_audit_read(struct http_request *request)
{
    int fd = request->http->audit->fd;
    struct stat info;
    struct buf out = BUF_INIT;
    char *text = malloc(READ_BYTES_MAX + 1);
    ssize_t n = 0;
    off_t from = fstat(fd, &info) == 0 && info.st_size > (off_t)READ_BYTES_MAX ? info.st_size - (off_t)READ_BYTES_MAX : 0;
    if (text != NULL)
        n = pread(fd, text, READ_BYTES_MAX, from);
    if (text == NULL || n < 0) {
        http_reply_error(request, 500, "the audit log cannot be read");
        free(text);
        return;
    }
    text[n] = 0;
    char *line = from > 0 ? text + strcspn(text, "\n") : text;
    buf_putc(&out, '[');
    for (char *rest = line, *one; (one = strsep(&rest, "\n")) != NULL;)
        if (*one == '{' && rest != NULL)
            buf_printf(&out, "%s%s", out.length > 1 ? ",\n" : "", one);
    buf_puts(&out, "]\n");
    http_reply(request, 200, "application/json", buf_text(&out), out.length);
    buf_free(&out);
    free(text);
}
