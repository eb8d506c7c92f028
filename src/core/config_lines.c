/* config_lines.c: the line of each key. Lua's values do not remember where they were written, so this reads the source
 * once more, only for its shape: comments, strings, brackets, `key =` and `["key"] =`. What it does not understand (a
 * value computed by an expression) simply has no line of its own, and the reader takes the table's around it. */
#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/config_tree.h"

struct line_entry {
    char *path;
    int line;
};

struct line_map {
    struct line_entry *entries;
    size_t count, size;
};

enum token { TOKEN_END, TOKEN_NAME, TOKEN_STRING, TOKEN_OTHER };

struct lexer {
    const char *at, *end;
    int line;
    char text[128]; /* of a name or string, cut off */
    char symbol;    /* of TOKEN_OTHER */
};

/* At "[[" or "[==[": past its closing bracket, with the contents' first bytes in text. False if it is no long bracket. */
static bool lex_long(struct lexer *lexer)
{
    const char *p = lexer->at + 1;
    size_t level = 0;
    while (p < lexer->end && *p == '=') level++, p++;
    if (p >= lexer->end || *p != '[') return false;
    for (p++; p < lexer->end; p++) {
        if (*p == '\n') lexer->line++;
        if (*p != ']' || (size_t)(lexer->end - p) < level + 2) continue;
        size_t n = 0;
        while (n < level && p[1 + n] == '=') n++;
        if (n == level && p[1 + n] == ']') {
            lexer->at = p + level + 2;
            return true;
        }
    }
    lexer->at = lexer->end;
    return true;
}

static void lex_quoted(struct lexer *lexer)
{
    char quote = *lexer->at++;
    size_t length = 0;
    while (lexer->at < lexer->end && *lexer->at != quote && *lexer->at != '\n') {
        if (*lexer->at == '\\' && lexer->at + 1 < lexer->end) {
            lexer->at++;
            if (*lexer->at == '\n') lexer->line++;
        }
        if (length + 1 < sizeof lexer->text) lexer->text[length++] = *lexer->at;
        lexer->at++;
    }
    lexer->text[length] = 0;
    if (lexer->at < lexer->end) lexer->at++;
}

static enum token lex(struct lexer *lexer)
{
    while (lexer->at < lexer->end) {
        char c = *lexer->at;
        if (c == '\n') {
            lexer->line++;
            lexer->at++;
        } else if (isspace((unsigned char)c)) {
            lexer->at++;
        } else if (c == '-' && lexer->at + 1 < lexer->end && lexer->at[1] == '-') {
            lexer->at += 2;
            if (lexer->at < lexer->end && *lexer->at == '[' && lex_long(lexer)) continue;
            while (lexer->at < lexer->end && *lexer->at != '\n') lexer->at++;
        } else if (c == '"' || c == '\'') {
            lex_quoted(lexer);
            return TOKEN_STRING;
        } else if (c == '[' && lex_long(lexer)) {
            lexer->text[0] = 0;
            return TOKEN_STRING;
        } else if (isalpha((unsigned char)c) || c == '_') {
            size_t length = 0;
            while (lexer->at < lexer->end && (isalnum((unsigned char)*lexer->at) || *lexer->at == '_')) {
                if (length + 1 < sizeof lexer->text) lexer->text[length++] = *lexer->at;
                lexer->at++;
            }
            lexer->text[length] = 0;
            return TOKEN_NAME;
        } else {
            lexer->symbol = c;
            lexer->at++;
            /* "==", "~=", "<=", ">=" are no assignments */
            if (strchr("=~<>", c) != NULL && lexer->at < lexer->end && *lexer->at == '=') {
                lexer->at++;
                lexer->symbol = '?';
            }
            return TOKEN_OTHER;
        }
    }
    return TOKEN_END;
}

static int map_put(struct line_map *map, const char *path, int line)
{
    if (map->count == map->size) {
        size_t size = map->size ? map->size * 2 : 64;
        struct line_entry *entries = realloc(map->entries, size * sizeof *entries);
        if (entries == NULL) return -ENOMEM;
        map->entries = entries;
        map->size = size;
    }
    char *copy = strdup(path);
    if (copy == NULL) return -ENOMEM;
    map->entries[map->count++] = (struct line_entry) { copy, line };
    return 0;
}

/* One table constructor, after its '{'. `path` is its own path; longer texts than fits are cut, which only loses lines. */
static int read_table(struct line_map *map, struct lexer *lexer, const char *path, int depth)
{
    char child[512];
    unsigned place = 1;   /* of the next value without key */
    bool at_start = true; /* of a field */
    child[0] = 0;
    for (;;) {
        struct lexer before = *lexer;
        enum token token = lex(lexer);
        if (token == TOKEN_END) return 0;
        if (at_start) {
            char key[128] = "";
            struct lexer ahead = *lexer;
            if (token == TOKEN_NAME && lex(&ahead) == TOKEN_OTHER && ahead.symbol == '=') {
                memcpy(key, lexer->text, sizeof key);
            } else if (token == TOKEN_OTHER && lexer->symbol == '[') {
                ahead = *lexer;
                if (lex(&ahead) == TOKEN_STRING) {
                    memcpy(key, ahead.text, sizeof key);
                    if (lex(&ahead) != TOKEN_OTHER || ahead.symbol != ']' || lex(&ahead) != TOKEN_OTHER || ahead.symbol != '=') key[0] = 0;
                }
            }
            if (token == TOKEN_OTHER && lexer->symbol == '}') return 0;
            int line = lexer->line;
            if (key[0] != 0) {
                *lexer = ahead;
            } else {
                snprintf(key, sizeof key, "%u", place++);
                *lexer = before;
                before.line = line;
            }
            snprintf(child, sizeof child, "%s%s%s", path, *path ? "." : "", key);
            int rc = map_put(map, child, line);
            if (rc < 0) return rc;
            at_start = false;
            continue;
        }
        if (token != TOKEN_OTHER) continue;
        if (lexer->symbol == '{') {
            int rc = depth < 64 ? read_table(map, lexer, child, depth + 1) : 0;
            if (rc < 0) return rc;
        } else if (lexer->symbol == '(') {
            /* Arguments: over them, with their brackets. */
            for (int open = 1; open > 0;) {
                enum token inner = lex(lexer);
                if (inner == TOKEN_END) return 0;
                if (inner == TOKEN_OTHER) open += (lexer->symbol == '(') - (lexer->symbol == ')');
            }
        } else if (lexer->symbol == '}') {
            return 0;
        } else if (lexer->symbol == ',' || lexer->symbol == ';') {
            at_start = true;
        }
    }
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct line_entry *)a)->path, ((const struct line_entry *)b)->path);
}

int line_map_new(struct line_map **out, const char *source, size_t length)
{
    struct line_map *map = calloc(1, sizeof *map);
    if (map == NULL) return -ENOMEM;
    struct lexer lexer = { .at = source, .end = source + length, .line = 1 };
    enum token token;
    int rc = 0, open = 0;
    while (rc == 0 && (token = lex(&lexer)) != TOKEN_END) {
        if (token == TOKEN_OTHER) open += (lexer.symbol == '{' || lexer.symbol == '(') - (lexer.symbol == '}' || lexer.symbol == ')');
        if (token != TOKEN_NAME || open != 0 || strcmp(lexer.text, "return") != 0) continue;
        struct lexer ahead = lexer;
        if (lex(&ahead) == TOKEN_OTHER && ahead.symbol == '{') {
            lexer = ahead;
            rc = map_put(map, "", lexer.line);
            if (rc == 0) rc = read_table(map, &lexer, "", 0);
        }
    }
    if (rc < 0) {
        line_map_free(map);
        return rc;
    }
    if (map->count > 1) qsort(map->entries, map->count, sizeof *map->entries, by_path);
    *out = map;
    return 0;
}

void line_map_free(struct line_map *map)
{
    if (map == NULL) return;
    for (size_t i = 0; i < map->count; i++) free(map->entries[i].path);
    free(map->entries);
    free(map);
}

int line_map_find(const struct line_map *map, const char *path)
{
    if (map == NULL || map->count == 0) return 0;
    struct line_entry key = { (char *)(uintptr_t)path, 0 };
    const struct line_entry *found = bsearch(&key, map->entries, map->count, sizeof *map->entries, by_path);
    return found == NULL ? 0 : found->line;
}
