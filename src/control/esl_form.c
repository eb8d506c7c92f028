/* esl_form.c: serialising events. */
#include "control/esl_form.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "core/check.h"

static const char *const format_names[ESL_FORMATS] = { "plain", "json", "xml" };

const char *esl_format_name(enum esl_format format) { return format_names[format]; }

int esl_format_find(const char *name)
{
    for (int i = 0; i < ESL_FORMATS; i++)
        if (strcasecmp(format_names[i], name) == 0) return i;
    return -EINVAL;
}

/* A header with several values is written as ARRAY::a|:b|:c; one of a single value is marked ARRAY::a, and is plain text as "a". */
#define ARRAY_HEAD    "ARRAY::"
#define ARRAY_BETWEEN "|:"

static bool encoded_byte(unsigned char c) { return c < 0x20 || c > 0x7e || strchr(" \"#%&+:;<=>?@[\\]^`{|}", c) != NULL; }

int esl_url_encode(struct buf *out, const char *text, size_t length)
{
    static const char digits[] = "0123456789ABCDEF";
    int rc = buf_reserve(out, length);
    for (size_t i = 0; i < length && rc == 0; i++) {
        unsigned char c = (unsigned char)text[i];
        char code[3] = { '%', digits[c >> 4], digits[c & 15] };
        rc = encoded_byte(c) ? buf_put(out, code, 3) : buf_putc(out, (char)c);
    }
    return rc;
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int esl_url_decode(struct buf *out, const char *text, size_t length)
{
    int rc = buf_reserve(out, length);
    for (size_t i = 0; i < length && rc == 0; i++) {
        int high = text[i] == '%' && i + 2 < length ? hex(text[i + 1]) : -1, low = high >= 0 ? hex(text[i + 2]) : -1;
        rc = buf_putc(out, low >= 0 ? (char)(high << 4 | low) : text[i]);
        if (low >= 0) i += 2;
    }
    return rc;
}

/* The next value of a header from *at on; the only one if it is no array. */
static bool value_next(const struct kv_pair *pair, size_t *at, const char **value, size_t *length)
{
    if (*at > pair->value_length) return false;
    if (pair->value_length < strlen(ARRAY_HEAD) || memcmp(pair->value, ARRAY_HEAD, strlen(ARRAY_HEAD)) != 0) {
        *value = pair->value;
        *length = pair->value_length;
        *at = pair->value_length + 1;
        return true;
    }
    if (*at == 0) *at = strlen(ARRAY_HEAD);
    const char *from = pair->value + *at, *end = memmem(from, pair->value_length - *at, ARRAY_BETWEEN, 2);
    *value = from;
    *length = end != NULL ? (size_t)(end - from) : pair->value_length - *at;
    *at = end != NULL ? *at + *length + 2 : pair->value_length + 1;
    return true;
}

static bool single(const struct kv_pair *pair)
{
    size_t head = strlen(ARRAY_HEAD);
    return pair->value_length > head && memcmp(pair->value, ARRAY_HEAD, head) == 0 &&
           memmem(pair->value + head, pair->value_length - head, ARRAY_BETWEEN, strlen(ARRAY_BETWEEN)) == NULL;
}

static bool is_body(const struct kv_pair *pair) { return strcmp(pair->name, "_body") == 0; }

/* --- plain --------------------------------------------------------------------------------------------------- */

static int plain_header(struct buf *out, const char *name, const char *value, size_t length)
{
    int rc = buf_puts(out, name);
    if (rc == 0) rc = buf_puts(out, ": ");
    if (rc == 0) rc = length > 0 ? esl_url_encode(out, value, length) : buf_puts(out, "_undef_");
    return rc == 0 ? buf_putc(out, '\n') : rc;
}

static int form_plain(struct buf *out, struct kv_view pairs, const char *position)
{
    struct kv_pair pair, body = { 0 };
    size_t at = 0;
    int rc = 0;
    while (rc == 0 && kv_next(pairs, &at, &pair)) {
        if (is_body(&pair))
            body = pair;
        else
            rc = single(&pair) ? plain_header(out, pair.name, pair.value + strlen(ARRAY_HEAD), pair.value_length - strlen(ARRAY_HEAD))
                               : plain_header(out, pair.name, pair.value, pair.value_length);
    }
    if (rc == 0 && position != NULL) rc = plain_header(out, "Event-Position", position, strlen(position));
    if (rc == 0 && body.value_length > 0)
        rc = buf_printf(out, "Content-Length: %zu\n\n", body.value_length);
    else if (rc == 0)
        rc = buf_putc(out, '\n');
    return rc == 0 && body.value_length > 0 ? buf_put(out, body.value, body.value_length) : rc;
}

/* --- JSON ---------------------------------------------------------------------------------------------------- */

static int json_text(struct buf *out, const char *text, size_t length)
{
    static const char plain[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
    int rc = buf_putc(out, '"');
    for (size_t i = 0; i < length && rc == 0; i++) {
        unsigned char c = (unsigned char)text[i];
        const char *special = c != 0 ? strchr(plain, c) : NULL;
        if (special != NULL)
            rc = buf_printf(out, "\\%c", letter[special - plain]);
        else
            rc = c < 0x20 ? buf_printf(out, "\\u%04x", c) : buf_putc(out, (char)c);
    }
    return rc == 0 ? buf_putc(out, '"') : rc;
}

static int json_header(struct buf *out, bool first, const struct kv_pair *pair)
{
    size_t at = 0, length;
    const char *value;
    bool array = pair->value_length >= strlen(ARRAY_HEAD) && memcmp(pair->value, ARRAY_HEAD, strlen(ARRAY_HEAD)) == 0, begun = false;
    int rc = first ? 0 : buf_putc(out, ',');
    if (rc == 0) rc = json_text(out, pair->name, strlen(pair->name));
    if (rc == 0) rc = buf_puts(out, array ? ":[" : ":");
    while (rc == 0 && value_next(pair, &at, &value, &length)) {
        rc = begun ? buf_putc(out, ',') : 0;
        if (rc == 0) rc = json_text(out, value, length);
        begun = true;
    }
    return rc == 0 && array ? buf_putc(out, ']') : rc;
}

static int form_json(struct buf *out, struct kv_view pairs, const char *position)
{
    struct kv_pair pair, body = { 0 };
    size_t at = 0;
    bool first = true;
    int rc = buf_putc(out, '{');
    while (rc == 0 && kv_next(pairs, &at, &pair)) {
        if (is_body(&pair)) {
            body = pair;
            continue;
        }
        rc = json_header(out, first, &pair);
        first = false;
    }
    if (rc == 0 && position != NULL) rc = json_header(out, first, &(struct kv_pair) { "Event-Position", position, strlen(position) });
    if (rc == 0 && body.value_length > 0)
        rc = buf_printf(out, "%s\"Content-Length\":\"%zu\",\"_body\":", first && position == NULL ? "" : ",", body.value_length);
    if (rc == 0 && body.value_length > 0) rc = json_text(out, body.value, body.value_length);
    return rc == 0 ? buf_putc(out, '}') : rc;
}

/* --- XML ----------------------------------------------------------------------------------------------------- */

static int xml_text(struct buf *out, const char *text, size_t length)
{
    int rc = 0;
    for (size_t i = 0; i < length && rc == 0; i++) {
        char c = text[i];
        const char *entity = c == '&' ? "&amp;" : c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '"' ? "&quot;" : NULL;
        rc = entity != NULL ? buf_puts(out, entity) : buf_putc(out, c);
    }
    return rc;
}

/* Percent-encoding leaves nothing that XML would mind but the apostrophe, which text may hold. */
static int xml_header(struct buf *out, const struct kv_pair *pair)
{
    size_t at = 0, length;
    const char *value;
    int rc = 0;
    while (rc == 0 && value_next(pair, &at, &value, &length)) {
        rc = buf_puts(out, "    <");
        if (rc == 0) rc = xml_text(out, pair->name, strlen(pair->name));
        if (rc == 0 && length == 0) {
            rc = buf_puts(out, "/>\n");
            continue;
        }
        if (rc == 0) rc = buf_putc(out, '>');
        if (rc == 0) rc = esl_url_encode(out, value, length);
        if (rc == 0) rc = buf_puts(out, "</");
        if (rc == 0) rc = xml_text(out, pair->name, strlen(pair->name));
        if (rc == 0) rc = buf_puts(out, ">\n");
    }
    return rc;
}

static int form_xml(struct buf *out, struct kv_view pairs, const char *position)
{
    struct kv_pair pair, body = { 0 };
    size_t at = 0;
    int rc = buf_puts(out, "<event>\n  <headers>\n");
    while (rc == 0 && kv_next(pairs, &at, &pair)) {
        if (is_body(&pair))
            body = pair;
        else
            rc = xml_header(out, &pair);
    }
    if (rc == 0 && position != NULL) rc = xml_header(out, &(struct kv_pair) { "Event-Position", position, strlen(position) });
    if (rc == 0) rc = buf_puts(out, "  </headers>\n");
    if (rc == 0 && body.value_length > 0) {
        rc = buf_printf(out, "  <Content-Length>%zu</Content-Length>\n  <body>", body.value_length);
        if (rc == 0) rc = xml_text(out, body.value, body.value_length);
        if (rc == 0) rc = buf_puts(out, "</body>\n");
    }
    return rc == 0 ? buf_puts(out, "</event>\n") : rc;
}

int esl_form(struct buf *out, enum esl_format format, struct kv_view pairs, const char *position)
{
    switch (format) {
    case ESL_JSON:
        return form_json(out, pairs, position);
    case ESL_XML:
        return form_xml(out, pairs, position);
    default:
        return form_plain(out, pairs, position);
    }
}
