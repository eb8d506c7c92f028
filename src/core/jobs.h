/* jobs.h: helper threads for what can only block (SQLite, connecting, files, child processes). */
#ifndef CORE_JOBS_H
#define CORE_JOBS_H

#include "core/loop.h"

struct jobs;

struct job {
    void (*run)(struct job *job);  /* on a helper thread; may block */
    void (*done)(struct job *job); /* afterwards on the loop's thread; frees what the job held */
    void *context;
    struct job *next;
};

/* `threads` helper threads (they lower themselves to nice 19) which report to `loop`. 0 or -errno. */
int jobs_new(struct jobs **out, struct loop *loop, unsigned threads, const char *name);
/* Queues a job, from any thread, without a lock; -EBUSY if 16,384 are waiting already. */
int jobs_submit(struct jobs *jobs, struct job *job);
/* On the loop's thread: waits for the running ones, runs queued ones too, and calls all `done`s. */
void jobs_free(struct jobs *jobs);

#endif
