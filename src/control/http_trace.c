/* http_trace.c: /v1/calls/UUID/trace and /v1/recent: the SIP messages and the audio of calls, live ones and those that ended, from shared
 * memory (bus/trace.h): nobody is asked for them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/slot.h"
#include "bus/trace.h"
#include "control/http_own.h"

#define MESSAGES_MAX 500u
#define RECENT_MAX   200u

struct ladder {
    struct buf *out;
    bool mask;
    unsigned count;
};

static bool message_json(void *context, const struct trace_message *message)
{
    struct ladder *ladder = context;
    char *text = malloc(message->length + 1);
    if (text == NULL) return false;
    memcpy(text, message->text, message->length);
    if (ladder->mask) trace_mask(text, message->length);
    buf_puts(ladder->out, ladder->count++ > 0 ? ",\n{" : "{");
    http_json_int(ladder->out, "time_us", message->utc_us);
    buf_puts(ladder->out, message->sent ? ",\"sent\":true" : ",\"sent\":false");
    http_json_member(ladder->out, "transport", message->transport);
    http_json_member(ladder->out, "local", message->local);
    http_json_member(ladder->out, "remote", message->remote);
    http_json_member(ladder->out, "sip_call_id", message->call_id);
    buf_puts(ladder->out, ",\"text\":");
    http_json_string(ladder->out, text, message->length);
    buf_putc(ladder->out, '}');
    free(text);
    return ladder->count < MESSAGES_MAX;
}

static void media_json(const struct segment *segment, const char *call, struct buf *out)
{
    struct slot_call slot;
    struct slot_totals totals;
    char number[32];
    if (!trace_media(segment, call, &slot, &totals) || slot.media.codec[0] == 0) {
        buf_puts(out, "null");
        return;
    }
    buf_putc(out, '{');
    http_json_member(out, "codec", slot.media.codec);
    buf_puts(out, slot.media.crypto_local[0] != 0 ? ",\"encrypted\":true" : ",\"encrypted\":false");
    http_json_member(out, "trunk", slot.trunk);
    http_json_member(out, "campaign", slot.campaign);
    http_json_int(out, "packets_sent", (long long)totals.packets_sent);
    http_json_int(out, "packets_received", (long long)totals.packets_received);
    http_json_int(out, "packets_lost", (long long)totals.packets_lost);
    http_json_int(out, "packets_late", (long long)totals.packets_late);
    snprintf(number, sizeof number, "%.3f", totals.jitter_us / 1000.0);
    http_json_number(out, "jitter_ms", number);
    snprintf(number, sizeof number, "%.3f", totals.rtt_us / 1000.0);
    http_json_number(out, "round_trip_ms", number);
    snprintf(number, sizeof number, "%.2f", totals.mos_x100 / 100.0);
    http_json_number(out, "mos", number);
    buf_putc(out, '}');
}

/* The trace, or the error is answered. */
static struct trace *trace_of(struct http_request *request)
{
    struct trace *trace = NULL;
    int rc = trace_open(&trace, segment_name(request->http->control->segment));
    if (rc == -ENOENT)
        http_reply_error(request, 404, "no SIP is traced: the configuration says trace = \"off\"");
    else if (rc < 0)
        http_reply_error(request, 500, "the trace cannot be read");
    return rc < 0 ? NULL : trace;
}

static bool masked(const struct http_request *request)
{
    return config_bool(config_root(request->http->control->args->config), "log.mask_numbers", false);
}

void http_call_trace(struct http_request *request, const char *call)
{
    struct buf out = BUF_INIT;
    struct ladder ladder = { .out = &out, .mask = masked(request) };
    struct trace *trace = trace_of(request);
    if (trace == NULL) return;
    buf_putc(&out, '{');
    http_json_member(&out, "call", call);
    http_json_int(&out, "since_us", trace_since(trace));
    buf_puts(&out, ",\"media\":");
    media_json(request->http->control->segment, call, &out);
    buf_puts(&out, ",\"messages\":[");
    trace_walk(trace, call, message_json, &ladder);
    buf_puts(&out, "]}\n");
    trace_close(trace);
    http_reply(request, 200, "application/json", buf_text(&out), out.length);
    buf_free(&out);
}

/* --- calls of late ---------------------------------------------------------------------------------------------------- */

struct recent {
    char uuid[UUID_TEXT_SIZE], call_id[128], request[160], status[80];
    int64_t utc_us;
    unsigned messages;
};
struct recents {
    struct recent list[RECENT_MAX];
    unsigned count; /* all there were: the newest RECENT_MAX stand in the list */
    bool mask;
};

static bool name_take(void *context, const struct uuid *channel, const char *call_id, int64_t utc_us)
{
    struct recents *all = context;
    struct recent *one = &all->list[all->count++ % RECENT_MAX];
    *one = (struct recent) { .utc_us = utc_us };
    uuid_text(channel, one->uuid);
    snprintf(one->call_id, sizeof one->call_id, "%s", call_id);
    return true;
}

/* The first INVITE's line, and the newest final response to one. */
static bool message_take(void *context, const struct trace_message *message)
{
    struct recents *all = context;
    char cseq[64];
    int line = 0;
    while ((size_t)line < message->length && message->text[line] != '\r' && message->text[line] != '\n') line++;
    for (unsigned i = 0; i < all->count && i < RECENT_MAX; i++) {
        struct recent *one = &all->list[i];
        if (strcmp(one->call_id, message->call_id) != 0) continue;
        one->messages++;
        trace_header(message->text, message->length, "CSeq", 0, cseq, sizeof cseq);
        if (strstr(cseq, "INVITE") == NULL) break;
        if (strncmp(message->text, "INVITE ", 7) == 0 && one->request[0] == 0)
            snprintf(one->request, sizeof one->request, "%.*s", line > 16 ? line - 15 : 0, message->text + 7);
        else if (line > 8 && strncmp(message->text, "SIP/2.0 ", 8) == 0 && message->text[8] > '1')
            snprintf(one->status, sizeof one->status, "%.*s", line - 8, message->text + 8);
        break;
    }
    return true;
}

void http_recent(struct http_request *request)
{
    struct buf out = BUF_INIT;
    struct recents *all = calloc(1, sizeof *all);
    struct trace *trace = all != NULL ? trace_of(request) : NULL;
    if (trace != NULL) {
        trace_names(trace, name_take, all);
        trace_walk(trace, NULL, message_take, all);
        buf_putc(&out, '[');
        unsigned first = all->count > RECENT_MAX ? all->count - RECENT_MAX : 0;
        for (unsigned i = all->count; i-- > first;) { /* the newest first */
            struct recent *one = &all->list[i % RECENT_MAX];
            if (masked(request)) trace_mask(one->request, strlen(one->request));
            buf_puts(&out, i + 1 < all->count ? ",\n{" : "{");
            http_json_member(&out, "uuid", one->uuid);
            http_json_member(&out, "sip_call_id", one->call_id);
            http_json_int(&out, "time_us", one->utc_us);
            http_json_member(&out, "request", one->request);
            http_json_member(&out, "status", one->status);
            http_json_int(&out, "messages", one->messages);
            buf_putc(&out, '}');
        }
        buf_puts(&out, "]\n");
        http_reply(request, 200, "application/json", buf_text(&out), out.length);
        trace_close(trace);
    }
    buf_free(&out);
    free(all);
}
