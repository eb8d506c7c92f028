/* do_not_call_read.c: files and table into sets, on a helper's thread. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "campaign/do_not_call_own.h"
#include "campaign/number_file.h"
#include "campaign/numbers.h"
#include "store/db.h"

#define BAD_SHOWN 3 /* bad lines that the log names */

static void bad(struct list_reading *reading, const char *where, uint64_t line, const char *text, const char *reason)
{
    if (reading->bad++ < BAD_SHOWN)
        buf_printf(&reading->problem, "%s%s:%llu: \"%.40s\": %s", reading->problem.length ? "; " : "", where, (unsigned long long)line,
                   text, reason);
}

/* --- files ------------------------------------------------------------------------------------------------------------- */

static int number_take(struct number_file *file, const char *e164)
{
    struct list_reading *reading = file->context;
    return number_set_append(reading->files, e164);
}

static void line_bad(struct number_file *file, uint64_t line, const char *text, const char *reason)
{
    struct list_reading *reading = file->context;
    bad(reading, reading->path, line, text, reason);
}

static int file_read(struct list_reading *reading, const char *path)
{
    struct number_file file = { .default_country = reading->default_country, .number = number_take, .bad = line_bad, .context = reading };
    reading->path = path;
    return number_file_read(&file, path, &reading->problem);
}

/* True if the file is not what it was. One that is gone is an error: better no call than a wrong one. */
static int file_look(struct list_reading *reading, struct list_file *file, bool *changed)
{
    struct stat now;
    if (stat(file->path, &now) < 0) {
        int e = -errno;
        buf_printf(&reading->problem, "%s: %s; the list as it was stays in force", file->path, strerror(-e));
        return e;
    }
    int64_t mtime = (int64_t)now.st_mtim.tv_sec * 1000000000 + now.st_mtim.tv_nsec;
    *changed |= mtime != file->mtime_ns || now.st_size != file->size || now.st_ino != file->inode;
    file->mtime_ns = mtime;
    file->size = now.st_size;
    file->inode = now.st_ino;
    return 0;
}

static int files_read(struct list_reading *reading)
{
    bool changed = false;
    int e = 0;
    for (size_t i = 0; i < reading->file_count && e == 0; i++) e = file_look(reading, &reading->file[i], &changed);
    if (e || !changed) return e;
    reading->files = number_set_new();
    for (size_t i = 0; i < reading->file_count && e == 0; i++) e = reading->files ? file_read(reading, reading->file[i].path) : -ENOMEM;
    if (e == 0) number_set_seal(reading->files);
    return e;
}

/* --- the table ----------------------------------------------------------------------------------------------------------- */

static struct number_set *set_for(struct list_reading *reading, const char *campaign)
{
    if (!*campaign) return reading->everyone;
    for (struct campaign_list *at = reading->campaigns; at; at = at->next)
        if (strcmp(at->name, campaign) == 0) return at->set;
    struct campaign_list *list = calloc(1, sizeof *list);
    if (!list) return NULL;
    snprintf(list->name, sizeof list->name, "%s", campaign);
    list->set = number_set_new();
    list->next = reading->campaigns;
    reading->campaigns = list;
    return list->set;
}

static int row_take(struct list_reading *reading, const char *text, const char *campaign, uint64_t id)
{
    char number[NUMBER_SIZE];
    const char *reason;
    struct number_set *set = set_for(reading, campaign);
    if (!set) return -ENOMEM;
    if (number_to_e164(text, reading->default_country, number, &reason) < 0)
        return bad(reading, "table do_not_call, row", id, text, reason), 0;
    return number_set_append(set, number);
}

static int rows_read(struct list_reading *reading, struct db *db)
{
    struct db_statement *s = NULL;
    int e = db_prepare(db, &s, "SELECT id, number, campaign FROM do_not_call");
    reading->everyone = number_set_new();
    if (e == 0 && !reading->everyone) e = -ENOMEM;
    while (e == 0 && (e = db_step(s)) == 1) e = row_take(reading, db_text(s, 1), db_text(s, 2), (uint64_t)db_int(s, 0));
    if (e < 0) db_done(s);
    db_finalize(s);
    if (e == 0) {
        number_set_seal(reading->everyone);
        for (struct campaign_list *at = reading->campaigns; at; at = at->next) number_set_seal(at->set);
    }
    return e;
}

static int table_look(struct list_reading *reading, struct db *db, bool *changed)
{
    struct list_table now = { 0, 0 };
    int e = db_value_int(db, "SELECT COUNT(*) FROM do_not_call", &now.count);
    if (e == 0) e = db_value_int(db, "SELECT COALESCE(MAX(id), 0) FROM do_not_call", &now.last);
    *changed = now.count != reading->table.count || now.last != reading->table.last;
    if (e == 0) reading->table = now;
    return e;
}

static int table_read(struct list_reading *reading)
{
    const struct db_options options = { .read_only = true, .statement_ms = 60000 };
    struct db *db = NULL;
    bool changed = false;
    int e = db_open(&db, reading->database, &options, &reading->problem);
    if (e) return e;
    e = table_look(reading, db, &changed);
    if (e == 0 && changed) e = rows_read(reading, db);
    if (e) buf_printf(&reading->problem, "table do_not_call: %s", db_error(db));
    db_close(db);
    return e;
}

void campaign_lists_free(struct campaign_list *first)
{
    for (struct campaign_list *next; first; first = next) {
        next = first->next;
        number_set_free(first->set);
        free(first);
    }
}

void list_read(struct list_reading *reading)
{
    int files = files_read(reading), table = table_read(reading);
    reading->error = files ? files : table;
}
