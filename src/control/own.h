/* own.h: what control's files share.
 *
 *   control.c   the process: loop, post, heartbeat
 *   socket.c    the listening socket
 *   peer.c      one connection: frames in, frames out
 *   audit.h     who changed what
 *   dispatch.c  a request's way to a worker or the broker, and its reply's way back */
#ifndef CONTROL_OWN_H
#define CONTROL_OWN_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/post.h"
#include "bus/segment.h"
#include "control/frame.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/loop.h"
#include "core/process.h"

#define PEERS_MAX         256u
#define PEER_STALL_NS     (60 * NS_PER_S) /* a started frame, or an unread reply, that makes no progress for so long ends the connection */
#define API_TIMEOUT_NS    (24 * 3600 * NS_PER_S) /* scripts may run long; the client's disconnect cancels */
#define ENGINE_TIMEOUT_NS (120 * NS_PER_S)

struct control;

struct peer {
    struct control *control;
    struct peer *next, *previous;
    struct loop_watch watch;
    struct loop_timer stall;
    struct buf in, out;
    size_t sent;      /* of out */
    uint32_t events;  /* that the loop watches for */
    bool waiting;     /* a request is with another process */
    bool gone;        /* ended; freed in the next turn */
    uint32_t asked;   /* process */
    uint32_t request; /* post's id */
    uint32_t uid;     /* whose connection it is */
    char *action;     /* of the request that is with another process, if it changes something */
};

struct audit; /* audit.h */
struct esl;   /* esl.h */
struct http;  /* http.h */

struct control {
    const struct process_args *args;
    struct loop *loop;
    struct post *post;
    struct segment *segment;
    struct process_signals signals;
    struct loop_watch listener;
    struct loop_timer beat;
    struct loop_hook sweep;
    struct peer *peers, *gone;
    uint32_t peer_count;
    uint32_t next_worker; /* round robin */
    bool accept_paused;
    char socket_path[108];
    struct audit *audit;
    struct esl *esl;
    struct http *http; /* NULL = none configured */
};

/* socket.c: 0 or -errno, after logging why. */
int socket_open(struct control *control);
void socket_close(struct control *control);

/* peer.c */
void peer_accept(struct control *control, int fd);
void peer_end(struct peer *peer);
void peers_sweep(struct control *control);
/* Takes what lies whole in `in`, until one request is with another process. */
void peer_requests(struct peer *peer);
/* Queues a reply: `text` or `error` may be NULL; `pairs` are passed on whole. */
void peer_reply(struct peer *peer, int status, struct kv_view pairs, const char *error);

/* dispatch.c: takes a whole request; answers by peer_reply, now or later. */
void dispatch_request(struct peer *peer, struct kv_view request);
void dispatch_cancel(struct peer *peer);

#endif
