/* broker.c: the broker process: wired together, run, and ended. */
#include "broker/broker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/adopt.h"
#include "broker/agent.h"
#include "broker/call.h"
#include "broker/guard.h"
#include "broker/lane.h"
#include "broker/media.h"
#include "broker/registrar.h"
#include "broker/reload.h"
#include "broker/state.h"
#include "broker/tables.h"
#include "broker/tap.h"
#include "campaign/campaigns.h"
#include "core/clock.h"
#include "core/log.h"

#define BEAT_NS    (50 * NS_PER_MS)
#define GOODBYE_NS (2 * NS_PER_S) /* for BYEs and their answers, when told to end */

/* --- reading the configuration -------------------------------------------------------------------------------------- */

/* What stands in our SDP; the media threads bind the same list. */
static void media_read(struct broker *broker)
{
    const struct config_node *list = config_get(broker->config, "media.addresses");
    const struct config_node *external = config_get(broker->config, "media.external");
    for (uint32_t i = 0; i < config_count(list) && i < MEDIA_ADDRESSES_MAX; i++) {
        const char *bound = config_text(config_child(list, i));
        snprintf(broker->media_addresses[i], sizeof broker->media_addresses[i], "%s",
                 i < config_count(external) ? config_text(config_child(external, i)) : bound);
        broker->media_families[strchr(bound, ':') != NULL] |= 1u << i;
        broker->media_address_count++;
    }
    if (!broker->media_address_count)
        snprintf(broker->media_addresses[broker->media_address_count++], sizeof broker->media_addresses[0], "127.0.0.1");
    broker->port_first = (uint16_t)config_int(broker->config, "media.port_first", 16384);
    broker->port_last = (uint16_t)config_int(broker->config, "media.port_last", 32767);
}

/* --- starting ------------------------------------------------------------------------------------------------------- */

static int ledger_start(struct broker *broker, struct buf *error)
{
    const char *data = config_str(broker->config, "data_dir", "data"), *database = config_str(broker->config, "database", "sqlite");
    char spool[600];
    if (!strcmp(database, "sqlite"))
        snprintf(broker->database, sizeof broker->database, "sqlite://%s/ledger.db", data);
    else
        snprintf(broker->database, sizeof broker->database, "%s", database);
    snprintf(spool, sizeof spool, "%s/spool", data);
    struct ledger_params params = { .database = broker->database, .spool_dir = spool, .node = broker->node, .loop = broker->loop };
    return ledger_open(&broker->ledger, &params, error);
}

static void counters_find(struct broker *broker)
{
    for (int i = 0; i < COUNTER_COUNT; i++) broker->counters[i] = counter_at(broker->segment, broker->args->process, (enum counter)i);
}

static void beat(struct loop_timer *timer)
{
    struct broker *broker = timer->context;
    struct ledger_status ledger;
    int64_t now = clock_mono_ns();
    proc_beat(broker->segment, broker->args->process, now);
    guard_lateness(broker, now - timer->at_ns);
    ledger_status(broker->ledger, &ledger);
    counter_set(broker->counters[COUNTER_attempts_written], ledger.rows_written);
    counter_set(broker->counters[COUNTER_ledger_spooled], ledger.rows_spooled);
    if (broker->campaigns && segment_draining(broker->segment)) campaigns_drain(broker->campaigns);
    loop_timer_set(broker->loop, timer, now + BEAT_NS);
}

static void goodbye_over(struct loop_timer *timer) { agent_stop(timer->context); }

/* SIGTERM: every call gets BYE, CANCEL or a refusal; their answers are waited for a moment. */
static void terminate(void *context)
{
    struct broker *broker = context;
    static struct loop_timer over;
    broker->terminating = true;
    if (broker->campaigns) campaigns_drain(broker->campaigns);
    trunks_goodbye(broker);
    CALLS_EACH(broker, call, following) call_hangup(call, CAUSE_SYSTEM_SHUTDOWN, 0, NULL);
    over = (struct loop_timer) { .fire = goodbye_over, .context = broker };
    loop_timer_set(broker->loop, &over, clock_mono_ns() + (broker->calls.count ? GOODBYE_NS : 0));
}

static int base_start(struct broker *broker, struct buf *error)
{
    int err = loop_new(&broker->loop);
    if (err == 0) err = segment_map(&broker->segment, broker->args->segment, false, error);
    if (err < 0) return err;
    proc_enter(broker->segment, broker->args->process);
    broker->worker_count = segment_workers(broker->segment);
    counters_find(broker);
    err = calls_open(broker);
    media_read(broker);
    if (err < 0) buf_puts(error, "out of memory at the start");
    return err;
}

static int signalling_start(struct broker *broker, struct buf *error)
{
    tap_open(broker);
    guard_open(broker);
    int err = agent_open(broker, error);
    if (err == 0) err = trunks_load(broker, error);
    if (err == 0) err = ledger_start(broker, error);
    if (err == 0) err = permit_open(broker, error);
    if (err == 0) err = slots_open(broker);
    if (err == 0) err = tables_open(broker);
    if (err == 0) err = registrar_open(broker, error);
    return err;
}

static int bus_start(struct broker *broker, struct buf *error)
{
    int err = post_new(&broker->post, broker->segment, broker->args->process, broker->loop, lane_message, broker);
    if (err < 0) {
        buf_printf(error, "the post office cannot be opened: %s", strerror(-err));
        return err;
    }
    post_inherit_notes(broker->post); /* about calls that we adopt */
    post_watch(broker->post, lane_process_changed, broker);
    post_source_add(broker->post, media_poll, broker);
    err = process_signals_watch(&broker->signals, broker->loop, terminate, broker);
    if (err == 0) process_reload_watch(&broker->signals, broker->args, broker_reload);
    return err;
}

static int campaigns_open(struct broker *broker, struct buf *error)
{
    struct campaigns_params params = {
        .dialler = &broker->dialler, .ledger = broker->ledger, .config = broker->args->config, .loop = broker->loop, .node = broker->node
    };
    int err = campaigns_start(&broker->campaigns, &params);
    if (err < 0) buf_printf(error, "the campaigns cannot start: %s", strerror(-err));
    return err;
}

static int start(struct broker *broker, struct buf *error)
{
    int err = base_start(broker, error);
    if (err == 0) err = signalling_start(broker, error);
    if (err == 0) err = bus_start(broker, error);
    if (err < 0) return err;
    broker->dialler.broker = broker;
    broker->beat = (struct loop_timer) { .at_ns = clock_mono_ns(), .fire = beat, .context = broker };
    beat(&broker->beat);
    err = adopt_recover(broker);
    if (err < 0) return buf_printf(error, "the ledger cannot say which calls were under way: %s", strerror(-err)), err;
    err = campaigns_open(broker, error);
    if (err < 0) return err;
    lane_workers_look(broker);
    adopt_calls(broker);
    err = trunks_watch(broker);
    proc_state_set(broker->segment, broker->args->process, PROC_RUNNING);
    return err;
}

static void stop(struct broker *broker)
{
    if (broker->calls.by_channel) calls_close(broker);
    registrar_close(broker);
    if (broker->loop && broker->tables) tables_close(broker);
    if (broker->post) post_free(broker->post);
    if (broker->campaigns) campaigns_stop(broker->campaigns);
    if (broker->ledger) ledger_close(broker->ledger);
    permit_close(broker);
    if (broker->agent.root) agent_close(broker);
    tap_close();
    guard_close(broker);
    trunks_free(broker);
    slots_free(broker);
    kv_free(&broker->globals);
    if (broker->segment) {
        proc_state_set(broker->segment, broker->args->process, PROC_DEAD);
        segment_unmap(broker->segment);
    }
    if (broker->loop) loop_free(broker->loop);
    free(broker);
}

int broker_main(const struct process_args *args)
{
    struct broker *broker = calloc(1, sizeof *broker);
    struct buf error = BUF_INIT;
    if (!broker) return 1;
    broker->args = args;
    broker->config = config_root(args->config);
    broker->globals = KV_INIT;
    snprintf(broker->node, sizeof broker->node, "%s", config_str(broker->config, "name", "carillon"));
    int err = start(broker, &error);
    if (err == 0)
        agent_run(broker);
    else
        log_crit(NULL, "broker: %s", error.length ? buf_text(&error) : strerror(-err));
    stop(broker);
    buf_free(&error);
    return err < 0 ? 1 : 0;
}
