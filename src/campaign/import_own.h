/* import_own.h: the batch between reading rows (import.c) and writing them (import_write.c). */
#ifndef CAMPAIGN_IMPORT_OWN_H
#define CAMPAIGN_IMPORT_OWN_H

#include "campaign/csv.h"
#include "campaign/import.h"
#include "campaign/numbers.h"

#define IMPORT_BATCH_ROWS 2000         /* in one transaction: short, since a running engine's ledger waits for it */
#define IMPORT_BATCH_BYTES (1u << 20)

struct import_lead {
    char number[NUMBER_SIZE];
    uint32_t zone, variables; /* offsets in texts; zone 0 = none */
};

struct import_writer {
    struct db *db;
    int64_t campaign, before; /* highest lead id before this import: tells a repeated number from a known one */
    struct db_statement *insert, *which;
    struct import_lead *leads;
    size_t count;
    struct buf texts;
};

int import_writer_open(struct import_writer *writer, struct db *db, const char *campaign);
/* One transaction: counts into result, and empties the batch. */
int import_writer_flush(struct import_writer *writer, struct import_result *result);
void import_writer_close(struct import_writer *writer);

#endif
