/* esl_types.h: event types by name and number, in FreeSWITCH's order (reference: event names, order = numeric id). */
#ifndef CONTROL_ESL_TYPES_H
#define CONTROL_ESL_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum esl_type {
    ESL_CUSTOM = 0,
    ESL_CHANNEL_DESTROY = 3,
    ESL_CHANNEL_HANGUP = 7,
    ESL_CHANNEL_HANGUP_COMPLETE = 8,
    ESL_API = 23,
    ESL_BACKGROUND_JOB = 46,
    ESL_HEARTBEAT = 50,
};
#define ESL_TYPE_ALL     (-1) /* of esl_type_find: "ALL" */
#define ESL_TYPE_UNKNOWN (-2)

/* 0…, ESL_TYPE_ALL or ESL_TYPE_UNKNOWN. Any case; "SWITCH_EVENT_DTMF" is DTMF, as any name behind 13 characters. */
int esl_type_find(const char *name);
const char *esl_type_name(int type);

/* A set of types, as event_wish takes it. */
struct esl_set {
    uint64_t bits[2];
};
static inline bool esl_set_has(const struct esl_set *set, unsigned type) { return type < 128 && (set->bits[type / 64] >> (type % 64) & 1); }
static inline void esl_set_add(struct esl_set *set, unsigned type) { set->bits[type / 64] |= UINT64_C(1) << (type % 64); }
static inline void esl_set_remove(struct esl_set *set, unsigned type) { set->bits[type / 64] &= ~(UINT64_C(1) << (type % 64)); }
static inline bool esl_set_empty(const struct esl_set *set) { return (set->bits[0] | set->bits[1]) == 0; }
void esl_set_fill(struct esl_set *set);
/* What `myevents` subscribes to. */
void esl_set_mine(struct esl_set *set);

#endif
