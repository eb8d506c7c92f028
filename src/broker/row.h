/* row.h: a call's row in the ledger, and the last word to a campaign. */
#ifndef BROKER_ROW_H
#define BROKER_ROW_H

#include "broker/state.h"

/* What is known before the INVITE. */
void row_begin_fill(const struct call *call, struct attempt_begin *begin);
/* Outgoing calls: the watcher decides about the lead, then the ledger gets the row. Once per call. */
void row_write(struct call *call);

#endif
