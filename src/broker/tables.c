/* tables.c: see tables.h. */
#include "broker/tables.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/limits.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/jobs.h"
#include "core/log.h"

#define BUCKETS       4096u
#define ENTRIES_MAX   200000u
#define KEY_MAX       512
#define VALUE_MAX     65536
#define FILE_MAX      (64l << 20)
#define LIST_MAX      (1u << 20)
#define SAVE_AFTER_NS NS_PER_S

struct entry {
    struct entry *next;
    char *key; /* "realm\x1fkey" */
    char *value;
};
struct table {
    struct entry *buckets[BUCKETS];
    unsigned count;
};
struct tables {
    struct broker *broker;
    struct table hash, db;
    struct jobs *jobs;
    struct loop_timer save;
    bool saving, changed;
    char path[512];
};
struct save_job {
    struct job job;
    struct tables *tables;
    struct kv pairs;
    int error;
};

static unsigned bucket_of(const char *key)
{
    uint32_t hash = 2166136261u;
    for (; *key; key++) hash = (hash ^ (unsigned char)*key) * 16777619u;
    return hash % BUCKETS;
}

static struct entry **find(struct table *table, const char *key)
{
    struct entry **at = &table->buckets[bucket_of(key)];
    while (*at && strcmp((*at)->key, key)) at = &(*at)->next;
    return at;
}

static int put(struct table *table, const char *key, const char *value)
{
    struct entry **at = find(table, key);
    char *copy = strdup(value);
    if (!copy) return -ENOMEM;
    if (*at) {
        free((*at)->value);
        (*at)->value = copy;
        return 0;
    }
    struct entry *entry = table->count < ENTRIES_MAX ? calloc(1, sizeof *entry) : NULL;
    if (entry) entry->key = strdup(key);
    if (!entry || !entry->key) {
        free(copy);
        free(entry);
        return table->count < ENTRIES_MAX ? -ENOMEM : -ENOSPC;
    }
    entry->value = copy;
    *at = entry;
    table->count++;
    return 0;
}

static void drop(struct table *table, struct entry **at)
{
    struct entry *entry = *at;
    *at = entry->next;
    free(entry->key);
    free(entry->value);
    free(entry);
    table->count--;
}

static void table_clear(struct table *table)
{
    for (unsigned b = 0; b < BUCKETS; b++)
        while (table->buckets[b]) drop(table, &table->buckets[b]);
}

/* --- the file of `db` ----------------------------------------------------------------------------------------------- */

static int file_write(const char *path, const struct kv *pairs)
{
    char temporary[520];
    snprintf(temporary, sizeof temporary, "%s.new", path);
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0) return -errno;
    const char *at = pairs->bytes.data;
    int err = 0;
    for (size_t left = pairs->bytes.length; left && !err;) {
        ssize_t n = write(fd, at, left);
        if (n < 0)
            err = errno == EINTR ? 0 : -errno;
        else
            at += n, left -= (size_t)n;
    }
    if (!err && fsync(fd) < 0) err = -errno;
    close(fd);
    if (!err && rename(temporary, path) < 0) err = -errno;
    return err;
}

static void save_run(struct job *job)
{
    struct save_job *save = job->context;
    save->error = file_write(save->tables->path, &save->pairs);
}

static void save_done(struct job *job)
{
    struct save_job *save = job->context;
    struct tables *tables = save->tables;
    tables->saving = false;
    if (save->error < 0) log_err(NULL, "%s: %s; the db table is not saved", tables->path, strerror(-save->error));
    if (tables->changed) loop_timer_set(tables->broker->loop, &tables->save, clock_mono_ns() + SAVE_AFTER_NS);
    kv_free(&save->pairs);
    free(save);
}

static void save_start(struct loop_timer *timer)
{
    struct tables *tables = timer->context;
    if (tables->saving) return;
    struct save_job *save = calloc(1, sizeof *save);
    if (!save) return;
    save->tables = tables;
    for (unsigned b = 0; b < BUCKETS; b++)
        for (struct entry *entry = tables->db.buckets[b]; entry; entry = entry->next) kv_add(&save->pairs, entry->key, entry->value);
    save->job = (struct job) { .run = save_run, .done = save_done, .context = save };
    tables->changed = false;
    tables->saving = true;
    if (jobs_submit(tables->jobs, &save->job) == 0) return;
    save->error = -EBUSY;
    tables->changed = true;
    save_done(&save->job);
}

static void db_changed(struct tables *tables)
{
    if (!tables->changed && !tables->saving) loop_timer_set(tables->broker->loop, &tables->save, clock_mono_ns() + SAVE_AFTER_NS);
    tables->changed = true;
}

static void file_read(struct tables *tables)
{
    FILE *file = fopen(tables->path, "re");
    if (!file) return;
    fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *bytes = size > 0 && size <= FILE_MAX ? malloc((size_t)size) : NULL;
    struct kv_view view = { bytes, bytes ? fread(bytes, 1, (size_t)size, file) : 0 };
    struct kv_pair pair;
    size_t at = 0;
    fclose(file);
    if (bytes && kv_valid(view)) {
        while (kv_next(view, &at, &pair)) put(&tables->db, pair.name, pair.value);
    } else if (size > 0) {
        char aside[520];
        snprintf(aside, sizeof aside, "%s.broken", tables->path);
        rename(tables->path, aside);
        log_err(NULL, "%s cannot be read; it is put aside as %s and the db table begins empty", tables->path, aside);
    }
    free(bytes);
}

int tables_open(struct broker *broker)
{
    struct tables *tables = calloc(1, sizeof *tables);
    if (!tables) return -ENOMEM;
    tables->broker = broker;
    tables->save = (struct loop_timer) { .fire = save_start, .context = tables };
    snprintf(tables->path, sizeof tables->path, "%s/db.kv", config_str(broker->config, "data_dir", "data"));
    broker->tables = tables;
    file_read(tables);
    return jobs_new(&tables->jobs, broker->loop, 1, "tables");
}

void tables_close(struct broker *broker)
{
    struct tables *tables = broker->tables;
    if (!tables) return;
    loop_timer_clear(broker->loop, &tables->save);
    if (tables->changed && tables->jobs) save_start(&tables->save);
    tables->changed = false;
    if (tables->jobs) jobs_free(tables->jobs);
    limits_clear(broker);
    table_clear(&tables->hash);
    table_clear(&tables->db);
    free(tables);
    broker->tables = NULL;
}

/* --- requests ------------------------------------------------------------------------------------------------------- */

/* Keys of a realm, or without one the realms: comma-separated, as FreeSWITCH's `db list` has them. */
static void list(struct table *table, const char *realm, struct kv *out)
{
    struct buf names = BUF_INIT;
    size_t length = strlen(realm);
    for (unsigned b = 0; b < BUCKETS; b++)
        for (struct entry *entry = table->buckets[b]; entry && names.length < LIST_MAX; entry = entry->next) {
            const char *split = strchr(entry->key, '\x1f');
            bool wanted = !length || ((size_t)(split - entry->key) == length && !memcmp(entry->key, realm, length));
            if (!wanted) continue;
            if (length)
                buf_printf(&names, names.length ? ",%s" : "%s", split + 1);
            else
                buf_printf(&names, names.length ? ",%.*s" : "%.*s", (int)(split - entry->key), entry->key);
        }
    kv_add(out, "value", buf_text(&names));
    buf_free(&names);
}

/* Whether the table changed. */
static bool change(struct table *table, const char *op, const char *key, const char *value, bool *found)
{
    struct entry **at = find(table, key);
    *found = *at != NULL;
    if (!strcmp(op, "insert")) return put(table, key, value) == 0;
    if (!strcmp(op, "insert_ifempty")) return !*found && put(table, key, value) == 0;
    if (*found && !strcmp(op, "delete_ifmatch")) *found = !strcmp((*at)->value, value);
    if (!*found || (strcmp(op, "delete") && strcmp(op, "delete_ifmatch"))) return false;
    drop(table, at);
    return true;
}

static int operate(struct broker *broker, const struct post_message *message, struct kv *out)
{
    struct tables *tables = broker->tables;
    const char *op = kv_get_or(message->pairs, "op", ""), *realm = kv_get_or(message->pairs, "realm", "");
    const char *name = kv_get_or(message->pairs, "table", "hash"), *value = kv_get_or(message->pairs, "value", "");
    bool persistent = !strcmp(name, "db"), found = false;
    struct table *table = persistent ? &tables->db : &tables->hash;
    char key[KEY_MAX];
    int n = snprintf(key, sizeof key, "%s\x1f%s", realm, kv_get_or(message->pairs, "key", ""));
    if (n < 0 || (size_t)n >= sizeof key || strlen(value) > VALUE_MAX) return -EMSGSIZE;
    if (!strcmp(name, "limit")) {
        found = limit_operate(broker, message, op, key, out);
    } else if (!strcmp(op, "list")) {
        list(table, realm, out);
    } else if (!strcmp(op, "select")) {
        struct entry *entry = *find(table, key);
        found = entry != NULL;
        kv_add(out, "value", entry ? entry->value : "");
    } else if (change(table, op, key, value, &found) && persistent) {
        db_changed(tables);
    }
    kv_add(out, "found", found ? "1" : "0");
    return 0;
}

void table_request(struct broker *broker, const struct post_message *message)
{
    struct kv out = KV_INIT;
    int err = operate(broker, message, &out);
    if (message->is_request) post_reply(broker->post, message->ticket, err, err < 0 ? NULL : &out);
    kv_free(&out);
}
