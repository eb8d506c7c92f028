/* link.h: audio between two workers: a call of one (its *home*) is heard and spoken to by the other (*away*).
 *
 * A link is two rings of frames, home → away and away → home, each with a single producer and a single consumer: the media threads.
 * Each worker has a pool of links in the segment (segment_size.c) and alone leases from it, on its script thread, for calls of its own.
 *
 *   lease      home's script thread: a link that nobody holds gets a new generation
 *   attach     each media thread for its end, with that generation; it begins with what comes from now on
 *   put, get   once per 20 ms each; frames of another generation are passed over
 *   detach     each media thread; then home's script thread gives the lease back
 *
 * Every word has one writing process. A link is leased again only when both ends are detached: an end's word names its process, and
 * a process that was started anew takes back what its dead incarnation held (link_repair). A frame is there or not: a producer
 * killed in the middle has not moved its cursor. A full ring is an ordinary result, the frame is dropped and counted. */
#ifndef BUS_LINK_H
#define BUS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINK_FRAMES    8u    /* of a ring: 160 ms, a power of two */
#define LINK_BYTES_MAX 1920u /* 20 ms of linear audio at 48 kHz */

enum link_side { LINK_HOME, LINK_AWAY };
enum link_kind {
    LINK_AUDIO = 1, /* linear, host byte order; value = its rate */
    LINK_DIGIT      /* value = duration at 8 kHz, flag = the key */
};

struct link;

struct link_frame {
    uint32_t generation;
    uint16_t kind, bytes;
    uint32_t value, flag;
    int64_t put_ns; /* monotonic */
    uint8_t data[LINK_BYTES_MAX];
};

size_t link_bytes(void);
void link_init(struct link *link);

/* Home's script thread. The lease's generation; 0 = held, or an end of the last lease is not detached yet. */
uint32_t link_lease(struct link *link);
void link_return(struct link *link, uint32_t generation);

/* A media thread, for its end. -ESTALE: not leased with that generation any more. */
int link_attach(struct link *link, enum link_side side, uint32_t generation, uint32_t process);
void link_detach(struct link *link, enum link_side side);
bool link_other_attached(const struct link *link, enum link_side side, uint32_t generation);

/* Into the ring away from `side`. -EAGAIN: full. `data` may be NULL if `bytes` is 0. */
int link_put(struct link *link, enum link_side side, const struct link_frame *head, const void *data, uint32_t bytes);
/* The oldest frame of this lease towards `side`, which stays valid until link_next; NULL = none. */
const struct link_frame *link_peek(struct link *link, enum link_side side);
void link_next(struct link *link, enum link_side side);
uint32_t link_waiting(const struct link *link, enum link_side side); /* frames towards `side` */

/* Takes back what a dead incarnation of `process` held; home = the links are its own pool's. */
void link_repair(struct link *link, uint32_t process, bool home);

#endif
