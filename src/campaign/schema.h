/* schema.h: the tables of the ledger, in both dialects, and their forward migration. docs/schema.md describes them to users. */
#ifndef CAMPAIGN_SCHEMA_H
#define CAMPAIGN_SCHEMA_H

#include "core/buf.h"
#include "store/db.h"

#define SCHEMA_VERSION 3

/* Brings an empty or older database to SCHEMA_VERSION, in one transaction; two engines may do it at the same time. On failure a negative
 * errno and in `error` one line with the mend (also for a database written by a newer Carillon). */
int schema_migrate(struct db *db, struct buf *error);

#endif
