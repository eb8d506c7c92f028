/* json.c: see json.h. */
#include "campaign/json.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

void json_string(struct buf *out, const char *text)
{
    buf_putc(out, '"');
    for (;;) {
        size_t plain = 0;
        while ((unsigned char)text[plain] >= 0x20 && text[plain] != '"' && text[plain] != '\\') plain++;
        buf_put(out, text, plain);
        text += plain;
        if (!*text) break;
        switch (*text) {
        case '"':
            buf_puts(out, "\\\"");
            break;
        case '\\':
            buf_puts(out, "\\\\");
            break;
        case '\n':
            buf_puts(out, "\\n");
            break;
        case '\r':
            buf_puts(out, "\\r");
            break;
        case '\t':
            buf_puts(out, "\\t");
            break;
        default:
            buf_printf(out, "\\u%04x", (unsigned char)*text);
            break;
        }
        text++;
    }
    buf_putc(out, '"');
}

void json_name(struct buf *out, const char *name)
{
    char last = out->length ? out->data[out->length - 1] : '{';
    if (last != '{' && last != '[') buf_putc(out, ',');
    json_string(out, name);
    buf_putc(out, ':');
}

void json_text(struct buf *out, const char *name, const char *value)
{
    json_name(out, name);
    if (value)
        json_string(out, value);
    else
        buf_puts(out, "null");
}

void json_int(struct buf *out, const char *name, long long value)
{
    json_name(out, name);
    buf_printf(out, "%lld", value);
}

void json_real(struct buf *out, const char *name, double value, int decimals)
{
    json_name(out, name);
    buf_printf(out, "%.*f", decimals, value);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static const char *skip(const char *p)
{
    while (*p && strchr(" \t\r\n", *p)) p++;
    return p;
}

static void put_utf8(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_putc(out, (char)c);
    } else if (c < 0x800) {
        buf_putc(out, (char)(0xc0 | c >> 6));
        buf_putc(out, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        buf_putc(out, (char)(0xe0 | c >> 12));
        buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_putc(out, (char)(0x80 | (c & 0x3f)));
    } else {
        buf_putc(out, (char)(0xf0 | c >> 18));
        buf_putc(out, (char)(0x80 | (c >> 12 & 0x3f)));
        buf_putc(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_putc(out, (char)(0x80 | (c & 0x3f)));
    }
}

static const char *hex4(const char *p, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++, p++) {
        if (!isxdigit((unsigned char)*p)) return NULL;
        *out = *out << 4 | (uint32_t)(isdigit((unsigned char)*p) ? *p - '0' : (tolower((unsigned char)*p) - 'a') + 10);
    }
    return p;
}

/* After "\u". A surrogate pair is one character. */
static const char *read_unicode(const char *p, struct buf *out)
{
    uint32_t c, low;
    if (!(p = hex4(p, &c)) || c == 0) return NULL;
    if (c >= 0xd800 && c <= 0xdbff && p[0] == '\\' && p[1] == 'u') {
        if (!(p = hex4(p + 2, &low)) || low < 0xdc00 || low > 0xdfff) return NULL;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    } else if (c >= 0xd800 && c <= 0xdfff) {
        return NULL;
    }
    put_utf8(out, c);
    return p;
}

static const char *read_string(const char *p, struct buf *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    buf_clear(out);
    for (p++; *p != '"';) {
        if ((unsigned char)*p < 0x20) return NULL;
        if (*p != '\\') {
            buf_putc(out, *p++);
        } else if (p[1] == 'u') {
            if (!(p = read_unicode(p + 2, out))) return NULL;
        } else {
            const char *at = p[1] ? strchr(from, p[1]) : NULL;
            if (!at) return NULL;
            buf_putc(out, to[at - from]);
            p += 2;
        }
    }
    return p + 1;
}

/* A number or word: up to what ends a value. */
static const char *read_word(const char *p, struct buf *out)
{
    size_t length = strcspn(p, ",} \t\r\n\"[{:");
    buf_clear(out);
    buf_put(out, p, length);
    return length ? p + length : NULL;
}

static const char *read_member(const char *p, struct kv *out, struct buf *name, struct buf *value)
{
    if (*p != '"' || !(p = read_string(p, name))) return NULL;
    p = skip(p);
    if (*p != ':') return NULL;
    p = skip(p + 1);
    bool text = *p == '"';
    p = text ? read_string(p, value) : read_word(p, value);
    if (p && name->length && (text || strcmp(buf_text(value), "null") != 0)) kv_add(out, buf_text(name), buf_text(value));
    return p ? skip(p) : NULL;
}

int json_read_flat(const char *text, struct kv *out)
{
    struct buf name = BUF_INIT, value = BUF_INIT;
    const char *p = skip(text);
    if (*p != '{') return -EINVAL;
    p = skip(p + 1);
    while (p && *p != '}') {
        p = read_member(p, out, &name, &value);
        if (p && *p == ',') {
            p = skip(p + 1);
            if (*p == '}') p = NULL;
        } else if (p && *p != '}') {
            p = NULL;
        }
    }
    buf_free(&name);
    buf_free(&value);
    return p && !*skip(p + 1) ? 0 : -EINVAL;
}
