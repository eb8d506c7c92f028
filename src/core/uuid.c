/* uuid.c: RFC 9562 identifiers. */
#include "core/uuid.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "core/check.h"
#include "core/clock.h"

static void random_from_kernel(uint8_t *out, size_t length)
{
    size_t got = 0;
    while (got < length) {
        ssize_t n = getrandom(out + got, length - got, 0);
        CHECK(n > 0 || errno == EINTR);
        if (n > 0) got += (size_t)n;
    }
}

/* A stock per thread, so that a system call serves 256 ids. A fork must not repeat it: the child's copy is thrown away there, and what was
 * handed out is wiped, so that no later leak of this memory tells an id. */
#define STOCK_BYTES 4096
static _Thread_local struct {
    uint8_t bytes[STOCK_BYTES];
    size_t left;
} stock;

static void stock_forget(void) { stock.left = 0; }

static void forks_watch(void) { CHECK(pthread_atfork(NULL, NULL, stock_forget) == 0); }

static void random_fill(uint8_t *out, size_t length)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (stock.left < length) {
        pthread_once(&once, forks_watch);
        random_from_kernel(stock.bytes, STOCK_BYTES);
        stock.left = STOCK_BYTES;
    }
    stock.left -= length;
    memcpy(out, stock.bytes + stock.left, length);
    memset(stock.bytes + stock.left, 0, length);
}

static void stamp(struct uuid *id, unsigned version)
{
    id->bytes[6] = (uint8_t)((id->bytes[6] & 0x0f) | version << 4);
    id->bytes[8] = (uint8_t)((id->bytes[8] & 0x3f) | 0x80);
}

struct uuid uuid_make_v4(void)
{
    struct uuid id;
    random_fill(id.bytes, sizeof id.bytes);
    stamp(&id, 4);
    return id;
}

/* Milliseconds << 12 | a 4096th of a millisecond (RFC 9562 §6.2, method 3), strictly growing within the process. */
static uint64_t next_tick(void)
{
    static _Atomic uint64_t last;
    uint64_t us = (uint64_t)clock_utc_us();
    uint64_t now = (us / 1000) << 12 | (us % 1000) * 4096 / 1000;
    uint64_t before = atomic_load(&last), tick;
    do {
        tick = now > before ? now : before + 1;
    } while (!atomic_compare_exchange_weak(&last, &before, tick));
    return tick;
}

struct uuid uuid_make_v7(void)
{
    struct uuid id;
    uint64_t tick = next_tick(), ms = tick >> 12;
    random_fill(id.bytes + 8, 8);
    for (int i = 0; i < 6; i++) id.bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    id.bytes[6] = (uint8_t)((tick >> 8) & 0x0f);
    id.bytes[7] = (uint8_t)tick;
    stamp(&id, 7);
    return id;
}

char *uuid_text(const struct uuid *id, char out[UUID_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    char *p = out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *p++ = '-';
        *p++ = digits[id->bytes[i] >> 4];
        *p++ = digits[id->bytes[i] & 15];
    }
    *p = 0;
    return out;
}

static int digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int uuid_parse(struct uuid *out, const char *text)
{
    struct uuid id;
    for (int i = 0; i < 16; i++) {
        int high, low;
        if ((i == 4 || i == 6 || i == 8 || i == 10) && *text++ != '-') return -EINVAL;
        high = digit(*text);
        if (high < 0) return -EINVAL;
        low = digit(text[1]);
        if (low < 0) return -EINVAL;
        id.bytes[i] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    if (*text) return -EINVAL;
    *out = id;
    return 0;
}

bool uuid_is_nil(const struct uuid *id)
{
    static const struct uuid nil;
    return uuid_equal(id, &nil);
}

bool uuid_equal(const struct uuid *a, const struct uuid *b) { return !memcmp(a->bytes, b->bytes, sizeof a->bytes); }

char *uuid_text_at(int64_t utc_us, char out[UUID_TEXT_SIZE])
{
    uint64_t ms = utc_us > 0 ? (uint64_t)(utc_us / 1000) : 0;
    snprintf(out, UUID_TEXT_SIZE, "%08x-%04x-7000-8000-000000000000", (unsigned)(ms >> 16 & 0xffffffffu), (unsigned)(ms & 0xffffu));
    return out;
}
