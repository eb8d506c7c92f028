/* config.c: the checked tree: making, reading, dumping. */
#include "core/config.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/config_tree.h"

struct config_node *node_new(enum node_type type, const char *name)
{
    struct config_node *node = calloc(1, sizeof *node);
    if (node == NULL) return NULL;
    node->type = type;
    node->name = strdup(name);
    if (node->name == NULL) {
        free(node);
        return NULL;
    }
    return node;
}

void node_free(struct config_node *node)
{
    if (node == NULL) return;
    for (size_t i = 0; i < node->count; i++) node_free(node->children[i]);
    free(node->children);
    free(node->name);
    free(node->text);
    free(node);
}

int node_add(struct config_node *parent, struct config_node *child)
{
    if (parent->count == parent->size) {
        size_t size = parent->size ? parent->size * 2 : 8;
        struct config_node **children = realloc(parent->children, size * sizeof *children);
        if (children == NULL) return -ENOMEM;
        parent->children = children;
        parent->size = size;
    }
    parent->children[parent->count++] = child;
    return 0;
}

int node_text_set(struct config_node *node, const char *text, size_t length)
{
    char *copy = malloc(length + 1);
    if (copy == NULL) return -ENOMEM;
    memcpy(copy, text, length);
    copy[length] = 0;
    free(node->text);
    node->text = copy;
    node->text_length = length;
    return 0;
}

struct config_node *node_find(const struct config_node *node, const char *name)
{
    if (node == NULL) return NULL;
    for (size_t i = 0; i < node->count; i++)
        if (strcmp(node->children[i]->name, name) == 0) return node->children[i];
    return NULL;
}

static int by_number(const void *a, const void *b)
{
    const struct config_node *x = *(struct config_node *const *)a, *y = *(struct config_node *const *)b;
    long n = strtol(x->name, NULL, 10), m = strtol(y->name, NULL, 10);
    return (n > m) - (n < m);
}

static int by_name(const void *a, const void *b)
{
    const struct config_node *x = *(struct config_node *const *)a, *y = *(struct config_node *const *)b;
    return strcmp(x->name, y->name);
}

void node_sort(struct config_node *node)
{
    if (node->count > 1) qsort(node->children, node->count, sizeof *node->children, node->is_list ? by_number : by_name);
}

int config_load(struct config **out, const char *path, struct buf *errors)
{
    struct config *config = calloc(1, sizeof *config);
    if (config == NULL) return -ENOMEM;
    int rc = config_read(config, path, errors);
    if (rc == 0) rc = config_check(config, errors);
    if (rc < 0) {
        config_free(config);
        return rc;
    }
    *out = config;
    return 0;
}

void config_free(struct config *config)
{
    if (config == NULL) return;
    node_free(config->root);
    for (size_t i = 0; i < config->file_count; i++) free(config->files[i]);
    free(config->folder);
    free(config);
}

const struct config_node *config_root(const struct config *config) { return config == NULL ? NULL : config->root; }

const struct config_node *config_get(const struct config_node *node, const char *path)
{
    char part[256];
    while (node != NULL && *path != 0) {
        size_t length = strcspn(path, ".");
        if (length >= sizeof part) return NULL;
        memcpy(part, path, length);
        part[length] = 0;
        node = node_find(node, part);
        path += length + (path[length] == '.');
    }
    return node;
}

const char *config_str(const struct config_node *node, const char *path, const char *otherwise)
{
    const struct config_node *found = config_get(node, path);
    return found == NULL || found->type == NODE_TABLE ? otherwise : found->text;
}

int64_t config_int(const struct config_node *node, const char *path, int64_t otherwise)
{
    const struct config_node *found = config_get(node, path);
    if (found == NULL) return otherwise;
    if (found->type == NODE_INT || found->type == NODE_BOOL) return found->integer;
    return found->type == NODE_NUM ? (int64_t)found->number : otherwise;
}

double config_num(const struct config_node *node, const char *path, double otherwise)
{
    const struct config_node *found = config_get(node, path);
    if (found == NULL) return otherwise;
    if (found->type == NODE_NUM) return found->number;
    return found->type == NODE_INT ? (double)found->integer : otherwise;
}

bool config_bool(const struct config_node *node, const char *path, bool otherwise)
{
    const struct config_node *found = config_get(node, path);
    return found == NULL || found->type != NODE_BOOL ? otherwise : found->integer != 0;
}

size_t config_count(const struct config_node *node) { return node == NULL ? 0 : node->count; }

const struct config_node *config_child(const struct config_node *node, size_t index)
{
    return node == NULL || index >= node->count ? NULL : node->children[index];
}

const char *config_name(const struct config_node *node) { return node == NULL ? "" : node->name; }

const char *config_text(const struct config_node *node) { return node == NULL || node->text == NULL ? "" : node->text; }

/* A Lua string literal of any bytes. */
static int dump_quoted(struct buf *out, const char *text, size_t length)
{
    int rc = buf_putc(out, '"');
    for (size_t i = 0; i < length && rc == 0; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            rc = buf_printf(out, "\\%c", c);
        else if (c < 0x20 || c == 0x7f)
            rc = buf_printf(out, "\\%03u", c);
        else
            rc = buf_putc(out, (char)c);
    }
    return rc < 0 ? rc : buf_putc(out, '"');
}

static int dump_node(const struct config_node *node, struct buf *out, int depth)
{
    switch (node->type) {
    case NODE_TABLE: {
        int rc = buf_puts(out, "{\n");
        for (size_t i = 0; i < node->count && rc == 0; i++) {
            const struct config_node *child = node->children[i];
            rc = buf_printf(out, "%*s", depth * 2 + 2, "");
            if (rc == 0 && !node->is_list) {
                buf_putc(out, '[');
                dump_quoted(out, child->name, strlen(child->name));
                rc = buf_puts(out, "] = ");
            }
            if (rc == 0) rc = dump_node(child, out, depth + 1);
            if (rc == 0) rc = buf_puts(out, ",\n");
        }
        return rc < 0 ? rc : buf_printf(out, "%*s}", depth * 2, "");
    }
    case NODE_INT:
        return buf_printf(out, "%" PRId64, node->integer);
    case NODE_NUM:
        return buf_printf(out, "%.17g", node->number);
    case NODE_BOOL:
        return buf_puts(out, node->integer ? "true" : "false");
    default:
        return dump_quoted(out, node->text, node->text_length);
    }
}

int config_dump(const struct config *config, struct buf *out)
{
    int rc = buf_puts(out, "return ");
    if (rc == 0) rc = dump_node(config->root, out, 0);
    return rc < 0 ? rc : buf_putc(out, '\n');
}
