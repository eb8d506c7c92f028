/* import_write.c: a batch of leads into the table. SQLite takes prepared rows; PostgreSQL takes the whole batch as arrays in one statement. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "campaign/import_own.h"
#include "core/clock.h"

#define INSERT_SQLITE "INSERT INTO lead (campaign, number, zone, variables) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
#define INSERT_POSTGRESQL \
    "INSERT INTO lead (campaign, number, zone, variables) SELECT CAST(? AS BIGINT), t.n, NULLIF(t.z, ''), t.v" \
    " FROM unnest(CAST(? AS TEXT[]), CAST(? AS TEXT[]), CAST(? AS TEXT[])) AS t(n, z, v) ON CONFLICT DO NOTHING"
#define WHICH_SQLITE "SELECT COUNT(*) FROM lead WHERE campaign = ? AND number = ? AND id <= ?"
#define WHICH_POSTGRESQL \
    "SELECT COUNT(*) FROM unnest(CAST(? AS TEXT[])) AS t(n) JOIN lead ON lead.campaign = ? AND lead.number = t.n AND lead.id <= ?"

int campaign_row(struct db *db, const char *name, int64_t *id)
{
    struct db_statement *s = NULL;
    int e = db_prepare(db, &s, "INSERT INTO campaign (name, created_us) VALUES (?, ?) ON CONFLICT (name) DO NOTHING");
    if (e == 0) {
        db_bind_text(s, 1, name);
        db_bind_int(s, 2, clock_utc_us());
        e = db_run(s);
    }
    db_finalize(s);
    s = NULL;
    if (e == 0)
        e = db_prepare(db, &s, "SELECT id FROM campaign WHERE name = ?");
    if (e == 0) {
        db_bind_text(s, 1, name);
        e = db_step(s);
        if (e == 1)
            *id = db_int(s, 0);
        e = e == 1 ? 0 : e == 0 ? -ENOENT : e;
        db_done(s);
    }
    db_finalize(s);
    return e;
}

int import_writer_open(struct import_writer *writer, struct db *db, const char *campaign)
{
    bool lite = db_kind(db) == DB_SQLITE;
    *writer = (struct import_writer){ .db = db };
    writer->leads = malloc(IMPORT_BATCH_ROWS * sizeof *writer->leads);
    if (!writer->leads)
        return -ENOMEM;
    int e = campaign_row(db, campaign, &writer->campaign);
    if (e == 0)
        e = db_value_int(db, "SELECT COALESCE(MAX(id), 0) FROM lead", &writer->before);
    if (e == 0)
        e = db_prepare(db, &writer->insert, lite ? INSERT_SQLITE : INSERT_POSTGRESQL);
    if (e == 0)
        e = db_prepare(db, &writer->which, lite ? WHICH_SQLITE : WHICH_POSTGRESQL);
    return e;
}

void import_writer_close(struct import_writer *writer)
{
    db_finalize(writer->insert);
    db_finalize(writer->which);
    free(writer->leads);
    buf_free(&writer->texts);
}

/* --- SQLite ------------------------------------------------------------------------------------------------------ */

static int insert_row(struct import_writer *w, const struct import_lead *lead, struct import_result *result)
{
    db_bind_int(w->insert, 1, w->campaign);
    db_bind_text(w->insert, 2, lead->number);
    db_bind_text(w->insert, 3, lead->zone ? w->texts.data + lead->zone : NULL);
    db_bind_text(w->insert, 4, w->texts.data + lead->variables);
    int e = db_run(w->insert);
    if (e || db_changes(w->insert) > 0) {
        result->added += e == 0;
        return e;
    }
    db_bind_int(w->which, 1, w->campaign);
    db_bind_text(w->which, 2, lead->number);
    db_bind_int(w->which, 3, w->before);
    e = db_step(w->which);
    if (e == 1 && db_int(w->which, 0) > 0)
        result->known++;
    else if (e == 1)
        result->repeated++;
    db_done(w->which);
    return e < 0 ? e : 0;
}

static int insert_rows(struct import_writer *w, struct import_result *result)
{
    int e = 0;
    for (size_t i = 0; i < w->count && e == 0; i++)
        e = insert_row(w, &w->leads[i], result);
    return e;
}

/* --- PostgreSQL ---------------------------------------------------------------------------------------------------- */

static void array_add(struct buf *out, const char *text)
{
    buf_puts(out, out->length ? ",\"" : "{\"");
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_putc(out, '\\');
        buf_putc(out, *text);
    }
    buf_putc(out, '"');
}

static int insert_arrays(struct import_writer *w, struct import_result *result)
{
    struct buf numbers = BUF_INIT, zones = BUF_INIT, variables = BUF_INIT;
    for (size_t i = 0; i < w->count; i++) {
        array_add(&numbers, w->leads[i].number);
        array_add(&zones, w->leads[i].zone ? w->texts.data + w->leads[i].zone : "");
        array_add(&variables, w->texts.data + w->leads[i].variables);
    }
    buf_putc(&numbers, '}'), buf_putc(&zones, '}'), buf_putc(&variables, '}');
    db_bind_int(w->insert, 1, w->campaign);
    db_bind_text(w->insert, 2, buf_text(&numbers));
    db_bind_text(w->insert, 3, buf_text(&zones));
    db_bind_text(w->insert, 4, buf_text(&variables));
    int e = db_run(w->insert);
    uint64_t added = e == 0 ? (uint64_t)db_changes(w->insert) : 0, known = 0;
    if (e == 0 && added < w->count) {
        db_bind_text(w->which, 1, buf_text(&numbers));
        db_bind_int(w->which, 2, w->campaign);
        db_bind_int(w->which, 3, w->before);
        e = db_step(w->which);
        if (e == 1)
            known = (uint64_t)db_int(w->which, 0);
        db_done(w->which);
        e = e < 0 ? e : 0;
    }
    result->added += added;
    result->known += known;
    result->repeated += w->count - added - known;
    buf_free(&numbers), buf_free(&zones), buf_free(&variables);
    return e;
}

int import_writer_flush(struct import_writer *writer, struct import_result *result)
{
    struct import_result counted = *result; /* counts of a transaction that failed do not stand */
    bool lite = db_kind(writer->db) == DB_SQLITE;
    if (writer->count == 0)
        return 0;
    int e = db_begin(writer->db);
    if (e == 0)
        e = lite ? insert_rows(writer, &counted) : insert_arrays(writer, &counted);
    if (e == 0)
        e = db_commit(writer->db);
    if (e) {
        db_rollback(writer->db);
        return e;
    }
    *result = counted;
    writer->count = 0;
    buf_clear(&writer->texts);
    if (lite) /* a running engine's ledger tries each millisecond for the write lock: here is its chance */
        nanosleep(&(struct timespec){ .tv_nsec = 1500000 }, NULL);
    return 0;
}
