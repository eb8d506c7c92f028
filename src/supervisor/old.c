/* old.c: what an engine of our name left behind when it died without cleaning up. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bus/counter.h"
#include "core/clock.h"
#include "core/log.h"
#include "supervisor/own.h"

#define LEAVE_NS (5 * NS_PER_S) /* its children had SIGTERM when it died; they are sending BYE */

static uint32_t living(const struct segment *old, int signal)
{
    uint32_t count = 0;
    for (uint32_t process = BUS_BROKER; process < BUS_WORKER_0 + segment_workers(old); process++) {
        struct proc_view view;
        proc_look(old, process, &view);
        if (!view.alive) continue;
        count++;
        if (signal != 0) kill(view.pid, signal);
    }
    return count;
}

/* They hold our ports: they must be gone before we begin. */
static void wait_for_the_last(const struct segment *old)
{
    int64_t until = clock_mono_ns() + LEAVE_NS;
    uint32_t left = living(old, 0);
    if (left > 0) log_notice(NULL, "%u processes of the dead engine are still ending their calls; waiting for them", left);
    while (living(old, 0) > 0 && clock_mono_ns() < until) usleep(50000);
    for (left = living(old, SIGKILL); left > 0 && clock_mono_ns() < until + NS_PER_S; left = living(old, 0)) usleep(10000);
}

/* An earlier start that was killed before its broker had read what it was handed: that is still to be read. */
static void hand_over_again(struct supervisor *s, const char *path)
{
    if (access(path, F_OK) < 0)
        s->old_segment[0] = 0;
    else
        log_warning(NULL, "an earlier engine's calls were not ended yet; the broker ends them now");
}

int old_segment_take(struct supervisor *s, const char *name, struct buf *error)
{
    struct segment *old;
    struct buf why = BUF_INIT;
    char from[96], to[96];
    snprintf(s->old_segment, sizeof s->old_segment, "%s-old", name);
    snprintf(from, sizeof from, "/dev/shm/carillon-%s", name);
    snprintf(to, sizeof to, "/dev/shm/carillon-%s", s->old_segment);
    int rc = segment_map(&old, name, true, &why);
    if (rc == 0 || rc == -ENOENT) buf_clear(&why);
    buf_puts(error, buf_text(&why));
    buf_free(&why);
    if (rc == -ENOENT) hand_over_again(s, to);
    if (rc < 0) return rc == -ENOENT ? 0 : rc;
    if (segment_owner_alive(old)) {
        struct proc_view owner;
        proc_look(old, BUS_SUPERVISOR, &owner);
        buf_printf(error, "an engine of the name %s runs already (pid %d); stop it with `carillon stop`, or give this one another `name`",
                   name, (int)owner.pid);
        segment_unmap(old);
        return -EEXIST;
    }
    wait_for_the_last(old);
    bool idle = counter_sum(old, COUNTER_calls_active) == 0;
    segment_unmap(old);
    log_warning(NULL, "the last engine of the name %s died without cleaning up; what is left of its calls is ended now", name);
    /* Only one can be handed over: the one that has calls. */
    bool keep_older = idle && access(to, F_OK) == 0;
    if ((keep_older ? unlink(from) : rename(from, to)) == 0) return 0;
    rc = -errno;
    buf_printf(error, "cannot put the dead engine's %s aside: %s", from, strerror(-rc));
    return rc;
}
