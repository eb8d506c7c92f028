/* old.c: what an engine of our name left behind when it died without cleaning up. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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
        if (!view.alive)
            continue;
        count++;
        if (signal != 0)
            kill(view.pid, signal);
    }
    return count;
}

/* They hold our ports: they must be gone before we begin. */
static void wait_for_the_last(const struct segment *old)
{
    int64_t until = clock_mono_ns() + LEAVE_NS;
    uint32_t left = living(old, 0);
    if (left > 0)
        log_notice(NULL, "%u processes of the dead engine are still ending their calls; waiting for them", left);
    while (living(old, 0) > 0 && clock_mono_ns() < until)
        usleep(50000);
    for (left = living(old, SIGKILL); left > 0 && clock_mono_ns() < until + NS_PER_S; left = living(old, 0))
        usleep(10000);
}

int old_segment_take(struct supervisor *s, const char *name, struct buf *error)
{
    struct segment *old;
    struct buf why = BUF_INIT;
    int rc = segment_map(&old, name, true, &why);
    if (rc == -ENOENT) {
        buf_free(&why);
        return 0;
    }
    if (rc < 0) {
        buf_puts(error, buf_text(&why));
        buf_free(&why);
        return rc;
    }
    buf_free(&why);
    struct proc_view owner;
    proc_look(old, BUS_SUPERVISOR, &owner);
    if (owner.alive || segment_owner_alive(old)) {
        buf_printf(error, "an engine of the name %s runs already (pid %d); stop it with `carillon stop`, or give this one another `name`", name, (int)owner.pid);
        segment_unmap(old);
        return -EEXIST;
    }
    wait_for_the_last(old);
    segment_unmap(old);
    char from[96], to[96];
    snprintf(s->old_segment, sizeof s->old_segment, "%s-old", name);
    snprintf(from, sizeof from, "/dev/shm/carillon-%s", name);
    snprintf(to, sizeof to, "/dev/shm/carillon-%s", s->old_segment);
    if (rename(from, to) < 0) {
        rc = -errno;
        buf_printf(error, "cannot put the dead engine's %s aside: %s", from, strerror(-rc));
        return rc;
    }
    log_warning(NULL, "the last engine of the name %s died without ending its calls; the broker ends them now", name);
    return 0;
}
