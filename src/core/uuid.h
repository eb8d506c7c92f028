/* uuid.h: RFC 9562 identifiers. */
#ifndef CORE_UUID_H
#define CORE_UUID_H

#include <stdbool.h>
#include <stdint.h>

#define UUID_TEXT_SIZE 37 /* 36 characters and the zero */

struct uuid {
    uint8_t bytes[16];
};

struct uuid uuid_make_v4(void); /* random: channels */
struct uuid uuid_make_v7(void); /* time-ordered, monotonic within a process: attempts (the Call-ID) */
/* Lower case, with hyphens; returns out. */
char *uuid_text(const struct uuid *id, char out[UUID_TEXT_SIZE]);
/* The smallest text that a version 7 id of that time (UTC µs) or later can have: where a range of ids begins. Returns out. */
char *uuid_text_at(int64_t utc_us, char out[UUID_TEXT_SIZE]);
/* 0 or -EINVAL. Any case, with hyphens, nothing behind it. */
int uuid_parse(struct uuid *out, const char *text);
bool uuid_is_nil(const struct uuid *id);
bool uuid_equal(const struct uuid *a, const struct uuid *b);

#endif
