/* command_leads.c: `carillon campaign leads` and `add`: a campaign's leads one by one, for people and for REST. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaign/command_own.h"
#include "campaign/import.h"
#include "campaign/json.h"
#include "campaign/numbers.h"

#define LIMIT     100
#define LIMIT_MAX 10000

#define LEADS_SQL                                                                                                                          \
    "SELECT l.id, l.number, l.zone, l.state, l.disposition, l.tries, l.next_us, l.variables, l.attempt, l.updated_us FROM lead l JOIN "    \
    "campaign c"                                                                                                                           \
    " ON c.id = l.campaign WHERE c.name = ? AND l.id > ? AND (CAST(? AS TEXT) = '' OR l.state = ?) AND (CAST(? AS TEXT) = '' OR l.number " \
    "= ?)"                                                                                                                                 \
    " ORDER BY l.id LIMIT ?"

struct wish {
    const char *state;
    char number[NUMBER_SIZE];
    int64_t after, limit;
};

static const char *field(const struct command *c, const char *name, const char *otherwise)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < c->field_count; i++)
        if (strncmp(c->fields[i], name, length) == 0 && c->fields[i][length] == '=') return c->fields[i] + length + 1;
    return otherwise;
}

static int whole(const char *text, int64_t most, int64_t *out)
{
    char *end;
    *out = strtoll(text, &end, 10);
    return *text == 0 || *end || *out < 0 || *out > most ? -EINVAL : 0;
}

static int wish_read(const struct command *c, struct wish *wish)
{
    static const char *const known[] = { "state", "number", "after", "limit" };
    const char *number = field(c, "number", ""), *why;
    for (size_t i = 0; i < c->field_count; i++) {
        bool good = false;
        for (size_t k = 0; k < sizeof known / sizeof known[0]; k++)
            good = good || strncmp(c->fields[i], known[k], strcspn(c->fields[i], "=")) == 0;
        if (!good) return command_fail("leads: \"%s\": expected state=, number=, after= or limit=", c->fields[i]);
    }
    wish->state = field(c, "state", "");
    if (whole(field(c, "after", "0"), INT64_MAX, &wish->after) || whole(field(c, "limit", "100"), LIMIT_MAX, &wish->limit))
        return command_fail("leads: after= and limit= want whole numbers, limit at most %d", LIMIT_MAX);
    if (*number && number_to_e164(number, config_str(config_root(c->params->config), "numbers.default_country", NULL), wish->number, &why))
        return command_fail("leads: \"%s\": %s", number, why);
    return 0;
}

static void lead_json(const struct db_statement *s, struct buf *out)
{
    buf_putc(out, '{');
    json_int(out, "id", db_int(s, 0));
    json_text(out, "number", db_text(s, 1));
    json_text(out, "zone", db_null(s, 2) ? NULL : db_text(s, 2));
    json_text(out, "state", db_text(s, 3));
    json_text(out, "disposition", db_null(s, 4) ? NULL : db_text(s, 4));
    json_int(out, "tries", db_int(s, 5));
    json_int(out, "next_us", db_int(s, 6));
    json_name(out, "variables"); /* an object already */
    buf_puts(out, *db_text(s, 7) == '{' ? db_text(s, 7) : "{}");
    json_text(out, "attempt", db_null(s, 8) ? NULL : db_text(s, 8));
    json_int(out, "updated_us", db_int(s, 9));
    buf_putc(out, '}');
}

static void lead_line(const struct db_statement *s, struct buf *out)
{
    buf_printf(out, "%-16s %-10s %-14s %5" PRId64 " tries  %s\n", db_text(s, 1), db_text(s, 3), db_null(s, 4) ? "-" : db_text(s, 4),
               db_int(s, 5), db_text(s, 7));
}

/* `last` gets the highest id: where the next page begins. */
static int leads_write(struct command *c, struct db *db, const struct wish *wish, struct buf *out, int64_t *last)
{
    struct db_statement *s = NULL;
    int rows = 0, e = db_prepare(db, &s, LEADS_SQL);
    if (e == 0) {
        db_bind_text(s, 1, c->name);
        db_bind_int(s, 2, wish->after);
        db_bind_text(s, 3, wish->state);
        db_bind_text(s, 4, wish->state);
        db_bind_text(s, 5, wish->number);
        db_bind_text(s, 6, wish->number);
        db_bind_int(s, 7, wish->limit);
    }
    while (e == 0 && (e = db_step(s)) == 1) {
        if (c->json && rows++) buf_putc(out, ',');
        (c->json ? lead_json : lead_line)(s, out);
        *last = db_int(s, 0);
        e = 0;
    }
    db_finalize(s);
    return e;
}

static struct db *database(struct command *c)
{
    struct buf error = BUF_INIT;
    struct db *db = NULL;
    if (import_database(&db, c->params->database, &error)) command_fail("%s", buf_text(&error));
    buf_free(&error);
    return db;
}

static bool campaign_known(struct command *c, struct db *db)
{
    struct db_statement *s = NULL;
    int e = db_prepare(db, &s, "SELECT id FROM campaign WHERE name = ?");
    if (e == 0) {
        db_bind_text(s, 1, c->name);
        e = db_step(s);
        db_done(s);
    }
    db_finalize(s);
    return e == 1;
}

int command_leads(struct command *c)
{
    struct wish wish = { 0 };
    struct buf out = BUF_INIT;
    int64_t last = 0;
    if (wish_read(c, &wish)) return 2;
    struct db *db = database(c);
    if (!db) return 1;
    if (c->json) buf_puts(&out, "{\"leads\":[");
    int e = campaign_known(c, db) ? leads_write(c, db, &wish, &out, &last) : command_fail("the ledger knows no campaign %s", c->name);
    if (e < 0) command_fail("the database fails: %s", db_error(db));
    if (c->json && last)
        buf_printf(&out, "],\"next\":%" PRId64 "}\n", last);
    else if (c->json)
        buf_puts(&out, "],\"next\":null}\n");
    if (e == 0) fputs(buf_text(&out), stdout);
    buf_free(&out);
    db_close(db);
    return e ? 1 : 0;
}

/* "number=15550100" "zone=Europe/Berlin" "name=Ann": the fields are the columns of a list of one row. */
int command_add(struct command *c)
{
    char *columns[COMMAND_FIELDS_MAX], *values[COMMAND_FIELDS_MAX];
    struct import_result result = { 0 };
    struct import *import;
    struct buf error = BUF_INIT;
    struct db *db = c->field_count ? database(c) : NULL;
    if (!c->field_count) return command_fail("add: which number? carillon campaign add NAME number=15550100 [zone=…] [COLUMN=VALUE…]");
    if (!db) return 1;
    for (size_t i = 0; i < c->field_count; i++) {
        size_t length = strcspn(c->fields[i], "=");
        columns[i] = strndup(c->fields[i], length);
        values[i] = c->fields[i] + length + 1;
    }
    struct import_params params = { .db = db,
                                    .campaign = c->name,
                                    .number_column = "number",
                                    .zone_column = field(c, "zone", NULL) ? "zone" : NULL,
                                    .default_country = config_str(config_root(c->params->config), "numbers.default_country", NULL),
                                    .bad_rows = stderr };
    int e = import_open(&import, &params, "add", &error);
    if (e == 0) {
        e = import_columns(import, c->field_count, columns, &error);
        if (e == 0) e = import_row(import, 1, c->field_count, values);
        int closed = import_close(import, &result, &error);
        e = e ? e : closed;
    }
    if (e)
        command_fail("%s", error.length ? buf_text(&error) : db_error(db));
    else if (c->json && !result.bad)
        printf("{\"added\":%" PRIu64 ",\"known\":%" PRIu64 "}\n", result.added, result.known);
    else if (!result.bad)
        printf("%s\n", result.added ? "added" : "the campaign has this number already");
    for (size_t i = 0; i < c->field_count; i++) free(columns[i]);
    buf_free(&error);
    db_close(db);
    return e || result.bad ? 1 : 0;
}
