/* watch.c: ten times a second: who is ready, who beats, how the draining goes. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/counter.h"
#include "core/clock.h"
#include "core/log.h"
#include "supervisor/own.h"

bool watch_all_running(const struct supervisor *s)
{
    for (uint32_t i = 0; i < s->count; i++) {
        struct proc_view view;
        proc_look(s->segment, s->children[i].process, &view);
        if (view.state != PROC_RUNNING || view.pid != s->children[i].pid) return false;
    }
    return true;
}

/* The kernel's one-letter state of a process: R S D T t Z; '?' if unknown. */
static char kernel_state(pid_t pid)
{
    char path[32], line[512];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (f == NULL) return '?';
    const char *end = fgets(line, sizeof line, f) != NULL ? strrchr(line, ')') : NULL;
    fclose(f);
    return end != NULL && end[1] == ' ' ? end[2] : '?';
}

static const char *state_word(char state)
{
    switch (state) {
    case 'T':
        return "it is stopped by a signal";
    case 't':
        return "a debugger holds it";
    case 'D':
        return "it waits for a disk";
    case 'R':
        return "it computes";
    default:
        return "it sleeps";
    }
}

static void watch_beat(struct supervisor *s, struct child *child, int64_t now)
{
    struct proc_view view;
    proc_look(s->segment, child->process, &view);
    /* Before it entered the table, the time since it was started counts. */
    int64_t last = view.epoch == child->epoch_before || view.pid != child->pid ? child->started_ns : view.beat_ns;
    int64_t silent = now - last;
    if (silent < BEAT_REPORT_NS) {
        if (child->reported_ns != 0) log_notice(NULL, "%s (pid %d) answers again", child->name, (int)child->pid);
        child->reported_ns = 0;
        return;
    }
    char state = kernel_state(child->pid);
    if (child->reported_ns == 0 || now - child->reported_ns >= BEAT_REPORT_NS) {
        child->reported_ns = now;
        log_err(NULL, "%s (pid %d) gave no sign of life for %lld s: %s", child->name, (int)child->pid, (long long)(silent / NS_PER_S),
                state_word(state));
    }
    if (silent >= BEAT_KILL_NS && state != 'T' && state != 't' && !child->killed_for_silence) {
        child->killed_for_silence = true;
        log_crit(NULL, "%s (pid %d) is stuck and is killed", child->name, (int)child->pid);
        kill(child->pid, SIGKILL);
    }
}

static void watch_starting(struct supervisor *s, int64_t now)
{
    if (watch_all_running(s)) {
        char text[160];
        s->phase = PHASE_RUNNING;
        proc_state_set(s->segment, BUS_SUPERVISOR, PROC_RUNNING);
        snprintf(text, sizeof text, "READY=1\nSTATUS=%u workers, %u slots", segment_workers(s->segment), segment_slots(s->segment));
        notify(text);
        log_notice(NULL, "ready: %s, %u workers, %u slots, database %s", segment_name(s->segment), segment_workers(s->segment),
                   segment_slots(s->segment),
                   strncmp(config_str(config_root(s->config), "database", ""), "postgres", 8) == 0 ? "PostgreSQL" : "SQLite");
        return;
    }
    if (now - s->said_ns < BEAT_REPORT_NS) return;
    s->said_ns = now;
    for (uint32_t i = 0; i < s->count; i++) {
        struct proc_view view;
        proc_look(s->segment, s->children[i].process, &view);
        if (view.state != PROC_RUNNING)
            log_notice(NULL, "still waiting for %s (pid %d) to be ready", s->children[i].name, (int)s->children[i].pid);
    }
}

static void watch_draining(struct supervisor *s, int64_t now)
{
    uint64_t calls = counter_sum(s->segment, COUNTER_calls_active);
    if (calls == 0) {
        supervisor_stop(s, "no call is left");
    } else if (now >= s->phase_until_ns) {
        log_warning(NULL, "%llu calls are left after the time for draining; they are hung up", (unsigned long long)calls);
        supervisor_stop(s, "the time for draining is over");
    } else if (now - s->said_ns >= BEAT_REPORT_NS) {
        s->said_ns = now;
        log_notice(NULL, "draining: %llu calls left, %lld s at most", (unsigned long long)calls,
                   (long long)((s->phase_until_ns - now) / NS_PER_S));
    }
}

static bool anybody_left(const struct supervisor *s, uint32_t process)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (s->children[i].pid > 0 && (process == BUS_SUPERVISOR || s->children[i].process == process)) return true;
    return false;
}

static void tell_all(const struct supervisor *s, int signal)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (s->children[i].pid > 0) kill(s->children[i].pid, signal);
}

static void watch_stopping(struct supervisor *s, int64_t now)
{
    if (!anybody_left(s, BUS_SUPERVISOR)) {
        s->phase = PHASE_ENDED;
        loop_stop(s->loop);
    } else if (s->phase == PHASE_STOPPING_BROKER && (!anybody_left(s, BUS_BROKER) || now >= s->phase_until_ns)) {
        s->phase = PHASE_STOPPING_ALL;
        s->phase_until_ns = now + (s->at_once ? STOP_NOW_NS : STOP_ALL_NS);
        tell_all(s, SIGTERM);
    } else if (s->phase == PHASE_STOPPING_ALL && now >= s->phase_until_ns) {
        log_warning(NULL, "some processes did not end in time and are killed");
        s->phase_until_ns = now + NS_PER_S;
        tell_all(s, SIGKILL);
    }
}

void watch_tick(struct supervisor *s)
{
    int64_t now = clock_mono_ns();
    /* When we ourselves did not run (the machine slept, we were stopped), nobody else's silence means anything. */
    bool we_slept = s->tick_ns != 0 && now - s->tick_ns > 2 * NS_PER_S;
    s->tick_ns = now;
    proc_beat(s->segment, BUS_SUPERVISOR, now);
    if (s->phase == PHASE_STARTING)
        watch_starting(s, now);
    else if (s->phase == PHASE_DRAINING)
        watch_draining(s, now);
    else if (s->phase >= PHASE_STOPPING_BROKER)
        watch_stopping(s, now);
    for (uint32_t i = 0; i < s->count && !we_slept && s->phase < PHASE_STOPPING_BROKER; i++)
        if (s->children[i].pid > 0) watch_beat(s, &s->children[i], now);
}
