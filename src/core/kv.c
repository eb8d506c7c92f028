/* kv.c: name/value pairs in one allocation. */
#include "core/kv.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAIR_HEAD_BYTES 8u /* two u32, unaligned */

struct pair_head {
    uint32_t name_length, value_length;
};
_Static_assert(sizeof(struct pair_head) == PAIR_HEAD_BYTES, "as on the lanes");

/* Appends head, name and room for the value (zero-terminated); *value points at that room. */
static int pair_open(struct kv *kv, const char *name, size_t length, char **value)
{
    struct pair_head head;
    size_t name_length = strlen(name), total;
    int err;
    if (!name_length || name_length > UINT32_MAX / 4 || length > UINT32_MAX / 4) return -EINVAL;
    total = PAIR_HEAD_BYTES + name_length + 1 + length + 1;
    err = buf_reserve(&kv->bytes, total);
    if (err) return err;
    head = (struct pair_head) { (uint32_t)name_length, (uint32_t)length };
    buf_put(&kv->bytes, &head, sizeof head);
    buf_put(&kv->bytes, name, name_length + 1);
    *value = kv->bytes.data + kv->bytes.length;
    kv->bytes.length += length + 1;
    kv->bytes.data[kv->bytes.length - 1] = 0;
    kv->bytes.data[kv->bytes.length] = 0;
    return 0;
}

int kv_add_bytes(struct kv *kv, const char *name, const void *value, size_t length)
{
    char *room;
    int err = pair_open(kv, name, length, &room);
    if (err) return err;
    if (length) memcpy(room, value, length);
    return 0;
}

int kv_add(struct kv *kv, const char *name, const char *value) { return value ? kv_add_bytes(kv, name, value, strlen(value)) : 0; }

int kv_addf(struct kv *kv, const char *name, const char *format, ...)
{
    char small[256], *text = small;
    va_list args;
    int length, err;
    va_start(args, format);
    length = vsnprintf(small, sizeof small, format, args);
    va_end(args);
    if (length < 0) return -EINVAL;
    if ((size_t)length >= sizeof small) {
        va_start(args, format);
        length = vasprintf(&text, format, args);
        va_end(args);
        if (length < 0) return -ENOMEM;
    }
    err = kv_add_bytes(kv, name, text, (size_t)length);
    if (text != small) free(text);
    return err;
}

int kv_add_int(struct kv *kv, const char *name, int64_t value) { return kv_addf(kv, name, "%" PRId64, value); }

void kv_free(struct kv *kv) { buf_free(&kv->bytes); }

void kv_clear(struct kv *kv) { buf_clear(&kv->bytes); }

struct kv_view kv_view(const struct kv *kv) { return (struct kv_view) { kv->bytes.data, kv->bytes.length }; }

bool kv_valid(struct kv_view view)
{
    size_t at = 0;
    while (at < view.length) {
        struct pair_head head;
        size_t left = view.length - at, need;
        const char *name;
        if (left < PAIR_HEAD_BYTES) return false;
        memcpy(&head, view.data + at, sizeof head);
        need = PAIR_HEAD_BYTES + (size_t)head.name_length + 1 + (size_t)head.value_length + 1; /* 64 bits: no overflow */
        if (need > left || !head.name_length) return false;
        name = view.data + at + PAIR_HEAD_BYTES;
        if (memchr(name, 0, (size_t)head.name_length + 1) != name + head.name_length) return false;
        if (name[(size_t)head.name_length + 1 + head.value_length]) return false;
        at += need;
    }
    return true;
}

bool kv_next(struct kv_view view, size_t *at, struct kv_pair *pair)
{
    struct pair_head head;
    if (*at >= view.length) return false;
    memcpy(&head, view.data + *at, sizeof head);
    pair->name = view.data + *at + PAIR_HEAD_BYTES;
    pair->value = pair->name + head.name_length + 1;
    pair->value_length = head.value_length;
    *at += PAIR_HEAD_BYTES + (size_t)head.name_length + 1 + (size_t)head.value_length + 1;
    return true;
}

const char *kv_get_bytes(struct kv_view view, const char *name, size_t *length)
{
    struct kv_pair pair;
    size_t at = 0;
    while (kv_next(view, &at, &pair)) {
        if (strcmp(pair.name, name)) continue;
        if (length) *length = pair.value_length;
        return pair.value;
    }
    return NULL;
}

const char *kv_get(struct kv_view view, const char *name) { return kv_get_bytes(view, name, NULL); }

const char *kv_get_or(struct kv_view view, const char *name, const char *otherwise)
{
    const char *value = kv_get(view, name);
    return value ? value : otherwise;
}

int64_t kv_get_int(struct kv_view view, const char *name, int64_t otherwise)
{
    const char *value = kv_get(view, name);
    char *end;
    int64_t number;
    if (!value || !*value) return otherwise;
    errno = 0;
    number = strtoll(value, &end, 10);
    return errno || *end ? otherwise : number;
}
