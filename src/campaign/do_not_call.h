/* do_not_call.h: numbers that are never called: files of the configuration (numbers.do_not_call), and the ledger's table do_not_call, whose
 * rows hold for everybody or for one campaign.
 *
 * A file has a number a line (of a CSV the first column counts; '#' begins a comment). It is read again when it changes; the table,
 * when its count or its last id changes (looked at every few seconds). All reading is done by a helper; questions are answered from memory.
 * Until the first reading is through, and while it fails, `ready` is false and nobody may be called. */
#ifndef CAMPAIGN_DO_NOT_CALL_H
#define CAMPAIGN_DO_NOT_CALL_H

#include <stdbool.h>
#include <stddef.h>

#include "campaign/ledger.h"
#include "core/buf.h"
#include "core/config.h"
#include "core/jobs.h"
#include "core/loop.h"

struct do_not_call;

struct do_not_call_params {
    struct loop *loop;
    struct jobs *jobs;               /* one thread of its own: a list of millions takes seconds */
    struct ledger *ledger;           /* for what is added and removed */
    const char *database;            /* the ledger's URL, read through a connection of our own */
    const struct config_node *files; /* list of absolute paths, or NULL */
    const char *default_country;     /* see numbers.h */
    bool at_once;                    /* the first reading is through when do_not_call_open returns; it blocks */
};

/* Begins to read. -ENOENT, -EACCES …: a file that cannot be read, named in `error`. */
int do_not_call_open(struct do_not_call **out, const struct do_not_call_params *params, struct buf *error);
void do_not_call_close(struct do_not_call *list); /* before jobs_free; NULL is harmless */

bool do_not_call_ready(const struct do_not_call *list);
/* `campaign`: its name; NULL or "" = outside one. */
bool do_not_call_has(const struct do_not_call *list, const char *e164, const char *campaign);
/* In force at once, in the table a moment later. `campaign` "" = for everybody. -EINVAL: no number; -EAGAIN: not ready. */
int do_not_call_add(struct do_not_call *list, const char *number, const char *campaign, const char *reason);
/* Takes the row out of the table; -EEXIST if a file has the number, too (it stays there). */
int do_not_call_remove(struct do_not_call *list, const char *number, const char *campaign);
/* Other files from now on; until they are read the old ones hold. */
void do_not_call_files_set(struct do_not_call *list, const struct config_node *files);
/* Looks at files and table now rather than in a few seconds. */
void do_not_call_reload(struct do_not_call *list);
/* A line: how many numbers, from where, and what is wrong. */
void do_not_call_describe(const struct do_not_call *list, struct buf *out);

#endif
