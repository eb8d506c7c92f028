/* process.c: the signals of a child process, read on its loop. */
#include "core/process.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "core/log.h"

void process_signals_set(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGUSR1);
}

void process_log_set(const struct config *config)
{
    log_levels_set(config_str(config_root(config), "log.level", "info"));
    log_mask_numbers_set(config_bool(config_root(config), "log.mask_numbers", false));
}

/* The old tree stays: its texts are referred to from many places. A few hundred kilobytes for each reload. */
static void reload(struct process_signals *signals)
{
    char path[64];
    struct config *config;
    struct buf errors = BUF_INIT;
    if (signals->config_fd < 0) return;
    snprintf(path, sizeof path, "/proc/self/fd/%d", signals->config_fd);
    if (config_load(&config, path, &errors) < 0) {
        log_err(NULL, "the new configuration cannot be read; nothing changes here: %s", buf_text(&errors));
    } else {
        process_log_set(config);
        if (signals->reload != NULL) signals->reload(signals->context, config);
    }
    buf_free(&errors);
}

static void signals_ready(struct loop_watch *watch, uint32_t events)
{
    struct process_signals *signals = watch->context;
    struct signalfd_siginfo info;
    while (read(watch->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            log_reopen();
            log_info(NULL, "log file opened again");
        } else if (info.ssi_signo == SIGUSR1) {
            reload(signals);
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
    if (fd < 0) return -errno;
    *signals = (struct process_signals) { .terminate = terminate, .context = context, .config_fd = -1 };
    signals->watch = (struct loop_watch) { .fd = fd, .ready = signals_ready, .context = signals };
    int rc = loop_watch_add(loop, &signals->watch, EPOLLIN);
    if (rc < 0) close(fd);
    return rc;
}

void process_reload_watch(struct process_signals *signals, const struct process_args *args,
                          void (*reload_call)(void *context, const struct config *config))
{
    signals->config_fd = args->config_fd;
    signals->reload = reload_call;
}
