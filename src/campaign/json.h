/* json.h: the little JSON that leads and reports need (RFC 8259): writing escaped strings, and reading back a flat object of strings. */
#ifndef CAMPAIGN_JSON_H
#define CAMPAIGN_JSON_H

#include <stdbool.h>

#include "core/buf.h"
#include "core/kv.h"

/* "text" with its quotes and escapes. */
void json_string(struct buf *out, const char *text);
/* An object's member: a comma unless it is the first ('{' stands before), the name, a colon. */
void json_name(struct buf *out, const char *name);
void json_text(struct buf *out, const char *name, const char *value); /* NULL = null */
void json_int(struct buf *out, const char *name, long long value);
void json_real(struct buf *out, const char *name, double value, int decimals);

/* {"a":"x","b":5,"c":true,"d":null} → pairs (numbers and words as text, null left out). Arrays and objects within: -EINVAL, as all
 * malformed text. */
int json_read_flat(const char *text, struct kv *out);

#endif
