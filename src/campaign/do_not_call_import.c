/* do_not_call_import.c: see do_not_call_import.h. */
#include "campaign/do_not_call_import.h"

#include <string.h>

#include "campaign/number_file.h"
#include "core/clock.h"

#define BATCH     5000 /* numbers a transaction */
#define BAD_SHOWN 100

/* SQLite takes prepared rows; PostgreSQL a whole batch as an array, or each number would be a round trip. */
#define INSERT_SQLITE                                                                                                                      \
    "INSERT INTO do_not_call (campaign, reason, added_us, number) VALUES (?, ?, ?, ?) ON CONFLICT (number, campaign) DO NOTHING"
#define INSERT_POSTGRESQL                                                                                                                  \
    "INSERT INTO do_not_call (campaign, reason, added_us, number) SELECT CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS BIGINT), t.n"         \
    " FROM unnest(CAST(? AS TEXT[])) AS t(n) ON CONFLICT (number, campaign) DO NOTHING"

struct writer {
    struct number_file file;
    struct do_not_call_import *import;
    const char *path;
    struct db *db;
    struct db_statement *insert;
    struct buf array; /* "{1,2,3" */
    size_t waiting;
};

static int insert(struct writer *w, const char *numbers)
{
    db_bind_text(w->insert, 1, w->import->campaign);
    db_bind_text(w->insert, 2, w->import->reason);
    db_bind_int(w->insert, 3, clock_utc_us());
    db_bind_text(w->insert, 4, numbers);
    int e = db_run(w->insert);
    if (e == 0) w->import->added += (uint64_t)db_changes(w->insert);
    return e;
}

static int batch_end(struct writer *w)
{
    int e = 0;
    if (w->waiting == 0) return 0;
    w->waiting = 0;
    if (db_kind(w->db) == DB_POSTGRESQL) {
        buf_putc(&w->array, '}');
        e = insert(w, buf_text(&w->array));
        buf_clear(&w->array);
    }
    return e ? e : db_commit(w->db);
}

static int number_take(struct number_file *file, const char *e164)
{
    struct writer *w = file->context;
    int e = w->waiting ? 0 : db_begin(w->db);
    if (e == 0 && db_kind(w->db) == DB_POSTGRESQL)
        e = buf_printf(&w->array, "%s%s", w->waiting ? "," : "{", e164);
    else if (e == 0)
        e = insert(w, e164);
    w->import->numbers++;
    return e == 0 && ++w->waiting == BATCH ? batch_end(w) : e;
}

static void bad_take(struct number_file *file, uint64_t line, const char *text, const char *reason)
{
    struct writer *w = file->context;
    if (w->import->bad++ < BAD_SHOWN && w->import->bad_lines)
        fprintf(w->import->bad_lines, "%s:%llu: \"%.40s\": %s\n", w->path, (unsigned long long)line, text, reason);
}

int do_not_call_import(struct do_not_call_import *import, struct db *db, const char *path, struct buf *error)
{
    struct writer w = { .import = import, .path = path, .db = db, .array = BUF_INIT };
    w.file = (struct number_file) { .default_country = import->default_country, .number = number_take, .bad = bad_take, .context = &w };
    int e = db_prepare(db, &w.insert, db_kind(db) == DB_SQLITE ? INSERT_SQLITE : INSERT_POSTGRESQL);
    if (e == 0) e = number_file_read(&w.file, path, error);
    if (e == 0) e = batch_end(&w);
    if (e) {
        if (!error->length) buf_printf(error, "%s; what was added before stays, and importing again goes on", db_error(db));
        db_rollback(db);
    }
    db_finalize(w.insert);
    buf_free(&w.array);
    return e;
}
