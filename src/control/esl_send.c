/* esl_send.c: what a client says to a call (sendmsg, getvar) or to everybody (sendevent).
 *
 * A call lives in a worker: what is said to it goes there as an API command of the layer's own (src/lua/fs/commands_socket.lua),
 *   esl_sendmsg UUID now|wait Name: value%0A…        now = queued, wait = answered when it ran
 *   esl_sendevent UUID Name: value…
 * with the headers as lines of the plain form. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/esl_own.h"

/* The request's headers and body as lines; Content-Length has done its work. */
static int headers_put(struct buf *out, const struct esl_request *request)
{
    struct kv_pair pair;
    size_t at = 0;
    int rc = 0;
    while (rc == 0 && kv_next(kv_view(&request->headers), &at, &pair)) {
        if (strcasecmp(pair.name, "Content-Length") == 0) continue;
        rc = esl_url_encode(out, pair.name, strlen(pair.name));
        if (rc == 0) rc = buf_puts(out, ": ");
        if (rc == 0) rc = esl_url_encode(out, pair.value, pair.value_length);
        if (rc == 0) rc = buf_putc(out, '\n');
    }
    if (rc == 0 && request->has_body) {
        rc = buf_puts(out, "_body: ");
        if (rc == 0) rc = esl_url_encode(out, request->body.data, request->body.length);
        if (rc == 0) rc = buf_putc(out, '\n');
    }
    return rc;
}

/* The worker's words are the reply's. */
static void sent(void *context, int status, const char *text, size_t length)
{
    struct esl_client *client = context;
    client->asked = NULL;
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' ')) length--;
    if (status < 0)
        esl_reply(client, "-ERR %s", esl_ask_error(status));
    else
        esl_reply(client, "%.*s", (int)length, text);
    esl_client_done(client);
}

static void ask_call(struct esl_client *client, const char *call, const char *command, const char *mode)
{
    struct buf args = BUF_INIT;
    int rc = buf_printf(&args, "%s %s ", call, mode);
    if (rc == 0) rc = headers_put(&args, &client->request);
    client->busy = true;
    if (rc == 0) client->asked = esl_ask(client->esl, call, command, buf_text(&args), sent, client);
    if (client->asked == NULL) esl_client_end(client);
    buf_free(&args);
}

/* To the uuid on the line, else in session-id, else to the attached call. On an outbound socket without `async` it is
 * answered when the application has run. */
void esl_sendmsg(struct esl_client *client, const char *words)
{
    struct uuid id;
    char call[UUID_TEXT_SIZE];
    const char *named = *words != 0 ? words : esl_header(kv_view(&client->request.headers), "session-id");
    if (named == NULL || *named == 0) named = client->attached ? client->call_text : "";
    if (uuid_parse(&id, named) < 0) {
        esl_reply(client, "-ERR invalid session id [%.64s]", named);
        return;
    }
    uuid_text(&id, call);
    const char *async = esl_header(kv_view(&client->request.headers), "async");
    bool now = !client->outbound || client->async || (async != NULL && strcasecmp(async, "true") == 0);
    ask_call(client, call, "esl_sendmsg", now ? "now" : "wait");
}

static void got_variable(void *context, int status, const char *text, size_t length)
{
    struct esl_client *client = context;
    client->asked = NULL;
    if (status < 0 || length == 0 || strcmp(text, "_undef_") == 0 || strchr(text, '\n') != NULL)
        esl_reply(client, "-ERR command not found");
    else
        esl_reply(client, "%s", text);
    esl_client_done(client);
}

void esl_getvar(struct esl_client *client, const char *words)
{
    struct buf args = BUF_INIT;
    if (*words == 0) {
        esl_reply(client, "-ERR command not found");
        return;
    }
    client->busy = true;
    if (buf_printf(&args, "%s %s", client->call_text, words) == 0)
        client->asked = esl_ask(client->esl, client->call_text, "uuid_getvar", args.data, got_variable, client);
    if (client->asked == NULL) esl_client_end(client);
    buf_free(&args);
}

/* Diverted events are those that a script's input callback would see: a call under this command's control has none, since
 * its socket runs in the script's place; they reach the client by its subscription. */
void esl_divert(struct esl_client *client, const char *words)
{
    if (!client->attached) {
        esl_reply(client, "-ERR not controlling a session.");
        return;
    }
    if (*words == 0) {
        esl_reply(client, "-ERR missing value.");
        return;
    }
    client->diverted = strcasecmp(words, "on") == 0;
    esl_reply(client, client->diverted ? "+OK events diverted" : "+OK events not diverted");
}

/* --- sendevent ------------------------------------------------------------------------------------------------------- */

static int add_headers(struct kv *pairs, const struct esl_request *request)
{
    struct kv_pair pair;
    size_t at = 0;
    int rc = 0;
    while (rc == 0 && kv_next(kv_view(&request->headers), &at, &pair)) {
        /* The event has its own of these. */
        if (strcasecmp(pair.name, "Content-Length") == 0 || strcasecmp(pair.name, "Event-Name") == 0 || strcmp(pair.name, "_body") == 0 ||
            strcasecmp(pair.name, "Event-UUID") == 0 || strcasecmp(pair.name, "Event-Subclass") == 0)
            continue;
        if (pair.value_length > 0) rc = kv_add_bytes(pairs, pair.name, pair.value, pair.value_length);
    }
    return rc;
}

static void publish(struct esl_client *client, int type)
{
    struct esl *esl = client->esl;
    struct kv pairs = KV_INIT;
    struct uuid id = uuid_make_v4();
    char text[UUID_TEXT_SIZE];
    const char *subclass = type == ESL_CUSTOM ? esl_header(kv_view(&client->request.headers), "Event-Subclass") : NULL;
    int rc = esl_event_make(esl, &pairs, esl_type_name(type), subclass, "parse_command");
    if (rc == 0) rc = kv_add(&pairs, "Command", client->request.line.data);
    if (rc == 0) rc = add_headers(&pairs, &client->request);
    if (rc == 0) rc = kv_add(&pairs, "Event-UUID", uuid_text(&id, text));
    if (rc == 0 && client->request.has_body) rc = kv_add_bytes(&pairs, "_body", client->request.body.data, client->request.body.length);
    if (rc == 0) {
        esl_event_fire(esl, (uint16_t)type, &pairs);
        esl_reply(client, "+OK %s", text);
    } else {
        esl_client_end(client);
    }
    kv_free(&pairs);
}

/* The call's own queue took it, or there is no such call: then everybody gets it. */
static void queued(void *context, int status, const char *text, size_t length)
{
    struct esl_client *client = context;
    client->asked = NULL;
    if (status == 0 && strncmp(text, "+OK", 3) == 0) {
        while (length > 0 && text[length - 1] == '\n') length--;
        esl_reply(client, "%.*s", (int)length, text);
    } else {
        publish(client, client->sending);
    }
    esl_client_done(client);
}

void esl_sendevent(struct esl_client *client, const char *words)
{
    struct uuid id;
    char name[64], call[UUID_TEXT_SIZE];
    size_t length = strcspn(words, " \t");
    snprintf(name, sizeof name, "%.*s", (int)(length < 63 ? length : 63), words);
    int type = esl_type_find(name);
    const char *unique = esl_header(kv_view(&client->request.headers), "unique-id");
    if (length == 0 || type == ESL_TYPE_UNKNOWN || type == ESL_TYPE_ALL) type = esl_type_find("CLONE"); /* FreeSWITCH does not mind */
    if (unique == NULL || uuid_parse(&id, unique) < 0) {
        publish(client, type);
        return;
    }
    client->sending = type;
    /* client->request stays as it is while the client is busy. */
    struct buf args = BUF_INIT;
    int rc = buf_printf(&args, "%s Event-Name: %s\n", uuid_text(&id, call), esl_type_name(type));
    if (rc == 0) rc = headers_put(&args, &client->request);
    client->busy = true;
    if (rc == 0) client->asked = esl_ask(client->esl, call, "esl_sendevent", buf_text(&args), queued, client);
    if (client->asked == NULL) esl_client_end(client);
    buf_free(&args);
}
