/* campaigns_progress.c: live figures. */
#include <string.h>

#include "campaign/campaigns_own.h"
#include "campaign/json.h"
#include "core/clock.h"

static void turn_to(struct campaign *c, int64_t second)
{
    if (second - c->second >= RATE_SECONDS)
        memset(c->per_second, 0, sizeof c->per_second);
    else
        for (int64_t s = c->second + 1; s <= second; s++) c->per_second[s % RATE_SECONDS] = 0;
    if (second > c->second) c->second = second;
}

void campaign_count_dial(struct campaign *campaign, int64_t now_ns)
{
    turn_to(campaign, now_ns / NS_PER_S);
    campaign->per_second[campaign->second % RATE_SECONDS]++;
}

/* Over the last 5 whole seconds, or as many as it runs. */
double campaign_cps(const struct campaign *campaign, int64_t now_ns)
{
    int64_t now = now_ns / NS_PER_S, ran = now - campaign->started_ns / NS_PER_S;
    int64_t window = ran < 1 ? 1 : ran > 5 ? 5 : ran, sum = 0;
    for (int64_t s = now - window; s < now; s++)
        if (s <= campaign->second && s > campaign->second - RATE_SECONDS) sum += campaign->per_second[s % RATE_SECONDS];
    return (double)sum / (double)window;
}

static const char *state_name(const struct campaign *c)
{
    switch (c->state) {
    case CAMPAIGN_LOADING:
        return "loading";
    case CAMPAIGN_RUNNING:
        return c->all->draining ? "draining" : c->in_progress || c->queue.count || c->next_due_us <= clock_utc_us() ? "running" : "waiting";
    case CAMPAIGN_PAUSED:
        return "paused";
    case CAMPAIGN_STOPPING:
        return "stopping";
    case CAMPAIGN_STOPPED:
        return "stopped";
    case CAMPAIGN_DONE:
        return "done";
    case CAMPAIGN_FAILED:
        return "failed";
    }
    return "";
}

void campaign_progress(const struct campaign *campaign, struct buf *out)
{
    const struct campaign *c = campaign;
    struct ledger_status ledger;
    int64_t now = c->ended_ns ? c->ended_ns : clock_mono_ns(), now_us = clock_utc_us();
    double ran = c->started_ns ? (double)(now - c->started_ns) / NS_PER_S : 0, cps = c->ended_ns ? 0 : campaign_cps(c, now);
    int64_t left = c->counts.total - c->counts.done;
    ledger_status(c->all->params.ledger, &ledger);
    buf_putc(out, '{');
    json_text(out, "name", c->name);
    json_text(out, "state", state_name(c));
    json_int(out, "leads", c->counts.total);
    json_int(out, "done", c->counts.done);
    json_int(out, "dialled", (long long)c->dialled);
    json_int(out, "in_progress", c->in_progress);
    json_int(out, "answered", (long long)c->answered);
    json_int(out, "abandoned", (long long)c->abandoned);
    json_int(out, "retries", (long long)c->retries);
    json_int(out, "refused", (long long)c->refused);
    json_real(out, "cps", cps, 1);
    json_real(out, "elapsed_s", ran, 1);
    if (c->ended && left > 0 && ran > 0) json_int(out, "eta_s", (long long)((double)left * ran / (double)c->ended));
    if (c->next_due_us > now_us && c->state == CAMPAIGN_RUNNING) json_int(out, "next_due_s", (c->next_due_us - now_us) / 1000000 + 1);
    json_text(out, "problem", c->problem[0] ? c->problem : ledger.problem);
    buf_putc(out, '}');
}
