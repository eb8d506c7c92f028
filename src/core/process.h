/* process.h: what a child process of the engine is started with, and the signals that all children treat alike.
 *
 * The supervisor runs /proc/self/exe again as `carillon role NAME …`. src/main/role.c then does what is common to all
 * children (parent-death signal, log, configuration, SIGINT ignored, SIGTERM and SIGHUP blocked in every thread) and
 * calls the role's one door:
 *
 *     int broker_main(const struct process_args *args);    src/broker/broker.h
 *     int worker_main(const struct process_args *args);    src/worker/worker.h
 *     int control_main(const struct process_args *args);   src/control/control.h
 *
 * The door returns the exit code when the process was told to end: 0 = as told; anything else makes the supervisor log
 * it and start the role again. The role maps the segment (segment_map), calls proc_enter, sets PROC_RUNNING once it
 * serves, and beats (proc_beat) at least each 100 ms. */
#ifndef CORE_PROCESS_H
#define CORE_PROCESS_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/config.h"
#include "core/loop.h"

struct process_args {
    const char *segment;         /* name for segment_map */
    uint32_t process;            /* enum bus_process; BUS_WORKER_0 + i for worker i */
    const char *config_path;     /* the user's file, for messages; relative paths in it are absolute already */
    const struct config *config; /* loaded and checked, with all defaults; lives as long as the process */
    int config_fd;               /* where it came from, and where a new one stands after `carillon reload` */
    /* Only for the broker's first start, NULL otherwise: the segment of an engine that died whole. Map it read-only, send BYE
     * or CANCEL to each dialog in it, mark those attempts interrupted, then segment_remove(old_segment). */
    const char *old_segment;
};

/* Exit code of a role that cannot work with this configuration (a port in use, an address that is not this machine's) and
 * has logged why: before the engine is ready it ends the whole start instead of being tried again. */
#define PROCESS_EXIT_CONFIG 78

/* A child's signals on its loop. HUP reopens the log. USR1: the supervisor put a new configuration into config_fd; the log takes its
 * levels, and `reload`, if set, takes the rest of what is live (the schema says what). TERM calls `terminate` once (end calls with BYE,
 * flush, leave: the supervisor is gone or waits for a few seconds only). */
struct process_signals {
    struct loop_watch watch;
    void (*terminate)(void *context);
    void (*reload)(void *context, const struct config *config); /* `config` lives as long as the process */
    void *context;
    int config_fd; /* -1 = none: USR1 does nothing */
    bool terminated;
};
/* 0 or -errno. */
int process_signals_watch(struct process_signals *signals, struct loop *loop, void (*terminate)(void *context), void *context);
/* From then on USR1 reads that descriptor; `reload` may be NULL. */
void process_reload_watch(struct process_signals *signals, const struct process_args *args,
                          void (*reload)(void *context, const struct config *config));
/* Log levels and masking, as the configuration says. */
void process_log_set(const struct config *config);
/* The signals that role.c blocks before any thread exists and that process_signals_watch reads. A role starting other
 * programs unblocks them in the child. */
void process_signals_set(sigset_t *set);

#endif
