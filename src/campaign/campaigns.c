/* campaigns.c: the list of campaigns, the tick, the operators' commands. */
#include "campaign/campaigns.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaign/campaigns_own.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/log.h"

static void tick(struct loop_timer *timer)
{
    struct campaigns *all = timer->context;
    int64_t now = loop_now_ns(all->params.loop);
    for (struct campaign *c = all->first; c; c = c->next) campaign_feed(c, now);
    if (all->resume_at_ns && now >= all->resume_at_ns) {
        all->resume_at_ns = 0;
        campaigns_resume(all);
    }
    loop_timer_set(all->params.loop, timer, now + TICK_MS * NS_PER_MS);
}

int campaigns_start(struct campaigns **out, const struct campaigns_params *params)
{
    struct campaigns *all = calloc(1, sizeof *all);
    if (!all) return -ENOMEM;
    all->params = *params;
    all->node = strdup(params->node && params->node[0] ? params->node : "carillon");
    all->params.node = all->node;
    all->tick = (struct loop_timer) { .fire = tick, .context = all };
    loop_timer_set(params->loop, &all->tick, clock_mono_ns() + TICK_MS * NS_PER_MS);
    campaigns_resume(all);
    *out = all;
    return 0;
}

void campaigns_config_set(struct campaigns *campaigns, const struct config *config) { campaigns->params.config = config; }

void campaigns_free(struct campaigns *campaigns)
{
    for (struct campaign *c = campaigns->first, *next; c; c = next) {
        next = c->next;
        lead_list_free(&c->queue);
        campaign_file_free(c->file);
        free(c);
    }
    free(campaigns->node);
    free(campaigns);
}

void campaigns_stop(struct campaigns *campaigns)
{
    if (!campaigns) return;
    loop_timer_clear(campaigns->params.loop, &campaigns->tick);
    campaigns->draining = true;
    for (struct campaign *c = campaigns->first; c; c = c->next) campaign_release_queue(c);
    adopted_give_up(campaigns);
    campaigns->ended = true;
    if (campaigns->jobs == 0) campaigns_free(campaigns);
}

void campaigns_drain(struct campaigns *campaigns)
{
    campaigns->draining = true;
    for (struct campaign *c = campaigns->first; c; c = c->next) campaign_release_queue(c);
}

uint32_t campaigns_busy(const struct campaigns *campaigns)
{
    uint32_t busy = 0;
    for (const struct campaign *c = campaigns->first; c; c = c->next) busy += c->in_progress;
    return busy;
}

struct campaign *campaign_find(const struct campaigns *campaigns, const char *name)
{
    for (struct campaign *c = campaigns->first; c; c = c->next)
        if (strcmp(c->name, name) == 0) return c;
    return NULL;
}

struct campaign *campaign_add(struct campaigns *campaigns, const char *name, const char *path)
{
    struct campaign *c = calloc(1, sizeof *c);
    CHECK(c);
    c->all = campaigns;
    snprintf(c->name, sizeof c->name, "%s", name);
    snprintf(c->path, sizeof c->path, "%s", path);
    c->state = CAMPAIGN_LOADING;
    c->wanted = CAMPAIGN_RUNNING;
    c->next = campaigns->first;
    campaigns->first = c;
    return c;
}

void campaign_fail(struct campaign *campaign, const char *problem)
{
    snprintf(campaign->problem, sizeof campaign->problem, "%s", problem);
    campaign->problem[strcspn(campaign->problem, "\n")] = 0;
    log_err(NULL, "campaign %s: %s", campaign->name, campaign->problem);
    campaigns_forsake(campaign->all, campaign->name);
    campaign_end(campaign, CAMPAIGN_FAILED);
}

void campaign_end(struct campaign *campaign, enum campaign_state state)
{
    campaign_release_queue(campaign);
    campaign->state = state;
    campaign->ended_ns = clock_mono_ns();
    campaign_save_state(campaign, state == CAMPAIGN_DONE ? "done" : state == CAMPAIGN_STOPPED ? "stopped" : "failed");
    if (state != CAMPAIGN_FAILED)
        log_notice(NULL, "campaign %s: %s: %llu calls, %llu answered", campaign->name, state == CAMPAIGN_DONE ? "done" : "stopped",
                   (unsigned long long)campaign->dialled, (unsigned long long)campaign->answered);
}

/* --- commands ------------------------------------------------------------------------------------------------------------- */

static int refuse(struct buf *reply, const char *name, const char *why)
{
    buf_printf(reply, "-ERR campaign %s: %s\n", name, why);
    return -EINVAL;
}

static bool over(const struct campaign *c)
{
    return c->state == CAMPAIGN_DONE || c->state == CAMPAIGN_STOPPED || c->state == CAMPAIGN_FAILED;
}

/* A new run of an old campaign: figures from nought, the file read again. */
static void renew(struct campaign *c, const char *path)
{
    struct campaign fresh = { .next = c->next, .all = c->all, .state = CAMPAIGN_LOADING, .wanted = CAMPAIGN_RUNNING };
    memcpy(fresh.name, c->name, sizeof fresh.name);
    snprintf(fresh.path, sizeof fresh.path, "%s", path);
    campaign_file_free(c->file);
    *c = fresh;
}

static int command_run(struct campaigns *all, struct campaign *c, const char *name, const char *path, struct buf *reply)
{
    if (all->draining) return refuse(reply, name, "the engine is ending: no new calls");
    if (path[0] != '/') return refuse(reply, name, "run needs the absolute path of its file");
    if (strlen(path) >= sizeof c->path || strlen(name) >= sizeof c->name) return refuse(reply, name, "its name or path is too long");
    if (c && c->state == CAMPAIGN_STOPPING) return refuse(reply, name, "is still stopping: calls are in progress");
    if (c && !over(c) && c->state != CAMPAIGN_PAUSED) { /* also one that went on by itself with this engine: whoever asked may watch it */
        buf_printf(reply, "+OK campaign %s runs already\n", name);
        return 0;
    }
    if (c && over(c) && (c->in_progress || c->claiming || all->jobs)) return refuse(reply, name, "is still ending; try again in a second");
    if (c && c->state == CAMPAIGN_PAUSED) {
        c->state = CAMPAIGN_RUNNING;
        campaign_save_state(c, "running");
    } else {
        if (c)
            renew(c, path);
        else
            c = campaign_add(all, name, path);
        campaign_load(c);
    }
    buf_printf(reply, "+OK campaign %s begins\n", name);
    return 0;
}

static int command_pause(struct campaign *c, struct buf *reply)
{
    if (c->state == CAMPAIGN_LOADING)
        c->wanted = CAMPAIGN_PAUSED;
    else if (c->state == CAMPAIGN_RUNNING)
        c->state = CAMPAIGN_PAUSED;
    else if (c->state != CAMPAIGN_PAUSED)
        return refuse(reply, c->name, "does not run");
    campaign_release_queue(c);
    campaign_save_state(c, "paused");
    buf_printf(reply, "+OK campaign %s pauses; %u calls go on to their end\n", c->name, c->in_progress);
    return 0;
}

static int command_resume(struct campaign *c, struct buf *reply)
{
    if (c->state == CAMPAIGN_LOADING)
        c->wanted = CAMPAIGN_RUNNING;
    else if (c->state == CAMPAIGN_PAUSED)
        c->state = CAMPAIGN_RUNNING;
    else if (c->state != CAMPAIGN_RUNNING)
        return refuse(reply, c->name, "is not paused: run it");
    campaign_save_state(c, "running");
    buf_printf(reply, "+OK campaign %s goes on\n", c->name);
    return 0;
}

static int command_stop(struct campaigns *all, struct campaign *c, bool now, struct buf *reply)
{
    if (over(c)) return refuse(reply, c->name, "does not run");
    campaign_release_queue(c);
    if (c->state == CAMPAIGN_LOADING) campaigns_forsake(all, c->name);
    c->state = CAMPAIGN_STOPPING; /* the next tick without calls ends it */
    campaign_save_state(c, "stopping");
    if (now) campaign_hangup_all(c);
    buf_printf(reply, "+OK campaign %s stops; %u calls in progress%s\n", c->name, c->in_progress,
               now ? " are hung up" : " go on to their end");
    return 0;
}

static int command_progress(struct campaigns *all, const char *name, struct buf *reply)
{
    const struct campaign *c = campaign_find(all, name);
    if (*name && !c) return refuse(reply, name, "does not run here");
    if (c) {
        campaign_progress(c, reply);
    } else {
        buf_putc(reply, '[');
        for (c = all->first; c; c = c->next) {
            if (c != all->first) buf_putc(reply, ',');
            campaign_progress(c, reply);
        }
        buf_putc(reply, ']');
    }
    buf_putc(reply, '\n');
    return 0;
}

int campaigns_command(struct campaigns *campaigns, const char *command, const char *args, struct buf *reply)
{
    char name[80];
    size_t length = strcspn(args, " ");
    const char *rest = args + length + strspn(args + length, " ");
    snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name - 1), args);
    struct campaign *c = campaign_find(campaigns, name);
    if (strcmp(command, "progress") == 0) return command_progress(campaigns, name, reply);
    if (!*name) return refuse(reply, "?", "which one? name it");
    if (strcmp(command, "run") == 0) return command_run(campaigns, c, name, rest, reply);
    if (!c) return refuse(reply, name, "does not run here");
    if (strcmp(command, "pause") == 0) return command_pause(c, reply);
    if (strcmp(command, "resume") == 0) return command_resume(c, reply);
    if (strcmp(command, "stop") == 0) return command_stop(campaigns, c, strcmp(rest, "now") == 0, reply);
    return refuse(reply, name, "no such command; there are run, pause, resume, stop, progress");
}
