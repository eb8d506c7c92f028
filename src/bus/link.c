/* link.c: two rings of audio frames and who holds them.
 *
 *   struct link   lease | home's end | away's end | frames home → away | frames away → home
 *
 * An end's cursors: `tail` of the ring that it fills, `head` of the one that it empties. They count frames for ever and are never set
 * back; a consumer that attaches moves its own head to the other's tail. */
#include "bus/link.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "core/check.h"

#define MASK (LINK_FRAMES - 1)

struct end {
    _Alignas(64) uint32_t attached; /* the lease's generation, 0 = not */
    uint32_t process;               /* that attached last */
    _Alignas(64) uint64_t tail;
    _Alignas(64) uint64_t head;
};

struct link {
    _Alignas(64) uint32_t generation; /* of the last lease */
    uint32_t leased;                  /* the same while it is leased, else 0 */
    struct end ends[2];
    struct link_frame frames[2][LINK_FRAMES]; /* by the side that fills them */
};

_Static_assert((LINK_FRAMES & MASK) == 0, "cursors are masked");

static uint32_t load32(const uint32_t *at) { return __atomic_load_n(at, __ATOMIC_ACQUIRE); }
static void store32(uint32_t *at, uint32_t value) { __atomic_store_n(at, value, __ATOMIC_RELEASE); }
static uint64_t load(const uint64_t *at) { return __atomic_load_n(at, __ATOMIC_ACQUIRE); }
static void store(uint64_t *at, uint64_t value) { __atomic_store_n(at, value, __ATOMIC_RELEASE); }

size_t link_bytes(void) { return sizeof(struct link); }

void link_init(struct link *link) { memset(link, 0, sizeof *link); }

/* --- the lease -------------------------------------------------------------------------------------------------------- */

uint32_t link_lease(struct link *link)
{
    if (link->leased || load32(&link->ends[LINK_HOME].attached) || load32(&link->ends[LINK_AWAY].attached)) return 0;
    if (!++link->generation) link->generation = 1;
    store32(&link->leased, link->generation);
    return link->generation;
}

void link_return(struct link *link, uint32_t generation)
{
    if (link->leased == generation) store32(&link->leased, 0);
}

int link_attach(struct link *link, enum link_side side, uint32_t generation, uint32_t process)
{
    struct end *own = &link->ends[side];
    if (!generation || load32(&link->leased) != generation || own->attached) return -ESTALE;
    own->process = process;
    store(&own->head, load(&link->ends[!side].tail));
    store32(&own->attached, generation);
    return 0;
}

void link_detach(struct link *link, enum link_side side) { store32(&link->ends[side].attached, 0); }

bool link_other_attached(const struct link *link, enum link_side side, uint32_t generation)
{
    return load32(&link->ends[!side].attached) == generation;
}

void link_repair(struct link *link, uint32_t process, bool home)
{
    if (home) store32(&link->leased, 0);
    for (int side = 0; side < 2; side++)
        if (link->ends[side].attached && link->ends[side].process == process) link_detach(link, (enum link_side)side);
}

/* --- frames ----------------------------------------------------------------------------------------------------------- */

int link_put(struct link *link, enum link_side side, const struct link_frame *head, const void *data, uint32_t bytes)
{
    struct end *own = &link->ends[side];
    uint64_t tail = own->tail;
    CHECK(bytes <= LINK_BYTES_MAX);
    if (tail - load(&link->ends[!side].head) >= LINK_FRAMES) return -EAGAIN;
    struct link_frame *frame = &link->frames[side][tail & MASK];
    memcpy(frame, head, offsetof(struct link_frame, data));
    frame->generation = own->attached;
    frame->bytes = (uint16_t)bytes;
    if (bytes) memcpy(frame->data, data, bytes);
    store(&own->tail, tail + 1);
    return 0;
}

const struct link_frame *link_peek(struct link *link, enum link_side side)
{
    struct end *own = &link->ends[side];
    uint64_t tail = load(&link->ends[!side].tail);
    if (tail - own->head > LINK_FRAMES) store(&own->head, tail); /* never so between two that keep the rules */
    for (; own->head != tail; store(&own->head, own->head + 1)) {
        const struct link_frame *frame = &link->frames[!side][own->head & MASK];
        if (frame->generation == own->attached && frame->bytes <= LINK_BYTES_MAX) return frame;
    }
    return NULL;
}

void link_next(struct link *link, enum link_side side)
{
    struct end *own = &link->ends[side];
    CHECK(own->head != load(&link->ends[!side].tail)); /* next without a peek */
    store(&own->head, own->head + 1);
}

uint32_t link_waiting(const struct link *link, enum link_side side)
{
    return (uint32_t)(load(&link->ends[!side].tail) - link->ends[side].head);
}
