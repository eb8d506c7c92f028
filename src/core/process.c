/* process.c: the signals of a child process, read on its loop. */
#include "core/process.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/log.h"

void process_signals_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
}

static void signals_ready(struct loop_watch *watch, uint32_t events)
{
    struct process_signals *signals = watch->context;
    struct signalfd_siginfo info;
    while (read(watch->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            log_reopen();
            log_info(NULL, "log file opened again");
        } else if (info.ssi_signo == SIGTERM && !signals->terminated) {
            signals->terminated = true;
            signals->terminate(signals->context);
        }
    }
}

int process_signals_watch(struct process_signals *signals, struct loop *loop, void (*terminate)(void *context), void *context)
{
    sigset_t set;
    process_signals_set(&set);
    /* role.c blocked them already; again for tests and for roles run by hand. */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return -errno;
    *signals = (struct process_signals){ .terminate = terminate, .context = context };
    signals->watch = (struct loop_watch){ .fd = fd, .ready = signals_ready, .context = signals };
    int rc = loop_watch_add(loop, &signals->watch, EPOLLIN);
    if (rc < 0)
        close(fd);
    return rc;
}
