/* post_receive.c: frames from lanes to their handlers. */
#include <errno.h>
#include <stdlib.h>

#include "bus/post_internal.h"
#include "core/log.h"

/* Takes a request out of its bucket; its timer is cleared, its memory the caller's. */
struct post_request *post_request_take(struct post *post, uint32_t id)
{
    struct post_request **at = &post->requests[id % POST_BUCKETS], *r;
    while (*at && (*at)->id != id) at = &(*at)->next;
    r = *at;
    if (!r) return NULL;
    *at = r->next;
    loop_timer_clear(post->loop, &r->timer);
    return r;
}

static void reply_handle(struct post *post, const struct post_peer *peer, const struct frame *f)
{
    struct post_request *r = post_request_take(post, f->id);
    if (!r) return;               /* timed out, cancelled, or answered before */
    if (r->to != peer->process) { /* broken sender: leave the request to its deadline */
        log_err(NULL, "process %u answered request %u that was put to process %u", peer->process, f->id, r->to);
        r->answer(r->context, -EPROTO, (struct kv_view) { NULL, 0 });
    } else {
        r->answer(r->context, f->status, f->pairs);
    }
    free(r);
}

static void message_handle(struct post *post, const struct post_peer *peer, const struct frame *f)
{
    struct post_message m = { .from = peer->process,
                              .kind = (enum message_kind)f->kind,
                              .is_request = f->type == FRAME_REQUEST,
                              .deadline_ns = f->deadline_ns,
                              .pairs = f->pairs };
    if (m.is_request) {
        if (f->deadline_ns && clock_mono_ns() >= f->deadline_ns) return; /* its asker has had -ETIMEDOUT */
        m.ticket = post_ticket(peer, f->id);
    }
    post->handler(post->context, &m);
}

static void whole_handle(struct post *post, struct post_peer *peer, const struct frame *f)
{
    if (!kv_valid(f->pairs)) {
        log_err(NULL, "process %u sent %zu bytes of kind %u that are no pairs; dropped", peer->process, f->pairs.length, f->kind);
        return;
    }
    if (f->type == FRAME_REPLY)
        reply_handle(post, peer, f);
    else
        message_handle(post, peer, f);
}

static void part_keep(struct post_peer *peer, const struct frame *f)
{
    if (peer->parts.length && peer->parts_id != f->id) buf_clear(&peer->parts);
    peer->parts_id = f->id;
    if (peer->parts.length + f->pairs.length > BUS_MESSAGE_BYTES_MAX || buf_put(&peer->parts, f->pairs.data, f->pairs.length))
        buf_clear(&peer->parts); /* the rest of it will not be valid pairs, and is dropped then */
}

static void frame_handle(struct post *post, struct post_peer *peer, struct frame *f)
{
    struct buf joined = BUF_INIT;
    bool meant_for_another = f->to_epoch && f->to_epoch != post->epoch;
    if (meant_for_another && !(post->inherits && (f->type == FRAME_NOTE || f->type == FRAME_PART))) return;
    switch (f->type) {
    case FRAME_PART:
        part_keep(peer, f);
        return;
    case FRAME_CANCEL:
        if (post->cancelled) post->cancelled(post->cancelled_context, post_ticket(peer, f->id));
        return;
    case FRAME_NOTE:
    case FRAME_REQUEST:
    case FRAME_REPLY:
        if (peer->parts.length && peer->parts_id == f->id) {
            /* The handler may come back into this peer's lane: the buffer is taken out of it first. */
            joined = peer->parts;
            peer->parts = BUF_INIT;
            if (buf_put(&joined, f->pairs.data, f->pairs.length)) break;
            f->pairs = (struct kv_view) { joined.data, joined.length };
        }
        whole_handle(post, peer, f);
        break;
    default:
        log_err(NULL, "process %u sent a frame of the unknown type %u; dropped", peer->process, f->type);
    }
    buf_free(&joined);
}

void post_drain(struct post *post, struct post_peer *peer, int frames_max)
{
    struct frame f;
    int n = 0;
    while (n++ < frames_max && lane_receive(peer->in, &f)) {
        if (f.epoch != peer->epoch || !peer->alive) {
            struct proc_view view;
            proc_peek(post->segment, peer->process, &view);
            if (f.epoch == view.epoch && f.epoch != peer->epoch) post_peer_renew(post, peer, f.epoch);
        }
        if (f.epoch == peer->epoch) frame_handle(post, peer, &f);
        lane_release(peer->in);
    }
    if (n > frames_max) post_again(post);
}
