/* post_peer.c: who of the others lives, in which incarnation, and what follows when that changes. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "bus/post_internal.h"

static void watchers_tell(struct post *post, const struct post_peer *peer, bool alive)
{
    for (struct post_listener *l = post->watchers; l; l = l->next) l->changed(l->context, peer->process, alive);
}

/* Each answer may make requests and cancel others, so the bucket is looked at anew after each. New requests to this peer
 * are refused meanwhile, which ends it. */
static void requests_fail(struct post *post, uint32_t to)
{
    for (uint32_t b = 0; b < POST_BUCKETS; b++) {
        struct post_request *r = post->requests[b];
        while (r) {
            if (r->to != to) {
                r = r->next;
                continue;
            }
            post_request_take(post, r->id);
            r->answer(r->context, -EPIPE, (struct kv_view) { NULL, 0 });
            free(r);
            r = post->requests[b];
        }
    }
}

static void peer_lost(struct post *post, struct post_peer *peer)
{
    if (!peer->alive) return;
    peer->alive = false;
    peer->announce = false;
    post_letters_drop(post, peer);
    buf_clear(&peer->parts);
    requests_fail(post, peer->process);
    watchers_tell(post, peer, false);
}

void post_peer_renew(struct post *post, struct post_peer *peer, uint32_t epoch)
{
    peer_lost(post, peer);
    if (peer->epoch != epoch) { /* not yet renewed by what was just told */
        peer->epoch = epoch;
        peer->alive = true;
    }
    peer->announce = false;
    post_letters_send(post, peer);
    watchers_tell(post, peer, true);
}

int post_peer_ready(struct post *post, struct post_peer *peer)
{
    struct proc_view view;
    proc_peek(post->segment, peer->process, &view);
    if (peer->alive && view.alive && view.epoch == peer->epoch) return 0;
    /* Whatever changed is told from the loop, never from within a send. */
    loop_timer_set(post->loop, &post->check, clock_mono_ns());
    if (peer->alive || !view.alive || view.epoch == peer->epoch) return -EPIPE;
    peer->epoch = view.epoch;
    peer->alive = peer->announce = true;
    return 0;
}

static bool died(const struct post *post, const struct post_peer *peer, const struct proc_view *view)
{
    struct proc_view look;
    if (!view->alive) return true;
    if (peer->process == post->process || clock_mono_ns() - view->beat_ns < POST_BEAT_OLD_NS) return false;
    proc_look(post->segment, peer->process, &look);
    return look.epoch == view->epoch && !look.alive;
}

static void peer_check(struct post *post, struct post_peer *peer)
{
    struct proc_view view;
    proc_peek(post->segment, peer->process, &view);
    if (peer->announce) {
        peer->announce = false;
        watchers_tell(post, peer, true);
    }
    if (peer->alive && (view.epoch != peer->epoch || died(post, peer, &view))) {
        uint32_t gone = peer->epoch;
        post_drain(post, peer, INT_MAX); /* what it still said comes before its death */
        if (peer->epoch == gone) peer_lost(post, peer);
    }
    proc_peek(post->segment, peer->process, &view);
    if (!peer->alive && view.alive && view.epoch != peer->epoch) post_peer_renew(post, peer, view.epoch);
}

void post_peers_check(struct post *post)
{
    for (uint32_t p = 0; p < post->peers_count; p++) peer_check(post, &post->peers[p]);
}
