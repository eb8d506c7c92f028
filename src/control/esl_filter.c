/* esl_filter.c: a list of header and value.
 *
 * Regular expressions are POSIX extended ones with \d, \w, \s and their opposites, and without back references, which take time
 * without bound. glibc's compiler takes memory without bound for what is repeated within repetitions: such are refused. */
#include "control/esl_filter.h"

#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/buf.h"

#define REGEX_NODES_MAX 500u
#define REGEX_DEPTH_MAX 20u
#define REGEX_TEXT_MAX  4096u /* of a value; longer ones do not match */

struct esl_filter {
    char *header, *value; /* value as the client wrote it */
    const char *text;     /* in value, behind its sign */
    bool negative, is_regex;
    regex_t regex;
};

static void filter_free(struct esl_filter *filter)
{
    free(filter->header);
    free(filter->value);
    if (filter->is_regex) regfree(&filter->regex);
}

/* Perl's \d and its like; anything else stays. */
static int pattern_translate(struct buf *out, const char *pattern, size_t length)
{
    int rc = 0;
    for (size_t i = 0; i < length && rc == 0; i++) {
        if (pattern[i] != '\\' || i + 1 >= length) {
            rc = buf_putc(out, pattern[i]);
            continue;
        }
        char c = pattern[++i];
        if (c >= '1' && c <= '9') return -EINVAL;
        rc = c == 'd' ? buf_puts(out, "[0-9]") : c == 'D' ? buf_puts(out, "[^0-9]") : buf_putc(out, '\\');
        if (rc == 0 && c != 'd' && c != 'D') rc = buf_putc(out, c);
    }
    return rc;
}

/* Behind a bracket expression whose [ was read: parentheses in it are none. */
static const char *bracket_end(const char *at)
{
    at += *at == '^';
    at += *at == ']';
    for (; *at != 0 && *at != ']'; at++)
        if (*at == '[' && (at[1] == ':' || at[1] == '.' || at[1] == '=')) {
            const char close[3] = { at[1], ']', 0 }, *end = strstr(at + 2, close);
            if (end == NULL) return at + strlen(at);
            at = end + 1;
        }
    return at + (*at == ']');
}

/* How many nodes glibc's compiler will make of a pattern: + doubles what it stands behind and {n,m} takes it m times, within each other
 * without end. Stops counting beyond the limit. *at stands behind the group's end afterwards. */
static unsigned long nodes(const char **at, unsigned depth)
{
    unsigned long total = 0, atom = 0;
    while (**at != 0 && **at != ')' && total + atom <= REGEX_NODES_MAX && depth < REGEX_DEPTH_MAX) {
        char c = *(*at)++;
        if (c == '+') {
            atom *= 2;
        } else if (c == '{') {
            unsigned long times = strtoul(*at, NULL, 10), most = 0;
            const char *comma = *at + strcspn(*at, ",}");
            if (*comma == ',') most = strtoul(comma + 1, NULL, 10);
            times = times > most ? times : most;
            atom = (atom + 1) * (times < REGEX_NODES_MAX ? times + 1 : REGEX_NODES_MAX);
        } else if (c == '*' || c == '?') {
            atom++;
        } else {
            total += atom;
            atom = 1;
            if (c == '(')
                atom += nodes(at, depth + 1);
            else if (c == '[')
                *at = bracket_end(*at);
            else if (c == '\\' && **at != 0)
                (*at)++;
        }
    }
    if (depth >= REGEX_DEPTH_MAX) return REGEX_NODES_MAX + 1;
    if (**at == ')') (*at)++;
    return total + atom;
}

/* A ) without its ( ends a count too early: go on behind it. */
/* glibc's regcomp doubles its memory with each of "+++++": nobody means three in a row. */
static bool repetition_stacked(const char *pattern)
{
    unsigned row = 0;
    for (; *pattern != 0; pattern++) {
        row = strchr("+*?{", *pattern) != NULL ? row + 1 : 0;
        if (row >= 3) return true;
    }
    return false;
}

static bool pattern_bounded(const char *pattern)
{
    if (repetition_stacked(pattern)) return false;
    unsigned long total = 0;
    while (*pattern != 0 && total <= REGEX_NODES_MAX) total += nodes(&pattern, 0);
    return total <= REGEX_NODES_MAX;
}

/* /…/ or /…/i */
static int regex_make(struct esl_filter *filter)
{
    const char *from = filter->text + 1, *end = strrchr(from, '/');
    size_t length = end != NULL ? (size_t)(end - from) : strlen(from);
    int flags = REG_EXTENDED | REG_NOSUB | (end != NULL && strchr(end, 'i') != NULL ? REG_ICASE : 0);
    struct buf pattern = BUF_INIT;
    int rc = pattern_translate(&pattern, from, length);
    if (rc == 0 && !pattern_bounded(buf_text(&pattern))) rc = -EINVAL;
    if (rc == 0 && regcomp(&filter->regex, buf_text(&pattern), flags) != 0) rc = -EINVAL;
    buf_free(&pattern);
    filter->is_regex = rc == 0;
    return rc;
}

int esl_filter_add(struct esl_filters *filters, const char *header, const char *value)
{
    if (filters->count >= ESL_FILTERS_MAX || strlen(header) + strlen(value) > ESL_FILTER_BYTES_MAX) return -ENOSPC;
    struct esl_filter *list = realloc(filters->list, (filters->count + 1) * sizeof *list);
    if (list == NULL) return -ENOMEM;
    filters->list = list;
    struct esl_filter *filter = &list[filters->count];
    *filter = (struct esl_filter) { .header = strdup(header), .value = strdup(value) };
    int rc = filter->header == NULL || filter->value == NULL ? -ENOMEM : 0;
    if (rc == 0) {
        filter->negative = *value == '-';
        filter->text = filter->value + (*value == '-' || *value == '+');
        if (*filter->text == '/' && !filter->negative) rc = regex_make(filter);
    }
    if (rc < 0)
        filter_free(filter);
    else
        filters->count++;
    return rc;
}

void esl_filter_delete(struct esl_filters *filters, const char *header, const char *value)
{
    size_t kept = 0;
    for (size_t i = 0; i < filters->count; i++) {
        struct esl_filter *filter = &filters->list[i];
        if (strcasecmp(filter->header, header) == 0 && (value == NULL || *value == 0 || strcasecmp(filter->value, value) == 0))
            filter_free(filter);
        else
            filters->list[kept++] = *filter;
    }
    filters->count = kept;
}

void esl_filter_clear(struct esl_filters *filters)
{
    for (size_t i = 0; i < filters->count; i++) filter_free(&filters->list[i]);
    free(filters->list);
    *filters = (struct esl_filters) { 0 };
}

static bool matches(const struct esl_filter *filter, const char *value)
{
    return filter->is_regex ? strlen(value) <= REGEX_TEXT_MAX && regexec(&filter->regex, value, 0, NULL, 0) == 0
                            : strcasecmp(filter->text, value) == 0;
}

bool esl_filter_pass(const struct esl_filters *filters, const char *(*get)(void *context, const char *header), void *context)
{
    bool pass = filters->count == 0;
    for (size_t i = 0; i < filters->count; i++) {
        const struct esl_filter *filter = &filters->list[i];
        const char *value = get(context, filter->header);
        if (value == NULL || !matches(filter, value)) continue;
        if (filter->negative) return false;
        pass = true;
    }
    return pass;
}
