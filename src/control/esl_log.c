/* esl_log.c: log lines for clients.
 *
 * All processes write one log file. While any client wants lines, this process reads along at that file's end: no other
 * process has anything to do with it, and one that hangs or died is read all the same. Lines that the file's levels keep
 * out (log.level) are not to be had here either, and a log on stderr (log.file = "-") cannot be read back. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/esl_own.h"
#include "core/log.h"

#define LOOK_NS        (100 * NS_PER_MS)
#define READ_BYTES     65536
#define READS_MAX      16 /* in one look: 1 MB */
#define LINE_BYTES_MAX 65536u

struct esl_log {
    struct esl *esl;
    const char *path;
    int fd;
    ino_t file;
    struct buf rest; /* of a line that is not whole yet */
    struct loop_timer look;
};

/* One line as its parts: "TIME LEVEL where uuid|- text". */
struct parsed {
    int level;
    const char *where;
    size_t where_length;
    const char *call;
    size_t call_length;
};

static void line_parse(const char *line, struct parsed *out)
{
    const char *word[4];
    size_t length[4];
    const char *at = line;
    for (int i = 0; i < 4; i++) {
        word[i] = at;
        length[i] = strcspn(at, " \n");
        at += length[i];
        at += strspn(at, " ");
    }
    char level[16] = "";
    memcpy(level, word[1], length[1] < sizeof level - 1 ? length[1] : sizeof level - 1);
    int number = log_level_parse(level);
    *out = (struct parsed) {
        .level = number < 0 ? LOG_INFO : number, .where = word[2], .where_length = length[2], .call = word[3], .call_length = length[3]
    };
    if (out->call_length != UUID_TEXT_SIZE - 1) out->call_length = 0;
}

static void line_out(struct esl_log *log, const char *line, size_t length)
{
    struct parsed parsed;
    struct buf text = BUF_INIT;
    line_parse(line, &parsed);
    int rc = buf_printf(&text,
                        "Content-Type: log/data\nContent-Length: %zu\nLog-Level: %d\nText-Channel: 0\nLog-File: %.*s\nLog-Func: "
                        "log\nLog-Line: 1\nUser-Data: %.*s\n\n",
                        length, parsed.level, (int)parsed.where_length, parsed.where, (int)parsed.call_length, parsed.call);
    if (rc == 0) rc = buf_put(&text, line, length);
    struct esl_text *shared = rc == 0 ? esl_text_new(text.data, text.length) : NULL;
    buf_free(&text);
    if (shared == NULL) return;
    shared->event = true;
    for (struct esl_client *client = log->esl->clients; client != NULL; client = client->next) {
        if (client->gone || client->closing || client->log_level < parsed.level) continue;
        /* A log line in a full queue is gone: the file has it. */
        if (!esl_queue_full(&client->queue) && esl_queue_put(&client->queue, shared) == 0) client->dirty = true;
    }
    esl_text_release(shared);
}

static void lines_out(struct esl_log *log)
{
    size_t at = 0;
    char *newline;
    while (at < log->rest.length && (newline = memchr(log->rest.data + at, '\n', log->rest.length - at)) != NULL) {
        size_t length = (size_t)(newline - (log->rest.data + at)) + 1;
        char after = newline[1];
        newline[1] = 0;
        line_out(log, log->rest.data + at, length);
        newline[1] = after;
        at += length;
    }
    log->rest.length -= at;
    if (at > 0) memmove(log->rest.data, log->rest.data + at, log->rest.length + 1);
    if (log->rest.length > LINE_BYTES_MAX) buf_clear(&log->rest);
}

static bool file_open(struct esl_log *log, bool at_end)
{
    struct stat status;
    log->fd = open(log->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (log->fd < 0) return false;
    if (fstat(log->fd, &status) == 0) log->file = status.st_ino;
    if (at_end) lseek(log->fd, 0, SEEK_END);
    return true;
}

/* The file was renamed and begun anew (log rotation). */
static void file_follow(struct esl_log *log)
{
    struct stat status;
    if (stat(log->path, &status) == 0 && status.st_ino != log->file) {
        close(log->fd);
        file_open(log, false);
    }
}

static void look_fired(struct loop_timer *timer)
{
    struct esl_log *log = timer->context;
    char block[READ_BYTES];
    ssize_t n = 0;
    if (log->fd < 0) file_open(log, false);
    for (int i = 0; i < READS_MAX && log->fd >= 0; i++) {
        n = read(log->fd, block, sizeof block);
        if (n <= 0 || buf_put(&log->rest, block, (size_t)n) < 0) break;
        lines_out(log);
    }
    if (log->fd >= 0 && n == 0) file_follow(log);
    for (struct esl_client *client = log->esl->clients; client != NULL; client = client->next)
        if (client->dirty) esl_client_flush(client);
    /* The last client may have gone by that: then the log is closed already. */
    if (log->esl->log != NULL) loop_timer_set(log->esl->loop, timer, clock_mono_ns() + LOOK_NS);
}

void esl_log_wish(struct esl *esl)
{
    bool wanted = false;
    for (struct esl_client *client = esl->clients; client != NULL && !wanted; client = client->next)
        wanted = !client->gone && client->log_level >= 0;
    const char *path = config_str(config_root(esl->control->args->config), "log.file", "-");
    if (!wanted || esl->log != NULL || strcmp(path, "-") == 0)
        return; /* once begun it goes on: a tail that nobody wants costs a read of nothing ten times a second */
    struct esl_log *log = calloc(1, sizeof *log);
    if (log == NULL) return;
    log->esl = esl;
    log->path = path;
    file_open(log, true);
    log->look = (struct loop_timer) { .fire = look_fired, .context = log };
    loop_timer_set(esl->loop, &log->look, clock_mono_ns() + LOOK_NS);
    esl->log = log;
}

void esl_log_free(struct esl *esl)
{
    struct esl_log *log = esl->log;
    if (log == NULL) return;
    loop_timer_clear(esl->loop, &log->look);
    if (log->fd >= 0) close(log->fd);
    buf_free(&log->rest);
    free(log);
    esl->log = NULL;
}

void esl_log_command(struct esl_client *client, const char *words)
{
    char word[32];
    snprintf(word, sizeof word, "%.*s", (int)strcspn(words, " \t"), words);
    int level = *word == 0 ? LOG_DEBUG : log_level_parse(word);
    if (client->log_forbidden) {
        esl_reply(client, "-ERR permission denied");
        return;
    }
    if (level < 0) {
        esl_reply(client, "-ERR invalid log level");
        return;
    }
    client->log_level = level;
    esl_log_wish(client->esl);
    esl_reply(client, "+OK log level %s [%d]", word, level);
}

void esl_nolog(struct esl_client *client)
{
    bool logged = client->log_level >= 0;
    client->log_level = -1;
    esl_reply(client, logged ? "+OK no longer logging" : "-ERR not loging"); /* as FreeSWITCH spells it */
}
