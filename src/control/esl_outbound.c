/* esl_outbound.c: the `socket` application: the engine connects, and the program at the other end steers the call.
 *
 * The worker asks by an API request to control - command=socket, uuid, host (an address), port, async, full - and has its answer
 * when the connection is over (or could not be made: then it tries the next host). A note command=socket_over says that the
 * call ended first: the connection then says goodbye, or lingers. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/esl_own.h"
#include "core/log.h"

#define CONNECT_NS (10 * NS_PER_S)

struct esl_outbound {
    struct esl *esl;
    struct esl_client *client; /* once connected */
    struct esl_outbound *next;
    struct loop_watch watch; /* while connecting */
    struct loop_timer timer;
    uint64_t ticket;
    struct uuid call;
    char address[INET6_ADDRSTRLEN];
    bool async, full;
};

static void outbound_free(struct esl_outbound *outbound, int status)
{
    struct esl *esl = outbound->esl;
    struct esl_outbound **at = &esl->connecting;
    while (*at != NULL && *at != outbound) at = &(*at)->next;
    if (*at != NULL) *at = outbound->next;
    loop_timer_clear(esl->loop, &outbound->timer);
    post_reply(esl->post, outbound->ticket, status, NULL);
    free(outbound);
}

static void connect_failed(struct esl_outbound *outbound, int status)
{
    char call[UUID_TEXT_SIZE];
    log_notice(uuid_text(&outbound->call, call), "event socket: cannot connect to %s: %s", outbound->address, strerror(-status));
    loop_watch_remove(outbound->esl->loop, &outbound->watch);
    close(outbound->watch.fd);
    outbound_free(outbound, status);
}

static void connected(struct esl_outbound *outbound)
{
    struct esl *esl = outbound->esl;
    int on = 1;
    loop_watch_remove(esl->loop, &outbound->watch);
    loop_timer_clear(esl->loop, &outbound->timer);
    setsockopt(outbound->watch.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(outbound->watch.fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    struct esl_client *client = esl_client_new(esl, outbound->watch.fd, outbound->address, false);
    if (client == NULL) {
        outbound_free(outbound, -ENOMEM);
        return;
    }
    client->authenticated = client->outbound = client->attached = true;
    client->async = outbound->async;
    client->full = outbound->full;
    client->call = outbound->call;
    uuid_text(&client->call, client->call_text);
    client->socket = outbound;
    outbound->client = client;
    esl_client_timer(client, ESL_TIMER_AUTH, ESL_AUTH_NS);
    esl_reader_wish(esl);
}

static void connect_ready(struct loop_watch *watch, uint32_t events)
{
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(watch->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0)
        connect_failed(watch->context, -error);
    else
        connected(watch->context);
}

static void connect_late(struct loop_timer *timer) { connect_failed(timer->context, -ETIMEDOUT); }

static int connect_begin(struct esl_outbound *outbound, unsigned port)
{
    struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
    bool is_six = strchr(outbound->address, ':') != NULL;
    if (port == 0 || port > 65535 ||
        inet_pton(is_six ? AF_INET6 : AF_INET, outbound->address, is_six ? (void *)&six.sin6_addr : &four.sin_addr) != 1)
        return -EINVAL;
    int fd = socket(is_six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    int rc = is_six ? connect(fd, (struct sockaddr *)&six, sizeof six) : connect(fd, (struct sockaddr *)&four, sizeof four);
    if (rc < 0) rc = errno == EINPROGRESS ? 0 : -errno;
    outbound->watch = (struct loop_watch) { .fd = fd, .ready = connect_ready, .context = outbound };
    if (rc == 0) rc = loop_watch_add(outbound->esl->loop, &outbound->watch, EPOLLOUT);
    if (rc < 0) close(fd);
    return rc;
}

static void socket_requested(struct esl *esl, const struct post_message *message)
{
    struct esl_outbound *outbound = calloc(1, sizeof *outbound);
    int rc = outbound == NULL ? -ENOMEM : uuid_parse(&outbound->call, kv_get_or(message->pairs, "uuid", ""));
    if (rc == 0 && esl->client_count >= ESL_CLIENTS_MAX) rc = -EBUSY;
    if (rc == 0) {
        outbound->esl = esl;
        outbound->ticket = message->ticket;
        outbound->async = kv_get_int(message->pairs, "async", 0) != 0;
        outbound->full = kv_get_int(message->pairs, "full", 0) != 0;
        outbound->timer = (struct loop_timer) { .fire = connect_late, .context = outbound };
        strncpy(outbound->address, kv_get_or(message->pairs, "host", ""), sizeof outbound->address - 1);
        rc = connect_begin(outbound, (unsigned)kv_get_int(message->pairs, "port", 0));
    }
    if (rc < 0) {
        post_reply(esl->post, message->ticket, rc, NULL);
        free(outbound);
        return;
    }
    outbound->next = esl->connecting;
    esl->connecting = outbound;
    loop_timer_set(esl->loop, &outbound->timer, clock_mono_ns() + CONNECT_NS);
}

static void call_over(struct esl *esl, const char *uuid)
{
    struct uuid call;
    if (uuid_parse(&call, uuid) < 0) return;
    for (struct esl_client *client = esl->clients; client != NULL; client = client->next)
        if (client->attached && !client->gone && uuid_equal(&client->call, &call)) esl_client_call_over(client);
}

bool esl_outbound_request(struct esl *esl, const struct post_message *message)
{
    const char *command = kv_get_or(message->pairs, "command", "");
    if (message->is_request && strcmp(command, "socket") == 0)
        socket_requested(esl, message);
    else if (!message->is_request && strcmp(command, "socket_over") == 0)
        call_over(esl, kv_get_or(message->pairs, "uuid", ""));
    else
        return false;
    return true;
}

void esl_outbound_ended(struct esl_client *client)
{
    struct esl_outbound *outbound = client->socket;
    client->socket = NULL;
    outbound_free(outbound, 0);
}

void esl_outbound_close(struct esl *esl)
{
    for (struct esl_outbound *at = esl->connecting, *next; at != NULL; at = next) {
        next = at->next;
        if (at->client == NULL) connect_failed(at, -ESHUTDOWN);
    }
}

/* --- commands of an attached connection ------------------------------------------------------------------------------------ */

/* The one reply that is no ordinary one: the channel's data as headers, and the answer behind them. */
static void channel_told(void *context, int status, const char *text, size_t length)
{
    struct esl_client *client = context;
    client->asked = NULL;
    if (status < 0 || strncmp(text, "-ERR", 4) == 0) {
        esl_client_done(client);
        esl_client_goodbye(client);
        return;
    }
    client->connected = true;
    esl_client_printf(client, "%s%sContent-Type: command/reply\nReply-Text: %%2BOK%%0A\nSocket-Mode: %s\nControl: %s\n\n", text,
                      length > 0 && text[length - 1] != '\n' ? "\n" : "", client->async ? "async" : "static",
                      client->full ? "full" : "single-channel");
    esl_client_done(client);
}

void esl_connect(struct esl_client *client)
{
    client->busy = true;
    client->asked = esl_ask(client->esl, client->call_text, "esl_channel", client->call_text, channel_told, client);
    if (client->asked == NULL) esl_client_end(client);
}

static void resume_set(void *context, int status, const char *text, size_t length)
{
    struct esl_client *client = context;
    client->asked = NULL;
    esl_reply(client, "+OK");
    esl_client_done(client);
}

void esl_socket_resume(struct esl_client *client)
{
    struct buf args = BUF_INIT;
    client->busy = true;
    if (buf_printf(&args, "%s socket_resume true", client->call_text) == 0)
        client->asked = esl_ask(client->esl, client->call_text, "uuid_setvar", args.data, resume_set, client);
    if (client->asked == NULL) esl_client_end(client);
    buf_free(&args);
}
