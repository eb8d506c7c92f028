/* slot_machine.h: what may happen to a slot, as pure functions: the broker's side and the media thread's side.
 *
 * Both sides call these and do what they say, in this order: the half is written first, then each bit of `send` from the
 * lowest to the highest, then the record that caused it is popped. So a side that dies anywhere leaves either the old state
 * and the cause still there, or the new state, from which SLOT_ADOPT (or the worker's next incarnation) completes it.
 * tests/bus/slot_machine_test.c walks every interleaving of both, of the far end and of deaths. */
#ifndef BUS_SLOT_MACHINE_H
#define BUS_SLOT_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/slot.h"

/* --- the broker's side ------------------------------------------------------------------------------------ */

enum slot_event {
    SLOT_LEASE,       /* a call is given to a free slot; generation + 1 */
    SLOT_EARLY,       /* media before the answer: 183 with SDP that somebody wants; inbound: the worker wants 183 */
    SLOT_ANSWER,      /* a 2xx to our INVITE, also retransmitted or late; inbound: the worker answers */
    SLOT_FAIL,        /* a final response that is no 2xx, or none in time; inbound: the caller's CANCEL */
    SLOT_BYE,         /* the far end's BYE */
    SLOT_HANGUP,      /* ours: a script, a limit, an operator, media timeout */
    SLOT_REINVITE,    /* media changed */
    SLOT_RELEASED,    /* RING_RELEASED of this generation */
    SLOT_WORKER_DIED, /* slot_call.worker_epoch is not the worker's any more */
    SLOT_ADOPT,       /* a new broker found the slot so */
    SLOT_EVENTS
};

/* What to send, in this order. */
enum slot_send {
    SLOT_SEND_ACK = 1 << 0,      /* with SLOT_SEND_BYE: both in one go. A death between them would leave the far end, which
                                  * repeats its 2xx until the ACK, connected to nobody. */
    SLOT_SEND_OK = 1 << 1,       /* inbound: the 2xx */
    SLOT_SEND_PROGRESS = 1 << 2, /* inbound: 183 */
    SLOT_SEND_REJECT = 1 << 3,   /* inbound: a final response of 3xx to 6xx */
    SLOT_SEND_CANCEL = 1 << 4,
    SLOT_SEND_BYE = 1 << 5,
    SLOT_SEND_BYE_OK = 1 << 6, /* 200 to a BYE */
    SLOT_SEND_START = 1 << 7,  /* RING_MEDIA_START */
    SLOT_SEND_UPDATE = 1 << 8, /* RING_MEDIA_UPDATE */
    SLOT_SEND_STOP = 1 << 9,   /* RING_MEDIA_STOP */
    SLOT_SEND_ENDED = 1 << 10  /* MSG_CALL_ENDED to the worker, if it lives; and the ledger */
};

struct slot_now {
    enum slot_state state;
    bool answered;
    bool inbound;
};

struct slot_step {
    bool refused; /* the event has no meaning in this state: count it, do nothing */
    struct slot_now next;
    uint32_t send; /* enum slot_send */
};

/* `now` is the slot's state if the event is of its generation (its Call-ID); an event of a call that has no slot any more is
 * judged with state SLOT_FREE: a late 2xx gets ACK and BYE. */
struct slot_step slot_next(struct slot_now now, enum slot_event event);
const char *slot_event_name(enum slot_event event);
const char *slot_state_name(enum slot_state state);

/* --- the media thread's side ------------------------------------------------------------------------------ */

struct slot_media_now {
    bool running;
    uint32_t generation; /* that runs, or that ran last */
};

enum slot_media_do {
    SLOT_MEDIA_DROP,    /* an old generation: count it */
    SLOT_MEDIA_BEGIN,   /* start as the half says */
    SLOT_MEDIA_APPLY,   /* it runs: take over what changed in the half */
    SLOT_MEDIA_RELEASE, /* stop what runs, write the totals, push RING_RELEASED */
    SLOT_MEDIA_REPLACE  /* as RELEASE for what runs (its STOP was never seen: broken broker), then BEGIN */
};

/* `kind` is a RING_MEDIA_*; `half_generation` and `half_state` are from a copy of the broker's half read now. A START is
 * believed only if the half still says so: the record may be older than this worker's incarnation. (The walk shows that its
 * STOP always follows; this saves the port from playing to an ended call until then.) */
enum slot_media_do slot_media_next(struct slot_media_now *now, uint16_t kind, uint32_t generation, uint32_t half_generation,
                                   enum slot_state half_state);

#endif
