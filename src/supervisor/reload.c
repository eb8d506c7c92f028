/* reload.c: a new configuration while the engine runs: read, held against the one that runs, handed to the children. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/log.h"
#include "supervisor/own.h"

static int text_write(int fd, const struct buf *text)
{
    for (size_t at = 0; at < text->length;) {
        ssize_t n = pwrite(fd, text->data + at, text->length - at, (off_t)at);
        if (n < 0) return -errno;
        at += (size_t)n;
    }
    return ftruncate(fd, (off_t)text->length) < 0 ? -errno : 0;
}

/* What children read: whatever happens to the file meanwhile, a child that is started again sees the same configuration. */
int config_hand_over(struct supervisor *s)
{
    struct buf text = BUF_INIT;
    int rc = config_dump(s->config, &text);
    if (s->config_fd < 0) s->config_fd = memfd_create("carillon-config", 0);
    if (rc == 0) rc = s->config_fd < 0 ? -errno : text_write(s->config_fd, &text);
    buf_free(&text);
    return rc;
}

static void children_tell(struct supervisor *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (s->children[i].pid > 0) kill(s->children[i].pid, SIGUSR1);
}

static void changes_describe(const struct config_changes *changes, struct buf *out)
{
    if (!changes->live_count && !changes->fixed_count) buf_puts(out, "+OK nothing has changed\n");
    if (changes->live_count) buf_printf(out, "+OK in force now: %s\n", buf_text((struct buf *)&changes->live));
    if (changes->fixed_count)
        buf_printf(out, "%sOnly after a restart (until then as it was): %s\n", changes->live_count ? "" : "+OK nothing changes now. ",
                   buf_text((struct buf *)&changes->fixed));
}

/* Takes over what is live. On failure all stays as it is. */
static int take_over(struct supervisor *s, struct config *wanted, struct config_changes *changes, struct buf *answer)
{
    const struct config *before = s->config;
    int rc = config_settle(s->config, wanted, changes);
    if (rc == 0) {
        s->config = wanted;
        rc = config_hand_over(s);
    }
    if (rc < 0) {
        s->config = before;
        buf_printf(answer, "-ERR the new configuration could not be handed over: %s\n", strerror(-rc));
        return rc;
    }
    const struct config_node *root = config_root(wanted);
    log_levels_set(config_str(root, "log.level", "info"));
    log_mask_numbers_set(config_bool(root, "log.mask_numbers", false));
    children_tell(s);
    changes_describe(changes, answer);
    return 0;
}

void supervisor_reload(struct supervisor *s)
{
    struct config *wanted;
    struct config_changes changes;
    struct buf errors = BUF_INIT, answer = BUF_INIT;
    if (config_load(&wanted, s->config_path, &errors) < 0) {
        buf_printf(&answer, "-ERR the configuration has mistakes; nothing was changed\n%s", buf_text(&errors));
    } else {
        if (take_over(s, wanted, &changes, &answer) < 0) config_free(wanted);
        config_changes_free(&changes);
    }
    log_notice(NULL, "reload: %s", buf_text(&answer));
    segment_reload_answer(s->segment, buf_text(&answer));
    buf_free(&errors);
    buf_free(&answer);
}
