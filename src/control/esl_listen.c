/* esl_listen.c: where the event socket listens, and for whom. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/esl_own.h"
#include "core/log.h"

#define RETRY_NS         (5 * NS_PER_S)
#define UNKNOWN_MAX      100u /* connections that have not authenticated */
#define DEFAULT_PASSWORD "ClueCon"
#define REJECTION        "Access Denied, go away.\n"

/* --- addresses ------------------------------------------------------------------------------------------------------- */

static int address_parse(const char *text, uint8_t out[16], int *family)
{
    *family = strchr(text, ':') != NULL ? AF_INET6 : AF_INET;
    return inet_pton(*family, text, out) == 1 ? 0 : -EINVAL;
}

/* Is `address` in "192.0.2.0/24", or is it that address? */
static bool in_network(const char *address, const char *network)
{
    char base[INET6_ADDRSTRLEN];
    uint8_t a[16], b[16];
    int family_a, family_b;
    size_t length = strcspn(network, "/");
    if (length >= sizeof base) return false;
    memcpy(base, network, length);
    base[length] = 0;
    if (address_parse(address, a, &family_a) < 0 || address_parse(base, b, &family_b) < 0 || family_a != family_b) return false;
    unsigned bits = network[length] == '/' ? (unsigned)atoi(network + length + 1) : family_a == AF_INET ? 32 : 128;
    unsigned bytes = bits / 8, rest = bits % 8;
    return memcmp(a, b, bytes) == 0 && (rest == 0 || (a[bytes] ^ b[bytes]) >> (8 - rest) == 0);
}

static bool is_loopback(const char *address) { return in_network(address, "127.0.0.0/8") || in_network(address, "::1"); }

static bool welcome(const struct esl *esl, const char *address)
{
    const struct config_node *networks = config_get(config_root(esl->control->args->config), "event_socket.networks");
    for (size_t i = 0; i < config_count(networks); i++)
        if (in_network(address, config_text(config_child(networks, i)))) return true;
    return config_count(networks) == 0;
}

/* ::ffff:192.0.2.1 is 192.0.2.1. */
static void address_text(const struct sockaddr_storage *from, char out[INET6_ADDRSTRLEN])
{
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)from;
    strcpy(out, "unknown");
    if (from->ss_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)from)->sin_addr, out, INET6_ADDRSTRLEN);
    else if (from->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
        inet_ntop(AF_INET, six->sin6_addr.s6_addr + 12, out, INET6_ADDRSTRLEN);
    else if (from->ss_family == AF_INET6)
        inet_ntop(AF_INET6, &six->sin6_addr, out, INET6_ADDRSTRLEN);
}

/* --- connections ------------------------------------------------------------------------------------------------------ */

static bool room_left(const struct esl *esl)
{
    unsigned unknown = 0;
    for (const struct esl_client *client = esl->clients; client != NULL; client = client->next) unknown += !client->authenticated;
    return esl->client_count < ESL_CLIENTS_MAX && unknown < UNKNOWN_MAX;
}

static void accepted(struct esl *esl, int fd, const struct sockaddr_storage *from)
{
    char address[INET6_ADDRSTRLEN];
    int on = 1;
    address_text(from, address);
    if (!welcome(esl, address)) {
        log_notice(NULL, "event socket: %s is in none of `event_socket.networks` and was refused", address);
        esl_refuse(fd, REJECTION);
        return;
    }
    if (!room_left(esl)) {
        log_warning(NULL, "event socket: no room for %s: %u connections are open", address, esl->client_count);
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    esl_client_new(esl, fd, address, true);
}

/* These few bytes fit into any socket's buffer. */
void esl_refuse(int fd, const char *body)
{
    char text[160];
    int n = snprintf(text, sizeof text, "Content-Type: text/rude-rejection\nContent-Length: %zu\n\n%s", strlen(body), body);
    (void)!send(fd, text, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

static void listener_ready(struct loop_watch *watch, uint32_t events)
{
    struct esl *esl = watch->context;
    for (unsigned i = 0; i < 100; i++) {
        struct sockaddr_storage from;
        socklen_t size = sizeof from;
        int fd = accept4(watch->fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM)) {
            log_err(NULL, "event socket: cannot accept a connection: %s", strerror(errno));
            /* The connection stays in the queue and would wake us for ever: look again in a while. */
            loop_watch_remove(esl->loop, &esl->listener);
            close(esl->listener.fd);
            esl->listening = false;
            loop_timer_set(esl->loop, &esl->retry, clock_mono_ns() + NS_PER_S);
        }
        if (fd < 0) return;
        accepted(esl, fd, &from);
    }
}

/* --- listening -------------------------------------------------------------------------------------------------------- */

static int bind_address(struct esl *esl, int fd)
{
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(esl->port) };
    struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(esl->port) };
    bool is_six = strchr(esl->address, ':') != NULL;
    inet_pton(AF_INET6, esl->address, &six.sin6_addr);
    inet_pton(AF_INET, esl->address, &four.sin_addr);
    int rc = is_six ? bind(fd, (struct sockaddr *)&six, sizeof six) : bind(fd, (struct sockaddr *)&four, sizeof four);
    return rc < 0 || listen(fd, 128) < 0 ? -errno : 0;
}

static int listen_now(struct esl *esl)
{
    int on = 1, rc = 0;
    int fd = socket(strchr(esl->address, ':') != NULL ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    rc = bind_address(esl, fd);
    if (rc == 0) {
        esl->listener = (struct loop_watch) { .fd = fd, .ready = listener_ready, .context = esl };
        rc = loop_watch_add(esl->loop, &esl->listener, EPOLLIN);
    }
    if (rc < 0) close(fd);
    esl->listening = rc == 0;
    return rc;
}

/* A port that is taken is no reason to do without calls: it is tried again, as FreeSWITCH does. */
static void retry_fired(struct loop_timer *timer)
{
    struct esl *esl = timer->context;
    if (listen_now(esl) < 0)
        loop_timer_set(esl->loop, timer, clock_mono_ns() + RETRY_NS);
    else
        log_info(NULL, "event socket: listening at %s port %u", esl->address, esl->port);
}

static void listen_first(struct esl *esl)
{
    int rc = listen_now(esl);
    if (rc == 0) {
        log_info(NULL, "event socket: listening at %s port %u", esl->address, esl->port);
        return;
    }
    log_err(NULL, "event socket: cannot listen at %s port %u (%s); it is tried again every %lld s, `event_socket.port` chooses another one",
            esl->address, esl->port, strerror(-rc), (long long)(RETRY_NS / NS_PER_S));
    loop_timer_set(esl->loop, &esl->retry, clock_mono_ns() + RETRY_NS);
}

static int configure(struct esl *esl)
{
    const struct config_node *root = config_root(esl->control->args->config);
    snprintf(esl->address, sizeof esl->address, "%s", config_str(root, "event_socket.address", "127.0.0.1"));
    esl->port = (uint16_t)config_int(root, "event_socket.port", 8021);
    esl->password = config_str(root, "event_socket.password", DEFAULT_PASSWORD);
    if (esl->port == 0 || is_loopback(esl->address) || (*esl->password != 0 && strcmp(esl->password, DEFAULT_PASSWORD) != 0)) return 0;
    log_crit(NULL, "event_socket.password: on %s, which is not loopback, it must be given and differ from \"%s\", which everybody knows",
             esl->address, DEFAULT_PASSWORD);
    return -EINVAL;
}

static void sweep_run(struct loop_hook *hook) { esl_clients_sweep(hook->context); }

int esl_open(struct esl **out, struct control *control)
{
    struct esl *esl = calloc(1, sizeof *esl);
    *out = NULL;
    if (esl == NULL) return -ENOMEM;
    esl->control = control;
    esl->loop = control->loop;
    esl->post = control->post;
    esl->segment = control->segment;
    int rc = configure(esl);
    if (rc < 0) {
        free(esl);
        return rc;
    }
    esl->retry = (struct loop_timer) { .fire = retry_fired, .context = esl };
    esl->sweep = (struct loop_hook) { .run = sweep_run, .context = esl };
    loop_hook_add(esl->loop, &esl->sweep);
    esl_reader_start(esl);
    esl_heartbeat_start(esl);
    if (esl->port != 0) listen_first(esl);
    *out = esl;
    return 0;
}

void esl_close(struct esl *esl)
{
    if (esl == NULL) return;
    esl->closing = true;
    loop_timer_clear(esl->loop, &esl->retry);
    loop_timer_clear(esl->loop, &esl->heartbeat);
    if (esl->listening) {
        loop_watch_remove(esl->loop, &esl->listener);
        close(esl->listener.fd);
    }
    esl_outbound_close(esl);
    while (esl->clients != NULL) {
        struct esl_client *client = esl->clients;
        esl_client_goodbye(client);
        esl_client_end(client);
    }
    loop_hook_remove(esl->loop, &esl->sweep);
    esl_clients_sweep(esl);
    esl_jobs_free(esl);
    esl_reader_stop(esl);
    esl_log_free(esl);
    esl_failures_free(esl->failures);
    free(esl);
}

bool esl_message(struct esl *esl, const struct post_message *message)
{
    return esl != NULL && message->kind == MSG_API && esl_outbound_request(esl, message);
}
