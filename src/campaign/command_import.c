/* command_import.c: `carillon campaign import`. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "campaign/command_own.h"
#include "campaign/csv.h"
#include "campaign/import.h"
#include "core/config_tree.h"

static void show_progress(void *context, const struct import_result *r)
{
    if (!isatty(STDERR_FILENO)) return;
    double share = r->bytes_total ? 100.0 * (double)r->bytes / (double)r->bytes_total : 0;
    fprintf(stderr, "\r  %" PRIu64 " rows, %.0f %%, %.0f rows/s, %" PRIu64 " bad ", r->rows, share,
            r->seconds > 0 ? (double)r->rows / r->seconds : 0, r->bad);
}

static void show_result(const struct command *c, const struct import_result *r)
{
    if (isatty(STDERR_FILENO)) fputs("\r\033[K", stderr);
    printf("%s: %" PRIu64 " rows: %" PRIu64 " added, %" PRIu64 " already there, %" PRIu64 " repeated in the file, %" PRIu64
           " bad (%.1f s, %.0f rows/s)\n",
           c->name, r->rows, r->added, r->known, r->repeated, r->bad, r->seconds, r->seconds > 0 ? (double)r->rows / r->seconds : 0);
}

/* --- a table of leads in the campaign's file ------------------------------------------------------------------------------ */

/* All keys of all leads, in the order of their appearance: the columns. */
static size_t collect_columns(const struct config_node *leads, char *columns[CSV_FIELDS_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < leads->count; i++)
        for (size_t k = 0; k < leads->children[i]->count; k++) {
            char *name = leads->children[i]->children[k]->name;
            size_t at = 0;
            while (at < count && strcmp(columns[at], name) != 0) at++;
            if (at == count && count < CSV_FIELDS_MAX) columns[count++] = name;
        }
    return count;
}

static int import_table(const struct import_params *params, const struct config_node *leads, const char *source,
                        struct import_result *result, struct buf *error)
{
    static char none[] = "";
    char *columns[CSV_FIELDS_MAX], *fields[CSV_FIELDS_MAX];
    struct import *import;
    size_t count = collect_columns(leads, columns);
    int e = import_open(&import, params, source, error);
    if (e) return e;
    e = import_columns(import, count, columns, error);
    for (size_t i = 0; i < leads->count && e == 0; i++) {
        const struct config_node *lead = leads->children[i];
        for (size_t k = 0; k < count; k++) {
            const struct config_node *field = node_find(lead, columns[k]);
            fields[k] = field && field->text ? field->text : none;
        }
        if (lead->type != NODE_TABLE)
            import_bad(import, (uint64_t)lead->line, "not a table like { number = \"…\" }");
        else
            e = import_row(import, (uint64_t)lead->line, count, fields);
    }
    int closed = import_close(import, result, error);
    return e ? e : closed;
}

/* --- the command --------------------------------------------------------------------------------------------------------- */

static int import_into(struct command *c, const struct import_params *params, const struct campaign_file *file, const char *csv)
{
    struct import_result result = { 0 };
    struct buf error = BUF_INIT;
    int e = csv ? import_csv(params, csv, &result, &error) : import_table(params, file->leads_table, file->path, &result, &error);
    if (e)
        command_fail("%s", error.length ? buf_text(&error) : db_error(params->db));
    else
        show_result(c, &result);
    buf_free(&error);
    return e ? 1 : 0;
}

int command_import_leads(struct command *c, const struct campaign_file *file, bool quiet_if_none)
{
    const char *csv = c->extra ? c->extra : file->leads_path;
    struct buf error = BUF_INIT;
    struct db *db = NULL;
    if (!csv && !file->leads_table)
        return quiet_if_none
                   ? 0
                   : command_fail("%s names no leads; give a CSV file: carillon campaign import %s FILE.csv", file->path, c->name);
    if (import_database(&db, c->params->database, &error)) {
        command_fail("%s", buf_text(&error));
        buf_free(&error);
        return 1;
    }
    const struct import_params params = {
        .db = db,
        .campaign = c->name,
        .default_country = file->default_country,
        .number_column = file->number_column,
        .zone_column = file->zone_column,
        .bad_rows = stderr,
        .progress = show_progress,
    };
    int e = import_into(c, &params, file, csv);
    db_close(db);
    return e;
}

int command_import(struct command *c)
{
    struct campaign_file *file = command_load(c);
    if (!file) return 1;
    int e = command_import_leads(c, file, false);
    campaign_file_free(file);
    return e;
}
