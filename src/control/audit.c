/* audit.c: see audit.h. The file is written by a helper thread, so that a slow disk holds nobody up. */
#include "control/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/http_own.h"
#include "core/jobs.h"
#include "core/log.h"
#include "core/utf8.h"
#include "core/uuid.h"

/* As much as the table's row has room for (struct audit_row). */
#define WHAT_BYTES_MAX     31u
#define ARGUMENT_BYTES_MAX 499u
#define RESULT_BYTES_MAX   199u
#define READ_BYTES_MAX     (64u << 10)
#define ROWS_MAX           1000u /* that wait for a broker */
#define AGAIN_NS           (NS_PER_S / 2)

/* What the ledger has not yet. */
struct row {
    struct control *control;
    struct row *next, *previous;
    struct kv pairs;
    uint32_t request;
    bool asked;
};

struct audit {
    int fd;
    char *path;
    struct jobs *jobs;
    struct row *rows;
    unsigned row_count;
    struct loop_timer again;
};

struct line {
    struct job job;
    int fd;
    size_t length;
    char *text;
};

static void row_free(struct row *row)
{
    struct audit *audit = row->control->audit;
    if (row->asked) post_cancel(row->control->post, BUS_BROKER, row->request);
    if (row->previous != NULL)
        row->previous->next = row->next;
    else
        audit->rows = row->next;
    if (row->next != NULL) row->next->previous = row->previous;
    audit->row_count--;
    kv_free(&row->pairs);
    free(row);
}

static void again_fired(struct loop_timer *timer);

int audit_open(struct control *control)
{
    struct audit *audit = calloc(1, sizeof *audit);
    struct buf path = BUF_INIT;
    if (audit == NULL) return -ENOMEM;
    buf_printf(&path, "%s/audit.log", config_str(config_root(control->args->config), "data_dir", "data"));
    audit->path = buf_take(&path);
    audit->fd = audit->path != NULL ? open(audit->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640) : -1;
    int rc = audit->fd < 0 ? -errno : jobs_new(&audit->jobs, control->loop, 1, "audit");
    if (rc < 0) {
        log_crit(NULL, "cannot write %s: %s", audit->path != NULL ? audit->path : "audit.log", strerror(-rc));
        if (audit->fd >= 0) close(audit->fd);
        free(audit->path);
        free(audit);
        return rc;
    }
    audit->again = (struct loop_timer) { .fire = again_fired, .context = control };
    control->audit = audit;
    return 0;
}

void audit_close(struct control *control)
{
    if (control->audit == NULL) return;
    loop_timer_clear(control->loop, &control->audit->again);
    while (control->audit->rows != NULL) row_free(control->audit->rows);
    jobs_free(control->audit->jobs);
    close(control->audit->fd);
    free(control->audit->path);
    free(control->audit);
    control->audit = NULL;
}

static void line_write(struct job *job)
{
    struct line *line = job->context;
    ssize_t n = write(line->fd, line->text, line->length);
    if (n != (ssize_t)line->length) log_err(NULL, "audit: a line was not written: %s", n < 0 ? strerror(errno) : "the disk is full");
}

static void line_written(struct job *job)
{
    struct line *line = job->context;
    free(line->text);
    free(line);
}

static void submit(struct audit *audit, struct buf *text)
{
    struct line *line = calloc(1, sizeof *line);
    if (line != NULL) {
        line->length = text->length;
        line->text = buf_take(text);
        line->fd = audit->fd;
        line->job = (struct job) { .run = line_write, .done = line_written, .context = line };
        if (line->text != NULL && jobs_submit(audit->jobs, &line->job) == 0) return;
        free(line->text);
        free(line);
    }
    log_err(NULL, "audit: a line was not written: %s", strerror(ENOMEM));
}

/* At most so many bytes of a text, as UTF-8, which both JSON and a database insist on; what is none becomes question marks. */
static void clean(char *out, const char *text, size_t max)
{
    size_t length = strnlen(text, max + 1);
    if (length > max)
        for (length = max; length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80;) length--;
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' ')) length--;
    memcpy(out, text, length);
    out[length] = 0;
    for (char *c = utf8_valid(out) ? NULL : out; c != NULL && *c != 0; c++)
        if ((unsigned char)*c >= 0x80) *c = '?';
}

/* What is done, without what it is done to: one word, or two where the second says what. */
static size_t what_length(const char *action)
{
    static const char *const families[] = { "trunk ", "campaign ", "dnc ", "api " };
    size_t length = strcspn(action, " ");
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++)
        if (strncmp(action, families[i], strlen(families[i])) == 0) length += 1 + strcspn(action + length + 1, " ");
    return length < WHAT_BYTES_MAX ? length : WHAT_BYTES_MAX;
}

bool audit_concerns(const char *command, const char *verb)
{
    static const char *const all[] = { "trunk cap", "trunk disable", "trunk enable", "hangup",         "hupall",          "unregister",
                                       "dnc add",   "dnc remove",    "campaign run", "campaign pause", "campaign resume", "campaign stop" };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        size_t length = strcspn(all[i], " ");
        if (strncmp(all[i], command, length) == 0 && command[length] == 0 &&
            (all[i][length] == 0 || strcmp(all[i] + length + 1, verb) == 0))
            return true;
    }
    return false;
}

struct told {
    char who[64], role[16], from[64], what[WHAT_BYTES_MAX + 1], argument[ARGUMENT_BYTES_MAX + 1], result[RESULT_BYTES_MAX + 1];
    int64_t time_us;
};

static void tell_file(struct audit *audit, const struct told *told)
{
    struct buf out = BUF_INIT, action = BUF_INIT;
    char when[32];
    buf_printf(&action, "%s%s%s", told->what, told->argument[0] != 0 ? " " : "", told->argument);
    buf_putc(&out, '{');
    http_json_member(&out, "time", clock_utc_text(told->time_us, when, sizeof when));
    http_json_member(&out, "user", told->who);
    http_json_member(&out, "role", told->role);
    http_json_member(&out, "from", told->from);
    http_json_member(&out, "action", buf_text(&action));
    http_json_member(&out, "result", told->result);
    buf_puts(&out, "}\n");
    if (out.length > 0) {
        log_notice(NULL, "audit: %.*s", (int)out.length - 1, buf_text(&out));
        submit(audit, &out);
    }
    buf_free(&action);
    buf_free(&out);
}

/* --- a row of the ledger --------------------------------------------------------------------------------------------- */

static void row_lost(struct control *control, int error)
{
    log_err(NULL, "audit: no row in the ledger for what stands in %s: %s", control->audit->path, strerror(-error));
}

/* A broker that dies or is not there answers nothing: it is told again, the next one perhaps. */
static void row_answered(void *context, int status, struct kv_view pairs)
{
    struct row *row = context;
    struct control *control = row->control;
    row->asked = false;
    if (status == -EPIPE || status == -EAGAIN || status == -ETIMEDOUT) {
        loop_timer_set(control->loop, &control->audit->again, clock_mono_ns() + AGAIN_NS);
        return;
    }
    if (status < 0) row_lost(control, status);
    row_free(row);
}

static void row_ask(struct row *row)
{
    int rc = post_request(row->control->post, BUS_BROKER, MSG_AUDIT, &row->pairs, 0, row_answered, row, &row->request);
    row->asked = rc == 0;
    if (rc < 0) row_answered(row, rc, (struct kv_view) { 0 });
}

static void again_fired(struct loop_timer *timer)
{
    struct control *control = timer->context;
    for (struct row *row = control->audit->rows, *next; row != NULL; row = next) {
        next = row->next;
        if (!row->asked) row_ask(row);
    }
}

static int row_fill(struct kv *pairs, const struct told *told)
{
    const char *const members[][2] = { { "who", told->who },   { "role", told->role },         { "origin", told->from },
                                       { "what", told->what }, { "argument", told->argument }, { "result", told->result } };
    char id[UUID_TEXT_SIZE];
    struct uuid made = uuid_make_v7();
    int rc = kv_add(pairs, "id", uuid_text(&made, id));
    if (rc == 0) rc = kv_add_int(pairs, "time_us", told->time_us);
    for (size_t i = 0; rc == 0 && i < sizeof members / sizeof members[0]; i++) rc = kv_add(pairs, members[i][0], members[i][1]);
    return rc;
}

static void tell_broker(struct control *control, const struct told *told)
{
    struct audit *audit = control->audit;
    struct row *row = audit->row_count < ROWS_MAX ? calloc(1, sizeof *row) : NULL;
    if (row == NULL) {
        row_lost(control, -ENOBUFS);
        return;
    }
    row->control = control;
    row->pairs = KV_INIT;
    row->next = audit->rows;
    if (audit->rows != NULL) audit->rows->previous = row;
    audit->rows = row;
    audit->row_count++;
    int rc = row_fill(&row->pairs, told);
    if (rc == 0) {
        row_ask(row);
        return;
    }
    row_lost(control, rc);
    row_free(row);
}

void audit_write(struct control *control, const struct audit_entry *entry)
{
    struct told told = { .time_us = clock_utc_us() };
    size_t what = what_length(entry->action);
    char *words = strndup(entry->action, what);
    clean(told.who, entry->who, sizeof told.who - 1);
    clean(told.role, entry->role, sizeof told.role - 1);
    clean(told.from, entry->from, sizeof told.from - 1);
    clean(told.what, words != NULL ? words : "", WHAT_BYTES_MAX);
    clean(told.argument, entry->action + what + strspn(entry->action + what, " "), ARGUMENT_BYTES_MAX);
    clean(told.result, entry->result, RESULT_BYTES_MAX);
    free(words);
    tell_file(control->audit, &told);
    tell_broker(control, &told);
}

/* A few pages from the cache: no job is worth it. */
int audit_read(struct control *control, struct buf *out)
{
    int fd = control->audit->fd;
    struct stat info;
    char *text = malloc(READ_BYTES_MAX + 1);
    off_t from = fstat(fd, &info) == 0 && info.st_size > (off_t)READ_BYTES_MAX ? info.st_size - (off_t)READ_BYTES_MAX : 0;
    ssize_t n = text != NULL ? pread(fd, text, READ_BYTES_MAX, from) : -1;
    if (n < 0) {
        free(text);
        return -EIO;
    }
    text[n] = 0;
    char *line = from > 0 ? text + strcspn(text, "\n") : text;
    buf_putc(out, '[');
    for (char *rest = line, *one; (one = strsep(&rest, "\n")) != NULL;)
        if (*one == '{' && rest != NULL) buf_printf(out, "%s%s", out->length > 1 ? ",\n" : "", one);
    buf_puts(out, "]\n");
    free(text);
    return 0;
}
