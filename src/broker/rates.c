/* rates.c: see rates.h. */
#include "broker/rates.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "campaign/csv.h"

#define PREFIX_MAX 15

/* A prefix as a number and its length: sorted by both, so that each length is looked up by itself. */
struct rate_row {
    uint64_t prefix;
    uint32_t length;
    struct rate rate;
};

struct rates {
    struct rate_row *row;
    size_t count, size;
    uint32_t longest;
};

struct reading {
    struct rates *rates;
    const char *path;
    struct buf *error;
};

static int compare_rows(const void *a, const void *b)
{
    const struct rate_row *x = a, *y = b;
    if (x->length != y->length) return x->length < y->length ? -1 : 1;
    return (x->prefix > y->prefix) - (x->prefix < y->prefix);
}

static int digits_value(const char *text, size_t length, uint64_t *out)
{
    uint64_t value = 0;
    for (size_t i = 0; i < length; i++) {
        if (!isdigit((unsigned char)text[i])) return -EINVAL;
        value = value * 10 + (uint64_t)(text[i] - '0');
    }
    *out = value;
    return length >= 1 && length <= PREFIX_MAX ? 0 : -EINVAL;
}

static int field_number(const struct csv_record *record, size_t index, double otherwise, double least, double *out)
{
    if (index >= record->count || !*record->field[index]) return *out = otherwise, 0;
    char *end;
    *out = strtod(record->field[index], &end);
    while (isspace((unsigned char)*end)) end++;
    return *end || end == record->field[index] || !(*out >= least && *out <= 1e6) ? -EINVAL : 0;
}

static int row_parse(const struct csv_record *record, struct rate_row *row)
{
    double first, step;
    const char *prefix = record->field[0] + strspn(record->field[0], " \t+");
    row->length = (uint32_t)strcspn(prefix, " \t");
    if (digits_value(prefix, row->length, &row->prefix) < 0) return -EINVAL;
    if (record->count < 2 || !*record->field[1]) return -EINVAL;
    if (field_number(record, 1, 0, 0, &row->rate.per_minute) < 0 || field_number(record, 2, 0, 0, &row->rate.setup) < 0) return -EINVAL;
    if (field_number(record, 3, 1, 1, &first) < 0 || field_number(record, 4, 1, 1, &step) < 0) return -EINVAL;
    row->rate.first_s = (uint32_t)first;
    row->rate.step_s = (uint32_t)step;
    return 0;
}

static int row_add(struct rates *rates, const struct rate_row *row)
{
    if (rates->count == rates->size) {
        size_t size = rates->size ? rates->size * 2 : 256;
        struct rate_row *bigger = size <= RATES_MAX * 2 ? realloc(rates->row, size * sizeof *bigger) : NULL;
        if (!bigger) return -ENOMEM;
        rates->row = bigger;
        rates->size = size;
    }
    rates->row[rates->count++] = *row;
    if (row->length > rates->longest) rates->longest = row->length;
    return 0;
}

static bool is_heading(const struct csv_record *record) { return record->line == 1 && !strpbrk(record->field[0], "0123456789"); }

static void take_record(void *context, const struct csv_record *record)
{
    struct reading *reading = context;
    struct rate_row row = { 0 };
    if (reading->error->length) return; /* the first mistake is the one that is told */
    if (record->error) {
        buf_printf(reading->error, "%s:%llu: %s", reading->path, (unsigned long long)record->line, record->error);
        return;
    }
    if (is_heading(record) || (record->count == 1 && !*record->field[0]) || *record->field[0] == '#') return;
    if (row_parse(record, &row) < 0)
        buf_printf(reading->error,
                   "%s:%llu: expected prefix,price per minute[,setup[,first seconds[,step seconds]]], as \"49,0.012,0,30,6\"",
                   reading->path, (unsigned long long)record->line);
    else if (reading->rates->count >= RATES_MAX || row_add(reading->rates, &row) < 0)
        buf_printf(reading->error, "%s: has more than %u prefixes", reading->path, RATES_MAX);
}

static int file_read(struct reading *reading)
{
    char data[16384];
    struct csv csv;
    int fd = open(reading->path, O_RDONLY | O_CLOEXEC), err = fd < 0 ? -errno : 0;
    if (err < 0)
        return buf_printf(reading->error, "%s: %s; the trunk's `rates` must name a readable file", reading->path, strerror(-err)), err;
    csv_start(&csv, take_record, reading);
    for (ssize_t n; err == 0 && (n = read(fd, data, sizeof data)) != 0;) err = n < 0 ? -errno : csv_feed(&csv, data, (size_t)n);
    if (err == 0) err = csv_finish(&csv);
    if (err < 0 && !reading->error->length) buf_printf(reading->error, "%s: %s", reading->path, strerror(-err));
    csv_free(&csv);
    close(fd);
    return err;
}

static int check_twice(struct reading *reading)
{
    const struct rates *rates = reading->rates;
    for (size_t i = 1; i < rates->count; i++)
        if (compare_rows(&rates->row[i - 1], &rates->row[i]) == 0)
            buf_printf(reading->error, "%s: prefix %0*llu stands there twice; which price holds?", reading->path, (int)rates->row[i].length,
                       (unsigned long long)rates->row[i].prefix);
    return reading->error->length ? -EINVAL : 0;
}

int rates_load(struct rates **out, const char *path, struct buf *error)
{
    struct rates *rates = calloc(1, sizeof *rates);
    struct reading reading = { .rates = rates, .path = path, .error = error };
    if (!rates) return buf_puts(error, "out of memory for the rates"), -ENOMEM;
    int err = file_read(&reading);
    if (err == 0 && error->length) err = -EINVAL;
    if (err == 0 && rates->count == 0) err = (buf_printf(error, "%s: holds no prefix", path), -EINVAL);
    if (err == 0) {
        qsort(rates->row, rates->count, sizeof *rates->row, compare_rows);
        err = check_twice(&reading);
    }
    if (err < 0) {
        rates_free(rates);
        return err;
    }
    *out = rates;
    return 0;
}

void rates_free(struct rates *rates)
{
    if (!rates) return;
    free(rates->row);
    free(rates);
}

size_t rates_count(const struct rates *rates) { return rates->count; }

const struct rate *rates_find(const struct rates *rates, const char *e164)
{
    uint32_t length = (uint32_t)strnlen(e164, rates->longest);
    for (; length > 0; length--) {
        struct rate_row key = { .length = length };
        if (digits_value(e164, length, &key.prefix) < 0) continue;
        const struct rate_row *row = bsearch(&key, rates->row, rates->count, sizeof key, compare_rows);
        if (row) return &row->rate;
    }
    return NULL;
}

double rate_cost(const struct rate *rate, int64_t billsec_ms)
{
    if (billsec_ms <= 0) return 0;
    int64_t seconds = (billsec_ms + 999) / 1000, first = rate->first_s, step = rate->step_s ? rate->step_s : 1;
    int64_t charged = seconds <= first ? first : first + (seconds - first + step - 1) / step * step;
    return rate->setup + rate->per_minute * (double)charged / 60.0;
}
