/* metrics.c: /metrics in Prometheus' text format: every counter of every process, histograms, heartbeats, and what the broker says
 * about trunks (left out while it does not answer). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus/counter.h"
#include "bus/histogram.h"
#include "control/http_own.h"

#define BROKER_TIMEOUT_NS (2 * NS_PER_S)
#define TYPE              "text/plain; version=0.0.4; charset=utf-8"

/* What goes up and down; all others only rise. */
static bool is_gauge(enum counter counter)
{
    switch (counter) {
    case COUNTER_calls_active:
    case COUNTER_ledger_spooled:
    case COUNTER_scripts_active:
    case COUNTER_script_memory_bytes:
    case COUNTER_media_legs:
    case COUNTER_lateness_max_us:
        return true;
    default:
        return false;
    }
}

static void process_label(uint32_t process, char out[24])
{
    static const char *const names[] = { "supervisor", "broker", "control" };
    if (process < BUS_WORKER_0)
        snprintf(out, 24, "%s", names[process]);
    else
        snprintf(out, 24, "worker%u", process - BUS_WORKER_0);
}

static void head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_printf(out, "# HELP carillon_%s %s\n# TYPE carillon_%s %s\n", name, help, name, type);
}

static void counters(const struct segment *segment, struct buf *out)
{
    for (unsigned c = 0; c < COUNTER_COUNT; c++) {
        enum counter counter = (enum counter)c;
        const char *help = counter_help(counter), *total = is_gauge(counter) ? "" : "_total";
        char name[80];
        snprintf(name, sizeof name, "%s%s", counter_name(counter), total);
        head(out, name, is_gauge(counter) ? "gauge" : "counter", *help != 0 ? help : counter_name(counter));
        for (uint32_t p = 0; p < segment_processes(segment); p++) {
            char label[24];
            process_label(p, label);
            buf_printf(out, "carillon_%s{process=\"%s\"} %" PRIu64 "\n", name, label, counter_read(segment, p, counter));
        }
    }
}

/* Which processes ever write a histogram: only these have a line. */
static bool writes(enum histogram histogram, uint32_t process)
{
    bool broker = histogram == HISTOGRAM_post_dial_delay || histogram == HISTOGRAM_answer_delay;
    return broker ? process == BUS_BROKER : process >= BUS_WORKER_0;
}

static void histograms(const struct segment *segment, struct buf *out)
{
    for (unsigned h = 0; h < HISTOGRAM_COUNT; h++) {
        enum histogram histogram = (enum histogram)h;
        const char *name = histogram_name(histogram);
        head(out, name, "histogram", histogram_help(histogram));
        for (uint32_t p = 0; p < segment_processes(segment); p++) {
            struct histogram_counts counts;
            uint64_t sum = 0;
            char label[24];
            if (!writes(histogram, p)) continue;
            histogram_read(segment, p, histogram, &counts);
            process_label(p, label);
            for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
                sum += counts.below[i];
                buf_printf(out, "carillon_%s_bucket{process=\"%s\",le=\"%g\"} %" PRIu64 "\n", name, label, histogram_bound(histogram, i),
                           sum);
            }
            sum += counts.below[HISTOGRAM_BOUNDS];
            buf_printf(out, "carillon_%s_bucket{process=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", name, label, sum);
            buf_printf(out, "carillon_%s_sum{process=\"%s\"} %.6g\n", name, label, (double)counts.sum * histogram_scale(histogram));
            buf_printf(out, "carillon_%s_count{process=\"%s\"} %" PRIu64 "\n", name, label, sum);
        }
    }
}

static void processes(const struct segment *segment, struct buf *out)
{
    int64_t now = clock_mono_ns();
    static const char *const names[] = { "process_up", "process_starts", "process_heartbeat_age_seconds" };
    static const char *const helps[] = { "1 if the process runs", "how often it was started", "since its last heartbeat" };
    for (unsigned m = 0; m < 3; m++) {
        head(out, names[m], "gauge", helps[m]);
        for (uint32_t p = 0; p < segment_processes(segment); p++) {
            struct proc_view view;
            char label[24];
            proc_look(segment, p, &view);
            process_label(p, label);
            int64_t silent = view.beat_ns > 0 && now > view.beat_ns ? now - view.beat_ns : 0;
            double value = m == 0 ? (view.alive && view.state == PROC_RUNNING) : m == 1 ? view.epoch : (double)silent / 1e9;
            buf_printf(out, "carillon_%s{process=\"%s\"} %.6g\n", names[m], label, value);
        }
    }
    head(out, "slots", "gauge", "calls that the engine can hold");
    buf_printf(out, "carillon_slots %u\n", segment_slots(segment));
    head(out, "draining", "gauge", "1 while the engine ends and lets calls finish");
    buf_printf(out, "carillon_draining %d\n", segment_draining(segment));
    head(out, "start_time_seconds", "gauge", "when the engine was started, since 1970");
    buf_printf(out, "carillon_start_time_seconds %.3f\n", (double)segment_started_utc_us(segment) / 1e6);
}

/* `trunk list`: its columns by place. */
static void trunks(const char *text, struct buf *out)
{
    static const struct {
        unsigned column;
        const char *name, *type, *help;
    } figures[] = {
        { 2, "trunk_calls", "gauge", "calls on the trunk" },
        { 3, "trunk_calls_cap", "gauge", "calls that it may have at a time" },
        { 4, "trunk_cps_cap", "gauge", "INVITEs per second that it may get" },
        { 5, "trunk_waiting", "gauge", "calls that wait for the trunk" },
        { 6, "trunk_invites_total", "counter", "INVITEs sent" },
        { 7, "trunk_answered_total", "counter", "calls answered" },
        { 8, "trunk_failed_total", "counter", "calls ended without an answer" },
        { 1, "trunk_up", "gauge", "1 if calls may begin on it" },
    };
    for (size_t f = 0; f < sizeof figures / sizeof figures[0]; f++) {
        char *copy = strdup(text), *rest = copy, *line;
        head(out, figures[f].name, figures[f].type, figures[f].help);
        for (unsigned row = 0; rest != NULL && (line = strsep(&rest, "\n")) != NULL; row++) {
            const char *cell = NULL, *name = line;
            for (unsigned c = 0; c <= figures[f].column && line != NULL; c++) cell = strsep(&line, "\t");
            if (row == 0 || cell == NULL || *name == 0 || cell == name) continue;
            buf_printf(out, "carillon_%s{trunk=\"%s\"} %s\n", figures[f].name, name,
                       figures[f].column == 1 ? (strcmp(cell, "up") == 0 ? "1" : "0") : cell);
        }
        free(copy);
    }
}

/* Lines of trunk, cause, calls of late, calls since the start. */
static void trunk_causes(const char *text, struct buf *out)
{
    char *copy = strdup(text), *rest = copy, *line;
    head(out, "trunk_causes_total", "counter", "calls ended on the trunk, by hangup cause");
    while (rest != NULL && (line = strsep(&rest, "\n")) != NULL) {
        const char *cells[4] = { NULL };
        for (unsigned c = 0; c < 4 && line != NULL; c++) cells[c] = strsep(&line, "\t");
        if (cells[3] != NULL) buf_printf(out, "carillon_trunk_causes_total{trunk=\"%s\",cause=\"%s\"} %s\n", cells[0], cells[1], cells[3]);
    }
    free(copy);
}

static void answered(struct http_request *request, int status, struct kv_view pairs)
{
    struct buf out = BUF_INIT;
    const struct segment *segment = request->http->control->segment;
    counters(segment, &out);
    histograms(segment, &out);
    processes(segment, &out);
    if (status == 0) {
        trunks(kv_get_or(pairs, "text", ""), &out);
        trunk_causes(kv_get_or(pairs, "causes", ""), &out);
    }
    http_reply(request, 200, TYPE, buf_text(&out), out.length);
    buf_free(&out);
}

void http_metrics(struct http_request *request) { http_ask_engine(request, answered, BROKER_TIMEOUT_NS, "trunk", "list", NULL); }
