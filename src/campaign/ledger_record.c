/* ledger_record.c: an operation as name/value pairs, as the spool keeps it: a spool written by one version is read by the next. One
 * table of fields serves both directions. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "campaign/ledger_own.h"

enum field_type { FIELD_UUID, FIELD_TEXT, FIELD_I64, FIELD_U64, FIELD_U32, FIELD_U16, FIELD_BOOL, FIELD_STATE };

struct field {
    const char *name;
    enum field_type type;
    uint16_t size, offset; /* in struct ledger_op */
};

#define FIELD(part, member, kind)                                                                                                          \
    {                                                                                                                                      \
#part "." #member, kind, (uint16_t)sizeof(((struct ledger_op *)0)->part.member), (uint16_t)offsetof(struct ledger_op, part.member) \
    }

static const struct field begin_fields[] = {
    FIELD(begin, id, FIELD_UUID),
    FIELD(begin, channel, FIELD_UUID),
    FIELD(begin, campaign, FIELD_I64),
    FIELD(begin, lead, FIELD_I64),
    FIELD(begin, trunk, FIELD_TEXT),
    FIELD(begin, number, FIELD_TEXT),
    FIELD(begin, caller_id, FIELD_TEXT),
    FIELD(begin, node, FIELD_TEXT),
    FIELD(begin, claimed_us, FIELD_I64),
    FIELD(begin, failover_of, FIELD_U32),
    { 0 },
};
static const struct field end_fields[] = {
    FIELD(end, id, FIELD_UUID),
    FIELD(end, lead, FIELD_I64),
    FIELD(end, campaign, FIELD_I64),
    FIELD(end, state, FIELD_STATE),
    FIELD(end, invite_us, FIELD_I64),
    FIELD(end, ring_us, FIELD_I64),
    FIELD(end, answer_us, FIELD_I64),
    FIELD(end, end_us, FIELD_I64),
    FIELD(end, sip_status, FIELD_U16),
    FIELD(end, cause, FIELD_TEXT),
    FIELD(end, disposition, FIELD_TEXT),
    FIELD(end, refused, FIELD_TEXT),
    FIELD(end, trunk, FIELD_TEXT),
    FIELD(end, digits, FIELD_TEXT),
    FIELD(end, error, FIELD_TEXT),
    FIELD(end, billsec_ms, FIELD_I64),
    FIELD(end, pdd_ms, FIELD_I64),
    FIELD(end, packets_sent, FIELD_U64),
    FIELD(end, packets_received, FIELD_U64),
    FIELD(end, packets_lost, FIELD_U64),
    FIELD(end, packets_late, FIELD_U64),
    FIELD(end, jitter_us, FIELD_U32),
    FIELD(end, mos_x100, FIELD_U16),
    FIELD(end, cost_micro, FIELD_I64),
    FIELD(end, lead_final, FIELD_BOOL),
    FIELD(end, lead_disposition, FIELD_TEXT),
    FIELD(end, retry_at_us, FIELD_I64),
    FIELD(end, lead_history, FIELD_TEXT),
    { 0 },
};

static const struct field audit_fields[] = {
    FIELD(audit, id, FIELD_UUID),       FIELD(audit, time_us, FIELD_I64), FIELD(audit, who, FIELD_TEXT),
    FIELD(audit, role, FIELD_TEXT),     FIELD(audit, origin, FIELD_TEXT), FIELD(audit, what, FIELD_TEXT),
    FIELD(audit, argument, FIELD_TEXT), FIELD(audit, result, FIELD_TEXT), { 0 },
};

static bool has_begin(enum op_kind kind) { return kind == OP_BEGIN || kind == OP_REFUSED; }

static bool has_end(enum op_kind kind) { return kind == OP_END || kind == OP_REFUSED || kind == OP_LEAD; }

static int64_t number_of(const struct field *f, const void *p)
{
    switch (f->type) {
    case FIELD_I64:
        return *(const int64_t *)p;
    case FIELD_U64:
        return (int64_t) * (const uint64_t *)p;
    case FIELD_U32:
        return *(const uint32_t *)p;
    case FIELD_U16:
        return *(const uint16_t *)p;
    case FIELD_BOOL:
        return *(const bool *)p;
    default:
        return *(const enum attempt_state *)p;
    }
}

static void number_set(const struct field *f, void *p, int64_t value)
{
    switch (f->type) {
    case FIELD_I64:
        *(int64_t *)p = value;
        break;
    case FIELD_U64:
        *(uint64_t *)p = (uint64_t)value;
        break;
    case FIELD_U32:
        *(uint32_t *)p = (uint32_t)value;
        break;
    case FIELD_U16:
        *(uint16_t *)p = (uint16_t)value;
        break;
    case FIELD_BOOL:
        *(bool *)p = value != 0;
        break;
    default:
        *(enum attempt_state *)p = (enum attempt_state)value;
        break;
    }
}

static int encode(const struct field *f, const char *base, struct kv *out)
{
    char text[UUID_TEXT_SIZE];
    int e = 0;
    for (; f->name && e == 0; f++) {
        const char *p = base + f->offset;
        if (f->type == FIELD_UUID)
            e = kv_add(out, f->name, uuid_text((const struct uuid *)p, text));
        else if (f->type == FIELD_TEXT)
            e = *p ? kv_add(out, f->name, p) : 0;
        else
            e = kv_add_int(out, f->name, number_of(f, p));
    }
    return e;
}

static int decode(const struct field *f, char *base, struct kv_view view)
{
    for (; f->name; f++) {
        const char *value = kv_get(view, f->name);
        char *p = base + f->offset;
        if (!value) continue;
        if (f->type == FIELD_UUID) {
            if (uuid_parse((struct uuid *)p, value) < 0) return -EINVAL;
        } else if (f->type == FIELD_TEXT) {
            snprintf(p, f->size, "%s", value);
        } else {
            number_set(f, p, kv_get_int(view, f->name, 0));
        }
    }
    return 0;
}

int ledger_record_encode(const struct ledger_op *op, struct kv *out)
{
    if (op->kind == OP_AUDIT) return encode(audit_fields, (const char *)op, out);
    int e = has_begin(op->kind) ? encode(begin_fields, (const char *)op, out) : 0;
    if (e == 0 && has_end(op->kind)) e = encode(end_fields, (const char *)op, out);
    return e;
}

int ledger_record_decode(struct ledger_op *op, uint32_t kind, struct kv_view view)
{
    memset(op, 0, sizeof *op);
    op->kind = (enum op_kind)kind;
    if ((!has_begin(op->kind) && !has_end(op->kind) && op->kind != OP_AUDIT) || !kv_valid(view)) return -EINVAL;
    if (op->kind == OP_AUDIT) return decode(audit_fields, (char *)op, view);
    int e = has_begin(op->kind) ? decode(begin_fields, (char *)op, view) : 0;
    return e == 0 && has_end(op->kind) ? decode(end_fields, (char *)op, view) : e;
}
