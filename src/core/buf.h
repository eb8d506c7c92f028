/* buf.h: a growing byte buffer that is always zero-terminated. */
#ifndef CORE_BUF_H
#define CORE_BUF_H

#include <stdarg.h>
#include <stddef.h>

struct buf {
    char *data;    /* never NULL after the first put; zero-terminated */
    size_t length; /* without the zero */
    size_t size;   /* allocated */
};

#define BUF_INIT ((struct buf) { 0 })

/* 0 or -ENOMEM; the buffer is unchanged on failure. */
int buf_reserve(struct buf *b, size_t more);
int buf_put(struct buf *b, const void *data, size_t length);
int buf_puts(struct buf *b, const char *text);
int buf_putc(struct buf *b, char c);
int buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
int buf_vprintf(struct buf *b, const char *format, va_list args);
/* The text, "" if nothing was put. */
const char *buf_text(const struct buf *b);
void buf_clear(struct buf *b); /* length 0, memory kept */
void buf_free(struct buf *b);
/* Hands the memory over to the caller (free() it); the buffer is empty afterwards. Never NULL but for ENOMEM. */
char *buf_take(struct buf *b);

#endif
