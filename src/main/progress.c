/* progress.c: see progress.h. */
#include "main/progress.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The value of a key in a flat object, as text, without quotes; "" if it is not there. */
static const char *field(const char *json, const char *key, char *out, size_t size)
{
    char quoted[48];
    size_t length = 0;
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(json, quoted);
    out[0] = 0;
    if (at == NULL)
        return out;
    at += strlen(quoted);
    bool text = *at == '"';
    for (at += text; *at != 0 && length + 1 < size; at++) {
        if (text ? *at == '"' : *at == ',' || *at == '}')
            break;
        if (text && *at == '\\' && at[1] != 0)
            at++;
        out[length++] = *at;
    }
    out[length] = 0;
    return out;
}

static long long number(const char *json, const char *key)
{
    char value[32];
    return atoll(field(json, key, value, sizeof value));
}

static void put_span(struct buf *line, long long seconds)
{
    if (seconds < 120)
        buf_printf(line, "%lld s", seconds);
    else if (seconds < 7200)
        buf_printf(line, "%lld min", (seconds + 30) / 60);
    else
        buf_printf(line, "%lld h %02lld min", seconds / 3600, seconds / 60 % 60);
}

enum progress_state progress_line(const char *json, struct buf *line)
{
    char state[24], text[200];
    field(json, "state", state, sizeof state);
    buf_printf(line, "%s: %s, %lld of %lld leads done", field(json, "name", text, sizeof text), state, number(json, "done"), number(json, "leads"));
    buf_printf(line, ", %lld dialled, %lld in progress, %lld answered", number(json, "dialled"), number(json, "in_progress"), number(json, "answered"));
    buf_printf(line, ", %s calls/s", field(json, "cps", text, sizeof text));
    if (*field(json, "eta_s", text, sizeof text) != 0 && strcmp(state, "running") == 0) {
        buf_puts(line, ", ");
        put_span(line, atoll(text));
        buf_puts(line, " to go");
    }
    if (*field(json, "next_due_s", text, sizeof text) != 0 && strcmp(state, "waiting") == 0) {
        buf_puts(line, ", next call in ");
        put_span(line, atoll(text));
    }
    if (*field(json, "problem", text, sizeof text) != 0 && strcmp(text, "null") != 0)
        buf_printf(line, " – %s", text);
    if (strcmp(state, "failed") == 0)
        return PROGRESS_FAILED;
    return strcmp(state, "done") == 0 || strcmp(state, "stopped") == 0 ? PROGRESS_OVER : PROGRESS_RUNNING;
}

void progress_lines(const char *json, struct buf *lines)
{
    for (const char *at = strchr(json, '{'); at != NULL; at = strchr(at + 1, '{')) {
        const char *end = at;
        /* To the object's end, braces in texts left out. */
        for (bool text = false; *end != 0 && (text || *end != '}'); end++) {
            if (*end == '\\' && end[1] != 0)
                end++;
            else if (*end == '"')
                text = !text;
        }
        char *one = strndup(at, (size_t)(end - at) + (*end != 0));
        if (one == NULL)
            return;
        progress_line(one, lines);
        buf_putc(lines, '\n');
        free(one);
        if (*end == 0)
            return;
        at = end;
    }
}
