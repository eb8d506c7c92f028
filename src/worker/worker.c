/* worker.c: the worker's main: one loop for scripts and lanes beside the media thread. */
#include "worker/worker.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bus/counter.h"
#include "core/clock.h"
#include "core/log.h"
#include "worker/host_private.h"

#define BEAT_NS  (50 * NS_PER_MS)
#define LEAVE_NS (2 * NS_PER_S)

struct worker {
    struct host *host;
    struct segment *segment;
    struct loop *loop;
    uint32_t process;
    struct process_signals signals;
    struct loop_timer beat;
    int64_t leave_at_ns; /* 0 = not leaving */
};

static void counters_write(struct worker *worker)
{
    struct engine *engine = worker->host->engine;
    counter_set(counter_at(worker->segment, worker->process, COUNTER_scripts_active), engine_scripts(engine));
    counter_set(counter_at(worker->segment, worker->process, COUNTER_script_memory_bytes), engine_memory(engine));
}

static void beat_fired(struct loop_timer *timer)
{
    struct worker *worker = timer->context;
    int64_t now = loop_now_ns(worker->loop);
    proc_beat(worker->segment, worker->process, now);
    counters_write(worker);
    if (worker->leave_at_ns && (now >= worker->leave_at_ns || worker->host->channels == 0)) loop_stop(worker->loop);
    loop_timer_set(worker->loop, timer, now + BEAT_NS);
}

/* SIGTERM: our calls are hung up (the broker sends their BYEs) and the worker leaves once they are settled. */
static void terminate(void *context)
{
    struct worker *worker = context;
    proc_state_set(worker->segment, worker->process, PROC_DRAINING);
    for (struct channel *c = worker->host->first; c; c = c->next)
        if (c->facts.up) channel_hangup(c, 701 /* SYSTEM_SHUTDOWN */);
    worker->leave_at_ns = clock_mono_ns() + LEAVE_NS;
}

static void ready_tell(struct worker *worker)
{
    struct kv pairs = KV_INIT;
    kv_add_int(&pairs, "slots", segment_slots_each(worker->segment));
    kv_add(&pairs, "media_ok", "1");
    post_note(worker->host->post, BUS_BROKER, MSG_WORKER_READY, &pairs);
    kv_free(&pairs);
}

static int worker_start(struct worker *worker, const struct process_args *args)
{
    struct buf error = BUF_INIT;
    int result = segment_map(&worker->segment, args->segment, false, &error);
    if (result < 0) {
        log_crit(NULL, "%s", buf_text(&error));
        buf_free(&error);
        return result;
    }
    buf_free(&error);
    proc_enter(worker->segment, args->process);
    result = loop_new(&worker->loop);
    if (result == 0) result = process_signals_watch(&worker->signals, worker->loop, terminate, worker);
    if (result == 0) process_reload_watch(&worker->signals, args, NULL);
    if (result == 0) result = host_new(&worker->host, config_root(args->config), worker->segment, args->process, worker->loop);
    return result;
}

int worker_main(const struct process_args *args)
{
    struct worker worker = { .process = args->process };
    int error = worker_start(&worker, args);
    if (error < 0) {
        log_crit(NULL, "worker %u cannot start: %s", args->process - BUS_WORKER_0, strerror(-error));
        return 1;
    }
    /* The media thread raised itself in media_port_start; scripts must never take its core from it (a fresh thread's niceness
     * is its own on Linux, so this lowers the script thread alone). */
    setpriority(PRIO_PROCESS, 0, 19);
    worker.beat = (struct loop_timer) { .fire = beat_fired, .context = &worker };
    loop_timer_set(worker.loop, &worker.beat, clock_mono_ns());
    proc_state_set(worker.segment, worker.process, PROC_RUNNING);
    ready_tell(&worker);
    log_notice(NULL, "worker %u serves %u slots", worker.process - BUS_WORKER_0, segment_slots_each(worker.segment));
    loop_run(worker.loop);
    host_free(worker.host);
    return 0;
}
