/* do_not_call_import.h: a file of numbers into the ledger's table do_not_call. For the command line's process; blocks. */
#ifndef CAMPAIGN_DO_NOT_CALL_IMPORT_H
#define CAMPAIGN_DO_NOT_CALL_IMPORT_H

#include <stdint.h>
#include <stdio.h>

#include "core/buf.h"
#include "store/db.h"

struct do_not_call_import {
    const char *default_country; /* see numbers.h */
    const char *campaign;        /* "" = for everybody */
    const char *reason;          /* NULL = none */
    FILE *bad_lines;             /* "FILE:LINE: reason", the first 100; NULL = not wanted */
    /* out */
    uint64_t numbers, added, bad;
};

/* All of it, in transactions of some thousands; again adds nothing. 0, or a negative errno with one line in `error`. */
int do_not_call_import(struct do_not_call_import *import, struct db *db, const char *path, struct buf *error);

#endif
