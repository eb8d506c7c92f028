/* audit.h: who changed what, from where, and what came of it: whatever the page, REST, the web interface and `carillon`'s commands change.
 *
 * Each is told to the broker until it says that it is a row of the ledger's table `audit` (the record), and is a line of
 * data_dir/audit.log, which is what GET /v1/audit reads: without a database's delay, and while the database is away. The log has it as
 * well. */
#ifndef CONTROL_AUDIT_H
#define CONTROL_AUDIT_H

#include <stdbool.h>

#include "core/buf.h"

struct control;

struct audit_entry {
    const char *who;    /* a user of http.users, or "uid 1000" of the operators' socket */
    const char *role;   /* viewer, operator, shell */
    const char *from;   /* an address, or "control.sock" */
    const char *action; /* "trunk cap acme cps=20" */
    const char *result; /* "+OK …", "-ERR …" */
};

/* 0 or -errno, after logging why. */
int audit_open(struct control *control);
void audit_close(struct control *control);
void audit_write(struct control *control, const struct audit_entry *entry);
/* The newest lines as a JSON list. */
int audit_read(struct control *control, struct buf *out);
/* Does a command of the engine change something, so that it belongs here? */
bool audit_concerns(const char *command, const char *verb);

#endif
