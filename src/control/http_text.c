/* http_text.c: percent-encoding and forms. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "control/http_own.h"

#define PARAMETERS_MAX 1000u

static int hex(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int http_url_decode(struct buf *out, const char *text, size_t length)
{
    int rc = buf_reserve(out, length + 1);
    for (size_t i = 0; rc == 0 && i < length; i++) {
        if (text[i] == '%' && i + 2 < length && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
            rc = buf_putc(out, (char)(hex(text[i + 1]) << 4 | hex(text[i + 2])));
            i += 2;
        } else {
            rc = buf_putc(out, text[i] == '+' ? ' ' : text[i]);
        }
    }
    return rc;
}

int http_form_read(struct kv *out, const char *prefix, const char *text, size_t length)
{
    struct buf name = BUF_INIT, value = BUF_INIT;
    const char *end = text + length;
    unsigned count = 0;
    int rc = 0;
    while (rc == 0 && text < end) {
        const char *next = memchr(text, '&', (size_t)(end - text));
        const char *stop = next != NULL ? next : end;
        const char *equal = memchr(text, '=', (size_t)(stop - text));
        buf_clear(&name);
        buf_clear(&value);
        if (equal != NULL && equal > text) {
            rc = ++count > PARAMETERS_MAX ? -E2BIG : buf_puts(&name, prefix);
            if (rc == 0) rc = http_url_decode(&name, text, (size_t)(equal - text));
            if (rc == 0) rc = http_url_decode(&value, equal + 1, (size_t)(stop - equal - 1));
            /* A zero in it would end it for some readers and not for others. */
            if (rc == 0 && strlen(buf_text(&name)) == name.length && strlen(buf_text(&value)) == value.length)
                rc = kv_add(out, buf_text(&name), buf_text(&value));
        }
        text = next != NULL ? next + 1 : end;
    }
    buf_free(&name);
    buf_free(&value);
    return rc;
}

int http_parameters(struct http_request *request, struct kv *out)
{
    const char *type = http_request_header(request, "Content-Type");
    int rc = http_form_read(out, "", request->query, strlen(request->query));
    if (rc == 0 && request->body.length > 0) {
        if (type != NULL && strncasecmp(type, "application/json", 16) == 0)
            rc = http_json_read(out, request->body.data, request->body.length);
        else
            rc = http_form_read(out, "", request->body.data, request->body.length);
    }
    if (rc < 0) http_reply_error(request, 400, "the parameters are neither a form nor one flat JSON object");
    return rc < 0 ? -EINVAL : 0;
}

bool http_name_valid(const char *name)
{
    size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    return n > 0 && n <= 64 && name[n] == 0 && name[0] != '.' && name[0] != '-';
}
