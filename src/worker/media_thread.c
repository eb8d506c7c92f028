/* media_thread.c: the thread's life: wait, take, run the slices that are due. Deadlines are absolute (slice n is due at n · 2 ms of
 * the monotonic clock), so lateness never adds up. */
#include <errno.h>
#include <sched.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "core/log.h"
#include "worker/media_internal.h"

static void thread_privileges(struct media *m)
{
    pthread_setname_np(pthread_self(), "media");
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    if (m->cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(m->cpu, &set);
        if (pthread_setaffinity_np(pthread_self(), sizeof set, &set)) log_warning(NULL, "media: cannot pin to CPU %d", m->cpu);
    }
    if (m->realtime) {
        struct sched_param param = { .sched_priority = 10 };
        int error = pthread_setschedparam(pthread_self(), SCHED_FIFO | SCHED_RESET_ON_FORK, &param);
        if (error)
            log_notice(NULL, "media: runs at ordinary priority: SCHED_FIFO %s (CAP_SYS_NICE or LimitRTPRIO would allow it)",
                       strerror(error));
    }
}

static void slice_rooms(struct media *m, uint8_t slice)
{
    for (struct room *room = m->rooms; room; room = room->next)
        if (room->slice == slice) room_mix(m, room);
}

static void leg_taps(struct media *m, struct leg *leg)
{
    for (struct record *record = leg->records, *next; record; record = next) {
        next = record->next;
        record_frame(m, leg, record);
    }
    for (struct detector *detector = leg->detectors, *next; detector; detector = next) {
        next = detector->next;
        detector_frame(m, leg, detector);
    }
}

/* Legs may leave the list while it is walked (a limit ends an operation, never a leg), so indices suffice. */
static void slice_run(struct media *m, uint8_t slice)
{
    struct leg **legs = m->slice_legs[slice];
    stage_begin(m);
    for (uint32_t i = 0; i < m->slice_count[slice]; i++)
        if (legs[i]->hears || legs[i]->key.active) leg_read(m, legs[i]);
    stage_end(m, STAGE_READ);
    if (m->rooms) slice_rooms(m, slice);
    stage_end(m, STAGE_MIX);
    for (uint32_t i = 0; i < m->slice_count[slice]; i++) leg_write(m, legs[i]);
    stage_end(m, STAGE_WRITE);
    for (uint32_t i = 0; i < m->slice_count[slice]; i++)
        if (legs[i]->records || legs[i]->detectors) leg_taps(m, legs[i]);
    stage_end(m, STAGE_TAPS);
    COUNT(m, slices_run, 1);
    uring_flush(m);
    stage_end(m, STAGE_SEND);
}

static void slice_skip(struct media *m, uint8_t slice)
{
    for (uint32_t i = 0; i < m->slice_count[slice]; i++) leg_skip(m, m->slice_legs[slice][i]);
    COUNT(m, slices_skipped, 1);
}

static void slices_due(struct media *m)
{
    while (m->slice_number * SLICE_NS <= m->now_ns && !atomic_load_explicit(&m->stop, memory_order_relaxed)) {
        uint8_t slice = (uint8_t)(m->slice_number % SLICES);
        if (m->now_ns - m->slice_number * SLICE_NS > SKIP_NS)
            slice_skip(m, slice);
        else
            slice_run(m, slice);
        m->slice_number++;
        m->now_ns = clock_mono_ns();
    }
}

static void take_all(struct media *m)
{
    broker_take(m);
    commands_take(m);
    helpers_take(m);
}

/* Nobody needs a clock: sleep until a bell, a command or a packet. */
static void wait_idle(struct media *m)
{
    bell_sleep(m->segment, m->process, BELL_MEDIA);
    atomic_store(&m->sleeping, 1);
    atomic_thread_fence(memory_order_seq_cst);
    if (ring_empty(m->down) && spsc_empty(&m->commands) && !atomic_load(&m->stop)) uring_wait(m, 0);
    atomic_store_explicit(&m->sleeping, 0, memory_order_relaxed);
    bell_awake(m->segment, m->process, BELL_MEDIA);
    uint64_t count;
    (void)!read(m->command_fd, &count, sizeof count);
}

static void turn(struct media *m)
{
    bool ticking = m->active > 0 || helpers_busy(m) || m->backlog_count || m->record_waits;
    if (ticking && !m->ticking) m->slice_number = clock_mono_ns() / SLICE_NS + 1;
    m->ticking = ticking;
    if (ticking)
        uring_wait(m, m->slice_number * SLICE_NS);
    else
        wait_idle(m);
    m->now_ns = m->stage_at_ns = clock_mono_ns();
    uring_reap(m);
    stage_end(m, STAGE_RECEIVE);
    take_all(m);
    if (ticking) slices_due(m);
    uring_flush(m);
    events_flush(m);
    budget_count(m);
}

static void started(struct media *m, int result)
{
    pthread_mutex_lock(&m->start_lock);
    m->start_result = result;
    m->started = true;
    pthread_cond_signal(&m->start_done);
    pthread_mutex_unlock(&m->start_lock);
}

void *media_thread(void *context)
{
    struct media *m = context;
    thread_privileges(m);
    int result = media_uring_open(m);
    if (!result) {
        m->now_ns = clock_mono_ns();
        broker_repair(m);
    }
    started(m, result);
    while (!result && !atomic_load_explicit(&m->stop, memory_order_relaxed)) turn(m);
    media_uring_close(m);
    return NULL;
}
