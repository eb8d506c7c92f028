/* esl_api.c: api, which its client waits for, and bgapi, whose output comes as an event. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/esl_own.h"
#include "core/log.h"

/* "command arguments" into its two parts, in place. */
static const char *split(char *text, const char **args)
{
    text += strspn(text, " \t");
    size_t length = strcspn(text, " \t");
    *args = text + length + strspn(text + length, " \t");
    text[length] = 0;
    return text;
}

static void api_event(struct esl *esl, const char *command, const char *args)
{
    struct kv pairs = KV_INIT;
    if (!event_wanted(esl->segment, ESL_API)) return;
    if (esl_event_make(esl, &pairs, "API", NULL, "switch_api_execute") == 0 && kv_add(&pairs, "API-Command", command) == 0 &&
        (*args == 0 || kv_add(&pairs, "API-Command-Argument", args) == 0))
        esl_event_fire(esl, ESL_API, &pairs);
    kv_free(&pairs);
}

/* --- api ------------------------------------------------------------------------------------------------------- */

/* A console line (fs_cli sends these) may hold several commands, separated by ;; - what they say is joined. */
struct esl_line {
    struct esl_client *client;
    char *text, *rest; /* rest = what is still to run, NULL at the end */
    bool console;
    struct buf output;
};

void esl_line_free(struct esl_line *line)
{
    if (line == NULL) return;
    free(line->text);
    buf_free(&line->output);
    free(line);
}

static void line_next(struct esl_line *line);

static void line_over(struct esl_line *line)
{
    struct esl_client *client = line->client;
    if (line->output.length == 0) buf_puts(&line->output, "-ERR no reply\n");
    esl_reply_body(client, buf_text(&line->output), line->output.length);
    client->line = NULL;
    esl_line_free(line);
    esl_client_done(client);
}

static void line_answered(void *context, int status, const char *text, size_t length)
{
    struct esl_line *line = context;
    line->client->asked = NULL;
    if (status < 0)
        buf_printf(&line->output, "-ERR %s\n", esl_ask_error(status));
    else
        buf_put(&line->output, text, length);
    line_next(line);
}

static void line_next(struct esl_line *line)
{
    struct esl_client *client = line->client;
    while (line->rest != NULL) {
        char *text = line->rest, *end = line->console ? strstr(text, ";;") : NULL;
        const char *args, *command;
        if (end != NULL) *end = 0;
        line->rest = end != NULL ? end + 2 : NULL;
        command = split(text, &args);
        if (*command == 0) continue;
        if (!esl_api_allowed(client, command)) {
            buf_puts(&line->output, "-ERR permission denied\n");
            continue;
        }
        api_event(client->esl, command, args);
        client->asked = esl_ask(client->esl, NULL, command, args, line_answered, line);
        if (client->asked != NULL) return;
        buf_puts(&line->output, "-ERR no memory\n");
    }
    line_over(line);
}

void esl_api(struct esl_client *client, const char *text)
{
    const char *console = esl_header(kv_view(&client->request.headers), "console_execute");
    struct esl_line *line = calloc(1, sizeof *line);
    if (line == NULL || (line->text = strdup(text)) == NULL) {
        free(line);
        esl_client_end(client);
        return;
    }
    line->client = client;
    line->rest = line->text;
    line->console = console != NULL && strcasecmp(console, "true") == 0;
    client->busy = true;
    client->line = line;
    line_next(line);
}

/* --- bgapi ------------------------------------------------------------------------------------------------------ */

/* It goes on when its client goes: whoever listens gets the event. */
struct esl_job {
    struct esl *esl;
    struct esl_job *next, *previous;
    struct esl_asked *asked;
    char *id, *text; /* text = "command\0arguments" */
    const char *command, *args;
    char owner[UUID_TEXT_SIZE];
};

static void job_free(struct esl_job *job)
{
    struct esl *esl = job->esl;
    if (job->previous != NULL)
        job->previous->next = job->next;
    else
        esl->jobs = job->next;
    if (job->next != NULL) job->next->previous = job->previous;
    esl->job_count--;
    free(job->id);
    free(job->text);
    free(job);
}

void esl_jobs_free(struct esl *esl)
{
    while (esl->jobs != NULL) {
        if (esl->jobs->asked != NULL) esl_ask_cancel(esl->jobs->asked);
        job_free(esl->jobs);
    }
}

static void job_answered(void *context, int status, const char *text, size_t length)
{
    struct esl_job *job = context;
    struct kv pairs = KV_INIT;
    int rc = esl_event_make(job->esl, &pairs, "BACKGROUND_JOB", NULL, "api_exec");
    if (rc == 0) rc = kv_add(&pairs, "Job-UUID", job->id);
    if (rc == 0 && job->owner[0] != 0) rc = kv_add(&pairs, "Job-Owner-UUID", job->owner);
    if (rc == 0) rc = kv_add(&pairs, "Job-Command", job->command);
    if (rc == 0 && *job->args != 0) rc = kv_add(&pairs, "Job-Command-Arg", job->args);
    if (rc == 0 && status < 0)
        rc = kv_addf(&pairs, "_body", "-ERR %s\n", esl_ask_error(status));
    else if (rc == 0)
        rc = length > 0 ? kv_add_bytes(&pairs, "_body", text, length) : kv_add(&pairs, "_body", "-ERR no reply\n");
    if (rc == 0)
        esl_event_fire(job->esl, ESL_BACKGROUND_JOB, &pairs);
    else
        log_err(NULL, "event socket: no memory for the output of job %s", job->id);
    kv_free(&pairs);
    job_free(job);
}

static struct esl_job *job_new(struct esl_client *client, const char *text)
{
    struct esl *esl = client->esl;
    const char *wanted = esl_header(kv_view(&client->request.headers), "Job-UUID");
    struct esl_job *job = calloc(1, sizeof *job);
    char own[UUID_TEXT_SIZE];
    if (job == NULL) return NULL;
    struct uuid id = uuid_make_v4();
    job->esl = esl;
    job->id = strdup(wanted != NULL && *wanted != 0 ? wanted : uuid_text(&id, own));
    job->text = strdup(text);
    if (client->attached) memcpy(job->owner, client->call_text, sizeof job->owner);
    job->next = esl->jobs;
    if (esl->jobs != NULL) esl->jobs->previous = job;
    esl->jobs = job;
    esl->job_count++;
    if (job->id == NULL || job->text == NULL) {
        job_free(job);
        return NULL;
    }
    job->command = split(job->text, &job->args);
    return job;
}

void esl_bgapi(struct esl_client *client, const char *text)
{
    struct esl_job *job = client->esl->job_count < ESL_JOBS_MAX ? job_new(client, text) : NULL;
    if (job == NULL) {
        esl_reply(client, "-ERR too many jobs");
        return;
    }
    api_event(client->esl, job->command, job->args);
    job->asked = esl_ask(client->esl, NULL, job->command, job->args, job_answered, job);
    if (job->asked == NULL) {
        job_free(job);
        esl_reply(client, "-ERR no memory");
        return;
    }
    esl_client_printf(client, "Content-Type: command/reply\nReply-Text: +OK Job-UUID: %s\nJob-UUID: %s\n\n", job->id, job->id);
}
