/* import.c: rows → leads. One pass, one batch in memory. */
#include "campaign/import.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "campaign/import_own.h"
#include "campaign/json.h"
#include "campaign/schema.h"
#include "campaign/zones.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/utf8.h"

#define READ_BYTES      (256u << 10)
#define COLUMN_NAME_MAX 64

struct import {
    struct import_params params;
    const char *source;
    struct import_writer writer;
    struct import_result result;
    size_t columns, number_at, zone_at; /* zone_at = columns: none */
    char names[CSV_FIELDS_MAX][COLUMN_NAME_MAX];
    char last_zone[64]; /* the one that was found good last */
    int64_t begun_ns, told_ns;
};

int import_database(struct db **out, const char *dsn, struct buf *error)
{
    /* The index of numbers is written at random places: it must fit the cache, or a million rows thrash. */
    const struct db_options options = { .cache_kb = 32 << 10 };
    int e = db_open(out, dsn, &options, error);
    if (e) return e;
    e = schema_migrate(*out, error);
    if (e) {
        db_close(*out);
        *out = NULL;
    }
    return e;
}

int import_open(struct import **out, const struct import_params *params, const char *source, struct buf *error)
{
    struct import *import = calloc(1, sizeof *import);
    if (!import) return -ENOMEM;
    import->params = *params;
    import->source = source;
    import->begun_ns = clock_mono_ns();
    int e = import_writer_open(&import->writer, params->db, params->campaign);
    if (e) {
        buf_printf(error, "cannot import into campaign \"%s\": %s", params->campaign, db_error(params->db));
        import_writer_close(&import->writer);
        free(import);
        return e;
    }
    *out = import;
    return 0;
}

/* --- columns --------------------------------------------------------------------------------------------------------- */

/* "Phone Number" and "phone_number" are the same column. */
static bool same_name(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (*a && strchr(" _-.", *a)) a++;
        while (*b && strchr(" _-.", *b)) b++;
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b)) return false;
        if (!*a) return true;
    }
}

static size_t find_column(const struct import *import, const char *wanted, const char *const *usual)
{
    for (; !wanted && *usual; usual++)
        for (size_t i = 0; i < import->columns; i++)
            if (same_name(import->names[i], *usual)) return i;
    for (size_t i = 0; wanted && i < import->columns; i++)
        if (same_name(import->names[i], wanted)) return i;
    return import->columns;
}

static int check_names(const struct import *import, struct buf *error)
{
    for (size_t i = 0; i < import->columns; i++) {
        if (!import->names[i][0] || !utf8_valid(import->names[i])) {
            buf_printf(error, "%s: column %zu has no usable name: the first row names the columns, in UTF-8", import->source, i + 1);
            return -EINVAL;
        }
        for (size_t k = 0; k < i; k++)
            if (strcasecmp(import->names[i], import->names[k]) == 0) {
                buf_printf(error, "%s: columns %zu and %zu are both named \"%s\": rename one", import->source, k + 1, i + 1,
                           import->names[i]);
                return -EINVAL;
            }
    }
    return 0;
}

static void trim(const char *text, char *out, size_t size)
{
    while (isspace((unsigned char)*text)) text++;
    snprintf(out, size, "%s", text);
    size_t n = strlen(out);
    while (n && isspace((unsigned char)out[n - 1])) out[--n] = 0;
}

int import_columns(struct import *import, size_t count, char *const *names, struct buf *error)
{
    static const char *const numbers[] = { "number", "phone",     "phonenumber", "telephone", "telephonenumber", "mobile", "mobilephone",
                                           "cell",   "cellphone", "msisdn",      "tel",       "destination",     NULL };
    static const char *const zones[] = { "zone", "timezone", "tz", NULL };
    CHECK(count <= CSV_FIELDS_MAX);
    import->columns = count;
    for (size_t i = 0; i < count; i++) trim(names[i], import->names[i], COLUMN_NAME_MAX);
    int e = check_names(import, error);
    if (e) return e;
    import->number_at = find_column(import, import->params.number_column, numbers);
    import->zone_at = find_column(import, import->params.zone_column, zones);
    if (import->number_at == count && import->params.number_column)
        buf_printf(error, "%s: no column is named \"%s\"; there are:", import->source, import->params.number_column);
    else if (import->number_at == count)
        buf_printf(error,
                   "%s: the first row must name the columns, one of them number (or phone, mobile, msisdn …), or say number_column = "
                   "\"…\"; found:",
                   import->source);
    for (size_t i = 0; import->number_at == count && i < count; i++) buf_printf(error, "%s \"%s\"", i ? "," : "", import->names[i]);
    return import->number_at == count ? -EINVAL : 0;
}

/* --- rows -------------------------------------------------------------------------------------------------------------- */

void import_bad(struct import *import, uint64_t line, const char *reason)
{
    uint64_t most = import->params.bad_rows_max ? import->params.bad_rows_max : 100;
    import->result.rows++;
    import->result.bad++;
    if (import->params.bad_rows && import->result.bad <= most)
        fprintf(import->params.bad_rows, "%s:%" PRIu64 ": %s\n", import->source, line, reason);
    if (import->params.bad_rows && import->result.bad == most + 1)
        fprintf(import->params.bad_rows, "%s: … and more bad rows, counted only\n", import->source);
}

static bool zone_good(struct import *import, const char *zone)
{
    if (strcmp(import->last_zone, zone) == 0) return true;
    if (!zone_known(zone)) return false;
    snprintf(import->last_zone, sizeof import->last_zone, "%s", zone);
    return true;
}

/* Into the batch. NULL, or the reason why the row is bad. */
static const char *take_row(struct import *import, size_t count, char *const *fields)
{
    struct import_writer *w = &import->writer;
    struct import_lead *lead = &w->leads[w->count];
    const char *reason;
    if (count != import->columns) return count < import->columns ? "fewer fields than columns" : "more fields than columns";
    for (size_t i = 0; i < count; i++)
        if (!utf8_valid(fields[i])) return "not UTF-8 (convert the file: iconv -f WINDOWS-1252 -t UTF-8)";
    if (number_to_e164(fields[import->number_at], import->params.default_country, lead->number, &reason)) return reason;
    const char *zone = import->zone_at < count ? fields[import->zone_at] : "";
    if (*zone && !zone_good(import, zone)) return "unknown time zone (write it like America/New_York)";
    if (w->texts.length == 0) buf_putc(&w->texts, 0); /* offset 0 means none */
    lead->zone = *zone ? (uint32_t)w->texts.length : 0;
    if (*zone) buf_put(&w->texts, zone, strlen(zone) + 1);
    lead->variables = (uint32_t)w->texts.length;
    buf_putc(&w->texts, '{');
    for (size_t i = 0; i < count; i++)
        if (i != import->number_at && i != import->zone_at) json_text(&w->texts, import->names[i], fields[i]);
    lead->length = (uint32_t)w->texts.length + 1 - lead->variables;
    buf_put(&w->texts, "}", 2);
    w->count++;
    return NULL;
}

static void tell_progress(struct import *import)
{
    int64_t now = clock_mono_ns();
    import->result.seconds = (double)(now - import->begun_ns) / NS_PER_S;
    if (!import->params.progress || now - import->told_ns < 250 * NS_PER_MS) return;
    import->told_ns = now;
    import->params.progress(import->params.context, &import->result);
}

int import_row(struct import *import, uint64_t line, size_t count, char *const *fields)
{
    const char *reason = take_row(import, count, fields);
    if (reason) {
        import_bad(import, line, reason);
        return 0;
    }
    import->result.rows++;
    if (import->writer.count < import->writer.most && import->writer.texts.length < IMPORT_BATCH_BYTES) return 0;
    int e = import_writer_flush(&import->writer, &import->result);
    tell_progress(import);
    return e;
}

int import_close(struct import *import, struct import_result *result, struct buf *error)
{
    int e = import_writer_flush(&import->writer, &import->result);
    if (e)
        buf_printf(error, "%s: the database fails: %s; mend it and import again: what is in stays in, nothing comes twice", import->source,
                   db_error(import->params.db));
    import->result.seconds = (double)(clock_mono_ns() - import->begun_ns) / NS_PER_S;
    if (result) *result = import->result;
    import_writer_close(&import->writer);
    free(import);
    return e;
}

/* --- a CSV file ----------------------------------------------------------------------------------------------------- */

struct csv_import {
    struct import *import;
    struct buf *error;
    int failed;
};

static void take_record(void *context, const struct csv_record *record)
{
    struct csv_import *c = context;
    if (c->failed) return;
    if (c->import->columns == 0 && record->error) {
        buf_printf(c->error, "%s:%" PRIu64 ": %s; the first row must name the columns", c->import->source, record->line, record->error);
        c->failed = -EINVAL;
    } else if (c->import->columns == 0) {
        c->failed = import_columns(c->import, record->count, record->field, c->error);
    } else if (record->error) {
        import_bad(c->import, record->line, record->error);
    } else {
        c->failed = import_row(c->import, record->line, record->count, record->field);
    }
}

static int read_file(int fd, struct csv_import *c, struct buf *error)
{
    struct csv csv;
    char *block = malloc(READ_BYTES);
    ssize_t n = 0;
    int e = block ? 0 : -ENOMEM;
    csv_start(&csv, take_record, c);
    while (e == 0 && !c->failed && (n = read(fd, block, READ_BYTES)) > 0) {
        e = csv_feed(&csv, block, (size_t)n);
        c->import->result.bytes += (uint64_t)n;
    }
    if (n < 0) {
        e = -errno;
        buf_printf(error, "%s: cannot be read: %s", c->import->source, strerror(-e));
    }
    if (e == 0 && !c->failed) e = csv_finish(&csv);
    if (e == 0 && !c->failed && c->import->columns == 0) {
        buf_printf(error, "%s: the file is empty; its first row names the columns, e.g. number,name", c->import->source);
        e = -EINVAL;
    }
    csv_free(&csv);
    free(block);
    return e ? e : c->failed;
}

int import_csv(const struct import_params *params, const char *path, struct import_result *result, struct buf *error)
{
    struct csv_import c = { .error = error };
    struct stat st;
    *result = (struct import_result) { 0 };
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        int e = -errno;
        buf_printf(error, "%s: %s", path, strerror(-e));
        return e;
    }
    int e = import_open(&c.import, params, path, error);
    if (e == 0) {
        if (fstat(fd, &st) == 0) c.import->result.bytes_total = (uint64_t)st.st_size;
        posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
        e = read_file(fd, &c, error);
        if (e && error->length == 0)
            buf_printf(error, "%s: the database fails: %s; mend it and import again: what is in stays in, nothing comes twice", path,
                       db_error(params->db));
        int closed = import_close(c.import, result, error);
        e = e ? e : closed;
    }
    close(fd);
    return e;
}
