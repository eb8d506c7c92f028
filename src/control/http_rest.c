/* http_rest.c: /v1/…: status, calls, campaigns, trunks. The broker's tables are text with tabs; here they become JSON. */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/counter.h"
#include "control/http_own.h"

#define CALLS_LIMIT        10000
#define CAMPAIGN_FILES_MAX 1000u

static void reply_json(struct http_request *request, struct buf *out)
{
    http_reply(request, 200, "application/json", buf_text(out), out->length);
    buf_free(out);
}

/* The broker's text, or the error is answered and it is NULL. */
static const char *engine_text(struct http_request *request, int status, struct kv_view pairs)
{
    const char *text = kv_get(pairs, "text");
    if (status == 0 && text != NULL) return text;
    bool said = text != NULL && *text != 0;
    http_reply_error(request, http_ask_status(status), said ? text : http_ask_error(status));
    return NULL;
}

/* --- status ---------------------------------------------------------------------------------------------------------- */

static void process_json(const struct segment *segment, uint32_t process, int64_t now, struct buf *out)
{
    static const char *const names[] = { "supervisor", "broker", "control" };
    static const char *const states[] = { "not started", "starting", "running", "draining", "ended" };
    struct proc_view view;
    char name[24];
    proc_look(segment, process, &view);
    if (process < BUS_WORKER_0)
        snprintf(name, sizeof name, "%s", names[process]);
    else
        snprintf(name, sizeof name, "worker %u", process - BUS_WORKER_0);
    int64_t silent = view.beat_ns > 0 && now > view.beat_ns ? now - view.beat_ns : 0;
    const char *state = view.state == PROC_NONE  ? "not started"
                        : !view.alive            ? "dead"
                        : silent > 10 * NS_PER_S ? "stuck"
                                                 : states[view.state];
    buf_putc(out, '{');
    http_json_member(out, "name", name);
    http_json_int(out, "pid", view.pid);
    http_json_member(out, "state", state);
    http_json_int(out, "starts", view.epoch);
    http_json_int(out, "beat_ms", silent / NS_PER_MS);
    for (unsigned c = 0; c < COUNTER_COUNT; c++)
        http_json_int(out, counter_name((enum counter)c), (long long)counter_read(segment, process, (enum counter)c));
    buf_putc(out, '}');
}

void http_status(struct http_request *request)
{
    struct control *control = request->http->control;
    const struct config_node *root = config_root(control->args->config);
    struct buf out = BUF_INIT;
    int64_t now = clock_mono_ns();
    char text[32];
    buf_putc(&out, '{');
    http_json_member(&out, "name", segment_name(control->segment));
    http_json_member(&out, "time", clock_utc_text(clock_utc_us(), text, sizeof text));
    http_json_int(&out, "time_ms", clock_mono_ns() / NS_PER_MS);
    http_json_int(&out, "up_s", (clock_utc_us() - segment_started_utc_us(control->segment)) / 1000000);
    buf_puts(&out, segment_draining(control->segment) ? ",\"draining\":true" : ",\"draining\":false");
    http_json_int(&out, "slots", segment_slots(control->segment));
    snprintf(text, sizeof text, "%g", config_num(root, "limits.cps", 0));
    http_json_number(&out, "cps_cap", text);
    http_json_int(&out, "concurrent_cap", config_int(root, "limits.concurrent", 0));
    buf_puts(&out, ",\"processes\":[");
    for (uint32_t p = 0; p < segment_processes(control->segment); p++) {
        if (p > 0) buf_putc(&out, ',');
        process_json(control->segment, p, now, &out);
    }
    buf_puts(&out, "]}\n");
    reply_json(request, &out);
}

/* --- tables ---------------------------------------------------------------------------------------------------------- */

struct column {
    const char *name;
    bool number;
};

static void row_json(struct buf *out, const struct column *columns, size_t count, char *line)
{
    char *rest = line;
    buf_putc(out, '{');
    for (size_t i = 0; i < count && rest != NULL; i++) {
        const char *cell = strsep(&rest, "\t");
        if (columns[i].name[0] == 0) continue;
        if (columns[i].number)
            http_json_number(out, columns[i].name, cell + strcspn(cell, "-0123456789"));
        else
            http_json_member(out, columns[i].name, cell);
    }
    buf_putc(out, '}');
}

/* Lines with a tab and, if given, `search` in them. How many there were. */
static unsigned rows_json(struct buf *out, const struct column *columns, size_t count, const char *text, const char *search, unsigned limit)
{
    char *copy = strdup(text), *rest = copy, *line;
    unsigned seen = 0, written = 0;
    buf_putc(out, '[');
    while (rest != NULL && (line = strsep(&rest, "\n")) != NULL) {
        if (strchr(line, '\t') == NULL || (*search != 0 && strcasestr(line, search) == NULL)) continue;
        seen++;
        if (written >= limit) continue;
        if (written++ > 0) buf_puts(out, ",\n");
        row_json(out, columns, count, line);
    }
    buf_putc(out, ']');
    free(copy);
    return seen;
}

/* --- calls ----------------------------------------------------------------------------------------------------------- */

static const struct column call_columns[] = {
    { "uuid", false },   { "direction", false }, { "state", false },  { "trunk", false },       { "number", false },
    { "caller", false }, { "worker", true },     { "seconds", true }, { "sip_call_id", false },
};
#define CALL_COLUMNS (sizeof call_columns / sizeof call_columns[0])

static void calls_answered(struct http_request *request, int status, struct kv_view pairs)
{
    const char *text = engine_text(request, status, pairs);
    struct buf rows = BUF_INIT, out = BUF_INIT;
    struct kv form = KV_INIT;
    if (text == NULL) return;
    if (http_form_read(&form, "", request->query, strlen(request->query)) == 0) {
        struct kv_view view = kv_view(&form);
        int64_t limit = atoll(kv_get_or(view, "limit", "1000"));
        limit = limit < 0 ? 0 : limit > CALLS_LIMIT ? CALLS_LIMIT : limit;
        unsigned seen = rows_json(&rows, call_columns, CALL_COLUMNS, text, kv_get_or(view, "search", ""), (unsigned)limit);
        buf_printf(&out, "{\"total\":%u,\"calls\":%s}\n", seen, buf_text(&rows));
        reply_json(request, &out);
    } else {
        http_reply_error(request, 400, "the query cannot be read");
    }
    kv_free(&form);
    buf_free(&rows);
}

void http_calls(struct http_request *request) { http_ask_engine(request, calls_answered, HTTP_ENGINE_TIMEOUT_NS, "calls", NULL); }

static void call_answered(struct http_request *request, int status, struct kv_view pairs)
{
    const char *text = engine_text(request, status, pairs);
    struct buf out = BUF_INIT;
    char *line = text != NULL ? strndup(text, strcspn(text, "\n")) : NULL;
    if (line == NULL) return;
    row_json(&out, call_columns, CALL_COLUMNS, line);
    buf_putc(&out, '\n');
    reply_json(request, &out);
    free(line);
}

void http_call(struct http_request *request, const char *uuid)
{
    http_ask_engine(request, call_answered, HTTP_ENGINE_TIMEOUT_NS, "call", uuid, NULL);
}

/* --- what changes something ---------------------------------------------------------------------------------------------- */

void http_action(struct http_request *request, const char *format, ...)
{
    struct buf text = BUF_INIT;
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    free(request->action);
    request->action = buf_take(&text);
}

/* +OK … → {"ok": true, "text": …}; -ERR … → an error. */
static void acted(struct http_request *request, int status, struct kv_view pairs)
{
    const char *text = kv_get_or(pairs, "text", "");
    struct buf out = BUF_INIT;
    http_audit(request, request->action != NULL ? request->action : "", *text != 0 ? text : status == 0 ? "+OK" : http_ask_error(status));
    if (status != 0 || strncmp(text, "-ERR", 4) == 0 || strncmp(text, "-USAGE", 6) == 0) {
        http_reply_error(request, status != 0 ? http_ask_status(status) : 400, *text != 0 ? text : http_ask_error(status));
        return;
    }
    size_t length = strlen(text);
    while (length > 0 && text[length - 1] == '\n') length--;
    if (length >= 4 && strncmp(text, "+OK ", 4) == 0) {
        text += 4;
        length -= 4;
    }
    buf_puts(&out, "{\"ok\":true,\"text\":");
    http_json_string(&out, text, length);
    buf_puts(&out, "}\n");
    reply_json(request, &out);
}

void http_call_hangup(struct http_request *request, const char *uuid)
{
    struct kv form = KV_INIT;
    if (http_parameters(request, &form) == 0) {
        const char *cause = kv_get_or(kv_view(&form), "cause", "MANAGER_REQUEST");
        http_action(request, "hangup %s %s", uuid, cause);
        http_ask_engine(request, acted, HTTP_ENGINE_TIMEOUT_NS, "hangup", uuid, cause, NULL);
    }
    kv_free(&form);
}

/* {"dial": "sofia/gateway/acme/15550100", "to": "&park()"}: the API command originate; its answer comes with the call's. */
void http_originate(struct http_request *request)
{
    struct kv form = KV_INIT;
    struct buf args = BUF_INIT;
    if (http_parameters(request, &form) == 0) {
        const char *dial = kv_get(kv_view(&form), "dial"), *to = kv_get_or(kv_view(&form), "to", "&park()");
        if (dial == NULL || strpbrk(dial, " \n") != NULL) {
            http_reply_error(request, 400, "`dial` must be a dial string without blanks; `to` an extension or &application(arguments)");
        } else {
            buf_printf(&args, "%s %s", dial, to);
            http_action(request, "originate %s", buf_text(&args));
            http_ask_api(request, "originate", buf_text(&args), NULL, acted);
        }
    }
    kv_free(&form);
    buf_free(&args);
}

/* --- campaigns ------------------------------------------------------------------------------------------------------------- */

/* It is JSON already. */
static void progress_answered(struct http_request *request, int status, struct kv_view pairs)
{
    const char *text = engine_text(request, status, pairs);
    if (text != NULL && strncmp(text, "-ERR", 4) == 0)
        http_reply_error(request, 404, text);
    else if (text != NULL)
        http_reply(request, 200, "application/json", text, strlen(text));
}

static void one_progress_answered(struct http_request *request, int status, struct kv_view pairs)
{
    const char *text = kv_get(pairs, "text");
    if (status == -EINVAL && text != NULL && strncmp(text, "-ERR", 4) == 0)
        http_reply_error(request, 404, text);
    else
        progress_answered(request, status, pairs);
}

void http_campaigns(struct http_request *request)
{
    http_ask_engine(request, progress_answered, HTTP_ENGINE_TIMEOUT_NS, "campaign", "progress", NULL);
}

void http_campaign(struct http_request *request, const char *name)
{
    http_ask_engine(request, one_progress_answered, HTTP_ENGINE_TIMEOUT_NS, "campaign", "progress", name, NULL);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* The names of campaigns_dir, of what may be run: ["spring", …]. */
void http_campaign_files(struct http_request *request)
{
    DIR *dir = opendir(config_str(config_root(request->http->control->args->config), "campaigns_dir", "campaigns"));
    char *names[CAMPAIGN_FILES_MAX];
    size_t count = 0;
    for (struct dirent *entry; dir != NULL && count < CAMPAIGN_FILES_MAX && (entry = readdir(dir)) != NULL;) {
        size_t length = strlen(entry->d_name);
        if (length <= 4 || strcmp(entry->d_name + length - 4, ".lua") != 0) continue;
        names[count] = strndup(entry->d_name, length - 4);
        if (names[count] != NULL && http_name_valid(names[count]))
            count++;
        else
            free(names[count]);
    }
    if (dir != NULL) closedir(dir);
    qsort(names, count, sizeof names[0], by_name);
    struct buf out = BUF_INIT;
    buf_putc(&out, '[');
    for (size_t i = 0; i < count; i++) {
        buf_puts(&out, i > 0 ? "," : "");
        http_json_string(&out, names[i], strlen(names[i]));
        free(names[i]);
    }
    buf_puts(&out, "]\n");
    reply_json(request, &out);
}

void http_campaign_act(struct http_request *request, const char *name, const char *verb)
{
    struct kv form = KV_INIT;
    struct buf path = BUF_INIT;
    const char *dir = config_str(config_root(request->http->control->args->config), "campaigns_dir", "campaigns");
    if (http_parameters(request, &form) == 0) {
        const char *now = kv_get_or(kv_view(&form), "now", "");
        bool at_once = strcmp(verb, "stop") == 0 && (strcmp(now, "1") == 0 || strcmp(now, "true") == 0);
        buf_printf(&path, "%s/%s.lua", dir, name);
        http_action(request, "campaign %s %s%s", verb, name, at_once ? " now" : "");
        const char *more = strcmp(verb, "run") == 0 ? buf_text(&path) : at_once ? "now" : NULL;
        http_ask_engine(request, acted, HTTP_ENGINE_TIMEOUT_NS, "campaign", verb, name, more, NULL);
    }
    buf_free(&path);
    kv_free(&form);
}

/* --- trunks ------------------------------------------------------------------------------------------------------------------ */

static const struct column trunk_columns[] = {
    { "name", false },        { "state", false },        { "active", true },  { "concurrent", true },
    { "cps", true },          { "waiting", true },       { "invites", true }, { "answered", true },
    { "failed", true },       { "registration", false }, { "ping_ms", true }, { "quality", false },
    { "window_calls", true }, { "asr", true },           { "failure", true }, { "pdd_ms", true },
};

/* ,"causes":[{"cause":"USER_BUSY","recent":3,"total":41},…]: why calls ended on the trunk of this row of the list. */
static void trunk_causes_json(struct buf *out, const char *causes, const char *row)
{
    static const struct column columns[] = { { "cause", false }, { "recent", true }, { "total", true } };
    size_t name = strcspn(row, "\t") + 1; /* with its tab */
    unsigned written = 0;
    buf_puts(out, ",\"causes\":[");
    for (const char *line = causes, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        if (strncmp(line, row, name) != 0) continue;
        char *copy = strndup(line + name, (size_t)(end - line) - name);
        if (written++ > 0) buf_putc(out, ',');
        if (copy != NULL) row_json(out, columns, 3, copy);
        free(copy);
    }
    buf_putc(out, ']');
}

static void trunks_answered(struct http_request *request, int status, struct kv_view pairs)
{
    const char *text = engine_text(request, status, pairs), *causes = kv_get_or(pairs, "causes", "");
    struct buf out = BUF_INIT;
    if (text == NULL) return;
    buf_putc(&out, '[');
    const char *head = strchr(text, '\n'), *end;
    for (const char *line = head != NULL ? head + 1 : ""; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        char *row = strndup(line, (size_t)(end - line));
        if (row == NULL) break;
        buf_puts(&out, out.length > 1 ? ",\n" : "");
        row_json(&out, trunk_columns, sizeof trunk_columns / sizeof trunk_columns[0], row);
        out.length -= out.length > 1 ? 1 : 0; /* the object goes on */
        trunk_causes_json(&out, causes, line);
        buf_putc(&out, '}');
        free(row);
    }
    buf_puts(&out, "]\n");
    reply_json(request, &out);
}

void http_trunks(struct http_request *request) { http_ask_engine(request, trunks_answered, HTTP_ENGINE_TIMEOUT_NS, "trunk", "list", NULL); }

/* {"cps": 20, "concurrent": 100} and/or {"enabled": false}: the latter alone, since one request is one command. */
void http_trunk_set(struct http_request *request, const char *name)
{
    struct kv form = KV_INIT;
    char words[2][80];
    const char *list[2] = { NULL, NULL };
    int count = 0;
    if (http_parameters(request, &form) == 0) {
        struct kv_view view = kv_view(&form);
        const char *cps = kv_get(view, "cps"), *concurrent = kv_get(view, "concurrent"), *enabled = kv_get(view, "enabled");
        bool caps = cps != NULL || concurrent != NULL;
        if (cps != NULL) snprintf(words[count], sizeof words[0], "cps=%s", cps), list[count] = words[count], count++;
        if (concurrent != NULL) snprintf(words[count], sizeof words[0], "concurrent=%s", concurrent), list[count] = words[count], count++;
        if (caps == (enabled != NULL)) {
            http_reply_error(request, 400, "give `cps` and/or `concurrent`, or `enabled` alone");
        } else if (caps) {
            http_action(request, "trunk cap %s %s%s%s", name, list[0], count > 1 ? " " : "", count > 1 ? list[1] : "");
            http_ask_engine(request, acted, HTTP_ENGINE_TIMEOUT_NS, "trunk", "cap", name, list[0], list[1], NULL);
        } else {
            const char *verb = strcmp(enabled, "true") == 0 || strcmp(enabled, "1") == 0 ? "enable" : "disable";
            http_action(request, "trunk %s %s", verb, name);
            http_ask_engine(request, acted, HTTP_ENGINE_TIMEOUT_NS, "trunk", verb, name, NULL);
        }
    }
    kv_free(&form);
}
