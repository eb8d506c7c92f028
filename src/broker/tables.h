/* tables.h: MSG_TABLE: FreeSWITCH's hash and db: shared tables of the whole engine. `hash` lives with the broker process; `db`
 * is also kept in data_dir/db.kv, written by a helper thread within a second of a change. */
#ifndef BROKER_TABLES_H
#define BROKER_TABLES_H

#include "broker/state.h"

int tables_open(struct broker *broker); /* reads db.kv; a broken file is put aside, with a line */
void tables_close(struct broker *broker);
void table_request(struct broker *broker, const struct post_message *message);

#endif
