/* status.c: `carillon status` and `top`: read the segment alone, so that they work on a live, a stuck and a dead engine. */
#include "main/status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bus/eventlog.h"
#include "core/clock.h"
#include "main/command.h"

void status_look(const struct segment *segment, struct status_look *out)
{
    out->mono_ns = clock_mono_ns();
    for (uint32_t p = 0; p < BUS_WORKER_0 + segment_workers(segment); p++)
        for (unsigned c = 0; c < COUNTER_COUNT; c++) out->counters[p][c] = counter_read(segment, p, (enum counter)c);
}

static const char *state_word(const struct proc_view *view, int64_t silent_ns)
{
    static const char *const words[] = { "not started", "starting", "running", "draining", "ended" };
    if (view->state == PROC_NONE) return words[0];
    if (!view->alive) return view->state == PROC_DEAD ? "ended" : "DEAD";
    if (silent_ns > 10 * NS_PER_S) return "STUCK";
    return (unsigned)view->state < 5 ? words[view->state] : "?";
}

static void process_name(uint32_t process, char *out, size_t size)
{
    static const char *const names[] = { "supervisor", "broker", "control" };
    if (process < BUS_WORKER_0)
        snprintf(out, size, "%s", names[process]);
    else
        snprintf(out, size, "worker %u", process - BUS_WORKER_0);
}

static void span_text(int64_t seconds, char *out, size_t size)
{
    if (seconds < 120)
        snprintf(out, size, "%" PRId64 " s", seconds);
    else if (seconds < 7200)
        snprintf(out, size, "%" PRId64 " min", seconds / 60);
    else
        snprintf(out, size, "%" PRId64 " h %02" PRId64, seconds / 3600, seconds / 60 % 60);
}

static void print_processes(const struct segment *segment, const struct status_look *before, const struct status_look *now, struct buf *out)
{
    buf_printf(out, "%-11s %8s  %-11s %6s %9s %7s %7s %8s %7s\n", "process", "pid", "state", "starts", "up", "beat ms", "legs", "scripts",
               before != NULL ? "media %" : "");
    for (uint32_t p = 0; p < BUS_WORKER_0 + segment_workers(segment); p++) {
        struct proc_view view;
        char name[24], up[24] = "-", beat[24] = "-", load[24] = "";
        proc_look(segment, p, &view);
        process_name(p, name, sizeof name);
        int64_t silent = view.beat_ns > 0 ? now->mono_ns - view.beat_ns : 0;
        if (view.alive) {
            span_text((clock_utc_us() - view.started_utc_us) / 1000000, up, sizeof up);
            snprintf(beat, sizeof beat, "%" PRId64, silent < 0 ? (int64_t)0 : (int64_t)(silent / NS_PER_MS));
        }
        if (before != NULL && p >= BUS_WORKER_0 && now->mono_ns > before->mono_ns)
            snprintf(load, sizeof load, "%.1f",
                     (double)(now->counters[p][COUNTER_media_busy_us] - before->counters[p][COUNTER_media_busy_us]) * 1e5 /
                         (double)(now->mono_ns - before->mono_ns));
        buf_printf(out, "%-11s %8d  %-11s %6u %9s %7s", name, (int)view.pid, state_word(&view, silent), view.epoch, up, beat);
        if (p >= BUS_WORKER_0)
            buf_printf(out, " %7" PRIu64 " %8" PRIu64 " %7s", now->counters[p][COUNTER_media_legs],
                       now->counters[p][COUNTER_scripts_active], load);
        buf_putc(out, '\n');
    }
}

/* How far back a client of the event socket may resume. */
static void print_logs(const struct segment *segment, struct buf *out)
{
    bool any = false;
    for (uint32_t p = 0; p < BUS_WORKER_0 + segment_workers(segment); p++) {
        const struct eventlog *log = segment_eventlog((struct segment *)segment, p);
        struct event_head oldest;
        char name[16], since[32];
        if (!eventlog_oldest(log, &oldest)) continue;
        process_name(p, name, sizeof name);
        clock_utc_text(oldest.utc_us, since, sizeof since);
        since[19] = 0;
        buf_printf(out, "events      %s: %" PRIu64 " of %" PRIu64 " in the log, back to %s (%" PRId64 " s)\n", name,
                   eventlog_newest(log) - oldest.sequence + 1, eventlog_newest(log), since + 11,
                   (clock_utc_us() - oldest.utc_us) / 1000000);
        any = true;
    }
    if (any) buf_putc(out, '\n');
}

static uint64_t sum_of(const struct segment *segment, const struct status_look *look, unsigned counter)
{
    uint64_t sum = 0;
    for (uint32_t p = 0; p < BUS_WORKER_0 + segment_workers(segment); p++) {
        uint64_t value = look->counters[p][counter];
        /* The worst of all, not a sum. */
        sum = counter == COUNTER_lateness_max_us ? (value > sum ? value : sum) : sum + value;
    }
    return sum;
}

void status_print(const struct segment *segment, const struct status_look *before, const struct status_look *now, struct buf *out)
{
    struct proc_view supervisor;
    char started[32];
    proc_look(segment, BUS_SUPERVISOR, &supervisor);
    clock_utc_text(segment_started_utc_us(segment), started, sizeof started);
    started[19] = 0;
    buf_printf(out, "%s: %s%s, since %sZ, %u workers, %u slots\n\n", segment_name(segment), supervisor.alive ? "alive" : "DEAD",
               supervisor.alive && segment_draining(segment) ? ", draining" : "", started, segment_workers(segment),
               segment_slots(segment));
    print_processes(segment, before, now, out);
    buf_putc(out, '\n');
    if (before == NULL) print_logs(segment, out);
    for (unsigned c = 0; c < COUNTER_COUNT; c++) {
        uint64_t value = sum_of(segment, now, c);
        if (before == NULL) {
            buf_printf(out, "%-22s %14" PRIu64 "  %s\n", counter_name((enum counter)c), value, counter_help((enum counter)c));
        } else {
            uint64_t was = sum_of(segment, before, c);
            double seconds = (double)(now->mono_ns - before->mono_ns) / 1e9;
            if (value == 0 && was == 0) continue;
            buf_printf(out, "%-22s %14" PRIu64, counter_name((enum counter)c), value);
            if (value > was && seconds > 0) buf_printf(out, " %12.1f/s", (double)(value - was) / seconds);
            buf_putc(out, '\n');
        }
    }
}

int status_map(const char *given, const char *name, struct segment **out)
{
    struct config *config = NULL;
    const char *path;
    if (name == NULL) {
        config = config_open(given, &path);
        if (config == NULL) return EXIT_FAILED;
        name = config_str(config_root(config), "name", "carillon");
    }
    struct buf error = BUF_INIT;
    int rc = segment_map(out, name, true, &error);
    if (rc < 0) fprintf(stderr, "carillon: %s%s\n", buf_text(&error), rc == -ENOENT ? "; nothing runs under this name" : "");
    buf_free(&error);
    config_free(config);
    return rc < 0 ? EXIT_FAILED : 0;
}

#define NAME_OPTION(variable)                                                                                                              \
    {                                                                                                                                      \
        'n', "name", "NAME", "the engine's name, instead of a configuration", &(variable), 0                                               \
    }

/* Waits until all processes of the engine serve. False when the time is over. */
static bool wait_ready(const char *name, int64_t until_ns)
{
    for (; clock_mono_ns() < until_ns; usleep(20000)) {
        struct segment *segment;
        struct buf error = BUF_INIT;
        bool ready = segment_map(&segment, name, true, &error) == 0;
        buf_free(&error);
        if (!ready) continue;
        for (uint32_t p = 0; p < BUS_WORKER_0 + segment_workers(segment); p++) {
            struct proc_view view;
            proc_look(segment, p, &view);
            ready = ready && view.alive && view.state == PROC_RUNNING;
        }
        segment_unmap(segment);
        if (ready) return true;
    }
    return false;
}

/* The name to wait for, before there is a segment that would say it. */
static int wait_for_engine(const char *given, const char *name, const char *seconds)
{
    char copy[64];
    const char *path;
    if (name == NULL) {
        struct config *config = config_open(given, &path);
        if (config == NULL) return EXIT_FAILED;
        snprintf(copy, sizeof copy, "%s", config_str(config_root(config), "name", "carillon"));
        config_free(config);
        name = copy;
    }
    if (wait_ready(name, clock_mono_ns() + (int64_t)(strtod(seconds, NULL) * 1e9))) return EXIT_OK;
    fprintf(stderr, "carillon: the engine %s is not ready after %s s\n", name, seconds);
    return EXIT_FAILED;
}

int command_status(int argc, char **argv)
{
    const char *config = NULL, *name = NULL, *seconds = NULL;
    const struct option_row rows[] = {
        CONFIG_OPTION(config),
        NAME_OPTION(name),
        { 'w', "wait", "SECONDS", "waits so long at most until the engine is ready", &seconds, NULL },
    };
    const struct usage usage = {
        "status [OPTION…]",
        "Shows an engine's processes, heartbeats and counters. It only reads the shared segment and asks nobody, so it works on a\n"
        "stuck or dead engine, too. Exit code 0 if the engine is alive.",
        rows, 3
    };
    int at = options_read(&usage, argc, argv);
    if (at < 0) return options_exit(at);
    int rc = seconds != NULL ? wait_for_engine(config, name, seconds) : 0;
    if (rc != 0) return rc;
    struct segment *segment;
    rc = status_map(config, name, &segment);
    if (rc != 0) return rc;
    struct status_look now;
    struct buf text = BUF_INIT;
    status_look(segment, &now);
    status_print(segment, NULL, &now, &text);
    fputs(buf_text(&text), stdout);
    struct proc_view supervisor;
    proc_look(segment, BUS_SUPERVISOR, &supervisor);
    buf_free(&text);
    segment_unmap(segment);
    return supervisor.alive ? EXIT_OK : EXIT_FAILED;
}

/* The engine may end and another begin under our eyes: then its segment is mapped anew. */
static bool same_engine(const struct segment *segment, const char *name)
{
    struct segment *again;
    struct buf error = BUF_INIT;
    bool same = true;
    if (segment_map(&again, name, true, &error) == 0) {
        same = segment_boot_id(again) == segment_boot_id(segment);
        segment_unmap(again);
    }
    buf_free(&error);
    return same;
}

int command_top(int argc, char **argv)
{
    const char *config = NULL, *name = NULL;
    bool once = false;
    const struct option_row rows[] = { CONFIG_OPTION(config),
                                       NAME_OPTION(name),
                                       { '1', "once", NULL, "one look of a second, then the end", NULL, &once } };
    const struct usage usage = { "top [OPTION…]", "Shows an engine's processes and the counters that move, each second, until Ctrl-C.",
                                 rows, 3 };
    int at = options_read(&usage, argc, argv);
    if (at < 0) return options_exit(at);
    struct segment *segment;
    int rc = status_map(config, name, &segment);
    if (rc != 0) return rc;
    char engine[64];
    snprintf(engine, sizeof engine, "%s", segment_name(segment));
    struct status_look looks[2];
    struct buf text = BUF_INIT;
    status_look(segment, &looks[0]);
    for (unsigned turn = 1; turn == 1 || !once; turn++) {
        sleep(1);
        if (!same_engine(segment, engine)) {
            segment_unmap(segment);
            if ((rc = status_map(NULL, engine, &segment)) != 0) break;
            status_look(segment, &looks[(turn - 1) % 2]);
        }
        status_look(segment, &looks[turn % 2]);
        buf_clear(&text);
        if (!once) buf_puts(&text, "\033[H\033[2J");
        status_print(segment, &looks[(turn - 1) % 2], &looks[turn % 2], &text);
        fputs(buf_text(&text), stdout);
        fflush(stdout);
    }
    buf_free(&text);
    if (rc == 0) segment_unmap(segment);
    return rc;
}
