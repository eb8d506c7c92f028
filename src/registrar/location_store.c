/* location_store.c: see location_store.h. */
#include "registrar/location_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/jobs.h"
#include "store/db.h"

struct location_store {
    struct db *db;
    struct db_statement *put, *drop; /* used by the helper thread alone once it runs */
    struct jobs *jobs;
};
struct write_job {
    struct job job;
    struct location_store *store;
    struct location_change *changes;
    size_t count;
    location_written *done;
    void *context;
    int error;
};

/* --- statements, written from the table of fields ------------------------------------------------------------------- */

static void put_columns(struct buf *sql, const char *after)
{
    for (size_t i = 0; i < location_field_count; i++)
        buf_printf(sql, "%s%s%s", i ? ", " : "", location_fields[i].name, location_fields[i].size || !*after ? "" : after);
}

static int schema_make(struct db *db)
{
    struct buf sql = BUF_INIT;
    buf_puts(&sql, "create table if not exists registration (");
    put_columns(&sql, " integer");
    buf_puts(&sql, ", primary key (user, domain, uri))");
    int err = db_exec(db, buf_text(&sql));
    buf_free(&sql);
    return err;
}

static int statements_make(struct location_store *store)
{
    struct buf sql = BUF_INIT;
    buf_puts(&sql, "insert or replace into registration (");
    put_columns(&sql, "");
    buf_puts(&sql, ") values (");
    for (size_t i = 0; i < location_field_count; i++) buf_puts(&sql, i ? ", ?" : "?");
    buf_puts(&sql, ")");
    int err = db_prepare(store->db, &store->put, buf_text(&sql));
    buf_free(&sql);
    if (err == 0) err = db_prepare(store->db, &store->drop, "delete from registration where user = ? and domain = ? and uri = ?");
    return err;
}

/* --- reading -------------------------------------------------------------------------------------------------------- */

static void row_read(struct db_statement *row, struct location *location)
{
    memset(location, 0, sizeof *location);
    for (size_t i = 0; i < location_field_count; i++) {
        const struct location_field *field = &location_fields[i];
        char *at = (char *)location + field->offset;
        if (field->size)
            snprintf(at, field->size, "%s", db_text(row, (int)i));
        else
            *(int64_t *)(void *)at = db_int(row, (int)i);
    }
}

static int rows_read(struct location_store *store, int64_t now_s, void (*each)(void *context, const struct location *location),
                     void *context)
{
    struct buf sql = BUF_INIT;
    struct db_statement *rows = NULL;
    struct location location;
    buf_puts(&sql, "select ");
    put_columns(&sql, "");
    buf_puts(&sql, " from registration where expires_s > ? order by registered_s, rowid");
    int err = db_prepare(store->db, &rows, buf_text(&sql));
    buf_free(&sql);
    if (err < 0) return err;
    db_bind_int(rows, 1, now_s);
    while ((err = db_step(rows)) > 0) {
        row_read(rows, &location);
        each(context, &location);
    }
    db_finalize(rows);
    return err;
}

static int expired_drop(struct location_store *store, int64_t now_s)
{
    struct db_statement *drop = NULL;
    int err = db_prepare(store->db, &drop, "delete from registration where expires_s <= ?");
    if (err < 0) return err;
    db_bind_int(drop, 1, now_s);
    err = db_run(drop);
    db_finalize(drop);
    return err;
}

int location_store_open(struct location_store **out, struct loop *loop, const char *path, int64_t now_s,
                        void (*each)(void *context, const struct location *location), void *context, struct buf *error)
{
    char dsn[640];
    struct db_options options = { .busy_ms = 2000, .cache_kb = 1024 };
    struct location_store *store = calloc(1, sizeof *store);
    if (!store) return -ENOMEM;
    snprintf(dsn, sizeof dsn, "sqlite://%s", path);
    int err = db_open(&store->db, dsn, &options, error);
    if (err == 0) err = schema_make(store->db);
    if (err == 0) err = expired_drop(store, now_s);
    if (err == 0) err = rows_read(store, now_s, each, context);
    if (err == 0) err = statements_make(store);
    if (err < 0 && store->db && !error->length)
        buf_printf(error, "%s: %s; move the file away to begin with an empty one", path, db_error(store->db));
    if (err == 0) err = jobs_new(&store->jobs, loop, 1, "registrar");
    if (err < 0) {
        location_store_close(store);
        return err;
    }
    *out = store;
    return 0;
}

void location_store_close(struct location_store *store)
{
    if (!store) return;
    if (store->jobs) jobs_free(store->jobs);
    db_finalize(store->put);
    db_finalize(store->drop);
    db_close(store->db);
    free(store);
}

/* --- writing -------------------------------------------------------------------------------------------------------- */

static int change_write(struct location_store *store, const struct location_change *change)
{
    const struct location *location = &change->location;
    if (change->removed) {
        db_bind_text(store->drop, 1, location->user);
        db_bind_text(store->drop, 2, location->domain);
        db_bind_text(store->drop, 3, location->uri);
        return db_run(store->drop);
    }
    for (size_t i = 0; i < location_field_count; i++) {
        const char *at = (const char *)location + location_fields[i].offset;
        if (location_fields[i].size)
            db_bind_text(store->put, (int)i + 1, at);
        else
            db_bind_int(store->put, (int)i + 1, *(const int64_t *)(const void *)at);
    }
    return db_run(store->put);
}

static void write_run(struct job *job)
{
    struct write_job *write = job->context;
    struct location_store *store = write->store;
    write->error = db_begin(store->db);
    for (size_t i = 0; i < write->count && write->error == 0; i++) write->error = change_write(store, &write->changes[i]);
    if (write->error == 0) write->error = db_commit(store->db);
    if (write->error < 0) db_rollback(store->db);
}

static void write_done(struct job *job)
{
    struct write_job *write = job->context;
    if (write->done) write->done(write->context, write->error);
    free(write->changes);
    free(write);
}

int location_store_write(struct location_store *store, struct location_change *changes, size_t count, location_written *done, void *context)
{
    struct write_job *write = calloc(1, sizeof *write);
    if (write) {
        *write = (struct write_job) { .store = store, .changes = changes, .count = count, .done = done, .context = context };
        write->job = (struct job) { .run = write_run, .done = write_done, .context = write };
        if (jobs_submit(store->jobs, &write->job) == 0) return 0;
    }
    free(write);
    free(changes);
    return -EBUSY;
}
