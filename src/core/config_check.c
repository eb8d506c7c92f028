/* config_check.c: holds what was read against the schema; every mistake is one line, and all of them are found. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/config_tree.h"

#define MISTAKES_MAX 100 /* lines of errors; a wholly wrong file need not fill the screen */

struct checker {
    struct config *config;
    struct buf *errors;
    unsigned mistakes;
};

void config_mistake(struct buf *errors, const struct config_node *at, const char *path, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (at != NULL && at->file != NULL) buf_printf(errors, at->line > 0 ? "%s:%d: " : "%s: ", at->file, at->line);
    if (*path != 0) buf_printf(errors, "%s: ", path);
    buf_vprintf(errors, format, args);
    buf_putc(errors, '\n');
    va_end(args);
}

#define mistake(checker, at, path, ...)                                                                                                    \
    ((checker)->mistakes++ < MISTAKES_MAX ? config_mistake((checker)->errors, (at), (path), __VA_ARGS__) : (void)0)

/* Is `row` directly below `pattern`? Then its last part, otherwise NULL. */
static const char *row_below(const struct schema_row *row, const char *pattern)
{
    size_t length = strlen(pattern);
    const char *rest = row->path;
    if (length > 0) {
        if (strncmp(rest, pattern, length) != 0 || rest[length] != '.') return NULL;
        rest += length + 1;
    }
    return strchr(rest, '.') == NULL ? rest : NULL;
}

static size_t edit_distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b), row[64];
    if (n >= 64 || m >= 64) return SIZE_MAX;
    for (size_t j = 0; j <= m; j++) row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t up = row[j], best = corner + (a[i - 1] != b[j - 1]);
            if (up + 1 < best) best = up + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            corner = up;
            row[j] = best;
        }
    }
    return row[m];
}

static void unknown_key(struct checker *checker, const struct config_node *node, const char *path, const char *pattern)
{
    const char *best = NULL;
    size_t best_distance = 4, name_length = strlen(node->name);
    struct buf keys = BUF_INIT;
    for (size_t i = 0; i < schema_row_count; i++) {
        const char *key = row_below(&schema_rows[i], pattern);
        if (key == NULL) continue;
        buf_printf(&keys, "%s%s", keys.length ? ", " : "", key);
        size_t distance = edit_distance(node->name, key);
        if (distance < best_distance && distance * 2 <= name_length + 1) {
            best = key;
            best_distance = distance;
        }
    }
    if (best != NULL)
        mistake(checker, node, path, "unknown key; did you mean `%s`?", best);
    else
        mistake(checker, node, path, "unknown key; allowed here: %s", buf_text(&keys));
    buf_free(&keys);
}

/* "the text \"fast\"", "a table" …: what was found. Passwords are not repeated. */
static const char *found_text(const struct config_node *node, const char *path, char *out, size_t size)
{
    const char *last = strrchr(path, '.');
    bool secret = strcmp(last != NULL ? last + 1 : path, "password") == 0;
    if (node->type == NODE_TABLE)
        snprintf(out, size, node->count == 0 ? "an empty table" : node->is_list ? "a list" : "a table");
    else if (node->type == NODE_OTHER)
        snprintf(out, size, "a %s", node->text);
    else if (secret)
        snprintf(out, size, "a value");
    else if (node->type == NODE_TEXT)
        snprintf(out, size, "the text \"%.80s%s\"", node->text, strlen(node->text) > 80 ? "…" : "");
    else
        snprintf(out, size, node->type == NODE_BOOL ? "%s" : "the number %s", node->text);
    return out;
}

/* `choices` as words: "udp, tcp". */
static const char *choice_words(const char *choices, char *out, size_t size)
{
    size_t length = 0;
    for (const char *p = choices; *p != 0 && length + 40 < size;) {
        size_t n = strcspn(p, "|");
        length += (size_t)snprintf(out + length, size - length, "%s\"%.*s\"", p == choices ? "" : ", ", (int)n, p);
        p += n + (p[n] == '|');
    }
    return out;
}

static bool is_choice(const char *choices, const char *text)
{
    size_t length = strlen(text);
    for (const char *p = choices; p != NULL && *p != 0;) {
        size_t n = strcspn(p, "|");
        if (n == length && memcmp(p, text, n) == 0) return true;
        p += n + (p[n] == '|');
    }
    return false;
}

static void allowed_text(const struct schema_row *row, char *out, size_t size)
{
    char words[256] = "";
    if (row->choices != NULL) choice_words(row->choices, words, sizeof words);
    if (row->type == SCHEMA_INT || row->type == SCHEMA_NUM)
        snprintf(out, size, "a %snumber from %.10g to %.10g%s%s", row->type == SCHEMA_INT ? "whole " : "", row->min, row->max,
                 row->choices != NULL ? ", or " : "", words);
    else if (row->type == SCHEMA_BOOL)
        snprintf(out, size, "true or false");
    else if (row->choices != NULL)
        snprintf(out, size, "%s", words);
    else if (row->form != NULL && row->form("") != NULL)
        snprintf(out, size, "%s", row->form(""));
    else if (row->form != NULL && row->form("\n") != NULL)
        snprintf(out, size, "%s", row->form("\n"));
    else
        snprintf(out, size, "text");
}

/* A single value against its row; the same node is used in the checked tree. */
static bool value_ok(struct checker *checker, const struct schema_row *row, const struct config_node *node, const char *path)
{
    char found[160], allowed[400];
    bool ok = false;
    const char *why = NULL;
    if (row->type == SCHEMA_INT || row->type == SCHEMA_NUM) {
        double value = node->type == NODE_NUM ? node->number : (double)node->integer;
        ok = node->type == NODE_INT || (node->type == NODE_NUM && row->type == SCHEMA_NUM);
        ok = ok && value >= row->min && value <= row->max; /* false for NaN, too */
        ok = ok || (node->type == NODE_TEXT && is_choice(row->choices, node->text));
    } else if (row->type == SCHEMA_BOOL) {
        ok = node->type == NODE_BOOL;
    } else if (node->type == NODE_TEXT) {
        double max = row->max > 0 ? row->max : row->type == SCHEMA_PATH ? 1000 : 255;
        size_t length = node->text_length;
        if (strlen(node->text) != length)
            why = "text without a zero byte";
        else if (row->choices != NULL)
            ok = is_choice(row->choices, node->text);
        else if (row->form != NULL && (why = row->form(node->text)) != NULL)
            ok = false;
        else if ((double)length > max || (double)length < row->min || (row->type == SCHEMA_PATH && length == 0))
            why = length == 0 ? "a text that is not empty" : "a shorter text";
        else
            ok = true;
    }
    if (ok) return true;
    allowed_text(row, allowed, sizeof allowed);
    mistake(checker, node, path, "found %s; allowed: %s", found_text(node, path, found, sizeof found), why != NULL ? why : allowed);
    return false;
}

/* A node from the schema's own default text. */
static struct config_node *default_value(const struct schema_row *row, const char *name, const char *text, size_t length)
{
    struct config_node *node = node_new(NODE_TEXT, name);
    if (node == NULL || node_text_set(node, text, length) < 0) {
        node_free(node);
        return NULL;
    }
    node->is_default = true;
    if (row->type == SCHEMA_BOOL) {
        node->type = NODE_BOOL;
        node->integer = strcmp(node->text, "true") == 0;
    } else if ((row->type == SCHEMA_INT || row->type == SCHEMA_NUM) && !is_choice(row->choices, node->text)) {
        node->type = strchr(node->text, '.') == NULL ? NODE_INT : NODE_NUM;
        if (node->type == NODE_INT)
            node->integer = strtoll(node->text, NULL, 10);
        else
            node->number = strtod(node->text, NULL);
    }
    return node;
}

static const struct schema_row *row_named(const char *pattern)
{
    for (size_t i = 0; i < schema_row_count; i++)
        if (strcmp(schema_rows[i].path, pattern) == 0) return &schema_rows[i];
    return NULL;
}

static int default_list(struct config_node *list, const char *text)
{
    static const struct schema_row text_row = { .type = SCHEMA_TEXT };
    char name[16];
    list->is_list = true;
    for (unsigned place = 1; text != NULL && *text != 0; place++) {
        size_t n = strcspn(text, ",");
        snprintf(name, sizeof name, "%u", place);
        struct config_node *child = default_value(&text_row, name, text, n);
        if (child == NULL || node_add(list, child) < 0) return -ENOMEM;
        text += n + (text[n] == ',');
    }
    return 0;
}

static int check_table(struct checker *checker, struct config_node *node, const char *path, const char *pattern);

/* The folder's path before relative ones, so that children and other folders mean the same file. */
static int make_absolute(struct checker *checker, struct config_node *node)
{
    char path[PATH_MAX];
    if (node->text[0] == '/' || strcmp(node->text, "-") == 0) /* "-" is stderr, for logs */
        return 0;
    int n = snprintf(path, sizeof path, "%s/%s", checker->config->folder, node->text);
    return n < 0 || (size_t)n >= sizeof path ? 0 : node_text_set(node, path, (size_t)n);
}

static int check_node(struct checker *checker, const struct schema_row *row, struct config_node *node, const char *path)
{
    char found[160];
    if (row->type != SCHEMA_TABLE && row->type != SCHEMA_MAP && row->type != SCHEMA_LIST) {
        if (value_ok(checker, row, node, path) && row->type == SCHEMA_PATH) return make_absolute(checker, node);
        return 0;
    }
    if (node->type != NODE_TABLE || (node->count > 0 && node->is_list != (row->type == SCHEMA_LIST))) {
        const char *allowed = row->type == SCHEMA_LIST  ? "a list, as { \"a\", \"b\" }"
                              : row->type == SCHEMA_MAP ? "a table by name, as { name = … }"
                                                        : "a table, as { key = … }";
        mistake(checker, node, path, "found %s; allowed: %s", found_text(node, path, found, sizeof found), allowed);
        return 0;
    }
    if (row->type == SCHEMA_TABLE) return check_table(checker, node, path, row->path);
    if ((double)node->count < row->min || (double)node->count > row->max)
        mistake(checker, node, path, "found %zu entries; allowed: %.0f to %.0f", node->count, row->min, row->max);
    node->is_list = row->type == SCHEMA_LIST;
    char pattern[256], child_path[768];
    snprintf(pattern, sizeof pattern, "%s.*", row->path);
    const struct schema_row *inner = row_named(pattern);
    for (size_t i = 0; i < node->count && inner != NULL; i++) {
        struct config_node *child = node->children[i];
        snprintf(child_path, sizeof child_path, "%s.%s", path, child->name);
        const char *why = NULL;
        if (row->type == SCHEMA_MAP && (child->name[0] == 0 || strpbrk(child->name, ". \t\r\n:") != NULL || strlen(child->name) > 63))
            why = "a name of 1 to 63 characters without '.', ':' and blanks";
        if (why != NULL) mistake(checker, child, child_path, "found the name \"%.80s\"; allowed: %s", child->name, why);
        int rc = check_node(checker, inner, child, child_path);
        if (rc < 0) return rc;
    }
    return 0;
}

/* What the file does not say. */
static int fill_in(struct checker *checker, const struct schema_row *row, struct config_node *parent, const char *name, const char *path)
{
    struct config_node *node;
    if (row->required) {
        mistake(checker, parent, path, "missing; %s", row->help);
        return 0;
    }
    if (row->type == SCHEMA_TABLE || row->type == SCHEMA_MAP || row->type == SCHEMA_LIST) {
        if (row->optional_table) return 0;
        node = node_new(NODE_TABLE, name);
        int rc = node == NULL ? -ENOMEM : 0;
        if (rc == 0) {
            node->is_default = true;
            node->file = parent->file;
            node->line = parent->line;
        }
        if (rc == 0 && row->type == SCHEMA_LIST) rc = default_list(node, row->otherwise);
        if (rc == 0 && row->type == SCHEMA_TABLE) rc = check_table(checker, node, path, row->path);
        if (rc == 0) rc = node_add(parent, node);
        if (rc < 0) node_free(node);
        return rc;
    }
    if (row->otherwise == NULL) return 0;
    node = default_value(row, name, row->otherwise, strlen(row->otherwise));
    int rc = node == NULL ? -ENOMEM : node_add(parent, node);
    if (rc < 0) node_free(node);
    return rc == 0 && row->type == SCHEMA_PATH ? make_absolute(checker, node) : rc;
}

static int check_table(struct checker *checker, struct config_node *node, const char *path, const char *pattern)
{
    char child_path[768];
    for (size_t i = 0; i < schema_row_count; i++) {
        const char *key = row_below(&schema_rows[i], pattern);
        if (key == NULL) continue;
        struct config_node *child = node_find(node, key);
        snprintf(child_path, sizeof child_path, "%s%s%s", path, *path ? "." : "", key);
        int rc = child != NULL ? check_node(checker, &schema_rows[i], child, child_path)
                               : fill_in(checker, &schema_rows[i], node, key, child_path);
        if (child != NULL) child->seen = true;
        if (rc < 0) return rc;
    }
    for (size_t i = 0; i < node->count; i++) {
        struct config_node *child = node->children[i];
        snprintf(child_path, sizeof child_path, "%s%s%s", path, *path ? "." : "", child->name);
        if (!child->seen && child->file != NULL && !child->is_default) unknown_key(checker, child, child_path, pattern);
    }
    node_sort(node);
    return 0;
}

int config_check(struct config *config, struct buf *errors)
{
    struct checker checker = { .config = config, .errors = errors };
    int rc = check_table(&checker, config->root, "", "");
    if (rc < 0) return rc;
    size_t before = errors->length;
    /* What spans several keys is worth saying only of values that are well-formed. */
    if (checker.mistakes == 0) config_cross_check(config, errors);
    if (checker.mistakes > MISTAKES_MAX) buf_printf(errors, "… and %u more mistakes\n", checker.mistakes - MISTAKES_MAX);
    return checker.mistakes > 0 || errors->length > before ? -EINVAL : 0;
}
