/* slots.h: the slots of all workers: leasing, mirroring, freeing. The broker alone does that.
 *
 * Free slots wait in queues per worker: rested ones by their media address, and those within 5 s of their last packet; all in the order of
 * their freeing, so that the longest-free slot on an address that suits the call is used first. All that a new broker needs to adopt a call
 * is written into the slot's half as it becomes true. */
#ifndef BROKER_SLOTS_H
#define BROKER_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/slot.h"

#define SLOT_REST_NS        5000000000LL
#define SLOT_NONE           UINT32_MAX
#define MEDIA_ADDRESSES_MAX 16u

struct broker;
struct call;

struct slot_queue {
    uint32_t *items, head, count, size; /* a circle */
};
struct worker_slots {
    struct slot_queue rested[MEDIA_ADDRESSES_MAX], resting; /* rested ones by their media address */
    uint32_t busy;
};
struct slots {
    struct worker_slots *workers;
    struct call **calls;    /* by slot */
    uint32_t *generations;  /* by slot: the last one used */
    int64_t *free_since_ns; /* by slot */
    uint32_t each, total, busy;
};

int slots_open(struct broker *broker);
void slots_free(struct broker *broker);
/* The next rested slot of a worker on an address of media_mask, leased for the call (state DIALLING, directory entry made); -EAGAIN if
 * there is none. */
int slot_lease(struct broker *broker, struct call *call, uint32_t worker);
/* Back to the free ones; `rest` = packets may still come. */
void slot_free(struct broker *broker, struct call *call, bool rest);
uint32_t slots_room(struct broker *broker);
/* Whether it serves and has room in its media budget (COUNTER_media_over_budget). */
bool worker_takes(struct broker *broker, uint32_t worker);
/* The worker that takes calls and has the fewest; -EAGAIN if none does. */
int worker_least(struct broker *broker, uint32_t *worker);

/* Mirrors the call as it is now into its slot: state, tags, CSeqs, routes, times. */
void slot_mirror(struct call *call);

#endif
