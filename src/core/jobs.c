/* jobs.c: helper threads for what can only block.
 *
 * The submitting thread (signalling, scripts) takes no lock: it pushes on a stack and posts a semaphore. The helpers share
 * a mutex among themselves, and a helper of nice 19 that is preempted while holding it delays other helpers only. */
#include "core/jobs.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/check.h"

#define JOBS_QUEUE_MAX   16384u
#define JOBS_THREADS_MAX 64u

struct jobs {
    struct loop *loop;
    struct loop_watch done_watch;
    char name[16];
    unsigned threads;
    pthread_t thread[JOBS_THREADS_MAX];

    _Alignas(64) _Atomic(struct job *) inbox;    /* newest first */
    _Alignas(64) _Atomic(struct job *) finished; /* newest first */
    _Atomic uint32_t waiting;
    _Atomic bool closing;
    sem_t tickets; /* one for each queued job, and one for each thread when closing */

    pthread_mutex_t turn; /* helpers only: guards the two below */
    struct job *first;
};

static void stack_push(_Atomic(struct job *) *stack, struct job *job)
{
    struct job *top = atomic_load_explicit(stack, memory_order_relaxed);
    do {
        job->next = top;
    } while (!atomic_compare_exchange_weak_explicit(stack, &top, job, memory_order_release, memory_order_relaxed));
}

/* Takes all; oldest first. */
static struct job *stack_take(_Atomic(struct job *) *stack)
{
    struct job *newest = atomic_exchange_explicit(stack, NULL, memory_order_acquire), *oldest = NULL;
    while (newest) {
        struct job *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

static struct job *job_take(struct jobs *jobs)
{
    struct job *job;
    pthread_mutex_lock(&jobs->turn);
    if (!jobs->first) {
        jobs->first = stack_take(&jobs->inbox);
    }
    job = jobs->first;
    if (job) jobs->first = job->next;
    pthread_mutex_unlock(&jobs->turn);
    return job;
}

static void *helper_main(void *context)
{
    struct jobs *jobs = context;
    const uint64_t one = 1;
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 19);
    for (;;) {
        struct job *job;
        while (sem_wait(&jobs->tickets)) CHECK(errno == EINTR);
        job = job_take(jobs);
        if (!job) {
            if (atomic_load(&jobs->closing)) return NULL;
            continue;
        }
        atomic_fetch_sub(&jobs->waiting, 1);
        job->run(job);
        stack_push(&jobs->finished, job);
        if (write(jobs->done_watch.fd, &one, sizeof one) < 0) CHECK(errno == EAGAIN);
    }
}

static void finished_run(struct jobs *jobs)
{
    struct job *job = stack_take(&jobs->finished);
    while (job) {
        struct job *next = job->next;
        job->done(job); /* may free the job */
        job = next;
    }
}

static void done_ready(struct loop_watch *watch, uint32_t events)
{
    uint64_t count;
    if (read(watch->fd, &count, sizeof count) < 0) CHECK(errno == EAGAIN || errno == EINTR);
    finished_run(watch->context);
}

static int helpers_start(struct jobs *jobs, unsigned threads)
{
    sigset_t all, before;
    int err = 0;
    sigfillset(&all); /* signals are the main thread's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (jobs->threads < threads && !err) {
        err = -pthread_create(&jobs->thread[jobs->threads], NULL, helper_main, jobs);
        if (!err) pthread_setname_np(jobs->thread[jobs->threads++], jobs->name);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

int jobs_new(struct jobs **out, struct loop *loop, unsigned threads, const char *name)
{
    struct jobs *jobs;
    int err;
    if (!threads || threads > JOBS_THREADS_MAX) return -EINVAL;
    jobs = aligned_alloc(64, (sizeof *jobs + 63) & ~(size_t)63);
    if (!jobs) return -ENOMEM;
    *jobs = (struct jobs) { .loop = loop };
    snprintf(jobs->name, sizeof jobs->name, "%s", name);
    sem_init(&jobs->tickets, 0, 0);
    pthread_mutex_init(&jobs->turn, NULL);
    jobs->done_watch = (struct loop_watch) { .fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC), .ready = done_ready, .context = jobs };
    err = jobs->done_watch.fd < 0 ? -errno : loop_watch_add(loop, &jobs->done_watch, EPOLLIN);
    if (!err) err = helpers_start(jobs, threads);
    if (err) {
        jobs_free(jobs);
        return err;
    }
    *out = jobs;
    return 0;
}

int jobs_submit(struct jobs *jobs, struct job *job)
{
    if (atomic_load(&jobs->closing)) return -ESHUTDOWN;
    if (atomic_fetch_add(&jobs->waiting, 1) >= JOBS_QUEUE_MAX) {
        atomic_fetch_sub(&jobs->waiting, 1);
        return -EBUSY;
    }
    stack_push(&jobs->inbox, job);
    sem_post(&jobs->tickets);
    return 0;
}

void jobs_free(struct jobs *jobs)
{
    if (!jobs) return;
    atomic_store(&jobs->closing, true);
    for (unsigned i = 0; i < jobs->threads; i++) sem_post(&jobs->tickets);
    for (unsigned i = 0; i < jobs->threads; i++) pthread_join(jobs->thread[i], NULL);
    if (jobs->done_watch.fd >= 0) {
        loop_watch_remove(jobs->loop, &jobs->done_watch);
        finished_run(jobs);
        close(jobs->done_watch.fd);
    }
    sem_destroy(&jobs->tickets);
    pthread_mutex_destroy(&jobs->turn);
    free(jobs);
}
