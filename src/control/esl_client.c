/* esl_client.c: one connection. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/esl_own.h"
#include "core/log.h"

#define GOODBYE    "Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n" /* clients know FreeSWITCH's words */
#define READ_BYTES 65536u

/* --- out ------------------------------------------------------------------------------------------------------ */

void esl_client_put(struct esl_client *client, const char *data, size_t length)
{
    if (client->gone || client->closing) return;
    struct esl_text *text = esl_text_new(data, length);
    if (text == NULL || esl_queue_put(&client->queue, text) < 0) esl_client_end(client);
    esl_text_release(text);
    client->dirty = true;
}

static void put_formatted(struct esl_client *client, const char *before, const char *format, va_list args, const char *after)
{
    struct buf text = BUF_INIT;
    int rc = buf_puts(&text, before);
    if (rc == 0) rc = buf_vprintf(&text, format, args);
    if (rc == 0) rc = buf_puts(&text, after);
    if (rc == 0)
        esl_client_put(client, text.data, text.length);
    else
        esl_client_end(client);
    buf_free(&text);
}

void esl_client_printf(struct esl_client *client, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put_formatted(client, "", format, args, "");
    va_end(args);
}

void esl_reply(struct esl_client *client, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    put_formatted(client, "Content-Type: command/reply\nReply-Text: ", format, args, "\n\n");
    va_end(args);
}

void esl_reply_body(struct esl_client *client, const char *body, size_t length)
{
    struct buf text = BUF_INIT;
    int rc = buf_printf(&text, "Content-Type: api/response\nContent-Length: %zu\n\n", length);
    if (rc == 0) rc = buf_put(&text, body, length);
    if (rc == 0)
        esl_client_put(client, text.data, text.length);
    else
        esl_client_end(client);
    buf_free(&text);
}

/* Reads while it may run a command: unread bytes wait in the kernel, and so does their sender. */
static void watch_update(struct esl_client *client)
{
    bool reads = !client->busy && !client->closing && !esl_queue_full(&client->queue);
    uint32_t events = (reads ? (uint32_t)EPOLLIN : 0) |
                      (client->queue.count > 0 || client->replay != NULL || client->stalled ? (uint32_t)EPOLLOUT : 0);
    if (events != client->epoll_events && loop_watch_change(client->esl->loop, &client->watch, events) == 0) client->epoll_events = events;
}

void esl_client_flush(struct esl_client *client)
{
    if (client->gone) return;
    client->dirty = false;
    int rc = esl_queue_write(&client->queue, client->watch.fd);
    if (rc == 0 && client->missed > 0 && !client->closing) {
        esl_client_gap_tell(client);
        rc = esl_queue_write(&client->queue, client->watch.fd);
    }
    if (rc == 0 && client->replay != NULL && !client->closing) esl_replay_go(client);
    if (rc < 0 || (rc == 0 && client->closing))
        esl_client_end(client);
    else if (!client->gone)
        watch_update(client);
}

/* --- in ------------------------------------------------------------------------------------------------------- */

static void input_refused(struct esl_client *client, int error)
{
    log_warning(NULL, "event socket: %s sent %s; the connection is closed", client->address,
                error == -EMSGSIZE ? "more than a request may hold"
                : error == -EPROTO ? "a Content-Length that is no number"
                                   : "what no memory is left for");
    esl_client_end(client);
}

void esl_client_run(struct esl_client *client)
{
    if (client->running) return; /* a command that was answered at once: the loop below goes on with the next */
    client->running = true;
    while (!client->gone && !client->closing && !client->busy && !esl_queue_full(&client->queue)) {
        int got = esl_input_take(&client->input, &client->request);
        if (got < 0) input_refused(client, got);
        if (got <= 0) break;
        esl_command(client);
    }
    client->running = false;
    client->stalled = !client->busy && esl_queue_full(&client->queue);
    esl_client_flush(client);
}

void esl_client_done(struct esl_client *client)
{
    client->busy = false;
    if (client->call_over_later) {
        client->call_over_later = false;
        esl_client_call_over(client);
    }
    esl_client_run(client);
}

static void client_read(struct esl_client *client)
{
    char block[READ_BYTES];
    ssize_t n = recv(client->watch.fd, block, sizeof block, MSG_DONTWAIT);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n < 0 || (n > 0 && esl_input_put(&client->input, block, (size_t)n) < 0)) {
        esl_client_end(client);
        return;
    }
    if (n == 0) {
        /* It says no more, but may still read its last replies. */
        client->closing = true;
        esl_client_timer(client, ESL_TIMER_GOODBYE, ESL_GOODBYE_NS);
    }
    esl_client_run(client);
}

static void client_ready(struct loop_watch *watch, uint32_t events)
{
    struct esl_client *client = watch->context;
    if ((events & (EPOLLERR | EPOLLHUP)) != 0 && (events & EPOLLIN) == 0) {
        esl_client_end(client);
        return;
    }
    if ((events & EPOLLOUT) != 0) {
        esl_client_flush(client);
        if (!client->gone && client->stalled) esl_client_run(client); /* commands that waited for room */
    }
    if (!client->gone && (events & EPOLLIN) != 0) client_read(client);
}

/* --- begin and end ---------------------------------------------------------------------------------------------- */

static void timer_fired(struct loop_timer *timer)
{
    struct esl_client *client = timer->context;
    enum esl_timer what = client->timer_for;
    client->timer_for = ESL_TIMER_NONE;
    switch (what) {
    case ESL_TIMER_AUTH:
        log_notice(NULL, "event socket: %s did not %s in %lld s and is disconnected", client->address,
                   client->outbound ? "say anything" : "authenticate", (long long)(ESL_AUTH_NS / NS_PER_S));
        esl_client_goodbye(client);
        break;
    case ESL_TIMER_REFUSE:
        esl_auth_refuse(client);
        break;
    case ESL_TIMER_LINGER:
        esl_client_goodbye(client);
        break;
    case ESL_TIMER_GOODBYE:
        esl_client_end(client);
        break;
    case ESL_TIMER_NONE:
        break;
    }
}

void esl_client_timer(struct esl_client *client, enum esl_timer what, int64_t after_ns)
{
    client->timer_for = what;
    if (what == ESL_TIMER_NONE)
        loop_timer_clear(client->esl->loop, &client->timer);
    else
        loop_timer_set(client->esl->loop, &client->timer, clock_mono_ns() + after_ns);
}

struct esl_client *esl_client_new(struct esl *esl, int fd, const char *address, bool greet)
{
    struct esl_client *client = calloc(1, sizeof *client);
    if (client == NULL) {
        close(fd);
        return NULL;
    }
    client->esl = esl;
    client->log_level = -1;
    client->watch = (struct loop_watch) { .fd = fd, .ready = client_ready, .context = client };
    client->timer = (struct loop_timer) { .fire = timer_fired, .context = client };
    client->epoll_events = EPOLLIN;
    strncpy(client->address, address, sizeof client->address - 1);
    if (loop_watch_add(esl->loop, &client->watch, client->epoll_events) < 0) {
        close(fd);
        free(client);
        return NULL;
    }
    client->next = esl->clients;
    if (esl->clients != NULL) esl->clients->previous = client;
    esl->clients = client;
    esl->client_count++;
    if (greet) {
        client->input.head_max = ESL_AUTH_HEAD_BYTES_MAX;
        esl_client_timer(client, ESL_TIMER_AUTH, ESL_AUTH_NS);
        esl_client_printf(client, "Content-Type: auth/request\n\n");
        esl_client_flush(client);
    }
    return client;
}

void esl_client_end(struct esl_client *client)
{
    struct esl *esl = client->esl;
    if (client->gone) return;
    client->gone = true;
    if (client->asked != NULL) esl_ask_cancel(client->asked);
    if (client->check != NULL) esl_ask_cancel(client->check);
    client->asked = client->check = NULL;
    loop_timer_clear(esl->loop, &client->timer);
    loop_watch_remove(esl->loop, &client->watch);
    close(client->watch.fd);
    if (client->previous != NULL)
        client->previous->next = client->next;
    else
        esl->clients = client->next;
    if (client->next != NULL) client->next->previous = client->previous;
    esl->client_count--;
    if (client->socket != NULL) esl_outbound_ended(client);
    /* Callers up the stack still hold it (and walk on by its `next`); the hook at the turn's end frees it. */
    client->previous = esl->gone;
    esl->gone = client;
    esl_reader_keep(client);
    esl_reader_wish(esl);
    esl_log_wish(esl);
}

void esl_clients_sweep(struct esl *esl)
{
    while (esl->gone != NULL) {
        struct esl_client *client = esl->gone;
        esl->gone = client->previous;
        esl_input_free(&client->input);
        esl_request_free(&client->request);
        esl_queue_clear(&client->queue);
        esl_filter_clear(&client->filters);
        for (size_t i = 0; i < client->subclass_count; i++) free(client->subclasses[i]);
        free(client->subclasses);
        free(client->secret);
        free(client->allowed_events);
        free(client->allowed_api);
        esl_replay_free(client);
        esl_line_free(client->line);
        free(client);
    }
}

void esl_client_goodbye(struct esl_client *client)
{
    if (client->gone || client->closing) return;
    if (client->attached)
        esl_client_printf(
            client,
            "Content-Type: text/disconnect-notice\nControlled-Session-UUID: %s\nContent-Disposition: disconnect\nContent-Length: %zu\n\n%s",
            client->call_text, strlen(GOODBYE), GOODBYE);
    else
        esl_client_printf(client, "Content-Type: text/disconnect-notice\nContent-Length: %zu\n\n%s", strlen(GOODBYE), GOODBYE);
    if (client->gone) return;
    client->closing = true;
    esl_client_timer(client, ESL_TIMER_GOODBYE, ESL_GOODBYE_NS);
    esl_client_flush(client);
}

void esl_client_call_over(struct esl_client *client)
{
    if (client->call_over || client->gone) return;
    if (client->busy) {
        client->call_over_later = true; /* the command that runs is answered first: it may be the one that hung up */
        return;
    }
    client->call_over = true;
    if (client->linger == ESL_LINGER_NONE) {
        esl_client_goodbye(client);
        return;
    }
    struct buf time = BUF_INIT;
    if (client->linger == ESL_LINGER_SECONDS) {
        buf_printf(&time, "Linger-Time: %u\n", client->linger_s);
        esl_client_timer(client, ESL_TIMER_LINGER, (int64_t)client->linger_s * NS_PER_S);
    }
    esl_client_printf(
        client, "Content-Type: text/disconnect-notice\nControlled-Session-UUID: %s\nContent-Disposition: linger\n%sContent-Length: 0\n\n",
        client->call_text, buf_text(&time));
    buf_free(&time);
    esl_client_flush(client);
}

static void call_checked(void *context, int status, const char *text, size_t length)
{
    struct esl_client *client = context;
    client->check = NULL;
    if (status == 0 && strncmp(text, "false", 5) == 0) esl_client_call_over(client);
}

void esl_calls_check(struct esl *esl)
{
    for (struct esl_client *client = esl->clients; client != NULL; client = client->next)
        if (client->attached && !client->call_over && !client->closing && client->check == NULL)
            client->check = esl_ask(esl, client->call_text, "uuid_exists", client->call_text, call_checked, client);
}
