/* post.h: the post office of a process: notes, requests and replies over its lanes, on its main thread's loop.
 *
 * A message longer than a quarter of a lane is split into parts and joined again, up to BUS_MESSAGE_BYTES_MAX. When a lane is
 * full, messages queue in the sender (bounded: 64 MB, then -EAGAIN is the ordinary result "busy"). A request is answered
 * exactly once for its asker: by the reply, by -ETIMEDOUT at its deadline, or by -EPIPE when the other process died. */
#ifndef BUS_POST_H
#define BUS_POST_H

#include "bus/lane.h"
#include "bus/protocol.h"
#include "bus/segment.h"
#include "core/loop.h"

struct post;

/* What came in. Pairs are valid during the call only. */
struct post_message {
    uint32_t from; /* process number */
    enum message_kind kind;
    bool is_request; /* then post_reply must be called once, now or later, with `ticket` */
    uint64_t ticket; /* survives the call; a ticket of a dead or timed-out asker is harmless */
    int64_t deadline_ns;
    struct kv_view pairs;
};

typedef void post_handler(void *context, const struct post_message *message);
typedef void post_answer(void *context, int status, struct kv_view pairs); /* status 0 or -errno */

/* Serves `process`'s lanes on `loop`; handler is called for notes and requests. proc_enter comes first (-EINVAL without).
 * Frames of and for a dead incarnation are dropped; what a process sent before its death is still delivered (its notes)
 * before the others are told of it. */
int post_new(struct post **out, struct segment *segment, uint32_t process, struct loop *loop, post_handler *handler, void *context);
/* What is queued goes as far as lanes have room; pending requests are forgotten without an answer. */
void post_free(struct post *post);

/* For what must reach the next incarnation of a process as well (the broker's, which adopts the calls that notes are about): notes to
 * `to` are kept while it is dead, and sent to whoever comes (bounded as a full lane's). */
void post_keep_notes(struct post *post, uint32_t to);
/* The other side of it: notes that were meant for our predecessor and not read by it are delivered to us. Before the first turn of the
 * loop. */
void post_inherit_notes(struct post *post);

/* Pairs may be NULL. 0, -EAGAIN busy, -EPIPE nobody there, -EMSGSIZE. */
int post_note(struct post *post, uint32_t to, enum message_kind kind, const struct kv *pairs);
/* timeout_ns of 0 = none.
 * Returns 0 and calls `answer` exactly once later (never before it returns), or -EAGAIN / -EPIPE and never calls it.
 * *id (may be NULL) serves post_cancel, after which `answer` is not called. */
int post_request(struct post *post, uint32_t to, enum message_kind kind, const struct kv *pairs, int64_t timeout_ns, post_answer *answer,
                 void *context, uint32_t *id);
void post_cancel(struct post *post, uint32_t to, uint32_t id);
int post_reply(struct post *post, uint64_t ticket, int status, const struct kv *pairs); /* pairs may be NULL */
/* Told once when another process died or came back (a new epoch); pending requests to it have had their -EPIPE. */
void post_watch(struct post *post, void (*changed)(void *context, uint32_t process, bool alive), void *context);

/* Besides lanes, the main thread's bell also covers other sources (up rings, event logs): poll(context) is called
 * each time the loop wakes by the bell and before it sleeps. */
void post_source_add(struct post *post, void (*poll)(void *context), void *context);
/* For a poll that left something for the next turn (it works in portions): the loop will not sleep before. */
void post_again(struct post *post);
/* Told when an asker gave up a request (post_cancel, its deadline): `ticket` needs no answer any more. Optional. */
void post_on_cancel(struct post *post, void (*cancelled)(void *context, uint64_t ticket), void *context);

#endif
