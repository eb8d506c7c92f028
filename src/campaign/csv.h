/* csv.h: RFC 4180, streaming: bytes in, records out. No file, no memory that grows with the file.
 *
 * Understood: quoted fields with "" and line breaks in them, CRLF and LF, a byte order mark, comma, semicolon or tab between fields (the
 * one that is most frequent in the first line). A malformed record is handed over with its reason and costs itself alone: after a quote
 * that never closes, reading goes on with the line after the one where it opened. */
#ifndef CAMPAIGN_CSV_H
#define CAMPAIGN_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"

#define CSV_FIELDS_MAX 64u
#define CSV_RECORD_MAX (32u << 10) /* bytes of one record */

struct csv_record {
    uint64_t line;     /* where it begins, from 1 */
    const char *error; /* NULL, or why it is none; then count is 0 */
    size_t count;
    char *field[CSV_FIELDS_MAX]; /* zero-terminated, unquoted; valid during the call */
};

struct csv {
    void (*record)(void *context, const struct csv_record *record);
    void *context;
    char separator;  /* 0 = not yet known */
    uint64_t line;   /* of the next physical line */
    uint64_t start;  /* line where the record in `raw` begins */
    bool quoted;     /* `raw` ends within a quoted field */
    bool begun;      /* the byte order mark has been looked for */
    struct buf part; /* the beginning of a line whose end is not here yet */
    struct buf raw;  /* the lines so far of a record with an open quote */
};

void csv_start(struct csv *csv, void (*record)(void *context, const struct csv_record *record), void *context);
/* Any number of bytes, which are changed. 0 or -ENOMEM. */
int csv_feed(struct csv *csv, char *data, size_t length);
/* The end of the file: a last line without line break counts. */
int csv_finish(struct csv *csv);
void csv_free(struct csv *csv);

#endif
