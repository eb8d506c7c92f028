/* supervisor.c: start, signals, the end. */
#include "supervisor/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bus/counter.h"
#include "bus/trace.h"
#include "core/clock.h"
#include "core/log.h"
#include "supervisor/folder.h"
#include "supervisor/own.h"
#include "supervisor/privileges.h"

static void reap(struct supervisor *s)
{
    int status;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        for (uint32_t i = 0; i < s->count; i++)
            if (s->children[i].pid == pid) {
                child_died(&s->children[i], status);
                break;
            }
    if (s->phase >= PHASE_STOPPING_BROKER) watch_tick(s);
}

void supervisor_stop(struct supervisor *s, const char *why)
{
    if (s->phase >= PHASE_STOPPING_BROKER) return;
    log_notice(NULL, "ending: %s", why);
    notify("STOPPING=1");
    segment_draining_set(s->segment, true);
    s->phase = PHASE_STOPPING_BROKER;
    s->phase_until_ns = clock_mono_ns() + (s->at_once ? STOP_NOW_NS : STOP_BROKER_NS);
    for (uint32_t i = 0; i < s->count; i++) {
        loop_timer_clear(s->loop, &s->children[i].restart);
        if (s->children[i].process == BUS_BROKER && s->children[i].pid > 0) kill(s->children[i].pid, SIGTERM);
    }
}

static void drain(struct supervisor *s, const char *signal_name)
{
    int64_t limit_s = config_int(config_root(s->config), "limits.drain_s", 600);
    uint64_t calls = counter_sum(s->segment, COUNTER_calls_active);
    segment_draining_set(s->segment, true);
    proc_state_set(s->segment, BUS_SUPERVISOR, PROC_DRAINING);
    s->phase = PHASE_DRAINING;
    s->phase_until_ns = clock_mono_ns() + limit_s * NS_PER_S;
    s->said_ns = clock_mono_ns();
    log_notice(NULL, "%s: draining: no new calls; %" PRIu64 " calls may go on for %" PRId64 " s (the same signal again ends at once)",
               signal_name, calls, limit_s);
    notify("STOPPING=1\nSTATUS=draining");
}

static void told_to_end(struct supervisor *s, const char *signal_name)
{
    if (s->phase == PHASE_RUNNING) {
        drain(s, signal_name);
    } else if (!s->at_once) {
        s->at_once = true;
        log_notice(NULL, "%s: ending at once", signal_name);
        if (s->phase < PHASE_STOPPING_BROKER)
            supervisor_stop(s, "told to end at once");
        else if (s->phase_until_ns > clock_mono_ns() + STOP_NOW_NS)
            s->phase_until_ns = clock_mono_ns() + STOP_NOW_NS;
    }
}

static void signals_ready(struct loop_watch *watch, uint32_t events)
{
    struct supervisor *s = watch->context;
    struct signalfd_siginfo info;
    while (read(watch->fd, &info, sizeof info) == (ssize_t)sizeof info) {
        switch (info.ssi_signo) {
        case SIGTERM:
            told_to_end(s, "SIGTERM");
            break;
        case SIGINT:
            told_to_end(s, "SIGINT");
            break;
        case SIGHUP:
            log_reopen();
            log_notice(NULL, "log file opened again");
            for (uint32_t i = 0; i < s->count; i++)
                if (s->children[i].pid > 0) kill(s->children[i].pid, SIGHUP);
            break;
        case SIGUSR1:
            supervisor_reload(s);
            break;
        default:
            break;
        }
    }
    reap(s); /* SIGCHLD, of which several may have become one */
}

static void tick_fire(struct loop_timer *timer)
{
    struct supervisor *s = timer->context;
    watch_tick(s);
    if (s->phase != PHASE_ENDED) loop_timer_set(s->loop, timer, clock_mono_ns() + TICK_NS);
}

static int signals_open(struct supervisor *s)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0) return -errno;
    s->signals = (struct loop_watch) { .fd = fd, .ready = signals_ready, .context = s };
    return loop_watch_add(s->loop, &s->signals, EPOLLIN);
}

static int folders_make(const struct config_node *root)
{
    static const char *const keys[] = { "data_dir", "run_dir" };
    for (size_t i = 0; i < 2; i++) {
        const char *path = config_str(root, keys[i], "");
        int rc = folder_make(path);
        if (rc < 0) {
            log_crit(NULL, "cannot write to %s %s: %s; make it, or change `%s`", keys[i], path, strerror(-rc), keys[i]);
            return rc;
        }
    }
    return 0;
}

/* Two RTP sockets a slot. */
static void descriptors_raise(const struct supervisor *s, uint32_t slots_each)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    rlim_t wanted = 2 * (rlim_t)slots_each + 1024;
    if (limit.rlim_cur < wanted)
        log_warning(NULL,
                    "a process may open %llu files only, %llu are wanted for %u slots a worker: raise it (ulimit -n, LimitNOFILE=) or "
                    "lower `slots`",
                    (unsigned long long)limit.rlim_cur, (unsigned long long)wanted, slots_each);
}

static int segment_make(struct supervisor *s)
{
    const struct config_node *root = config_root(s->config);
    const char *name = config_str(root, "name", "carillon");
    uint32_t workers = (uint32_t)config_int(root, "workers", 0), slots = (uint32_t)config_int(root, "slots", 4000);
    if (workers == 0) workers = pin_workers_auto(&s->cpus);
    struct segment_params params = { .name = name, .workers = workers, .slots_each = (slots + workers - 1) / workers };
    struct buf error = BUF_INIT;
    int rc = old_segment_take(s, name, &error);
    if (rc == 0) rc = segment_create(&s->segment, &params, &error);
    if (rc < 0)
        log_crit(NULL, "the engine cannot start: %s", buf_text(&error));
    else
        descriptors_raise(s, params.slots_each);
    buf_free(&error);
    return rc;
}

static int children_start(struct supervisor *s)
{
    uint32_t last = BUS_WORKER_0 + segment_workers(s->segment);
    for (uint32_t process = BUS_BROKER; process < last; process++) {
        struct child *child = &s->children[s->count];
        child_init(s, child, process);
        int rc = child_spawn(child);
        if (rc < 0) {
            log_crit(NULL, "cannot start the %s: %s", child->name, strerror(-rc));
            return rc;
        }
        s->count++;
    }
    return 0;
}

static int run(struct supervisor *s)
{
    const struct config_node *root = config_root(s->config);
    struct buf error = BUF_INIT;
    int rc = privileges_drop(root, &error);
    if (rc < 0) {
        fprintf(stderr, "carillon: %s\n", buf_text(&error));
        buf_free(&error);
        return rc;
    }
    rc = log_open("supervisor", config_str(root, "log.file", "-"), config_str(root, "log.level", "info"));
    if (rc < 0) {
        fprintf(stderr, "carillon: cannot open the log %s: %s\n", config_str(root, "log.file", "-"), strerror(-rc));
        return rc;
    }
    log_mask_numbers_set(config_bool(root, "log.mask_numbers", false));
    if ((rc = folders_make(root)) < 0 || (rc = loop_new(&s->loop)) < 0 || (rc = signals_open(s)) < 0) return rc;
    if ((rc = segment_make(s)) < 0) return rc;
    proc_enter(s->segment, BUS_SUPERVISOR);
    /* It stays PROC_STARTING until all children serve: `carillon status --wait` and a start that fails depend on it. */
    s->said_ns = clock_mono_ns();
    log_notice(NULL, "starting %s with %s", segment_name(s->segment), s->config_path);
    rc = config_hand_over(s);
    if (rc == 0) rc = children_start(s);
    if (rc < 0) {
        s->failed = true;
        supervisor_stop(s, strerror(-rc));
    }
    s->tick = (struct loop_timer) { .fire = tick_fire, .context = s };
    loop_timer_set(s->loop, &s->tick, clock_mono_ns());
    loop_run(s->loop);
    log_notice(NULL, "ended");
    return s->failed ? -ECANCELED : 0;
}

int supervisor_run(const struct config *config, const char *config_path)
{
    struct supervisor *s = calloc(1, sizeof *s);
    if (s == NULL) return 1;
    s->config = config;
    s->config_path = config_path;
    s->config_fd = -1;
    if (sched_getaffinity(0, sizeof s->cpus, &s->cpus) < 0 || CPU_COUNT(&s->cpus) == 0) CPU_SET(0, &s->cpus);
    int rc = run(s);
    if (s->segment != NULL) {
        trace_remove(segment_name(s->segment)); /* of a broker that could not do it itself */
        segment_remove(segment_name(s->segment));
        segment_unmap(s->segment);
    }
    if (s->loop != NULL) loop_free(s->loop);
    log_close();
    free(s);
    return rc < 0 ? 1 : 0;
}
