/* trace.c: `carillon trace`: a call's SIP as a ladder, what its audio was like, and both as a capture file. It reads shared memory
 * (bus/trace.h, bus/slot.h) and asks nobody: so it works on an engine that is stuck or was killed, too. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bus/segment.h"
#include "bus/slot.h"
#include "bus/trace.h"
#include "main/command.h"
#include "main/trace_pcap.h"

#define LADDER_COLUMNS 60
#define LISTED         20

struct ladder {
    FILE *pcap;
    bool whole, mask;
    int count, failed;
    int64_t first_us;
    char remote[80], last[200]; /* of the message before */
};

/* A message's first line, the body's kind and codecs: what a line of the ladder has room for. */
static void summary(const struct trace_message *m, char *out, size_t size)
{
    int line = (int)strcspn(m->text, "\r\n");
    size_t n = 0;
    if (strncmp(m->text, "SIP/2.0 ", 8) == 0)
        n = (size_t)snprintf(out, size, "%.*s", line - 8, m->text + 8);
    else
        n = (size_t)snprintf(out, size, "%.*s", (int)(line > 8 && strncmp(m->text + line - 8, " SIP/2.0", 8) == 0 ? line - 8 : line),
                             m->text);
    const char *audio = strstr(m->text, "m=audio ");
    if (audio && n < size) snprintf(out + n, size - n, " · SDP %.*s", (int)strcspn(audio + 8, " \r\n"), audio + 8);
}

/* How many columns a UTF-8 text takes. */
static size_t columns(const char *text)
{
    size_t n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static void dashes(size_t count)
{
    while (count-- > 0) fputs("─", stdout);
}

static void rung(struct ladder *ladder, const struct trace_message *m)
{
    char text[200], again[220];
    summary(m, text, sizeof text);
    while (columns(text) > LADDER_COLUMNS - 8) text[strlen(text) - 1] = 0;
    snprintf(again, sizeof again, "%s%s", m->sent ? "s" : "r", text);
    bool resent = !strncmp(ladder->last, again, sizeof ladder->last - 1);
    snprintf(ladder->last, sizeof ladder->last, "%s", again);
    size_t room = LADDER_COLUMNS - columns(text) - 5;
    printf("%10.6f  │%s── %s ", (double)(m->utc_us - ladder->first_us) / 1e6, m->sent ? "─" : "◀", text);
    dashes(room > 0 ? room : 1);
    printf("%s│", m->sent ? "▶" : "─");
    if (strcmp(ladder->remote, m->remote)) printf(" %s %s", m->remote, m->transport);
    puts(resent ? " (again)" : "");
    snprintf(ladder->remote, sizeof ladder->remote, "%s", m->remote);
}

static void date_write(int64_t utc_us, char *out, size_t size)
{
    time_t at = (time_t)(utc_us / 1000000);
    struct tm parts;
    size_t n = strftime(out, size, "%Y-%m-%d %H:%M:%S", gmtime_r(&at, &parts));
    snprintf(out + n, size - n, ".%06d UTC", (int)(utc_us % 1000000));
}

static bool message_show(void *context, const struct trace_message *shown)
{
    struct ladder *ladder = context;
    struct trace_message m = *shown;
    char *copy = malloc(m.length + 1), when[48];
    if (!copy) return false;
    memcpy(copy, m.text, m.length);
    copy[m.length] = 0;
    m.text = copy;
    if (ladder->mask) trace_mask(copy, m.length);
    if (ladder->pcap) {
        ladder->failed = pcap_put(ladder->pcap, &m);
    } else {
        if (ladder->count == 0) {
            ladder->first_us = m.utc_us;
            date_write(m.utc_us, when, sizeof when);
            printf("%s\nCall-ID %s\n%10s  us %-*s far end\n", when, m.call_id, "seconds", LADDER_COLUMNS - 5, m.local);
        }
        rung(ladder, &m);
        if (ladder->whole) printf("\n%s\n", copy);
    }
    ladder->count++;
    free(copy);
    return ladder->failed == 0;
}

/* --- what the audio was like ---------------------------------------------------------------------------------------- */

static void slot_show(const struct slot_call *call, const struct slot_totals *totals)
{
    char text[UUID_TEXT_SIZE];
    printf("\ncall    %s%s%s%s%s\n", uuid_text(&call->channel, text), *call->trunk ? ", trunk " : "", call->trunk,
           *call->campaign ? ", campaign " : "", call->campaign);
    if (!call->media.codec[0]) {
        puts("media   none");
        return;
    }
    uint64_t expected = totals->packets_received + totals->packets_lost;
    printf("media   %s%s, sent %llu packets, received %llu, lost %llu (%.2f %%), late %llu\n", call->media.codec,
           *call->media.crypto_local ? " (SRTP)" : "", (unsigned long long)totals->packets_sent,
           (unsigned long long)totals->packets_received, (unsigned long long)totals->packets_lost,
           expected ? 100.0 * (double)totals->packets_lost / (double)expected : 0.0, (unsigned long long)totals->packets_late);
    printf("        jitter %.1f ms, round trip %.1f ms, MOS %.2f\n", totals->jitter_us / 1000.0, totals->rtt_us / 1000.0,
           totals->mos_x100 / 100.0);
}

/* A slot keeps what its call was until another one leases it. */
static void media_show(const char *name, const char *what)
{
    struct segment *segment;
    struct slot_call call;
    struct slot_totals totals;
    struct buf error = BUF_INIT;
    if (segment_map(&segment, name, true, &error) == 0) {
        if (trace_media(segment, what, &call, &totals)) slot_show(&call, &totals);
        segment_unmap(segment);
    }
    buf_free(&error);
}

/* --- the list of calls ------------------------------------------------------------------------------------------------ */

struct listed {
    char uuid[UUID_TEXT_SIZE], call_id[128];
    int64_t utc_us;
};
struct list {
    struct listed last[LISTED];
    int count;
};

static bool name_take(void *context, const struct uuid *channel, const char *call_id, int64_t utc_us)
{
    struct list *list = context;
    struct listed *one = &list->last[list->count++ % LISTED];
    uuid_text(channel, one->uuid);
    snprintf(one->call_id, sizeof one->call_id, "%s", call_id);
    one->utc_us = utc_us;
    return true;
}

static int names_show(const struct trace *trace)
{
    static struct list list;
    char when[48];
    trace_names(trace, name_take, &list);
    for (int i = list.count > LISTED ? list.count - LISTED : 0; i < list.count; i++) {
        const struct listed *one = &list.last[i % LISTED];
        date_write(one->utc_us, when, sizeof when);
        printf("%s  %s  %s\n", when, one->uuid, one->call_id);
    }
    if (list.count == 0) puts("no call yet");
    return EXIT_OK;
}

/* --- the command --------------------------------------------------------------------------------------------------------- */

static int nothing_found(const struct trace *trace, const char *what)
{
    char since[48];
    int64_t from = trace_since(trace);
    date_write(from, since, sizeof since);
    if (from)
        fprintf(stderr, "carillon: nothing of %s is in the trace, which reaches back to %s (trace_mb says how far it may)\n", what, since);
    else
        fprintf(stderr, "carillon: the trace is empty\n");
    return EXIT_FAILED;
}

static int show(const struct trace *trace, const char *name, const char *what, struct ladder *ladder, const char *path)
{
    if (path && !(ladder->pcap = strcmp(path, "-") ? fopen(path, "wb") : stdout)) {
        fprintf(stderr, "carillon: cannot write %s: %s\n", path, strerror(errno));
        return EXIT_FAILED;
    }
    if (ladder->pcap) ladder->failed = pcap_begin(ladder->pcap);
    int found = trace_walk(trace, what, message_show, ladder);
    if (ladder->pcap && ladder->pcap != stdout && fclose(ladder->pcap) != 0) ladder->failed = -errno;
    if (ladder->failed < 0) {
        fprintf(stderr, "carillon: cannot write %s: %s\n", path, strerror(-ladder->failed));
        return EXIT_FAILED;
    }
    if (found <= 0) return nothing_found(trace, what ? what : "any call");
    if (path)
        fprintf(stderr, "%d messages\n", ladder->count);
    else if (what)
        media_show(name, what);
    return EXIT_OK;
}

/* The engine's name; *mask is set where the configuration masks numbers in logs. */
static int name_find(const char *given, const char *name, char out[64], bool *mask)
{
    const char *path;
    if (name == NULL) {
        struct config *config = config_open(given, &path);
        if (config == NULL) return EXIT_FAILED;
        snprintf(out, 64, "%s", config_str(config_root(config), "name", "carillon"));
        *mask = *mask || config_bool(config_root(config), "log.mask_numbers", false);
        config_free(config);
    } else {
        snprintf(out, 64, "%s", name);
    }
    return 0;
}

int command_trace(int argc, char **argv)
{
    const char *config = NULL, *name = NULL, *pcap = NULL;
    struct ladder ladder = { 0 };
    char engine[64];
    const struct option_row rows[] = {
        CONFIG_OPTION(config),
        { 'n', "name", "NAME", "the engine's name, instead of a configuration", &name, NULL },
        { 'm', "messages", NULL, "the messages whole, under each line of the ladder", NULL, &ladder.whole },
        { 'k', "mask", NULL, "telephone numbers masked but for their last two digits (log.mask_numbers does so, too)", NULL, &ladder.mask },
        { 'w', "pcap", "FILE", "writes a capture for Wireshark, tcpdump, sngrep (`-` = stdout)", &pcap, NULL },
    };
    const struct usage usage = {
        "trace [OPTION…] [UUID | CALL-ID | all]",
        "Shows a call's SIP messages as a ladder and what its audio was like, live or afterwards, as long as the trace holds them\n"
        "(the configuration's `trace` and `trace_mb`). `all` is every message; without a call the latest calls are listed.",
        rows, sizeof rows / sizeof rows[0]
    };
    int at = options_read(&usage, argc, argv);
    if (at < 0) return options_exit(at);
    if (argc - at > 1) return usage_wrong("trace", "one call, please");
    int rc = name_find(config, name, engine, &ladder.mask);
    if (rc != 0) return rc;
    struct trace *trace;
    int err = trace_open(&trace, engine);
    if (err < 0) {
        if (err == -ENOENT)
            fprintf(stderr, "carillon: the engine %s keeps no trace: it does not run, or its configuration says trace = \"off\"\n", engine);
        else
            fprintf(stderr, "carillon: cannot read the trace of %s: %s\n", engine, strerror(-err));
        return EXIT_FAILED;
    }
    const char *what = at < argc && strcmp(argv[at], "all") ? argv[at] : NULL;
    rc = at == argc && !pcap ? names_show(trace) : show(trace, engine, what, &ladder, pcap);
    trace_close(trace);
    return rc;
}
