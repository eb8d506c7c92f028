/* ledger_keep.h: what time does to a ledger: old rows go, copies are made. For the command line's process; blocks, and may run beside an
 * engine that dials: every step is small, with a pause after it. */
#ifndef CAMPAIGN_LEDGER_KEEP_H
#define CAMPAIGN_LEDGER_KEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "store/db.h"

struct ledger_prune {
    int64_t before_us; /* rows of calls begun before this (UTC) */
    bool leads;        /* also leads that are done, of campaigns that are over, last changed before this */
    bool count_only;   /* deletes nothing */
    uint32_t batch;    /* rows a transaction; 0 = 1,000 */
    void (*progress)(void *context, const struct ledger_prune *sofar); /* after each batch; may be NULL */
    void *context;
    /* out */
    uint64_t attempts, lead_rows;
};

/* Open attempts (claimed) stay whatever their age, and so do leads that may yet be called. 0, or a negative errno with one line in `error`;
 * what was deleted before stays deleted, and running it again goes on. */
int ledger_prune(struct ledger_prune *prune, struct db *db, struct buf *error);

/* A consistent copy of a SQLite ledger into a file that must not exist yet, while the engine goes on writing. PostgreSQL has pg_dump:
 * -ENOTSUP. */
int ledger_copy(struct db *db, const char *path, struct buf *error);

#endif
