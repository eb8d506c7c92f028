/* config.h: conf/carillon.lua as a checked tree. The schema (every key, type, range, default, one line of help) is
 * one table in config_schema.c, which also writes docs/configuration.md.
 *
 * The file is Lua run in an empty environment: env(NAME[, otherwise]), secret(FILE) and include(FILE) only, bounded in instructions and
 * memory. A wrong key, type or value gives: file:line, the key's full path, what was found, what is allowed. */
#ifndef CORE_CONFIG_H
#define CORE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"

struct config;      /* the whole; owns its nodes and strings */
struct config_node; /* a table or a value in it */

/* Loads and checks. On failure -EINVAL, and `errors` holds one line per mistake (all of them, not the first). */
int config_load(struct config **out, const char *path, struct buf *errors);
void config_free(struct config *config);
const struct config_node *config_root(const struct config *config);
/* The checked tree as a Lua table text with all defaults filled in (what the supervisor hands to its children). */
int config_dump(const struct config *config, struct buf *out);

/* A new configuration beside the one that runs. `wanted` keeps its changes of keys that are live in the schema; everything else in it
 * becomes what runs, so that a process that is started again fits to the others. `out` names both kinds by full path, comma-separated. 0 or
 * -ENOMEM. */
struct config_changes {
    struct buf live, fixed;
    unsigned live_count, fixed_count;
};
int config_settle(const struct config *running, struct config *wanted, struct config_changes *out);
void config_changes_free(struct config_changes *changes);
/* Two tables or values of checked trees say the same; both may be NULL. */
bool config_same(const struct config_node *a, const struct config_node *b);

/* `path` as "sip.listen.1.port", relative to node; NULL if absent. */
const struct config_node *config_get(const struct config_node *node, const char *path);
const char *config_str(const struct config_node *node, const char *path, const char *otherwise);
int64_t config_int(const struct config_node *node, const char *path, int64_t otherwise);
double config_num(const struct config_node *node, const char *path, double otherwise);
bool config_bool(const struct config_node *node, const char *path, bool otherwise);
/* Children in the file's order where they are a list, by name otherwise. count of NULL is 0. */
size_t config_count(const struct config_node *node);
const struct config_node *config_child(const struct config_node *node, size_t index);
const char *config_name(const struct config_node *node); /* its key in the parent; "1", "2" … in lists */
const char *config_text(const struct config_node *node); /* a value as text, "" for a table */

#endif
