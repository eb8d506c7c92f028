/* import_own.h: the batch between reading rows (import.c) and writing them (import_write.c). */
#ifndef CAMPAIGN_IMPORT_OWN_H
#define CAMPAIGN_IMPORT_OWN_H

#include "campaign/csv.h"
#include "campaign/import.h"
#include "campaign/numbers.h"

/* Rows in one transaction. A batch touches nearly every page of the unique index once, since numbers come in no order: small batches write
 * the index over and over (2,000 rows a batch: 4 GB for a million rows). But a running engine's ledger waits while a batch is written. So
 * batches grow as long as nobody else writes, and fall back to the least when somebody does. PostgreSQL has no such lock: its batches are
 * what one statement takes well. */
#define IMPORT_BATCH_LEAST      2000
#define IMPORT_BATCH_MOST       100000
#define IMPORT_BATCH_POSTGRESQL 5000
#define IMPORT_STATEMENT_ROWS   40 /* rows of one SQLite statement: most of the price of a row is the statement around it */
#define IMPORT_BATCH_BYTES      (8u << 20)

struct import_lead {
    char number[NUMBER_SIZE];
    uint32_t zone, variables; /* offsets in texts; zone 0 = none */
    uint32_t length;          /* of variables */
};

/* The order of the unique index: rows are written in it, so that each page of the index is met once a batch. */
struct import_order {
    uint64_t key; /* the number's digits, packed so that they sort as text does */
    size_t at;    /* in leads: the file's order decides between equals */
};

struct import_writer {
    struct db *db;
    struct import_order *order;
    int64_t campaign, before;                      /* highest lead id before this import: tells a repeated number from a known one */
    int64_t place;                                 /* of the batch's first row in the list: what orders new leads (next_us) */
    struct db_statement *insert, *which;           /* PostgreSQL: a batch; SQLite: one row */
    struct db_statement *insert_many, *which_many; /* SQLite: IMPORT_STATEMENT_ROWS */
    struct import_lead *leads;
    size_t count, most; /* most: the present batch size */
    struct buf texts;
};

int import_writer_open(struct import_writer *writer, struct db *db, const char *campaign);
/* One transaction: counts into result, and empties the batch. */
int import_writer_flush(struct import_writer *writer, struct import_result *result);
void import_writer_close(struct import_writer *writer);

#endif
