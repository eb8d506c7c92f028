/* child.c: one child: started by fork and exec of ourselves, watched, started again when it died. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/process.h"
#include "supervisor/own.h"

static void restart_fire(struct loop_timer *timer)
{
    struct child *child = timer->context;
    int rc = child_spawn(child);
    if (rc < 0) {
        log_err(NULL, "%s cannot be started again: %s; next try in 10 s", child->name, strerror(-rc));
        loop_timer_set(child->supervisor->loop, &child->restart, clock_mono_ns() + BACKOFF_LAST_NS);
    } else {
        log_notice(NULL, "%s is started again (pid %d)", child->name, (int)child->pid);
    }
}

void child_init(struct supervisor *s, struct child *child, uint32_t process)
{
    *child = (struct child) { .supervisor = s, .process = process };
    const char *role = process == BUS_BROKER ? "broker" : process == BUS_CONTROL ? "control" : "worker";
    snprintf(child->role, sizeof child->role, "%s", role);
    if (process >= BUS_WORKER_0)
        snprintf(child->name, sizeof child->name, "worker %u", process - BUS_WORKER_0);
    else
        snprintf(child->name, sizeof child->name, "%s", role);
    child->restart = (struct loop_timer) { .fire = restart_fire, .context = child };
    pin_choose(&s->cpus, segment_workers(s->segment), process, &child->cpus);
}

/* In the forked child: only async-signal-safe calls, since the log has a thread. */
static _Noreturn void child_exec(const struct child *child, char *const argv[], pid_t parent)
{
    sigset_t none;
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) /* it died before the line above */
        _exit(1);
    setpgid(0, 0); /* the terminal's Ctrl-C is for the supervisor, which drains */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    int null = open("/dev/null", O_RDONLY);
    if (null >= 0) dup2(null, 0);
    if (null > 0) close(null);
    sched_setaffinity(0, sizeof child->cpus, &child->cpus);
    execv("/proc/self/exe", argv);
    _exit(127);
}

int child_spawn(struct child *child)
{
    struct supervisor *s = child->supervisor;
    char process[16], fd[16];
    struct proc_view view;
    proc_look(s->segment, child->process, &view);
    child->epoch_before = view.epoch;
    snprintf(process, sizeof process, "%u", child->process);
    snprintf(fd, sizeof fd, "%d", s->config_fd);
    bool with_old = child->process == BUS_BROKER && s->old_segment[0] != 0;
    char *argv[] = { (char *)"carillon",
                     (char *)"role",
                     child->role,
                     (char *)"--process",
                     process,
                     (char *)"--segment",
                     (char *)segment_name(s->segment),
                     (char *)"--config-fd",
                     fd,
                     (char *)"--config",
                     (char *)s->config_path,
                     with_old ? (char *)"--old-segment" : NULL,
                     s->old_segment,
                     NULL };
    pid_t parent = getpid(), pid = fork();
    if (pid < 0) return -errno;
    if (pid == 0) child_exec(child, argv, parent);
    child->pid = pid;
    child->started_ns = clock_mono_ns();
    child->reported_ns = 0;
    child->killed_for_silence = false;
    return 0;
}

char *child_why(int status, char *out, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(out, size, "was ended by signal %d (%s)%s", WTERMSIG(status), strsignal(WTERMSIG(status)),
                 WCOREDUMP(status) ? ", core dumped" : "");
    else
        snprintf(out, size, "ended by itself with exit code %d", WEXITSTATUS(status));
    return out;
}

static int64_t backoff(const struct child *child)
{
    if (child->deaths <= BACKOFF_FREE_DEATHS) return 0;
    unsigned step = child->deaths - BACKOFF_FREE_DEATHS - 1;
    int64_t wait = step > 20 ? BACKOFF_LAST_NS : BACKOFF_FIRST_NS << step;
    return wait > BACKOFF_LAST_NS ? BACKOFF_LAST_NS : wait;
}

void child_died(struct child *child, int status)
{
    struct supervisor *s = child->supervisor;
    char why[128];
    pid_t pid = child->pid;
    int64_t now = clock_mono_ns(), lived = now - child->started_ns;
    child->pid = 0;
    proc_state_set(s->segment, child->process, PROC_DEAD);
    /* Whoever waits for its answers looks again now, and not at the next timer. */
    for (uint32_t process = BUS_BROKER; process < BUS_WORKER_0 + segment_workers(s->segment); process++)
        bell_ring(s->segment, process, BELL_MAIN);
    child_why(status, why, sizeof why);
    /* The one who read it removes it; a start after this one must not hand it over a second time. */
    if (child->process == BUS_BROKER && s->old_segment[0] != 0) {
        struct proc_view view;
        proc_look(s->segment, child->process, &view);
        char path[96];
        snprintf(path, sizeof path, "/dev/shm/carillon-%s", s->old_segment);
        if (access(path, F_OK) < 0) s->old_segment[0] = 0;
    }
    if (s->phase >= PHASE_STOPPING_BROKER) {
        if (status != 0) log_warning(NULL, "%s (pid %d) %s while it was ending", child->name, (int)pid, why);
        return;
    }
    if (s->phase == PHASE_STARTING) {
        log_crit(NULL, "the engine cannot start: %s %s; its own message stands above", child->name, why);
        s->failed = true;
        supervisor_stop(s, "the start failed");
        return;
    }
    child->deaths = lived >= LIVED_LONG_NS ? 1 : child->deaths + 1;
    int64_t wait = backoff(child);
    if (wait > 0)
        log_err(NULL, "%s (pid %d) %s after %lld s, the %uth time in a row; it is started again in %lld ms", child->name, (int)pid, why,
                (long long)(lived / NS_PER_S), child->deaths, (long long)(wait / NS_PER_MS));
    else
        log_err(NULL, "%s (pid %d) %s after %lld s; it is started again at once", child->name, (int)pid, why,
                (long long)(lived / NS_PER_S));
    loop_timer_set(s->loop, &child->restart, now + wait);
}
