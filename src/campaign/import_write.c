/* import_write.c: a batch of leads into the table. SQLite takes prepared rows, in the order of the index; PostgreSQL takes the whole batch
 * as arrays in one statement. Either way the row's place in the file goes into next_us (all such times are past), and new leads are claimed
 * in that order. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "campaign/import_own.h"
#include "core/clock.h"

#define INSERT_SQLITE "INSERT INTO lead (campaign, number, zone, variables, next_us) VALUES "
#define INSERT_POSTGRESQL                                                                                                                  \
    "INSERT INTO lead (campaign, number, zone, variables, next_us) SELECT CAST(? AS BIGINT), t.n, NULLIF(t.z, ''), t.v, CAST(? AS "        \
    "BIGINT) + t.o"                                                                                                                        \
    " FROM unnest(CAST(? AS TEXT[]), CAST(? AS TEXT[]), CAST(? AS TEXT[])) WITH ORDINALITY AS t(n, z, v, o) ON CONFLICT DO NOTHING"
#define WHICH_SQLITE "SELECT COUNT(*) FROM lead WHERE id <= ? AND campaign = ? AND number IN "
#define WHICH_POSTGRESQL                                                                                                                   \
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
    if (e == 0) e = db_prepare(db, &s, "SELECT id FROM campaign WHERE name = ?");
    if (e == 0) {
        db_bind_text(s, 1, name);
        e = db_step(s);
        if (e == 1) *id = db_int(s, 0);
        e = e == 1 ? 0 : e == 0 ? -ENOENT : e;
        db_done(s);
    }
    db_finalize(s);
    return e;
}

/* "VALUES (c, ?, …), (c, ?, …) …" and "IN (?, ? …)" for that many rows. */
static int prepare_rows(struct import_writer *w, size_t rows, struct db_statement **insert, struct db_statement **which)
{
    struct buf values = BUF_INIT, in = BUF_INIT;
    buf_puts(&values, INSERT_SQLITE);
    buf_puts(&in, WHICH_SQLITE);
    for (size_t i = 0; i < rows; i++) {
        buf_printf(&values, "%s(%lld, ?, ?, ?, ?)", i ? ", " : "", (long long)w->campaign);
        buf_puts(&in, i ? ", ?" : "(?");
    }
    buf_puts(&values, " ON CONFLICT DO NOTHING");
    buf_putc(&in, ')');
    int e = db_prepare(w->db, insert, buf_text(&values));
    if (e == 0) e = db_prepare(w->db, which, buf_text(&in));
    buf_free(&values);
    buf_free(&in);
    return e;
}

static int prepare_all(struct import_writer *w)
{
    if (db_kind(w->db) == DB_SQLITE) {
        int e = prepare_rows(w, 1, &w->insert, &w->which);
        return e ? e : prepare_rows(w, IMPORT_STATEMENT_ROWS, &w->insert_many, &w->which_many);
    }
    int e = db_prepare(w->db, &w->insert, INSERT_POSTGRESQL);
    return e ? e : db_prepare(w->db, &w->which, WHICH_POSTGRESQL);
}

int import_writer_open(struct import_writer *writer, struct db *db, const char *campaign)
{
    bool lite = db_kind(db) == DB_SQLITE;
    *writer = (struct import_writer) { .db = db, .most = lite ? IMPORT_BATCH_LEAST : IMPORT_BATCH_POSTGRESQL };
    writer->leads = malloc(IMPORT_BATCH_MOST * sizeof *writer->leads);
    writer->order = malloc(IMPORT_BATCH_MOST * sizeof *writer->order);
    if (!writer->leads || !writer->order) return -ENOMEM;
    /* Copying the log back after each batch would write most pages twice as often. */
    int e = lite ? db_exec(db, "PRAGMA wal_autocheckpoint=16000") : 0;
    if (e == 0) e = campaign_row(db, campaign, &writer->campaign);
    if (e == 0) e = db_value_int(db, "SELECT COALESCE(MAX(id), 0) FROM lead", &writer->before);
    writer->place = writer->before + 1;
    return e ? e : prepare_all(writer);
}

void import_writer_close(struct import_writer *writer)
{
    db_finalize(writer->insert);
    db_finalize(writer->which);
    db_finalize(writer->insert_many);
    db_finalize(writer->which_many);
    free(writer->leads);
    free(writer->order);
    buf_free(&writer->texts);
}

/* --- SQLite ------------------------------------------------------------------------------------------------------ */

/* Rows [first, first + rows) of the order, in one statement. */
static int insert_rows(struct import_writer *w, size_t first, size_t rows, struct import_result *result)
{
    struct db_statement *insert = rows == 1 ? w->insert : w->insert_many, *which = rows == 1 ? w->which : w->which_many;
    int at = 1;
    for (size_t i = first; i < first + rows; i++) {
        const struct import_lead *lead = &w->leads[w->order[i].at];
        db_bind_text_kept(insert, at++, lead->number, strlen(lead->number));
        if (lead->zone) db_bind_text_kept(insert, at, w->texts.data + lead->zone, strlen(w->texts.data + lead->zone));
        at++;
        db_bind_text_kept(insert, at++, w->texts.data + lead->variables, lead->length);
        db_bind_int(insert, at++, w->place + (lead - w->leads));
    }
    int e = db_run(insert);
    uint64_t added = e == 0 ? (uint64_t)db_changes(insert) : 0, known = 0;
    result->added += added;
    if (e || added == rows) return e;
    db_bind_int(which, 1, w->before);
    db_bind_int(which, 2, w->campaign);
    for (size_t i = 0; i < rows; i++) /* a number that is known and repeated counts once here, and once as repeated */
        db_bind_text(which, (int)i + 3, w->leads[w->order[first + i].at].number);
    e = db_step(which);
    if (e == 1) known = (uint64_t)db_int(which, 0);
    db_done(which);
    result->known += known;
    result->repeated += rows - added - known;
    return e < 0 ? e : 0;
}

static uint64_t packed(const char *number)
{
    uint64_t key = 0;
    for (int i = 0; i < NUMBER_SIZE; i++) key = key << 4 | (*number ? (uint64_t)(*number++ - '0' + 1) : 0);
    return key;
}

static int by_number(const void *a, const void *b)
{
    const struct import_order *x = a, *y = b;
    return x->key != y->key ? (x->key > y->key ? 1 : -1) : (x->at > y->at) - (x->at < y->at);
}

static int insert_batch(struct import_writer *w, struct import_result *result)
{
    int e = 0;
    for (size_t i = 0, rows; i < w->count && e == 0; i += rows) {
        rows = w->count - i >= IMPORT_STATEMENT_ROWS ? IMPORT_STATEMENT_ROWS : 1;
        e = insert_rows(w, i, rows, result);
    }
    return e;
}

static void sort_batch(struct import_writer *w)
{
    for (size_t i = 0; i < w->count; i++) w->order[i] = (struct import_order) { packed(w->leads[i].number), i };
    qsort(w->order, w->count, sizeof *w->order, by_number);
}

/* --- PostgreSQL ---------------------------------------------------------------------------------------------------- */

static void array_add(struct buf *out, const char *text)
{
    buf_puts(out, out->length ? ",\"" : "{\"");
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') buf_putc(out, '\\');
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
    db_bind_int(w->insert, 2, w->place - 1); /* ordinality begins at 1 */
    db_bind_text(w->insert, 3, buf_text(&numbers));
    db_bind_text(w->insert, 4, buf_text(&zones));
    db_bind_text(w->insert, 5, buf_text(&variables));
    int e = db_run(w->insert);
    uint64_t added = e == 0 ? (uint64_t)db_changes(w->insert) : 0, known = 0;
    if (e == 0 && added < w->count) {
        db_bind_text(w->which, 1, buf_text(&numbers));
        db_bind_int(w->which, 2, w->campaign);
        db_bind_int(w->which, 3, w->before);
        e = db_step(w->which);
        if (e == 1) known = (uint64_t)db_int(w->which, 0);
        db_done(w->which);
        e = e < 0 ? e : 0;
    }
    result->added += added;
    result->known += known;
    result->repeated += w->count - added - known;
    buf_free(&numbers), buf_free(&zones), buf_free(&variables);
    return e;
}

/* Did we wait for the write lock? Then an engine dials meanwhile. */
static void choose_batch(struct import_writer *w, int64_t waited_ns)
{
    if (db_kind(w->db) != DB_SQLITE) return;
    w->most = waited_ns > NS_PER_MS / 2 ? IMPORT_BATCH_LEAST : w->most * 2;
    if (w->most > IMPORT_BATCH_MOST) w->most = IMPORT_BATCH_MOST;
}

int import_writer_flush(struct import_writer *writer, struct import_result *result)
{
    struct import_result counted = *result; /* counts of a transaction that failed do not stand */
    bool lite = db_kind(writer->db) == DB_SQLITE;
    if (writer->count == 0) return 0;
    if (lite) sort_batch(writer); /* before the lock is taken */
    int64_t begun = clock_mono_ns();
    int e = db_begin(writer->db);
    choose_batch(writer, clock_mono_ns() - begun);
    if (e == 0) e = lite ? insert_batch(writer, &counted) : insert_arrays(writer, &counted);
    if (e == 0) e = db_commit(writer->db);
    if (e) {
        db_rollback(writer->db);
        return e;
    }
    *result = counted;
    writer->place += (int64_t)writer->count;
    writer->count = 0;
    buf_clear(&writer->texts);
    if (lite) /* a running engine's ledger tries each millisecond for the write lock: here is its chance */
        nanosleep(&(struct timespec) { .tv_nsec = 1500000 }, NULL);
    return 0;
}
