/* config_live.c: a new configuration beside the one that runs: what differs, and which of it may take effect without a restart. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/config_tree.h"

#define NAMED_MAX 40 /* keys that one list names */

struct settling {
    struct config_changes *changes;
    int error;
};

static const struct schema_row *row_of(const char *pattern)
{
    for (size_t i = 0; i < schema_row_count; i++)
        if (strcmp(schema_rows[i].path, pattern) == 0) return &schema_rows[i];
    return NULL;
}

/* The row for a child: by its name in a table, '*' in a map or list. */
static const struct schema_row *row_of_child(const struct schema_row *row, const char *name)
{
    char pattern[256];
    bool any = row != NULL && (row->type == SCHEMA_MAP || row->type == SCHEMA_LIST);
    snprintf(pattern, sizeof pattern, "%s%s%s", row == NULL ? "" : row->path, row == NULL ? "" : ".", any ? "*" : name);
    return row_of(pattern);
}

static struct config_node *clone(const struct config_node *node)
{
    struct config_node *copy = node_new(node->type, node->name);
    if (copy == NULL) return NULL;
    copy->is_list = node->is_list;
    copy->integer = node->integer;
    if (node->type == NODE_NUM) copy->number = node->number;
    bool failed = node->text != NULL && node_text_set(copy, node->text, node->text_length) < 0;
    for (size_t i = 0; i < node->count && !failed; i++) {
        struct config_node *child = clone(node->children[i]);
        failed = child == NULL || node_add(copy, child) < 0;
    }
    if (!failed) return copy;
    node_free(copy);
    return NULL;
}

static bool same(const struct config_node *a, const struct config_node *b)
{
    if (a == NULL || b == NULL || a->type != b->type || a->count != b->count) return a == b;
    if (a->type != NODE_TABLE) return strcmp(config_text(a), config_text(b)) == 0;
    for (size_t i = 0; i < a->count; i++)
        if (strcmp(a->children[i]->name, b->children[i]->name) != 0 || !same(a->children[i], b->children[i])) return false;
    return true;
}

static void name_change(struct settling *s, const char *path, bool live)
{
    struct buf *out = live ? &s->changes->live : &s->changes->fixed;
    unsigned *count = live ? &s->changes->live_count : &s->changes->fixed_count;
    if (++*count <= NAMED_MAX)
        buf_printf(out, "%s%s", *count > 1 ? ", " : "", path);
    else if (*count == NAMED_MAX + 1)
        buf_puts(out, " …");
}

/* The child of that name as it runs, in the new tree: put back, replaced or taken out. */
static void put_back(struct settling *s, struct config_node *wanted, const char *name, const struct config_node *running)
{
    struct config_node *copy = running == NULL ? NULL : clone(running);
    if (running != NULL && copy == NULL) {
        s->error = -ENOMEM;
        return;
    }
    for (size_t i = 0; i < wanted->count; i++) {
        if (strcmp(wanted->children[i]->name, name) != 0) continue;
        node_free(wanted->children[i]);
        wanted->children[i] = copy;
        if (copy == NULL) memmove(&wanted->children[i], &wanted->children[i + 1], (--wanted->count - i) * sizeof wanted->children[0]);
        return;
    }
    if (copy != NULL && node_add(wanted, copy) < 0) s->error = -ENOMEM;
    node_sort(wanted);
}

static void settle_table(struct settling *s, const struct config_node *running, struct config_node *wanted, const struct schema_row *row,
                         const char *path);

static void settle_child(struct settling *s, const struct config_node *running, struct config_node *wanted, const struct schema_row *parent,
                         const char *name, const char *parent_path)
{
    char path[256];
    const struct config_node *now = node_find(running, name);
    struct config_node *next = node_find(wanted, name);
    const struct schema_row *row = row_of_child(parent, name);
    snprintf(path, sizeof path, "%s%s%s", parent_path, *parent_path ? "." : "", name);
    bool inner = now != NULL && next != NULL && row != NULL &&
                 (row->type == SCHEMA_TABLE || row->type == SCHEMA_MAP || (row->type == SCHEMA_LIST && !row->live));
    if (inner && now->type == NODE_TABLE && next->type == NODE_TABLE && (row->type != SCHEMA_LIST || now->count == next->count)) {
        settle_table(s, now, next, row, path);
        return;
    }
    if (same(now, next)) return;
    bool live = row != NULL && row->live;
    name_change(s, path, live);
    if (!live) put_back(s, wanted, name, now);
}

static void settle_table(struct settling *s, const struct config_node *running, struct config_node *wanted, const struct schema_row *row,
                         const char *path)
{
    for (size_t i = 0; i < running->count; i++) settle_child(s, running, wanted, row, running->children[i]->name, path);
    for (size_t i = wanted->count; i-- > 0;) /* from behind: a child that is taken out moves only those that were seen */
        if (node_find(running, wanted->children[i]->name) == NULL) {
            char name[256];
            snprintf(name, sizeof name, "%s", wanted->children[i]->name);
            settle_child(s, running, wanted, row, name, path);
        }
}

int config_settle(const struct config *running, struct config *wanted, struct config_changes *out)
{
    struct settling s = { .changes = out };
    *out = (struct config_changes) { .live = BUF_INIT, .fixed = BUF_INIT };
    settle_table(&s, running->root, wanted->root, NULL, "");
    return s.error;
}

void config_changes_free(struct config_changes *changes)
{
    buf_free(&changes->live);
    buf_free(&changes->fixed);
}

bool config_same(const struct config_node *a, const struct config_node *b) { return same(a, b); }
