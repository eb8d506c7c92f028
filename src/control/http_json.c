/* http_json.c: the little JSON that REST needs (RFC 8259): writing members, and reading one flat object. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/http_own.h"

void http_json_string(struct buf *out, const char *text, size_t length)
{
    buf_putc(out, '"');
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c == '\n')
            buf_puts(out, "\\n");
        else if (c < 0x20 || c == 0x7f)
            buf_printf(out, "\\u%04x", c);
        else
            buf_putc(out, (char)c);
    }
    buf_putc(out, '"');
}

static void member_name(struct buf *out, const char *name)
{
    if (out->length > 0 && out->data[out->length - 1] != '{') buf_putc(out, ',');
    http_json_string(out, name, strlen(name));
    buf_putc(out, ':');
}

void http_json_member(struct buf *out, const char *name, const char *value)
{
    member_name(out, name);
    if (value != NULL)
        http_json_string(out, value, strlen(value));
    else
        buf_puts(out, "null");
}

void http_json_number(struct buf *out, const char *name, const char *value)
{
    char *end;
    member_name(out, name);
    strtod(value, &end);
    bool plain = end > value && strspn(value, "-0123456789.") == (size_t)(end - value) && value[0] != '.' && end[-1] != '.';
    if (plain)
        buf_put(out, value, (size_t)(end - value));
    else
        buf_puts(out, "null");
}

void http_json_int(struct buf *out, const char *name, long long value)
{
    member_name(out, name);
    buf_printf(out, "%lld", value);
}

/* --- reading --------------------------------------------------------------------------------------------------------- */

struct reader {
    const char *at, *end;
};

static void blanks(struct reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r')) r->at++;
}

static bool take(struct reader *r, char c)
{
    blanks(r);
    if (r->at >= r->end || *r->at != c) return false;
    r->at++;
    return true;
}

static int hex4(struct reader *r)
{
    int value = 0;
    if (r->end - r->at < 4) return -1;
    for (int i = 0; i < 4; i++) {
        char c = *r->at++;
        int digit = c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
        if (digit < 0) return -1;
        value = value << 4 | digit;
    }
    return value;
}

static int put_utf8(struct buf *out, int code)
{
    char text[4];
    size_t n = 0;
    if (code < 0x80) {
        text[n++] = (char)code;
    } else if (code < 0x800) {
        text[n++] = (char)(0xc0 | code >> 6);
        text[n++] = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        text[n++] = (char)(0xe0 | code >> 12);
        text[n++] = (char)(0x80 | (code >> 6 & 0x3f));
        text[n++] = (char)(0x80 | (code & 0x3f));
    } else {
        text[n++] = (char)(0xf0 | code >> 18);
        text[n++] = (char)(0x80 | (code >> 12 & 0x3f));
        text[n++] = (char)(0x80 | (code >> 6 & 0x3f));
        text[n++] = (char)(0x80 | (code & 0x3f));
    }
    return buf_put(out, text, n);
}

static int read_unicode(struct reader *r, struct buf *out)
{
    int code = hex4(r);
    if (code >= 0xd800 && code < 0xdc00 && r->end - r->at >= 6 && r->at[0] == '\\' && r->at[1] == 'u') {
        r->at += 2;
        int low = hex4(r);
        code = low >= 0xdc00 && low < 0xe000 ? 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00) : -1;
    }
    /* No zero: texts end there. */
    return code <= 0 || (code >= 0xd800 && code < 0xe000) ? -EINVAL : put_utf8(out, code);
}

static int read_escape(struct reader *r, struct buf *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (r->at >= r->end) return -EINVAL;
    char c = *r->at++;
    if (c == 'u') return read_unicode(r, out);
    const char *found = c != 0 ? strchr(from, c) : NULL;
    return found != NULL ? buf_putc(out, to[found - from]) : -EINVAL;
}

static int read_string(struct reader *r, struct buf *out)
{
    int rc = 0;
    buf_clear(out);
    if (!take(r, '"')) return -EINVAL;
    while (rc == 0 && r->at < r->end && *r->at != '"') {
        char c = *r->at++;
        if (c == '\\')
            rc = read_escape(r, out);
        else
            rc = (unsigned char)c < 0x20 ? -EINVAL : buf_putc(out, c);
    }
    return rc == 0 && !take(r, '"') ? -EINVAL : rc;
}

/* A number, true, false, null: as its text. */
static int read_word(struct reader *r, struct buf *out)
{
    buf_clear(out);
    const char *from = r->at;
    while (r->at < r->end && strchr("+-.0123456789abcdefghijklmnopqrstuvwxyzE", *r->at) != NULL && *r->at != 0) r->at++;
    int rc = buf_put(out, from, (size_t)(r->at - from));
    const char *text = buf_text(out);
    char *end;
    bool word = strcmp(text, "true") == 0 || strcmp(text, "false") == 0 || strcmp(text, "null") == 0;
    strtod(text, &end);
    bool number = *text != 0 && *end == 0 && (*text == '-' || (*text >= '0' && *text <= '9'));
    return rc == 0 && !word && !number ? -EINVAL : rc;
}

int http_json_read(struct kv *out, const char *text, size_t length)
{
    struct reader r = { text, text + length };
    struct buf name = BUF_INIT, value = BUF_INIT;
    int rc = take(&r, '{') ? 0 : -EINVAL;
    bool more = rc == 0 && !take(&r, '}');
    while (rc == 0 && more) {
        rc = read_string(&r, &name);
        if (rc == 0) rc = name.length > 0 && take(&r, ':') ? 0 : -EINVAL;
        blanks(&r);
        bool quoted = rc == 0 && r.at < r.end && *r.at == '"';
        if (rc == 0) rc = quoted ? read_string(&r, &value) : read_word(&r, &value);
        if (rc == 0 && (quoted || strcmp(buf_text(&value), "null") != 0)) rc = kv_add(out, buf_text(&name), buf_text(&value));
        more = rc == 0 && take(&r, ',');
        if (rc == 0 && !more) rc = take(&r, '}') ? 0 : -EINVAL;
    }
    blanks(&r);
    buf_free(&name);
    buf_free(&value);
    return rc == 0 && r.at != r.end ? -EINVAL : rc;
}
