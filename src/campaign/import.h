/* import.h: leads into the database: from a CSV file (streaming) or row by row. For the command line's process; blocks. */
#ifndef CAMPAIGN_IMPORT_H
#define CAMPAIGN_IMPORT_H

#include <stdint.h>
#include <stdio.h>

#include "core/buf.h"
#include "store/db.h"

struct import_result {
    uint64_t rows; /* data rows read, bad ones too; rows = added + repeated + known + bad */
    uint64_t added;
    uint64_t repeated; /* dropped: the number came earlier in this file */
    uint64_t known;    /* dropped: the campaign had the number before */
    uint64_t bad;
    uint64_t bytes, bytes_total; /* of the file */
    double seconds;
};

struct import_params {
    struct db *db;                                                      /* open and migrated (import_database) */
    const char *campaign;                                               /* name; its row is made if missing */
    const char *default_country;                                        /* see numbers.h */
    const char *number_column;                                          /* NULL: found by its name (number, phone, mobile, msisdn …) */
    const char *zone_column;                                            /* NULL: found by its name (zone, timezone, tz) */
    FILE *bad_rows;                                                     /* "FILE:LINE: reason" for each bad row; NULL = not wanted */
    uint64_t bad_rows_max;                                              /* lines written there at most; 0 = 100 */
    void (*progress)(void *context, const struct import_result *sofar); /* about four times a second; may be NULL */
    void *context;
};

/* Opens `dsn` for imports and brings its schema up to date. */
int import_database(struct db **out, const char *dsn, struct buf *error);

/* The whole file. 0, or a negative errno with one line in `error`; what was added before it stays, and importing again goes on where it
 * ended. */
int import_csv(const struct import_params *params, const char *path, struct import_result *result, struct buf *error);

/* Row by row (a table of leads, a test). `source` names the rows in bad-row reports. */
struct import;
int import_open(struct import **out, const struct import_params *params, const char *source, struct buf *error);
/* The columns' names, before the first row. -EINVAL if none of them is a number column, or one comes twice. */
int import_columns(struct import *import, size_t count, char *const *names, struct buf *error);
/* A row; a bad one is counted and reported, and is no error. Negative only if the database fails. */
int import_row(struct import *import, uint64_t line, size_t count, char *const *fields);
void import_bad(struct import *import, uint64_t line, const char *reason);
/* Writes what is left, fills in the result. Frees also after an error. */
int import_close(struct import *import, struct import_result *result, struct buf *error);

/* The campaign's row, made if missing. 0 and its id. */
int campaign_row(struct db *db, const char *name, int64_t *id);

#endif
