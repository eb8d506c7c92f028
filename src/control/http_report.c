/* http_report.c: what only the ledger knows: /v1/campaigns/NAME/report and …/leads. A question to the database can take its time, and
 * control has no database: `carillon campaign report|leads|add NAME … --json` is run beside, a few at a time. */
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
    bool changes; /* what it did stands in the audit */
    int failed;   /* HTTP status if the command says nothing */
    const char *failed_text;
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
    int failed = report->failed;
    const char *failed_text = report->failed_text;
    bool changes = report->changes;
    report->out = BUF_INIT;
    loop_timer_clear(request->http->loop, &request->later);
    report_end(report);
    if (changes) http_audit(request, request->action != NULL ? request->action : "", out.length > 0 ? "+OK" : "-ERR");
    if (out.length > 0 && out.data[0] == '{')
        http_reply(request, 200, "application/json", out.data, out.length);
    else
        http_reply_error(request, failed, failed_text);
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

#define WORDS_MAX 80u

/* carillon campaign -c CONFIG WORDS… --json */
static int start(struct http_report *report, const char *config, const char *const *words)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    int ends[2];
    const char *argv[WORDS_MAX + 6] = { "carillon", "campaign", "-c", config };
    size_t count = 4;
    while (*words != NULL && count < WORDS_MAX + 4) argv[count++] = *words++;
    argv[count] = "--json";
    if (pipe2(ends, O_CLOEXEC) < 0) return -errno;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    int rc = -posix_spawn(&report->pid, "/proc/self/exe", &actions, &attributes, (char *const *)(uintptr_t)argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    close(ends[1]);
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    report->watch = (struct loop_watch) { .fd = ends[0], .ready = output_ready, .context = report };
    if (rc < 0) close(ends[0]);
    return rc;
}

static struct http_report *command_run(struct http_request *request, const char *const *words, int failed, const char *failed_text)
{
    struct http *http = request->http;
    unsigned running = 0;
    for (const struct http_report *report = http->reports; report != NULL; report = report->next) running++;
    struct http_report *report = running < REPORTS_MAX ? calloc(1, sizeof *report) : NULL;
    int rc = report == NULL ? -EAGAIN : start(report, http->control->args->config_path, words);
    if (rc < 0) {
        free(report);
        http_reply_error(request, 503, "no more questions to the ledger at a time; ask again in a moment");
        return NULL;
    }
    report->request = request;
    report->failed = failed;
    report->failed_text = failed_text;
    report->next = http->reports;
    http->reports = report;
    request->report = report;
    loop_watch_add(http->loop, &report->watch, EPOLLIN);
    http_later(request, REPORT_NS, too_late);
    return report;
}

void http_campaign_report(struct http_request *request, const char *name)
{
    const char *const words[] = { "report", name, NULL };
    command_run(request, words, 404, "there is no report of this campaign (is the name right?)");
}

/* Parameters as the command's KEY=VALUE. */
static bool words_of(const struct kv *form, const char **words, size_t count, struct buf *texts)
{
    struct kv_pair pair;
    size_t at = 0, offsets[WORDS_MAX], n = 0;
    while (kv_next(kv_view(form), &at, &pair)) {
        if (n + count + 1 >= WORDS_MAX || *pair.name == '-' || *pair.name == 0 || strchr(pair.name, '=') != NULL) return false;
        offsets[n++] = texts->length;
        buf_printf(texts, "%s=%.*s", pair.name, (int)pair.value_length, pair.value);
        buf_put(texts, "", 1);
    }
    for (size_t i = 0; i < n; i++) words[count + i] = texts->data + offsets[i];
    words[count + n] = NULL;
    return true;
}

static struct http_report *leads_command(struct http_request *request, const char *verb, const char *name, int failed,
                                         const char *failed_text)
{
    const char *words[WORDS_MAX] = { verb, name };
    struct http_report *report = NULL;
    struct kv form = KV_INIT;
    struct buf texts = BUF_INIT;
    if (http_parameters(request, &form) == 0) {
        if (words_of(&form, words, 2, &texts))
            report = command_run(request, words, failed, failed_text);
        else
            http_reply_error(request, 400, "too many parameters, or one whose name begins with '-' or holds '='");
    }
    kv_free(&form);
    buf_free(&texts);
    return report;
}

void http_campaign_leads(struct http_request *request, const char *name)
{
    leads_command(request, "leads", name, 404,
                  "there is no such campaign, or `state`, `number`, `after`, `limit` are not what they must be");
}

void http_campaign_lead_add(struct http_request *request, const char *name)
{
    struct http_report *report = leads_command(request, "add", name, 400,
                                               "`number` must be a telephone number; other parameters are the lead's columns");
    if (report == NULL) return;
    report->changes = true;
    http_action(request, "campaign add %s", name);
}
