/* do_not_call.c: see do_not_call.h. The loop's side: what is in force, what is added by word of mouth, when to read again. */
#include "campaign/do_not_call.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "campaign/do_not_call_own.h"
#include "campaign/numbers.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/log.h"
#include "store/db.h"

#define LOOK_NS  (10 * NS_PER_S)
#define AGAIN_NS NS_PER_S /* after a reading that failed before there ever was one */

/* Added or removed by a command: stands beside the sets until a reading that began after its row was written. */
struct change {
    struct ledger_job job;
    struct change *next;
    struct do_not_call *list;
    char number[NUMBER_SIZE], campaign[64], reason[64];
    bool added;   /* false: removed */
    bool written; /* the table has it */
    bool read;    /* it had it before the reading under way began */
};

struct do_not_call {
    struct do_not_call_params params;
    struct loop_timer look;
    struct list_file file[DO_NOT_CALL_FILES_MAX];
    size_t file_count;
    struct list_table table;
    struct number_set *files, *everyone;
    struct campaign_list *campaigns;
    struct change *changes;
    const struct config_node *wanted_files; /* set while the old ones were being read */
    bool reading, again, stale, closed;
    uint32_t jobs; /* of the ledger, under way; the struct lives until 0 */
    char problem[300];
};

/* --- what is in force ---------------------------------------------------------------------------------------------------- */

bool do_not_call_ready(const struct do_not_call *list) { return list->everyone && (list->files || !list->file_count); }

static struct campaign_list *campaign_list(const struct do_not_call *list, const char *campaign)
{
    struct campaign_list *at = list->campaigns;
    while (at && strcmp(at->name, campaign) != 0) at = at->next;
    return at;
}

bool do_not_call_has(const struct do_not_call *list, const char *e164, const char *campaign)
{
    if (list->files && number_set_has(list->files, e164)) return true;
    if (list->everyone && number_set_has(list->everyone, e164)) return true;
    const struct campaign_list *own = campaign && *campaign ? campaign_list(list, campaign) : NULL;
    return own && number_set_has(own->set, e164);
}

static struct number_set *set_named(struct do_not_call *list, const char *campaign)
{
    if (!*campaign) return list->everyone;
    struct campaign_list *own = campaign_list(list, campaign);
    if (own) return own->set;
    own = calloc(1, sizeof *own);
    CHECK(own);
    snprintf(own->name, sizeof own->name, "%s", campaign);
    own->set = number_set_new();
    CHECK(own->set);
    number_set_seal(own->set);
    own->next = list->campaigns;
    list->campaigns = own;
    return own->set;
}

static int change_apply(struct do_not_call *list, const struct change *change)
{
    struct number_set *set = set_named(list, change->campaign);
    if (change->added) return number_set_add(set, change->number);
    number_set_remove(set, change->number);
    return 0;
}

static void files_name(struct do_not_call *list, const struct config_node *files);

/* --- reading again ------------------------------------------------------------------------------------------------------- */

static void reading_run(struct job *job) { list_read(CONTAINER_OF(job, struct list_reading, job)); }

static void reading_free(struct list_reading *reading)
{
    number_set_free(reading->files);
    number_set_free(reading->everyone);
    campaign_lists_free(reading->campaigns);
    buf_free(&reading->problem);
    free(reading);
}

/* Changes that the reading cannot have seen are made again on the new sets; those it saw are done with. */
static void changes_settle(struct do_not_call *list)
{
    for (struct change **at = &list->changes; *at;) {
        struct change *change = *at;
        if (!change->read) {
            change_apply(list, change);
            at = &change->next;
            continue;
        }
        *at = change->next;
        free(change);
    }
}

static void take_over(struct do_not_call *list, struct list_reading *reading)
{
    if (reading->files) {
        number_set_free(list->files);
        list->files = reading->files;
        memcpy(list->file, reading->file, sizeof list->file);
    }
    if (reading->everyone) {
        number_set_free(list->everyone);
        campaign_lists_free(list->campaigns);
        list->everyone = reading->everyone;
        list->campaigns = reading->campaigns;
        list->table = reading->table;
        changes_settle(list);
    }
    if (reading->files || reading->everyone) {
        struct buf text = BUF_INIT;
        do_not_call_describe(list, &text);
        log_info(NULL, "do-not-call: %s", buf_text(&text));
        buf_free(&text);
    }
    reading->files = reading->everyone = NULL;
    reading->campaigns = NULL;
}

static void complain(struct do_not_call *list, const struct list_reading *reading)
{
    const char *text = buf_text((struct buf *)&reading->problem);
    if (reading->error && strcmp(text, list->problem) != 0)
        log_err(NULL, "do-not-call list: %s%s", text, do_not_call_ready(list) ? "" : "; nobody is called until it can be read");
    else if (!reading->error && reading->bad)
        log_warning(NULL, "do-not-call list: %llu entries are no numbers and were left out: %s", (unsigned long long)reading->bad, text);
    snprintf(list->problem, sizeof list->problem, "%s", reading->error ? text : "");
}

static void free_when_idle(struct do_not_call *list)
{
    if (!list->closed || list->reading || list->jobs) return;
    for (struct change *next; list->changes; list->changes = next) {
        next = list->changes->next;
        free(list->changes);
    }
    for (size_t i = 0; i < list->file_count; i++) free(list->file[i].path);
    number_set_free(list->files);
    number_set_free(list->everyone);
    campaign_lists_free(list->campaigns);
    free(list);
}

static void files_take(struct do_not_call *list)
{
    files_name(list, list->wanted_files);
    list->stale = false;
    if (list->file_count == 0) {
        number_set_free(list->files);
        list->files = NULL;
    }
}

static void reading_done(struct job *job)
{
    struct list_reading *reading = CONTAINER_OF(job, struct list_reading, job);
    struct do_not_call *list = reading->list;
    list->reading = false;
    if (!list->closed) {
        if (!reading->error) take_over(list, reading);
        complain(list, reading);
        loop_timer_set(list->params.loop, &list->look, clock_mono_ns() + (list->again ? 0 : do_not_call_ready(list) ? LOOK_NS : AGAIN_NS));
        list->again = false;
    }
    reading_free(reading);
    free_when_idle(list);
}

static struct list_reading *reading_new(struct do_not_call *list)
{
    struct list_reading *reading = calloc(1, sizeof *reading);
    CHECK(reading);
    reading->job = (struct job) { .run = reading_run, .done = reading_done };
    reading->list = list;
    reading->problem = BUF_INIT;
    reading->database = list->params.database;
    reading->default_country = list->params.default_country;
    memcpy(reading->file, list->file, sizeof reading->file);
    reading->file_count = list->file_count;
    reading->table = list->table;
    for (struct change *change = list->changes; change; change = change->next) change->read = change->written;
    list->reading = true;
    return reading;
}

static void look(struct loop_timer *timer)
{
    struct do_not_call *list = timer->context;
    if (list->reading) return;
    struct list_reading *reading = reading_new(list);
    if (jobs_submit(list->params.jobs, &reading->job) == 0) return;
    list->reading = false;
    reading_free(reading);
    loop_timer_set(list->params.loop, timer, clock_mono_ns() + AGAIN_NS);
}

void do_not_call_reload(struct do_not_call *list)
{
    list->again = list->reading;
    if (!list->reading) loop_timer_set(list->params.loop, &list->look, clock_mono_ns());
}

/* --- changes by command -------------------------------------------------------------------------------------------------- */

static int change_run(struct ledger_job *job, struct db *db)
{
    struct change *change = CONTAINER_OF(job, struct change, job);
    struct db_statement *s = NULL;
    int e = db_prepare(
        db, &s,
        change->added
            ? "INSERT INTO do_not_call (number, campaign, reason, added_us) VALUES (?, ?, ?, ?) ON CONFLICT (number, campaign) DO NOTHING"
            : "DELETE FROM do_not_call WHERE number = ? AND campaign = ?");
    if (e) return e;
    db_bind_text(s, 1, change->number);
    db_bind_text(s, 2, change->campaign);
    if (change->added) {
        db_bind_text(s, 3, change->reason);
        db_bind_int(s, 4, clock_utc_us());
    }
    e = db_run(s);
    db_finalize(s);
    return e;
}

/* A database that is away gets it later: the change stays in force here. */
static void change_done(struct ledger_job *job, int error)
{
    struct change *change = CONTAINER_OF(job, struct change, job);
    struct do_not_call *list = change->list;
    list->jobs--;
    if (error && !list->closed && db_away(error)) {
        list->jobs++;
        ledger_submit(list->params.ledger, job);
        return;
    }
    if (error) log_err(NULL, "do-not-call: %s could not be written to the table: %s", change->number, strerror(-error));
    change->written = true;
    free_when_idle(list);
}

static int change_make(struct do_not_call *list, const char *number, const char *campaign, const char *reason, bool added)
{
    const char *why;
    struct change *change = calloc(1, sizeof *change);
    if (!change) return -ENOMEM;
    *change = (struct change) { .job = { change_run, change_done, NULL }, .list = list, .added = added };
    snprintf(change->campaign, sizeof change->campaign, "%s", campaign);
    snprintf(change->reason, sizeof change->reason, "%s", reason);
    int e = number_to_e164(number, list->params.default_country, change->number, &why);
    if (e == 0 && !do_not_call_ready(list)) e = -EAGAIN;
    if (e == 0) e = change_apply(list, change);
    if (e) {
        free(change);
        return e;
    }
    struct change **end = &list->changes;
    while (*end) end = &(*end)->next;
    *end = change;
    list->jobs++;
    ledger_submit(list->params.ledger, &change->job);
    return 0;
}

int do_not_call_add(struct do_not_call *list, const char *number, const char *campaign, const char *reason)
{
    return change_make(list, number, campaign, reason, true);
}

int do_not_call_remove(struct do_not_call *list, const char *number, const char *campaign)
{
    char e164[NUMBER_SIZE];
    const char *why;
    int e = change_make(list, number, campaign, "", false);
    bool in_file = e == 0 && number_to_e164(number, list->params.default_country, e164, &why) == 0 && list->files &&
                   number_set_has(list->files, e164);
    return in_file ? -EEXIST : e;
}

/* --- open, close, describe ----------------------------------------------------------------------------------------------- */

static void files_name(struct do_not_call *list, const struct config_node *files)
{
    for (size_t i = 0; i < list->file_count; i++) free(list->file[i].path);
    list->file_count = 0;
    for (size_t i = 0; i < config_count(files) && i < DO_NOT_CALL_FILES_MAX; i++)
        list->file[list->file_count++] = (struct list_file) { .path = strdup(config_text(config_child(files, i))), .size = -1 };
}

static int files_try(const struct do_not_call *list, struct buf *error)
{
    for (size_t i = 0; i < list->file_count; i++) {
        if (access(list->file[i].path, R_OK) == 0) continue;
        int e = -errno;
        return buf_printf(error, "numbers.do_not_call: %s: %s", list->file[i].path, strerror(-e)), e;
    }
    return 0;
}

static bool files_are(const struct do_not_call *list, const struct config_node *files)
{
    bool same = config_count(files) == list->file_count;
    for (size_t i = 0; i < list->file_count && same; i++) same = strcmp(list->file[i].path, config_text(config_child(files, i))) == 0;
    return same;
}

void do_not_call_files_set(struct do_not_call *list, const struct config_node *files)
{
    if (!files_are(list, files)) {
        list->stale = list->reading; /* what is being read now is of the old files, and holds their paths */
        list->wanted_files = files;
        if (!list->reading) files_take(list);
    }
    do_not_call_reload(list);
}

int do_not_call_open(struct do_not_call **out, const struct do_not_call_params *params, struct buf *error)
{
    struct do_not_call *list = calloc(1, sizeof *list);
    if (!list) return -ENOMEM;
    list->params = *params;
    list->table = (struct list_table) { -1, -1 };
    list->look = (struct loop_timer) { .fire = look, .context = list };
    files_name(list, params->files);
    int e = files_try(list, error);
    if (e) {
        do_not_call_close(list);
        return e;
    }
    if (params->at_once) {
        struct list_reading *reading = reading_new(list);
        list_read(reading);
        reading_done(&reading->job);
    } else
        look(&list->look);
    *out = list;
    return 0;
}

void do_not_call_close(struct do_not_call *list)
{
    if (!list) return;
    loop_timer_clear(list->params.loop, &list->look);
    list->closed = true;
    free_when_idle(list);
}

void do_not_call_describe(const struct do_not_call *list, struct buf *out)
{
    size_t campaigns = 0, of_campaigns = 0;
    for (const struct campaign_list *at = list->campaigns; at; at = at->next) {
        campaigns++;
        of_campaigns += number_set_count(at->set);
    }
    buf_printf(out, "%zu numbers in %zu files, %zu in the table, %zu of %zu campaigns alone",
               list->files ? number_set_count(list->files) : 0, list->file_count, list->everyone ? number_set_count(list->everyone) : 0,
               of_campaigns, campaigns);
    if (list->problem[0]) buf_printf(out, "; %s", list->problem);
}
