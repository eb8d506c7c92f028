/* control.c: the process. */
#include "control/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/audit.h"
#include "control/esl.h"
#include "control/http.h"
#include "control/own.h"
#include "core/log.h"

#define BEAT_NS (50 * NS_PER_MS)

/* Nobody asks control for anything yet; a request is answered all the same, so that its asker need not wait. */
static void message_in(void *context, const struct post_message *message)
{
    struct control *control = context;
    if (esl_message(control->esl, message)) return;
    if (message->is_request) post_reply(control->post, message->ticket, -EOPNOTSUPP, NULL);
}

static void beat_fire(struct loop_timer *timer)
{
    struct control *control = timer->context;
    int64_t now = clock_mono_ns();
    proc_beat(control->segment, BUS_CONTROL, now);
    loop_timer_set(control->loop, timer, now + BEAT_NS);
}

static void sweep_run(struct loop_hook *hook) { peers_sweep(hook->context); }

static void terminate(void *context)
{
    struct control *control = context;
    log_info(NULL, "ending, %u connections open", control->peer_count);
    loop_stop(control->loop);
}

static int control_open(struct control *control)
{
    struct buf error = BUF_INIT;
    int rc = segment_map(&control->segment, control->args->segment, false, &error);
    if (rc < 0) log_crit(NULL, "%s", buf_text(&error));
    buf_free(&error);
    if (rc == 0) rc = loop_new(&control->loop);
    if (rc < 0) return rc;
    proc_enter(control->segment, BUS_CONTROL);
    rc = process_signals_watch(&control->signals, control->loop, terminate, control);
    if (rc == 0) process_reload_watch(&control->signals, control->args, NULL);
    if (rc == 0) rc = post_new(&control->post, control->segment, BUS_CONTROL, control->loop, message_in, control);
    if (rc == 0) rc = audit_open(control);
    if (rc == 0) rc = socket_open(control);
    if (rc == 0) rc = esl_open(&control->esl, control);
    if (rc == 0) rc = http_open(&control->http, control);
    return rc;
}

int control_main(const struct process_args *args)
{
    struct control *control = calloc(1, sizeof *control);
    if (control == NULL) return 1;
    control->args = args;
    int rc = control_open(control);
    if (rc == 0) {
        control->beat = (struct loop_timer) { .fire = beat_fire, .context = control };
        control->sweep = (struct loop_hook) { .run = sweep_run, .context = control };
        loop_timer_set(control->loop, &control->beat, clock_mono_ns());
        loop_hook_add(control->loop, &control->sweep);
        proc_state_set(control->segment, BUS_CONTROL, PROC_RUNNING);
        log_info(NULL, "operators' socket: %s", control->socket_path);
        loop_run(control->loop);
        while (control->peers != NULL) peer_end(control->peers);
        peers_sweep(control);
        http_close(control->http);
        esl_close(control->esl);
        socket_close(control);
        audit_close(control);
        proc_state_set(control->segment, BUS_CONTROL, PROC_DEAD);
    }
    if (control->post != NULL) post_free(control->post);
    if (control->loop != NULL) loop_free(control->loop);
    if (control->segment != NULL) segment_unmap(control->segment);
    free(control);
    return rc == 0 ? 0 : PROCESS_EXIT_CONFIG;
}
