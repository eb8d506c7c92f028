/* permit_load.c: the permit's rules from the configuration, its lists, and the day so far from the ledger. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/permit.h"
#include "broker/state.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/log.h"
#include "store/db.h"

#define SWEEP_NS      NS_PER_S
#define READ_AGAIN_NS NS_PER_S
#define DAY_US        86400000000LL

/* --- rules ---------------------------------------------------------------------------------------------------------- */

static int list_read(const struct config_node *list, void **items, size_t each, size_t *count)
{
    *count = config_count(list);
    char *at = *items = calloc(*count + 1, each);
    if (!at) return -ENOMEM;
    for (size_t i = 0; i < *count; i++) snprintf(at + i * each, each, "%s", config_text(config_child(list, i)));
    return 0;
}

#define LIST_READ(path, list, count) list_read(config_get(broker->config, path), (void **)&(list), sizeof *(list), &(count))

/* The lists of a new set of rules; those of the old one are the caller's. */
static int rule_lists_read(const struct broker *broker, struct permit_rules *rules)
{
    int err = LIST_READ("numbers.countries", rules->countries, rules->country_count);
    if (err == 0) err = LIST_READ("numbers.emergency", rules->emergency, rules->emergency_count);
    if (err == 0) err = LIST_READ("numbers.own", rules->own, rules->own_count);
    if (err == 0) err = LIST_READ("sip.uri_hosts", rules->uri_hosts, rules->uri_host_count);
    return err;
}

static void rule_lists_free(struct permit_rules *rules)
{
    free(rules->countries);
    free(rules->emergency);
    free(rules->own);
    free(rules->uri_hosts);
}

static int rules_read(struct broker *broker)
{
    struct permit_rules rules = broker->permit, *old = &broker->permit;
    const struct config_node *config = broker->config;
    rules.countries = NULL, rules.emergency = rules.own = NULL, rules.uri_hosts = NULL;
    int err = rule_lists_read(broker, &rules);
    if (err < 0) return rule_lists_free(&rules), err;
    rule_lists_free(old);
    snprintf(rules.default_country, sizeof rules.default_country, "%s", config_str(config, "numbers.default_country", ""));
    rules.max_call_s = (uint32_t)config_int(config, "limits.max_call_s", 3600);
    rules.max_price = config_num(config, "limits.max_price", 0);
    rules.has_window = window_of_config(config_get(config, "numbers.window"), &rules.window);
    rules.spend = &broker->spend;
    *old = rules;
    broker->spend.limit = config_num(config, "limits.spend_per_day", 0);
    broker->spend.tripped = false; /* an alarm for the new limit */
    broker->cap.max = (uint32_t)config_int(config, "limits.concurrent", 3000);
    return 0;
}

/* --- the day so far --------------------------------------------------------------------------------------------------- */

struct day_reading {
    struct ledger_job job;
    struct broker *broker;
    uint32_t limit; /* of attempts; 0 = no history is wanted */
    struct number_history *history;
    double ended; /* cost of calls that ended today */
};

static void row_take(struct day_reading *reading, const struct db_statement *s, int64_t midnight_us)
{
    char e164[PERMIT_NUMBER_MAX];
    bool as_given;
    if (db_int(s, 2) >= midnight_us) reading->ended += db_real(s, 3);
    if (!reading->history || number_normalise(&reading->broker->permit, db_text(s, 0), e164, sizeof e164, &as_given) < 0) return;
    number_history_note(reading->history, e164, db_int(s, 1) / 1000000);
}

static int day_read(struct ledger_job *job, struct db *db)
{
    struct day_reading *reading = CONTAINER_OF(job, struct day_reading, job);
    int64_t now = clock_utc_us();
    char since[UUID_TEXT_SIZE];
    struct db_statement *s = NULL;
    number_history_free(reading->history);
    reading->history = reading->limit ? number_history_new(reading->limit) : NULL;
    reading->ended = 0;
    uuid_text_at(now - DAY_US, since); /* ids sort by time: a range of the primary key */
    int err = db_prepare(db, &s, "SELECT number, claimed_us, end_us, cost FROM attempt WHERE id >= ? AND state <> 'refused'");
    if (err < 0) return err;
    db_bind_text(s, 1, since);
    while ((err = db_step(s)) == 1) row_take(reading, s, now / DAY_US * DAY_US);
    db_finalize(s);
    return err;
}

static void day_done(struct ledger_job *job, int error)
{
    struct day_reading *reading = CONTAINER_OF(job, struct day_reading, job);
    struct broker *broker = reading->broker;
    broker->permit_reading = false;
    if (error < 0) { /* the database is away: nobody may be called until it says whom we called */
        log_warning(NULL, "the ledger cannot be read for attempts and costs of the last day: %s; calls wait for it", strerror(-error));
        number_history_free(reading->history);
        loop_timer_set(broker->loop, &broker->permit_timer, clock_mono_ns() + READ_AGAIN_NS);
    } else {
        broker->permit.history = reading->history;
        broker->spend.day = clock_utc_us() / DAY_US;
        broker->spend.ended += reading->ended;
        broker->permit.loading = false;
        loop_timer_set(broker->loop, &broker->permit_timer, clock_mono_ns() + SWEEP_NS);
    }
    free(reading);
}

/* At a fresh start at once, before anybody can ask for a call; later on the ledger's thread. */
static void day_ask(struct broker *broker, bool at_once)
{
    const struct db_options options = { .read_only = true };
    struct buf error = BUF_INIT;
    struct db *db = NULL;
    struct day_reading *reading = calloc(1, sizeof *reading);
    CHECK(reading);
    *reading = (struct day_reading) { .job = { day_read, day_done, NULL }, .broker = broker };
    reading->limit = (uint32_t)config_int(broker->config, "numbers.attempts_per_day", 0);
    broker->permit_reading = true;
    if (at_once && db_open(&db, broker->database, &options, &error) == 0) {
        day_done(&reading->job, day_read(&reading->job, db));
        db_close(db);
    } else
        ledger_submit(broker->ledger, &reading->job);
    buf_free(&error);
}

/* Reads the day until that worked; afterwards sweeps what is older. */
static void timer_fired(struct loop_timer *timer)
{
    struct broker *broker = timer->context;
    if (broker->permit.loading) {
        if (!broker->permit_reading) day_ask(broker, false);
        return;
    }
    if (broker->permit.history) number_history_sweep(broker->permit.history, clock_utc_us() / 1000000);
    loop_timer_set(broker->loop, timer, clock_mono_ns() + SWEEP_NS);
}

/* --- open and close --------------------------------------------------------------------------------------------------- */

static int lists_open(struct broker *broker, bool at_once, struct buf *error)
{
    struct do_not_call_params params = { .loop = broker->loop,
                                         .ledger = broker->ledger,
                                         .database = broker->database,
                                         .files = config_get(broker->config, "numbers.do_not_call"),
                                         .default_country = broker->permit.default_country,
                                         .at_once = at_once };
    int err = jobs_new(&broker->permit_jobs, broker->loop, 1, "permits");
    if (err < 0) return err;
    params.jobs = broker->permit_jobs;
    return do_not_call_open(&broker->permit.do_not_call, &params, error);
}

int permit_open(struct broker *broker, struct buf *error)
{
    struct proc_view view;
    int err = rules_read(broker);
    proc_peek(broker->segment, broker->args->process, &view);
    bool fresh = view.epoch <= 1; /* the first broker of this engine: nobody waits for it, and its lists are there before the first call */
    broker->permit_timer = (struct loop_timer) { .fire = timer_fired, .context = broker };
    if (err == 0) err = lists_open(broker, fresh, error);
    if (err < 0) return err;
    /* The day is read where it matters: a broker that comes back is not kept from dialling by a day's rows for nothing. */
    broker->permit.loading = config_int(broker->config, "numbers.attempts_per_day", 0) > 0 || broker->spend.limit > 0;
    if (broker->permit.loading) day_ask(broker, fresh);
    return 0;
}

void permit_close(struct broker *broker)
{
    struct permit_rules *rules = &broker->permit;
    if (broker->loop) loop_timer_clear(broker->loop, &broker->permit_timer);
    do_not_call_close(rules->do_not_call);
    if (broker->permit_jobs) jobs_free(broker->permit_jobs);
    number_history_free(rules->history);
    rule_lists_free(rules);
}

int permit_reload(struct broker *broker)
{
    int err = rules_read(broker);
    if (err == 0) do_not_call_files_set(broker->permit.do_not_call, config_get(broker->config, "numbers.do_not_call"));
    return err;
}
