/* adopt_own.h: what adopt*.c share. */
#ifndef BROKER_ADOPT_OWN_H
#define BROKER_ADOPT_OWN_H

#include "broker/state.h"

/* Copies of slots: what is read here may be leased anew while it is still worked on. */
struct adopt_one {
    struct slot_call call;
    struct slot_totals totals;
};
struct adopt_list {
    struct adopt_one *items;
    size_t count, size;
};
void adopt_list_free(struct adopt_list *list);

struct call *adopt_call(struct broker *broker, const struct slot_call *from); /* no slot, no leg */
void adopt_leg(struct call *call);
/* Makes it ready for call_hangup: TALKING (which sends BYE), or CLAIMED with its CANCEL or refusal on the way. */
void adopt_end_dialog(struct call *call);
void adopt_refuse(struct call *call);

/* Calls that ended so short a time ago that their rows may not be written. */
void adopt_ended_find(struct broker *broker, struct segment *segment, struct adopt_list *list);
void adopt_ended(struct broker *broker, const struct adopt_list *list);
void adopt_old(struct broker *broker);

#endif
