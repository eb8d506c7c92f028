/* report_text.c: a report for people, and for programs. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "campaign/json.h"
#include "campaign/report.h"
#include "core/clock.h"

/* --- JSON ------------------------------------------------------------------------------------------------------------- */

static void json_words(struct buf *out, const char *name, const struct report_words *w)
{
    json_name(out, name);
    buf_putc(out, '{');
    for (size_t i = 0; i < w->count; i++) json_int(out, w->word[i].word, w->word[i].count);
    buf_putc(out, '}');
}

static void json_time(struct buf *out, const char *name, int64_t us)
{
    char text[40];
    json_text(out, name, us ? clock_utc_text(us, text, sizeof text) : NULL);
}

static void json_percentiles(struct buf *out, const char *name, int64_t p50, int64_t p95)
{
    json_name(out, name);
    buf_putc(out, '{');
    if (p50 >= 0) {
        json_int(out, "p50", p50);
        json_int(out, "p95", p95);
    }
    buf_putc(out, '}');
}

static void json_leads(struct buf *out, const struct report *r)
{
    json_name(out, "leads");
    buf_putc(out, '{');
    json_int(out, "total", r->leads);
    json_int(out, "done", r->done);
    json_int(out, "fresh", r->fresh);
    json_int(out, "retrying", r->retrying);
    json_int(out, "open", r->open);
    buf_putc(out, '}');
}

static void json_attempts(struct buf *out, const struct report *r)
{
    json_name(out, "attempts");
    buf_putc(out, '{');
    json_int(out, "total", r->attempts);
    json_int(out, "invites", r->invites);
    json_int(out, "answered", r->answered);
    json_int(out, "interrupted", r->interrupted);
    json_int(out, "refused", r->refused);
    json_int(out, "unfinished", r->unfinished);
    json_words(out, "dispositions", &r->attempt_dispositions);
    buf_putc(out, '}');
}

static void json_media(struct buf *out, const struct report *r)
{
    json_name(out, "media");
    buf_putc(out, '{');
    json_int(out, "calls", r->with_media);
    json_int(out, "packets_sent", r->sent);
    json_int(out, "packets_received", r->received);
    json_int(out, "packets_lost", r->lost);
    json_int(out, "packets_late", r->late);
    json_real(out, "lost_percent", report_share(r->lost, r->received + r->lost), 4);
    json_real(out, "late_percent", report_share(r->late, r->sent), 4);
    json_real(out, "jitter_ms", r->jitter_ms, 3);
    json_real(out, "mos", r->mos, 2);
    buf_putc(out, '}');
}

void report_json(const struct report *r, struct buf *out)
{
    buf_putc(out, '{');
    json_text(out, "campaign", r->name);
    json_text(out, "state", r->state);
    json_text(out, "problem", r->problem[0] ? r->problem : NULL);
    json_leads(out, r);
    json_attempts(out, r);
    json_words(out, "dispositions", &r->dispositions);
    json_words(out, "causes", &r->causes);
    json_words(out, "sip_status", &r->statuses);
    json_words(out, "refused", &r->refusals);
    json_words(out, "tries", &r->tries);
    json_words(out, "trunks", &r->trunks);
    json_words(out, "digits", &r->digits);
    json_real(out, "asr", report_share(r->answered, r->invites) / 100, 4);
    json_real(out, "acd_s", r->answered ? (double)r->billsec_ms / 1000 / (double)r->answered : 0, 3);
    json_real(out, "billsec", (double)r->billsec_ms / 1000, 3);
    json_percentiles(out, "pdd_ms", r->pdd_p50, r->pdd_p95);
    json_percentiles(out, "talk_ms", r->bill_p50, r->bill_p95);
    json_media(out, r);
    json_time(out, "first", r->first_us);
    json_time(out, "last", r->last_us);
    json_real(out, "elapsed_s", r->last_us > r->first_us ? (double)(r->last_us - r->first_us) / 1e6 : 0, 3);
    buf_puts(out, "}\n");
}

/* --- text -------------------------------------------------------------------------------------------------------------- */

#define BAR_WIDTH 24

static void heading(struct buf *out, const char *text) { buf_printf(out, "\n%s\n", text); }

static void bar(struct buf *out, double percent)
{
    int n = (int)lround(percent * BAR_WIDTH / 100);
    for (int i = 0; i < n; i++) buf_puts(out, "█");
    buf_putc(out, '\n');
}

static void text_words(struct buf *out, const char *title, const struct report_words *w, size_t most)
{
    int64_t sum = 0, rest = 0;
    for (size_t i = 0; i < w->count; i++) sum += w->word[i].count;
    if (sum == 0) return;
    heading(out, title);
    for (size_t i = 0; i < w->count && i < most; i++) {
        buf_printf(out, "  %-28s %8lld  %5.1f %%  ", w->word[i].word, (long long)w->word[i].count, report_share(w->word[i].count, sum));
        bar(out, report_share(w->word[i].count, sum));
    }
    for (size_t i = most; i < w->count; i++) rest += w->word[i].count;
    if (rest) buf_printf(out, "  %-28s %8lld  %5.1f %%\n", "other", (long long)rest, report_share(rest, sum));
}

/* 3725 s → "1:02:05" */
static void put_span(struct buf *out, int64_t ms)
{
    int64_t s = ms / 1000;
    if (s >= 3600)
        buf_printf(out, "%lld:%02lld:%02lld", (long long)(s / 3600), (long long)(s / 60 % 60), (long long)(s % 60));
    else if (s >= 60)
        buf_printf(out, "%lld:%02lld min", (long long)(s / 60), (long long)(s % 60));
    else
        buf_printf(out, "%.1f s", (double)ms / 1000);
}

static void text_head(struct buf *out, const struct report *r)
{
    char first[40] = "", last[40] = "";
    buf_printf(out, "Campaign %s: %s\n", r->name, r->state);
    if (r->problem[0]) buf_printf(out, "  problem: %s\n", r->problem);
    if (r->first_us && r->last_us) {
        clock_utc_text(r->first_us, first, sizeof first);
        clock_utc_text(r->last_us, last, sizeof last);
        buf_printf(out, "  first call %.19sZ, last end %.19sZ, ", first, last);
        put_span(out, (r->last_us - r->first_us) / 1000);
        if (r->last_us > r->first_us) buf_printf(out, ", %.1f calls/s", (double)r->invites * 1e6 / (double)(r->last_us - r->first_us));
        buf_putc(out, '\n');
    }
}

static void text_leads(struct buf *out, const struct report *r)
{
    heading(out, "Leads");
    buf_printf(out, "  total %lld, done %lld (%.1f %%), never tried %lld, waiting for another try %lld, in progress %lld\n",
               (long long)r->leads, (long long)r->done, report_share(r->done, r->leads), (long long)r->fresh, (long long)r->retrying,
               (long long)r->open);
    if (r->next_due_us > clock_utc_us()) {
        char at[40];
        buf_printf(out, "  next try at %.19sZ\n", clock_utc_text(r->next_due_us, at, sizeof at));
    }
}

static void text_calls(struct buf *out, const struct report *r)
{
    heading(out, "Calls");
    buf_printf(out, "  attempts %lld, INVITEs %lld, answered %lld", (long long)r->attempts, (long long)r->invites, (long long)r->answered);
    if (r->interrupted) buf_printf(out, ", interrupted %lld", (long long)r->interrupted);
    if (r->refused) buf_printf(out, ", refused %lld", (long long)r->refused);
    if (r->unfinished) buf_printf(out, ", unfinished %lld", (long long)r->unfinished);
    buf_printf(out, "\n  ASR %.1f %%", report_share(r->answered, r->invites));
    if (r->answered) {
        buf_puts(out, ", ACD ");
        put_span(out, r->billsec_ms / r->answered);
        buf_puts(out, ", talk time ");
        put_span(out, r->billsec_ms);
        buf_printf(out, " (median %.1f s, p95 %.1f s)", (double)r->bill_p50 / 1000, (double)r->bill_p95 / 1000);
    }
    buf_putc(out, '\n');
    if (r->pdd_p50 >= 0) buf_printf(out, "  PDD median %lld ms, p95 %lld ms\n", (long long)r->pdd_p50, (long long)r->pdd_p95);
}

static void text_media(struct buf *out, const struct report *r)
{
    if (r->sent + r->received == 0) return;
    heading(out, "Audio");
    buf_printf(out, "  packets sent %lld (late by more than 5 ms: %lld, %.3f %%), received %lld, lost %lld (%.3f %%)\n", (long long)r->sent,
               (long long)r->late, report_share(r->late, r->sent), (long long)r->received, (long long)r->lost,
               report_share(r->lost, r->received + r->lost));
    buf_printf(out, "  jitter %.1f ms", r->jitter_ms);
    if (r->mos > 0) buf_printf(out, ", MOS %.2f (E-model estimate)", r->mos);
    buf_putc(out, '\n');
}

static void text_trunks(struct buf *out, const struct report_words *w)
{
    if (w->count < 2) return;
    heading(out, "Trunks                            calls    ASR");
    for (size_t i = 0; i < w->count; i++)
        buf_printf(out, "  %-28s %8lld  %5.1f %%\n", w->word[i].word, (long long)w->word[i].count,
                   report_share(w->word[i].answered, w->word[i].count));
}

void report_text(const struct report *r, struct buf *out)
{
    text_head(out, r);
    text_leads(out, r);
    text_calls(out, r);
    text_media(out, r);
    text_words(out, "Leads that are done, by disposition", &r->dispositions, 20);
    text_words(out, "Attempts, by hangup cause", &r->causes, 15);
    text_words(out, "Refused before any INVITE, by reason", &r->refusals, 10);
    text_words(out, "Digits pressed", &r->digits, 10);
    text_words(out, "Leads, by tries", &r->tries, 10);
    text_trunks(out, &r->trunks);
}
