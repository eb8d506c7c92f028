/* slot_machine.c: the rules of a slot's life. */
#include "bus/slot_machine.h"

#include "bus/ring.h"
#include "core/check.h"

static struct slot_step refuse(struct slot_now now) { return (struct slot_step) { .refused = true, .next = now }; }

static struct slot_step stay(struct slot_now now, uint32_t send) { return (struct slot_step) { .next = now, .send = send }; }

static struct slot_step become(struct slot_now now, enum slot_state state, uint32_t send)
{
    now.state = state;
    if (state == SLOT_FREE) now.answered = false;
    return (struct slot_step) { .next = now, .send = send };
}

static struct slot_step become_answered(struct slot_now now, enum slot_state state, uint32_t send)
{
    now.answered = true;
    return become(now, state, send);
}

/* How we give up a call of which we do not know that it was answered. */
static uint32_t give_up(struct slot_now now)
{
    if (now.answered) return SLOT_SEND_BYE;
    return now.inbound ? SLOT_SEND_REJECT : SLOT_SEND_CANCEL;
}

static uint32_t accept_answer(struct slot_now now) { return now.inbound ? SLOT_SEND_OK : SLOT_SEND_ACK; }

/* No slot, but its dialog's messages may still come: the network goes on talking after we hung up. */
static struct slot_step next_free(struct slot_now now, enum slot_event event)
{
    switch (event) {
    case SLOT_LEASE:
        return become(now, SLOT_DIALLING, 0);
    case SLOT_ANSWER:
        return now.inbound ? refuse(now) : stay(now, SLOT_SEND_ACK | SLOT_SEND_BYE);
    case SLOT_BYE:
        return stay(now, SLOT_SEND_BYE_OK);
    default:
        return refuse(now);
    }
}

static struct slot_step next_dialling(struct slot_now now, enum slot_event event)
{
    switch (event) {
    case SLOT_EARLY:
        return become(now, SLOT_MEDIA, SLOT_SEND_START | (now.inbound ? SLOT_SEND_PROGRESS : 0));
    case SLOT_ANSWER:
        return become_answered(now, SLOT_MEDIA, SLOT_SEND_START | accept_answer(now));
    case SLOT_FAIL:
        return become(now, SLOT_FREE, SLOT_SEND_ENDED | (now.inbound ? SLOT_SEND_REJECT : 0));
    case SLOT_BYE:
        return become(now, SLOT_FREE, SLOT_SEND_BYE_OK | SLOT_SEND_ENDED | (now.inbound ? SLOT_SEND_REJECT : 0));
    case SLOT_HANGUP:
    case SLOT_WORKER_DIED:
    case SLOT_ADOPT:
        return become(now, SLOT_FREE, give_up(now) | SLOT_SEND_ENDED);
    default:
        return refuse(now);
    }
}

static struct slot_step next_early(struct slot_now now, enum slot_event event)
{
    switch (event) {
    case SLOT_EARLY:
    case SLOT_REINVITE:
        return stay(now, SLOT_SEND_UPDATE); /* another 183, an UPDATE */
    case SLOT_ANSWER:
        return become_answered(now, SLOT_MEDIA, SLOT_SEND_UPDATE | accept_answer(now));
    case SLOT_FAIL:
        return become(now, SLOT_ENDING, SLOT_SEND_STOP | SLOT_SEND_ENDED | (now.inbound ? SLOT_SEND_REJECT : 0));
    case SLOT_BYE:
        return become(now, SLOT_ENDING, SLOT_SEND_BYE_OK | SLOT_SEND_STOP | SLOT_SEND_ENDED | (now.inbound ? SLOT_SEND_REJECT : 0));
    case SLOT_HANGUP:
    case SLOT_WORKER_DIED:
    case SLOT_ADOPT:
        return become(now, SLOT_ENDING, give_up(now) | SLOT_SEND_STOP | SLOT_SEND_ENDED);
    default:
        return refuse(now);
    }
}

static struct slot_step next_answered(struct slot_now now, enum slot_event event)
{
    switch (event) {
    case SLOT_ANSWER:
        return now.inbound ? refuse(now) : stay(now, SLOT_SEND_ACK); /* a 2xx again: ours was lost */
    case SLOT_REINVITE:
        return stay(now, SLOT_SEND_UPDATE);
    case SLOT_BYE:
        return become(now, SLOT_ENDING, SLOT_SEND_BYE_OK | SLOT_SEND_STOP | SLOT_SEND_ENDED);
    case SLOT_FAIL: /* no answer to a request within the dialog (408, 481) ends it, RFC 3261 §12.2.1.2 */
    case SLOT_HANGUP:
    /* Not FREE at once: a START that the dead one left in the ring may be believed by the next, which must be told to stop. */
    case SLOT_WORKER_DIED:
        return become(now, SLOT_ENDING, SLOT_SEND_BYE | SLOT_SEND_STOP | SLOT_SEND_ENDED);
    case SLOT_ADOPT:
        return stay(now, SLOT_SEND_START); /* perhaps never pushed; a media thread that runs it takes it as an update */
    default:
        return refuse(now);
    }
}

static struct slot_step next_ending(struct slot_now now, enum slot_event event)
{
    switch (event) {
    case SLOT_RELEASED:
        return become(now, SLOT_FREE, 0);
    case SLOT_ANSWER: /* it crossed our CANCEL; and only its first one gets a BYE */
        if (now.inbound) return refuse(now);
        return become_answered(now, SLOT_ENDING, SLOT_SEND_ACK | (now.answered ? 0 : SLOT_SEND_BYE));
    case SLOT_BYE:
        return stay(now, SLOT_SEND_BYE_OK); /* glare */
    case SLOT_ADOPT:
        return stay(now, give_up(now) | SLOT_SEND_STOP); /* perhaps never sent */
    /* A worker's death changes nothing: the STOP is in the ring, and its next incarnation answers it. */
    default:
        return refuse(now);
    }
}

struct slot_step slot_next(struct slot_now now, enum slot_event event)
{
    switch (now.state) {
    case SLOT_FREE:
        return next_free(now, event);
    case SLOT_DIALLING:
        return next_dialling(now, event);
    case SLOT_MEDIA:
        return now.answered ? next_answered(now, event) : next_early(now, event);
    case SLOT_ENDING:
        return next_ending(now, event);
    }
    return refuse(now); /* a state that a dead writer never finished */
}

const char *slot_event_name(enum slot_event event)
{
    static const char *const names[SLOT_EVENTS] = { "lease",  "early",    "answer",   "fail",        "bye",
                                                    "hangup", "reinvite", "released", "worker died", "adopt" };
    return event < SLOT_EVENTS ? names[event] : "?";
}

const char *slot_state_name(enum slot_state state)
{
    static const char *const names[] = { "free", "dialling", "media", "ending" };
    return (unsigned)state < ARRAY_SIZE(names) ? names[state] : "?";
}

/* --- the media thread's side ------------------------------------------------------------------------------ */

/* Generations wrap: the older of two is behind by less than half of all. */
static bool older(uint32_t a, uint32_t b) { return (int32_t)(a - b) < 0; }

static enum slot_media_do media_begin(struct slot_media_now *now, uint32_t generation, uint32_t half_generation, enum slot_state half_state)
{
    bool running = now->running;
    if (running && generation == now->generation) return SLOT_MEDIA_APPLY;
    if (half_generation != generation || half_state != SLOT_MEDIA) return SLOT_MEDIA_DROP;
    if (running && older(generation, now->generation)) return SLOT_MEDIA_DROP;
    *now = (struct slot_media_now) { true, generation };
    return running ? SLOT_MEDIA_REPLACE : SLOT_MEDIA_BEGIN;
}

enum slot_media_do slot_media_next(struct slot_media_now *now, uint16_t kind, uint32_t generation, uint32_t half_generation,
                                   enum slot_state half_state)
{
    switch (kind) {
    case RING_MEDIA_START:
    case RING_MEDIA_UPDATE:
        return media_begin(now, generation, half_generation, half_state);
    case RING_MEDIA_STOP:
        if (now->running && older(generation, now->generation)) return SLOT_MEDIA_DROP;
        /* Also where nothing runs: the broker waits for the answer, whoever started and stopped it. */
        *now = (struct slot_media_now) { false, generation };
        return SLOT_MEDIA_RELEASE;
    default:
        return SLOT_MEDIA_DROP;
    }
}
