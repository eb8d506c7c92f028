/* socket.c: run_dir/control.sock. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/own.h"
#include "core/log.h"

static void listener_ready(struct loop_watch *watch, uint32_t events)
{
    struct control *control = watch->context;
    for (;;) {
        int fd = accept4(watch->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
                log_err(NULL, "cannot accept an operator's connection: %s", strerror(errno));
            return;
        }
        if (control->peer_count >= PEERS_MAX) {
            log_warning(NULL, "an operator's connection was refused: %u are open already", PEERS_MAX);
            close(fd);
            continue;
        }
        peer_accept(control, fd);
    }
}

/* A socket file without a listener is what a killed engine left; one with a listener is somebody else's. */
static int remove_stale(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    int rc = connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 ? -EADDRINUSE : 0;
    close(fd);
    if (rc == 0 && unlink(address->sun_path) < 0 && errno != ENOENT) rc = -errno;
    return rc;
}

int socket_open(struct control *control)
{
    const char *run_dir = config_str(config_root(control->args->config), "run_dir", "run");
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int n = snprintf(control->socket_path, sizeof control->socket_path, "%s/control.sock", run_dir);
    if (n < 0 || (size_t)n >= sizeof control->socket_path) {
        log_crit(NULL, "run_dir is too long for a socket's path (%zu characters at most): %s",
                 sizeof control->socket_path - sizeof "/control.sock", run_dir);
        control->socket_path[0] = 0;
        return -ENAMETOOLONG;
    }
    strcpy(address.sun_path, control->socket_path);
    int rc = remove_stale(&address);
    int fd = rc < 0 ? -1 : socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (rc == 0 && fd < 0) rc = -errno;
    if (rc == 0) {
        mode_t before = umask(0117); /* 0660 from the first moment on */
        if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 512) < 0) rc = -errno;
        umask(before);
    }
    if (rc == 0) {
        control->listener = (struct loop_watch) { .fd = fd, .ready = listener_ready, .context = control };
        rc = loop_watch_add(control->loop, &control->listener, EPOLLIN);
    }
    if (rc == 0) return 0;
    log_crit(NULL, "cannot listen at %s: %s", control->socket_path,
             rc == -EADDRINUSE ? "another engine answers there; give this one another `run_dir`" : strerror(-rc));
    control->socket_path[0] = 0;
    if (fd >= 0) close(fd);
    return rc;
}

void socket_close(struct control *control)
{
    if (control->socket_path[0] == 0) return;
    loop_watch_remove(control->loop, &control->listener);
    close(control->listener.fd);
    unlink(control->socket_path);
}
