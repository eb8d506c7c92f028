/* kv.h: an ordered list of name/value pairs in one allocation: what lanes carry, what events and requests are made of.
 *
 * Encoding (also on the lanes): for each pair u32 name length, u32 value length, name, 0, value, 0. Values may hold
 * any byte; names are non-empty text. Repeated names are kept in order. */
#ifndef CORE_KV_H
#define CORE_KV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"

struct kv {
    struct buf bytes;
};

#define KV_INIT ((struct kv) { BUF_INIT })

int kv_add(struct kv *kv, const char *name, const char *value); /* NULL value = nothing is added */
int kv_add_bytes(struct kv *kv, const char *name, const void *value, size_t length);
int kv_addf(struct kv *kv, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));
int kv_add_int(struct kv *kv, const char *name, int64_t value);
void kv_free(struct kv *kv);
void kv_clear(struct kv *kv);

/* A read-only view of encoded pairs, wherever they lie (a kv, a lane). */
struct kv_view {
    const char *data;
    size_t length;
};

struct kv_view kv_view(const struct kv *kv);
/* Checks an untrusted encoding wholly; false = refuse it. All readers below need a view that passed. */
bool kv_valid(struct kv_view view);
/* First value of that name (exact case), NULL if absent. Zero-terminated, in place. */
const char *kv_get(struct kv_view view, const char *name);
const char *kv_get_bytes(struct kv_view view, const char *name, size_t *length);
const char *kv_get_or(struct kv_view view, const char *name, const char *otherwise);
int64_t kv_get_int(struct kv_view view, const char *name, int64_t otherwise);

/* Walks: size_t at = 0; while (kv_next(view, &at, &pair)) … */
struct kv_pair {
    const char *name;
    const char *value;
    size_t value_length;
};
bool kv_next(struct kv_view view, size_t *at, struct kv_pair *pair);

#endif
