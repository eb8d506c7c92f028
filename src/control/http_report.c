/* http_report.c: /v1/campaigns/NAME/report: what became of a campaign, from the ledger. A question to the database can take
 * its time, and control has no database: `carillon campaign report NAME --json` is run beside, a few at a time. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/http_own.h"
#include "core/log.h"

#define REPORTS_MAX      4u
#define REPORT_BYTES_MAX (4u << 20)
#define REPORT_NS        (60 * NS_PER_S)

struct http_report {
    struct http_request *request;
    struct http_report *next;
    struct loop_watch watch;
    struct buf out;
    pid_t pid;
};

static void report_end(struct http_report *report)
{
    struct http *http = report->request->http;
    loop_watch_remove(http->loop, &report->watch);
    close(report->watch.fd);
    /* It has closed its output, or is of no use any more: in both cases it is gone in no time. */
    kill(report->pid, SIGKILL);
    waitpid(report->pid, NULL, 0);
    for (struct http_report **at = &http->reports; *at != NULL; at = &(*at)->next)
        if (*at == report) {
            *at = report->next;
            break;
        }
    report->request->report = NULL;
    buf_free(&report->out);
    free(report);
}

void http_report_free(struct http_request *request)
{
    if (request->report != NULL) report_end(request->report);
}

static void too_late(struct http_request *request)
{
    http_report_free(request);
    http_reply_error(request, 504, "the ledger gave no answer in time");
}

static void output_over(struct http_report *report)
{
    struct http_request *request = report->request;
    struct buf out = report->out;
    report->out = BUF_INIT;
    loop_timer_clear(request->http->loop, &request->later);
    report_end(report);
    if (out.length > 0 && out.data[0] == '{')
        http_reply(request, 200, "application/json", out.data, out.length);
    else
        http_reply_error(request, 404, "there is no report of this campaign (is the name right?)");
    buf_free(&out);
}

static void output_ready(struct loop_watch *watch, uint32_t events)
{
    struct http_report *report = watch->context;
    char data[16384];
    ssize_t n = read(watch->fd, data, sizeof data);
    if (n > 0 && report->out.length + (size_t)n <= REPORT_BYTES_MAX && buf_put(&report->out, data, (size_t)n) == 0) return;
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    output_over(report);
}

static int start(struct http_report *report, const char *config, const char *name)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    int ends[2];
    char *const argv[] = { (char *)"carillon", (char *)"campaign",      (char *)"-c",     (char *)(uintptr_t)config,
                           (char *)"report",   (char *)(uintptr_t)name, (char *)"--json", NULL };
    if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    int rc = -posix_spawn(&report->pid, "/proc/self/exe", &actions, &attributes, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    report->watch = (struct loop_watch) { .fd = ends[0], .ready = output_ready, .context = report };
    if (rc < 0) close(ends[0]);
    return rc;
}

void http_campaign_report(struct http_request *request, const char *name)
{
    struct http *http = request->http;
    unsigned running = 0;
    for (const struct http_report *report = http->reports; report != NULL; report = report->next) running++;
    struct http_report *report = running < REPORTS_MAX ? calloc(1, sizeof *report) : NULL;
    int rc = report == NULL ? -EAGAIN : start(report, http->control->args->config_path, name);
    if (rc < 0) {
        free(report);
        http_reply_error(request, 503, "no more reports at a time; ask again in a moment");
        return;
    }
    report->request = request;
    report->next = http->reports;
    http->reports = report;
    request->report = report;
    loop_watch_add(http->loop, &report->watch, EPOLLIN);
    http_later(request, REPORT_NS, too_late);
}
