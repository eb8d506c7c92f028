/* command_run.c: `carillon campaign run`: begin in the engine, watch, report. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "campaign/command_own.h"
#include "campaign/json.h"
#include "core/kv.h"

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal_number) { interrupted = 1; }

static void put_seconds(char *out, size_t size, int64_t s)
{
    if (s >= 3600)
        snprintf(out, size, "%" PRId64 ":%02" PRId64 " h", s / 3600, s / 60 % 60);
    else
        snprintf(out, size, "%" PRId64 ":%02" PRId64, s / 60, s % 60);
}

static void show_line(struct kv_view p, bool tty)
{
    char eta[24] = "-", next[40] = "";
    const char *problem = kv_get_or(p, "problem", "");
    if (kv_get(p, "eta_s")) put_seconds(eta, sizeof eta, kv_get_int(p, "eta_s", 0));
    if (kv_get(p, "next_due_s")) snprintf(next, sizeof next, ", next try in %s s", kv_get(p, "next_due_s"));
    printf("%s%s: dialled %s, in progress %s, answered %s, done %s of %s, %s calls/s, ETA %s%s%s%s%s", tty ? "\r\033[K" : "",
           kv_get_or(p, "state", "?"), kv_get_or(p, "dialled", "0"), kv_get_or(p, "in_progress", "0"), kv_get_or(p, "answered", "0"),
           kv_get_or(p, "done", "0"), kv_get_or(p, "leads", "0"), kv_get_or(p, "cps", "0"), eta, next, *problem ? " · " : "", problem,
           tty ? "" : "\n");
    fflush(stdout);
}

static bool is_over(const char *state)
{
    return strcmp(state, "done") == 0 || strcmp(state, "stopped") == 0 || strcmp(state, "failed") == 0;
}

/* One look a second, until it ends. 0, 1 (said why), or 130 if the user left. */
static int watch(struct command *c)
{
    struct buf text = BUF_INIT, reply = BUF_INIT;
    struct kv pairs = KV_INIT;
    bool tty = isatty(STDOUT_FILENO), over = false;
    int e = 0, missed = 0;
    buf_printf(&text, "campaign progress %s", c->name);
    for (unsigned turn = 0; e == 0 && !over && !interrupted; turn++) {
        nanosleep(&(struct timespec) { .tv_sec = turn > 0, .tv_nsec = turn > 0 ? 0 : 200000000 }, NULL);
        buf_clear(&reply);
        kv_clear(&pairs);
        if (c->params->engine(c->params->context, buf_text(&text), &reply) || json_read_flat(buf_text(&reply), &pairs)) {
            if (++missed >= 15) /* a broker that died is back within a second or two, and its campaigns with it */
                e = command_fail("the engine does not answer any more; look at: carillon status");
            continue;
        }
        missed = 0;
        over = is_over(kv_get_or(kv_view(&pairs), "state", ""));
        show_line(kv_view(&pairs), tty);
        if (over && strcmp(kv_get_or(kv_view(&pairs), "state", ""), "failed") == 0) e = 1;
    }
    if (tty) putchar('\n');
    if (e && over) command_fail("%s failed: %s", c->name, kv_get_or(kv_view(&pairs), "problem", ""));
    buf_free(&text);
    buf_free(&reply);
    kv_free(&pairs);
    return interrupted && !over ? 130 : e;
}

int command_run(struct command *c)
{
    struct campaign_file *file = command_load(c);
    struct buf text = BUF_INIT, reply = BUF_INIT;
    if (!file) return 1;
    int e = c->no_import ? 0 : command_import_leads(c, file, true);
    buf_printf(&text, "campaign run %s %s", c->name, file->path);
    campaign_file_free(file);
    if (e == 0) e = command_ask(c, buf_text(&text), &reply);
    buf_free(&text);
    buf_free(&reply);
    if (e) return e;
    struct sigaction before, action = { .sa_handler = on_interrupt };
    sigaction(SIGINT, &action, &before);
    e = watch(c);
    sigaction(SIGINT, &before, NULL);
    if (e == 130) {
        printf("campaign %s goes on in the engine; carillon campaign status|pause|stop %s\n", c->name, c->name);
        return e;
    }
    putchar('\n');
    int r = command_report(c);
    return e ? e : r;
}
