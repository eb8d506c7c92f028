/* reload.c: see reload.h. */
#include "broker/reload.h"

#include <stdlib.h>
#include <string.h>

#include "broker/state.h"
#include "campaign/campaigns.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/log.h"

/* --- rates: a file for each trunk --------------------------------------------------------------------------------------- */

struct rates_reading {
    struct job job;
    struct broker *broker;
    char trunk[BUS_NAME_MAX];
    char *path;
    struct rates *rates;
    int error;
    struct buf problem;
};

static void rates_run(struct job *job)
{
    struct rates_reading *reading = CONTAINER_OF(job, struct rates_reading, job);
    reading->error = rates_load(&reading->rates, reading->path, &reading->problem);
}

static void rates_done(struct job *job)
{
    struct rates_reading *reading = CONTAINER_OF(job, struct rates_reading, job);
    struct trunk *trunk = trunk_named(&reading->broker->trunks, reading->trunk, strlen(reading->trunk));
    if (reading->error < 0 || !trunk) {
        log_err(NULL, "trunks.%s.rates: %s; the prices as they were stay in force", reading->trunk, buf_text(&reading->problem));
    } else {
        rates_free(trunk->rates);
        trunk->rates = reading->rates;
        log_info(NULL, "trunk %s: %zu prices", trunk->name, rates_count(trunk->rates));
    }
    free(reading->path);
    buf_free(&reading->problem);
    free(reading);
}

/* Also where the file's name is as it was: what stands in it may not be. */
static void rates_ask(struct trunk *trunk, const struct config_node *node)
{
    const char *path = config_str(node, "rates", NULL);
    if (!path) {
        rates_free(trunk->rates);
        trunk->rates = NULL;
        return;
    }
    struct rates_reading *reading = calloc(1, sizeof *reading);
    CHECK(reading);
    *reading = (struct rates_reading) {
        .job = { .run = rates_run, .done = rates_done }, .broker = trunk->broker, .path = strdup(path), .problem = BUF_INIT
    };
    memcpy(reading->trunk, trunk->name, sizeof reading->trunk);
    if (jobs_submit(trunk->broker->permit_jobs, &reading->job) == 0) return;
    reading->error = -1;
    buf_puts(&reading->problem, "too many jobs are waiting");
    rates_done(&reading->job);
}

/* --- all of it ---------------------------------------------------------------------------------------------------------- */

/* Caps that an operator changed by command stay unless the configuration changed the trunk. */
static void trunks_take(struct broker *broker, const struct config_node *before, const struct config_node *after)
{
    for (unsigned i = 0; i < broker->trunks.count; i++) {
        struct trunk *trunk = &broker->trunks.list[i];
        const struct config_node *was = config_get(config_get(before, "trunks"), trunk->name),
                                 *is = config_get(config_get(after, "trunks"), trunk->name);
        if (!is) continue;
        rates_ask(trunk, is);
        if (config_same(was, is)) continue;
        trunk_rules_take(trunk, is);
        trunk_serve(trunk);
    }
}

void broker_reload(void *context, const struct config *config)
{
    struct broker *broker = context;
    const struct config_node *before = broker->config, *after = config_root(config);
    broker->config = after;
    trunks_take(broker, before, after);
    if (config_num(before, "limits.cps", 0) != config_num(after, "limits.cps", 0))
        pace_set(&broker->trunks.pace, config_num(after, "limits.cps", 1000), clock_mono_ns());
    int err = permit_reload(broker);
    if (err < 0) log_err(NULL, "the permit's rules could not be read again: %s; they are as they were", strerror(-err));
    if (broker->campaigns) campaigns_config_set(broker->campaigns, config);
    log_notice(NULL, "the new configuration is in force");
}
