/* esl_link.c: a connection to an event socket. */
#include "control/esl_link.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/clock.h"

#define GREETING_MS 10000 /* a wrong password is answered late */
#define AUTH_MS     30000

void esl_link_close(struct esl_link *link)
{
    if (link->fd >= 0) close(link->fd);
    link->fd = -1;
    esl_input_free(&link->input);
    esl_request_free(&link->message);
    link->message = (struct esl_request) { 0 };
}

static int connect_any(const struct addrinfo *all)
{
    int rc = -EADDRNOTAVAIL;
    for (const struct addrinfo *one = all; one != NULL; one = one->ai_next) {
        int fd = socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0 && connect(fd, one->ai_addr, one->ai_addrlen) == 0) return fd;
        rc = -errno;
        if (fd >= 0) close(fd);
    }
    return rc;
}

int esl_link_open(struct esl_link *link, const char *host, const char *port, struct buf *error)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC }, *all = NULL;
    int rc = getaddrinfo(host, port, &hints, &all);
    if (rc != 0) {
        buf_printf(error, "cannot find %s: %s", host, gai_strerror(rc));
        return -EINVAL;
    }
    link->input.answers = true;
    link->fd = connect_any(all);
    freeaddrinfo(all);
    if (link->fd < 0) {
        rc = link->fd;
        link->fd = -1;
        buf_printf(error,
                   rc == -ECONNREFUSED ? "nothing listens at %s port %s; does the engine run, and is that its event_socket.port?"
                                       : "cannot reach %s port %s: ",
                   host, port);
        if (rc != -ECONNREFUSED) buf_puts(error, strerror(-rc));
        return rc;
    }
    rc = esl_link_take(link, GREETING_MS);
    const char *type = rc == 1 ? esl_link_header(link, "Content-Type") : "";
    if (strcmp(type, "auth/request") == 0) return 0;
    if (strcmp(type, "text/rude-rejection") == 0)
        buf_printf(error, "the engine at %s lets nobody in from this address; event_socket.networks says who may come", host);
    else
        buf_printf(error, "at %s port %s something else listens than an event socket", host, port);
    esl_link_close(link);
    return -EPROTO;
}

int esl_link_take(struct esl_link *link, int timeout_ms)
{
    int64_t until = clock_mono_ns() + timeout_ms * NS_PER_MS;
    for (;;) {
        int rc = link->fd < 0 ? -EPIPE : esl_input_take(&link->input, &link->message);
        if (rc != 0) return rc;
        struct pollfd watch = { .fd = link->fd, .events = POLLIN };
        int64_t left = timeout_ms < 0 ? -1 : (until - clock_mono_ns() + NS_PER_MS - 1) / NS_PER_MS;
        rc = poll(&watch, 1, timeout_ms >= 0 && left < 0 ? 0 : (int)left);
        if (rc <= 0) return rc < 0 ? -errno : 0;
        char part[65536];
        ssize_t n = recv(link->fd, part, sizeof part, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return -EPIPE;
        if (esl_input_put(&link->input, part, (size_t)n) < 0) return -ENOMEM;
    }
}

const char *esl_link_header(const struct esl_link *link, const char *name)
{
    const char *value = esl_header(kv_view(&link->message.headers), name);
    return value != NULL ? value : "";
}

int esl_link_send(struct esl_link *link, const char *request)
{
    struct buf out = BUF_INIT;
    int rc = link->fd < 0 ? -EPIPE : buf_printf(&out, "%s\n\n", request);
    for (size_t at = 0; rc >= 0 && at < out.length;) {
        ssize_t n = send(link->fd, out.data + at, out.length - at, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) rc = -errno;
        at += n > 0 ? (size_t)n : 0;
    }
    buf_free(&out);
    return rc < 0 ? rc : 0;
}

int esl_link_auth(struct esl_link *link, const char *user, const char *password, struct buf *error)
{
    struct buf request = BUF_INIT;
    if (user != NULL)
        buf_printf(&request, "userauth %s:%s", user, password);
    else
        buf_printf(&request, "auth %s", password);
    int rc = strpbrk(buf_text(&request), "\r\n") != NULL ? -EINVAL : esl_link_send(link, buf_text(&request));
    buf_free(&request);
    if (rc == 0) rc = esl_link_take(link, AUTH_MS);
    if (rc == 1 && strcasecmp(esl_link_header(link, "Reply-Text"), "+OK accepted") == 0) return 0;
    if (rc == 1)
        buf_puts(error, user != NULL ? "the engine refuses this user and password"
                                     : "the engine refuses this password; event_socket.password has the right one");
    else
        buf_printf(error, "no answer to the password: %s", rc == 0 ? "the engine is silent" : strerror(-rc));
    esl_link_close(link);
    return rc == 1 ? -EACCES : rc < 0 ? rc : -ETIMEDOUT;
}
