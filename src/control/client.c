/* client.c: asking the engine from a command line. */
#include "control/client.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/frame.h"

int control_connect(struct control_client *client, const char *path, struct buf *error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    client->fd = -1;
    if (strlen(path) >= sizeof address.sun_path) {
        buf_printf(error, "the socket's path is longer than %zu characters (%s); choose a shorter `run_dir`", sizeof address.sun_path - 1,
                   path);
        return -ENAMETOOLONG;
    }
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        client->fd = fd;
        return 0;
    }
    int rc = -errno;
    if (fd >= 0) close(fd);
    if (rc == -ENOENT || rc == -ECONNREFUSED)
        buf_printf(error, "no engine answers at %s; is it running (`carillon start`), and with this configuration?", path);
    else if (rc == -EACCES)
        buf_printf(error, "you may not talk to the engine at %s; become its user, or a member of its group", path);
    else
        buf_printf(error, "cannot reach the engine at %s: %s", path, strerror(-rc));
    return rc;
}

static int send_all(int fd, const void *data, size_t length)
{
    const char *at = data;
    while (length > 0) {
        ssize_t n = send(fd, at, length, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -errno;
        at += n;
        length -= (size_t)n;
    }
    return 0;
}

static int receive_all(int fd, void *data, size_t length)
{
    char *at = data;
    while (length > 0) {
        ssize_t n = recv(fd, at, length, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return -errno;
        if (n == 0) return -EPIPE;
        at += n;
        length -= (size_t)n;
    }
    return 0;
}

int control_ask(struct control_client *client, const struct kv *request, struct kv *reply, struct buf *error)
{
    struct kv_view view = kv_view(request);
    uint8_t head[FRAME_HEAD_BYTES];
    frame_head(head, (uint32_t)view.length);
    int rc = view.length > FRAME_REQUEST_BYTES_MAX ? -EMSGSIZE : send_all(client->fd, head, sizeof head);
    if (rc == 0) rc = send_all(client->fd, view.data, view.length);
    if (rc == 0) rc = receive_all(client->fd, head, sizeof head);
    int64_t length = rc == 0 ? frame_length(head, FRAME_BYTES_MAX) : rc;
    kv_clear(reply);
    rc = length < 0 ? (int)length : buf_reserve(&reply->bytes, (size_t)length + 1);
    if (rc == 0) rc = receive_all(client->fd, reply->bytes.data, (size_t)length);
    if (rc == 0) {
        reply->bytes.length = (size_t)length;
        rc = kv_valid(kv_view(reply)) ? 0 : -EPROTO;
    }
    if (rc == -EPIPE || rc == -ECONNRESET)
        buf_puts(error, "the engine closed the connection before it answered (it ended, or its control process was started again)");
    else if (rc == -EMSGSIZE)
        buf_puts(error, "the request is longer than 4 MB");
    else if (rc < 0)
        buf_printf(error, "no answer from the engine: %s", strerror(-rc));
    return rc;
}

void control_close(struct control_client *client)
{
    if (client->fd >= 0) close(client->fd);
    client->fd = -1;
}
