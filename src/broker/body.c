/* body.c: see body.h. */
#include "broker/body.h"

#include <string.h>
#include <strings.h>

#define BOUNDARY_MAX 70 /* RFC 2046 §5.1.1 */
#define SDP_TYPE     "application/sdp"

static bool type_is(const char *text, size_t length, const char *type)
{
    size_t n = strlen(type);
    while (length && (*text == ' ' || *text == '\t')) text++, length--;
    return length >= n && !strncasecmp(text, type, n) && (length == n || strchr("; \t\r", text[n]));
}

/* The boundary parameter, without its quotes, behind "--". */
static size_t delimiter_read(const char *content_type, char out[BOUNDARY_MAX + 3])
{
    const char *at = strcasestr(content_type, "boundary=");
    if (!at) return 0;
    at += strlen("boundary=");
    bool quoted = *at == '"';
    at += quoted;
    size_t n = strcspn(at, quoted ? "\"" : "; \t\r\n");
    if (n < 1 || n > BOUNDARY_MAX) return 0;
    memcpy(out, "--", 2);
    memcpy(out + 2, at, n);
    out[n + 2] = 0;
    return n + 2;
}

/* The next line that begins with the delimiter, from `at` on; NULL if there is none. */
static const char *delimiter_find(const char *at, const char *end, const char *delimiter, size_t length)
{
    while (at && at < end) {
        if ((size_t)(end - at) >= length && !memcmp(at, delimiter, length)) return at;
        at = memchr(at, '\n', (size_t)(end - at));
        if (at) at++;
    }
    return NULL;
}

static const char *line_next(const char *at, const char *end)
{
    const char *newline = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
    return newline ? newline + 1 : end;
}

/* A part [at, end): its headers up to an empty line, then its body without the line break before the next delimiter. */
static const char *part_sdp(const char *at, const char *end, size_t *length)
{
    bool sdp = false;
    for (const char *next; at < end; at = next) {
        next = line_next(at, end);
        if (*at == '\r' || *at == '\n') {
            if (!sdp) return NULL;
            if (end > next && end[-1] == '\n') end--;
            if (end > next && end[-1] == '\r') end--;
            *length = (size_t)(end - next);
            return *length ? next : NULL;
        }
        size_t n = strlen("Content-Type:");
        if ((size_t)(next - at) > n && !strncasecmp(at, "Content-Type:", n)) sdp = type_is(at + n, (size_t)(next - at) - n, SDP_TYPE);
    }
    return NULL;
}

const char *body_sdp(const char *content_type, const char *data, size_t size, size_t *length)
{
    char delimiter[BOUNDARY_MAX + 3];
    if (!data || size == 0) return NULL;
    if (!content_type || type_is(content_type, strlen(content_type), SDP_TYPE)) {
        *length = size;
        return data;
    }
    size_t n = strncasecmp(content_type, "multipart/", 10) ? 0 : delimiter_read(content_type, delimiter);
    const char *end = data + size, *at = n ? delimiter_find(data, end, delimiter, n) : NULL;
    while (at) {
        const char *begin = line_next(at, end), *next = delimiter_find(begin, end, delimiter, n);
        const char *sdp = part_sdp(begin, next ? next : end, length);
        if (sdp) return sdp;
        at = next;
    }
    return NULL;
}
