/* buf.c: a growing byte buffer that is always zero-terminated. */
#include "core/buf.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUF_FIRST_BYTES 64u

int buf_reserve(struct buf *b, size_t more)
{
    size_t wanted, size;
    char *data;
    if (__builtin_add_overflow(b->length, more, &wanted) || __builtin_add_overflow(wanted, 1, &wanted)) return -ENOMEM;
    if (wanted <= b->size) return 0;
    size = b->size ? b->size : BUF_FIRST_BYTES;
    while (size < wanted)
        if (__builtin_mul_overflow(size, 2, &size)) return -ENOMEM;
    data = realloc(b->data, size);
    if (!data) return -ENOMEM;
    data[b->length] = 0;
    b->data = data;
    b->size = size;
    return 0;
}

int buf_put(struct buf *b, const void *data, size_t length)
{
    int err = buf_reserve(b, length);
    if (err) return err;
    if (length) memcpy(b->data + b->length, data, length);
    b->length += length;
    b->data[b->length] = 0;
    return 0;
}

int buf_puts(struct buf *b, const char *text) { return buf_put(b, text, strlen(text)); }

int buf_putc(struct buf *b, char c) { return buf_put(b, &c, 1); }

int buf_vprintf(struct buf *b, const char *format, va_list args)
{
    va_list again;
    int length, err;
    size_t room = b->size > b->length ? b->size - b->length : 0;
    va_copy(again, args);
    length = vsnprintf(room ? b->data + b->length : NULL, room, format, args);
    if (length >= 0 && (size_t)length >= room) {
        /* The first try measured; it may have overwritten the terminator, which the second try or the mend below restores. */
        err = buf_reserve(b, (size_t)length);
        if (!err) vsnprintf(b->data + b->length, (size_t)length + 1, format, again);
    } else {
        err = length < 0 ? -EINVAL : 0;
    }
    va_end(again);
    if (err) {
        if (b->data) b->data[b->length] = 0;
        return err;
    }
    b->length += (size_t)length;
    return 0;
}

int buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    int err;
    va_start(args, format);
    err = buf_vprintf(b, format, args);
    va_end(args);
    return err;
}

const char *buf_text(const struct buf *b) { return b->data ? b->data : ""; }

void buf_clear(struct buf *b)
{
    b->length = 0;
    if (b->data) b->data[0] = 0;
}

void buf_free(struct buf *b)
{
    free(b->data);
    *b = BUF_INIT;
}

char *buf_take(struct buf *b)
{
    char *data;
    if (!b->data && buf_reserve(b, 0)) return NULL;
    data = b->data;
    *b = BUF_INIT;
    return data;
}
