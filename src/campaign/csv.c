/* csv.c: see csv.h. Works line by line; the usual line has no quote and is split in place. */
#include "campaign/csv.h"

#include <errno.h>
#include <string.h>

void csv_start(struct csv *csv, void (*record)(void *context, const struct csv_record *record), void *context)
{
    *csv = (struct csv) { .record = record, .context = context, .line = 1 };
}

void csv_free(struct csv *csv)
{
    buf_free(&csv->raw);
    buf_free(&csv->part);
}

static char choose_separator(const char *text, size_t length)
{
    size_t commas = 0, semicolons = 0, tabs = 0;
    bool quoted = false;
    for (size_t i = 0; i < length; i++) {
        quoted ^= text[i] == '"';
        commas += !quoted && text[i] == ',';
        semicolons += !quoted && text[i] == ';';
        tabs += !quoted && text[i] == '\t';
    }
    return semicolons > commas && semicolons >= tabs ? ';' : tabs > commas ? '\t' : ',';
}

static void bad(struct csv *csv, uint64_t line, const char *why)
{
    const struct csv_record record = { .line = line, .error = why };
    csv->record(csv->context, &record);
}

/* Within the record (no line break at its end): does it end inside a quoted field? */
static bool ends_quoted(const char *text, size_t length, char separator)
{
    enum { START, PLAIN, QUOTED, AFTER } state = START;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        if (state == QUOTED)
            state = c == '"' ? AFTER : QUOTED;
        else if (c == '"' && (state == START || state == AFTER))
            state = QUOTED; /* a field's first, or the second of "" */
        else
            state = c == separator ? START : PLAIN;
    }
    return state == QUOTED;
}

/* One field from *at, zero-terminated in place; *at is set behind its separator, or to NULL after the last. NULL: *why. */
static char *take_field(char **at, char *end, char separator, const char **why)
{
    char *field = *at, *in = *at, *out = *at;
    if (in < end && *in == '"') {
        for (in++; in < end && !(in[0] == '"' && (in + 1 == end || in[1] != '"')); in++) {
            in += in[0] == '"'; /* "" */
            *out++ = *in;
        }
        if (in == end) {
            *why = "a quoted field is not closed";
            return NULL;
        }
        in++;
        if (in < end && *in != separator) {
            *why = "text after a closing quote";
            return NULL;
        }
    } else {
        char *stop = memchr(in, separator, (size_t)(end - in));
        out = in = stop ? stop : end;
        if (memchr(field, '"', (size_t)(in - field))) {
            *why = "a quote within an unquoted field (write \"\" within quotes)";
            return NULL;
        }
    }
    *at = in < end ? in + 1 : NULL;
    *out = 0;
    return field;
}

/* `text[length]` may be overwritten. */
static void emit(struct csv *csv, char *text, size_t length, uint64_t line)
{
    struct csv_record record = { .line = line };
    const char *why = NULL;
    char *at = text;
    if (length > 0 && text[length - 1] == '\r') length--;
    if (length == 0) return;
    if (memchr(text, 0, length)) {
        bad(csv, line, "a zero byte");
        return;
    }
    while (at && !why) {
        if (record.count == CSV_FIELDS_MAX)
            why = "more than 64 fields";
        else
            record.field[record.count++] = take_field(&at, text + length, csv->separator, &why);
    }
    if (why)
        bad(csv, line, why);
    else
        csv->record(csv->context, &record);
}

static int resume_after_first_line(struct csv *csv, const char *why);

/* One physical line without its line break. text[length] is writable. */
static int take_line(struct csv *csv, char *text, size_t length)
{
    uint64_t line = csv->line++;
    if (!csv->begun && length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) text += 3, length -= 3;
    csv->begun = true;
    if (!csv->separator) csv->separator = choose_separator(text, length);
    if (!csv->quoted) {
        if (!memchr(text, '"', length) || !ends_quoted(text, length, csv->separator)) {
            if (length > CSV_RECORD_MAX)
                bad(csv, line, "longer than 32 KB");
            else
                emit(csv, text, length, line);
            return 0;
        }
        buf_clear(&csv->raw);
        csv->start = line;
        csv->quoted = true;
    } else if (buf_putc(&csv->raw, '\n')) {
        return -ENOMEM;
    }
    if (buf_put(&csv->raw, text, length)) return -ENOMEM;
    if (csv->raw.length > CSV_RECORD_MAX) return resume_after_first_line(csv, "a quoted field is not closed");
    if (!memchr(text, '"', length) || ends_quoted(csv->raw.data, csv->raw.length, csv->separator)) return 0;
    csv->quoted = false;
    emit(csv, csv->raw.data, csv->raw.length, csv->start);
    buf_clear(&csv->raw);
    return 0;
}

/* The quote that opened in the first line of `raw` was a stray one. What follows that line is read again. */
static int resume_after_first_line(struct csv *csv, const char *why)
{
    struct buf again = csv->raw;
    int e = 0;
    csv->raw = BUF_INIT;
    csv->quoted = false;
    csv->line = csv->start;
    bad(csv, csv->line++, why);
    char *at = memchr(again.data, '\n', again.length), *end = again.data + again.length;
    while (at && e == 0) {
        char *line = at + 1;
        at = memchr(line, '\n', (size_t)(end - line));
        e = take_line(csv, line, (size_t)((at ? at : end) - line));
    }
    buf_free(&again);
    return e;
}

/* A line whose end has not come: kept up to the limit. */
static int keep_part(struct csv *csv, const char *data, size_t length)
{
    size_t room = csv->part.length > CSV_RECORD_MAX ? 0 : CSV_RECORD_MAX + 1 - csv->part.length;
    return buf_put(&csv->part, data, length < room ? length : room);
}

static int take_part(struct csv *csv)
{
    struct buf part = csv->part; /* take_line may not see it change */
    csv->part = BUF_INIT;
    int e = take_line(csv, part.data, part.length);
    buf_clear(&part);
    csv->part = part;
    return e;
}

int csv_feed(struct csv *csv, char *data, size_t length)
{
    char *end = data + length;
    int e = 0;
    while (e == 0 && data < end) {
        char *stop = memchr(data, '\n', (size_t)(end - data));
        if (!stop) return keep_part(csv, data, (size_t)(end - data));
        if (csv->part.length == 0)
            e = take_line(csv, data, (size_t)(stop - data));
        else if ((e = keep_part(csv, data, (size_t)(stop - data))) == 0)
            e = take_part(csv);
        data = stop + 1;
    }
    return e;
}

int csv_finish(struct csv *csv)
{
    int e = csv->part.length ? take_part(csv) : 0;
    while (e == 0 && csv->quoted) /* each round loses one line at least */
        e = resume_after_first_line(csv, "a quoted field is not closed");
    return e;
}
