/* own.h: what the supervisor's files share.
 *
 *   supervisor.c  start, signals, the end
 *   child.c       one child: spawn, death, back-off
 *   watch.c       the tick: heartbeats, readiness, draining
 *   reload.c      a new configuration while it runs
 *   pin.c         which core a process runs on
 *   notify.c      words to systemd
 *   old.c         the segment of an engine that died */
#ifndef SUPERVISOR_OWN_H
#define SUPERVISOR_OWN_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bus/segment.h"
#include "core/config.h"
#include "core/loop.h"

#define TICK_NS             (100 * NS_PER_MS)
#define BEAT_REPORT_NS      (10 * NS_PER_S) /* a heartbeat older than this is reported */
#define BEAT_KILL_NS        (30 * NS_PER_S) /* and older than this ends the process, unless it is stopped by a debugger or SIGSTOP */
#define BACKOFF_FIRST_NS    (50 * NS_PER_MS)
#define BACKOFF_LAST_NS     (10 * NS_PER_S)
#define BACKOFF_FREE_DEATHS 3               /* so many in a row come back without delay */
#define LIVED_LONG_NS       (60 * NS_PER_S) /* a child that lived this long has no past */
#define STOP_BROKER_NS      (5 * NS_PER_S)  /* the broker's time for BYEs and its ledger, before the others are told */
#define STOP_ALL_NS         (10 * NS_PER_S) /* then SIGKILL */
#define STOP_NOW_NS         (3 * NS_PER_S)  /* both of it after the second signal */

struct supervisor;

struct child {
    struct supervisor *supervisor;
    uint32_t process;      /* enum bus_process */
    char name[24];         /* "broker", "worker 0" */
    char role[8];          /* "broker", "worker", "control" */
    cpu_set_t cpus;        /* where it may run */
    pid_t pid;             /* 0 = none now */
    uint32_t epoch_before; /* proc table's epoch before this start: a beat of it is not ours yet */
    int64_t started_ns;
    unsigned deaths; /* in a row */
    struct loop_timer restart;
    int64_t reported_ns; /* heartbeat: when it was last reported, 0 = it beats */
    bool killed_for_silence;
};

enum phase { PHASE_STARTING, PHASE_RUNNING, PHASE_DRAINING, PHASE_STOPPING_BROKER, PHASE_STOPPING_ALL, PHASE_ENDED };

struct supervisor {
    const struct config *config; /* that runs: a reload puts a new one here; the old ones stay, they are small */
    const char *config_path;
    struct segment *segment;
    struct loop *loop;
    struct loop_watch signals;
    struct loop_timer tick;
    enum phase phase;
    int64_t phase_until_ns; /* draining, stopping: then the next phase */
    int64_t tick_ns;        /* last tick, to know when we ourselves slept */
    int64_t said_ns;        /* last word of progress */
    bool at_once;           /* second signal */
    bool failed;            /* exit code 1 */
    int config_fd;          /* memfd with the checked configuration */
    char old_segment[64];   /* "" = none */
    cpu_set_t cpus;         /* that we were given */
    struct child children[BUS_PROCESSES_MAX];
    uint32_t count;
};

/* child.c */
void child_init(struct supervisor *s, struct child *child, uint32_t process);
int child_spawn(struct child *child);                  /* 0 or -errno */
void child_died(struct child *child, int wait_status); /* after it was reaped */
/* "signal 11 (Segmentation fault)", "exit code 1": into out. */
char *child_why(int wait_status, char *out, size_t size);

/* reload.c: reads the file again, takes over what is live, tells the children and whoever asked. */
void supervisor_reload(struct supervisor *s);
/* The configuration as children read it, into config_fd (made if it is -1). 0 or -errno. */
int config_hand_over(struct supervisor *s);

/* watch.c */
void watch_tick(struct supervisor *s);
bool watch_all_running(const struct supervisor *s);

/* supervisor.c */
void supervisor_stop(struct supervisor *s, const char *why); /* begins the end: broker first */

/* pin.c: worker i gets a core of its own among ours, the others the cores without a worker if there are any. */
uint32_t pin_workers_auto(const cpu_set_t *cpus);
void pin_choose(const cpu_set_t *all, uint32_t workers, uint32_t process, cpu_set_t *out);

/* notify.c: sd_notify(3): harmless where there is no systemd. */
void notify(const char *text);

/* old.c: an engine of our name that died: waits for its last processes, then renames its segment for the broker (name in
 * s->old_segment). -EEXIST if it lives. */
int old_segment_take(struct supervisor *s, const char *name, struct buf *error);

#endif
