/* post_internal.h: what the post office's files share: post.c (the rounds), post_send.c, post_receive.c, post_peer.c. */
#ifndef BUS_POST_INTERNAL_H
#define BUS_POST_INTERNAL_H

#include "bus/post.h"
#include "core/clock.h"

#define POST_QUEUED_BYTES_MAX   (64u << 20)
#define POST_BUCKETS            4096u /* of pending requests; a power of two */
#define POST_FRAMES_PER_PASS    256   /* of one lane, so that one busy sender does not starve the others */
#define POST_CHECK_NS           (50 * NS_PER_MS)
#define POST_CHECK_BELL_LESS_NS (2 * NS_PER_MS) /* where this process has no bell of its own */
#define POST_RETRY_NS           NS_PER_MS
#define POST_BEAT_OLD_NS        (300 * NS_PER_MS) /* then /proc is asked whether it lives */

/* A message that waits for room in a lane, perhaps partly sent. */
struct post_letter {
    struct post_letter *next;
    struct frame frame; /* pairs: the whole message, in `bytes` */
    size_t sent;
    char bytes[];
};

struct post_peer {
    uint32_t process;
    uint32_t epoch; /* the incarnation we talk with */
    bool alive;
    bool keeps;    /* notes wait here while it is dead */
    bool announce; /* found alive while sending: the watchers are still to be told */
    struct lane *out, *in;
    struct post_letter *first, **last;
    struct buf parts; /* of a long message that is coming in */
    uint32_t parts_id;
};

struct post_request {
    struct post_request *next; /* in its bucket */
    struct post *post;
    uint32_t id, to;
    post_answer *answer;
    void *context;
    struct loop_timer timer;
};

struct post_listener {
    struct post_listener *next;
    void (*changed)(void *context, uint32_t process, bool alive);
    void (*poll)(void *context);
    void *context;
};

struct post {
    struct segment *segment;
    struct loop *loop;
    uint32_t process, epoch, peers_count;
    post_handler *handler;
    void *context;
    void (*cancelled)(void *context, uint64_t ticket);
    void *cancelled_context;
    struct post_listener *watchers, *sources;
    struct post_peer *peers;
    struct post_request *requests[POST_BUCKETS];
    uint32_t next_id;
    bool inherits;
    size_t queued; /* bytes in all letters */
    struct loop_watch bell;
    struct loop_hook hook;
    struct loop_timer check, retry, again;
};

/* post_send.c */
int post_send(struct post *post, uint32_t to, const struct frame *frame);
void post_flush(struct post *post, struct post_peer *peer);
/* It died: what waits for it is dropped, but for notes that are kept for the next. */
void post_letters_drop(struct post *post, struct post_peer *peer);
void post_letters_send(struct post *post, struct post_peer *peer);

/* post_receive.c */
void post_drain(struct post *post, struct post_peer *peer, int frames_max);
struct post_request *post_request_take(struct post *post, uint32_t id);

/* post_peer.c: who lives. */
void post_peers_check(struct post *post);
/* The peer's incarnation `epoch` is the one from now on; fails what was pending with the one before. */
void post_peer_renew(struct post *post, struct post_peer *peer, uint32_t epoch);
/* May we send to it now? 0 or -EPIPE. Calls nobody back. */
int post_peer_ready(struct post *post, struct post_peer *peer);

static inline uint64_t post_ticket(const struct post_peer *peer, uint32_t id)
{
    return (uint64_t)peer->process << 56 | (uint64_t)(peer->epoch & 0xffffff) << 32 | id;
}

#endif
