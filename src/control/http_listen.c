/* http_listen.c: libmicrohttpd's daemon on control's loop.
 *
 * The library keeps its sockets in an epoll set of its own; that set's descriptor is one watch of our loop. Whatever it
 * says about time (idle connections, sockets it knows to be ready) becomes one timer. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>

#include "control/http_own.h"
#include "core/log.h"

#define RETRY_NS (5 * NS_PER_S)
#define LOOK_NS  (2 * NS_PER_S)
#define POLL_NS  (50 * NS_PER_MS)

static void due_set(struct http *http)
{
    MHD_UNSIGNED_LONG_LONG ms;
    if (MHD_get_timeout(http->daemon, &ms) == MHD_YES)
        loop_timer_set(http->loop, &http->due, clock_mono_ns() + (int64_t)(ms > 60000 ? 60000 : ms) * NS_PER_MS);
    else
        loop_timer_clear(http->loop, &http->due);
}

static void run(struct http *http)
{
    if (http->daemon == NULL) return;
    MHD_run(http->daemon);
    due_set(http);
}

void http_run_soon(struct http *http)
{
    if (http->daemon != NULL && !http->closing) loop_timer_set(http->loop, &http->due, clock_mono_ns());
}

static void epoll_ready(struct loop_watch *watch, uint32_t events) { run(watch->context); }
static void due_fired(struct loop_timer *timer) { run(timer->context); }

static void poll_fired(struct loop_timer *timer)
{
    struct http *http = timer->context;
    int64_t now = clock_mono_ns();
    http_lives_poll(http);
    if (now >= http->next_look_ns) {
        http->next_look_ns = now + LOOK_NS;
        http_requests_look(http);
    }
    loop_timer_set(http->loop, timer, now + (http->lives != NULL ? POLL_NS : LOOK_NS));
}

static void library_said(void *cls, const char *format, va_list args)
{
    struct buf text = BUF_INIT;
    buf_vprintf(&text, format, args);
    while (text.length > 0 && text.data[text.length - 1] == '\n') text.data[--text.length] = 0;
    log_debug(NULL, "http: %s", buf_text(&text));
    buf_free(&text);
}

/* The path stays as it came: what its parts mean is decided by those who read them. */
static size_t unescape_not(void *cls, struct MHD_Connection *connection, char *text) { return strlen(text); }

static int listen_now(struct http *http)
{
    struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(http->port) };
    struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(http->port) };
    bool is_six = strchr(http->address, ':') != NULL;
    inet_pton(AF_INET6, http->address, &six.sin6_addr);
    inet_pton(AF_INET, http->address, &four.sin_addr);
    struct sockaddr *address = is_six ? (struct sockaddr *)&six : (struct sockaddr *)&four;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG | (is_six ? (unsigned)MHD_USE_IPv6 : 0u);
    errno = 0;
    http->daemon = MHD_start_daemon(
        flags, http->port, NULL, NULL, http_request_handle, http, MHD_OPTION_EXTERNAL_LOGGER, library_said, http, MHD_OPTION_SOCK_ADDR,
        address, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u, MHD_OPTION_CONNECTION_LIMIT, HTTP_CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
        HTTP_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_CONNECTION_MEMORY, MHD_OPTION_URI_LOG_CALLBACK, http_request_begin,
        http, MHD_OPTION_UNESCAPE_CALLBACK, unescape_not, http, MHD_OPTION_NOTIFY_COMPLETED, http_request_over, http,
        MHD_OPTION_DIGEST_AUTH_RANDOM, sizeof http->random, http->random, MHD_OPTION_NONCE_NC_SIZE, 300u, MHD_OPTION_END);
    if (http->daemon == NULL) return errno != 0 ? -errno : -EADDRINUSE;
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    http->watch = (struct loop_watch) { .fd = info->epoll_fd, .ready = epoll_ready, .context = http };
    int rc = loop_watch_add(http->loop, &http->watch, EPOLLIN);
    if (rc < 0) {
        MHD_stop_daemon(http->daemon);
        http->daemon = NULL;
        return rc;
    }
    log_info(NULL, "http: %s port %u", http->address, http->port);
    http_run_soon(http);
    return 0;
}

static void retry_fired(struct loop_timer *timer)
{
    struct http *http = timer->context;
    if (listen_now(http) < 0) loop_timer_set(http->loop, timer, clock_mono_ns() + RETRY_NS);
}

int http_open(struct http **out, struct control *control)
{
    const struct config_node *root = config_root(control->args->config);
    int64_t port = config_int(root, "http.port", 0);
    *out = NULL;
    if (port == 0) return 0;
    struct http *http = calloc(1, sizeof *http);
    if (http == NULL) return -ENOMEM;
    *http = (struct http) {
        .control = control, .loop = control->loop, .port = (uint16_t)port, .realm = config_str(root, "http.realm", "carillon")
    };
    strncpy(http->address, config_str(root, "http.address", "127.0.0.1"), sizeof http->address - 1);
    http->metrics_open = strcmp(config_str(root, "http.metrics", "users"), "anybody") == 0;
    http->due = (struct loop_timer) { .fire = due_fired, .context = http };
    http->retry = (struct loop_timer) { .fire = retry_fired, .context = http };
    http->poll = (struct loop_timer) { .fire = poll_fired, .context = http };
    int rc = getrandom(http->random, sizeof http->random, 0) == sizeof http->random ? 0 : -EIO;
    if (rc == 0) rc = http_users_read(http);
    if (rc < 0) {
        free(http->users);
        free(http);
        return rc;
    }
    *out = http;
    rc = listen_now(http);
    if (rc < 0) {
        log_err(NULL, "http: cannot listen on %s port %u: %s; tried again every few seconds", http->address, http->port, strerror(-rc));
        loop_timer_set(http->loop, &http->retry, clock_mono_ns() + RETRY_NS);
    }
    loop_timer_set(http->loop, &http->poll, clock_mono_ns() + POLL_NS);
    return 0;
}

void http_close(struct http *http)
{
    if (http == NULL) return;
    http->closing = true;
    loop_timer_clear(http->loop, &http->due);
    loop_timer_clear(http->loop, &http->retry);
    loop_timer_clear(http->loop, &http->poll);
    if (http->daemon != NULL) {
        loop_watch_remove(http->loop, &http->watch);
        for (struct http_request *request = http->requests; request != NULL; request = request->next)
            if (request->suspended) {
                request->suspended = false;
                MHD_resume_connection(request->connection);
            }
        MHD_stop_daemon(http->daemon);
    }
    free(http->failures);
    free(http->sessions);
    free(http->users);
    free(http);
}
