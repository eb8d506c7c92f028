/* post_send.c: messages into lanes, whole or in parts, at once or when there is room. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus/counter.h"
#include "bus/post_internal.h"
#include "core/check.h"

static int letter_queue(struct post *post, struct post_peer *peer, const struct frame *frame)
{
    struct post_letter *letter;
    if (post->queued + frame->pairs.length > POST_QUEUED_BYTES_MAX) return -EAGAIN;
    letter = malloc(sizeof *letter + frame->pairs.length);
    if (!letter) return -EAGAIN;
    letter->next = NULL;
    letter->frame = *frame;
    letter->sent = 0;
    if (frame->pairs.length) memcpy(letter->bytes, frame->pairs.data, frame->pairs.length);
    letter->frame.pairs.data = letter->bytes;
    post->queued += frame->pairs.length;
    *peer->last = letter;
    peer->last = &letter->next;
    return 0;
}

static void letter_drop(struct post *post, struct post_peer *peer)
{
    struct post_letter *letter = peer->first;
    post->queued -= letter->frame.pairs.length;
    peer->first = letter->next;
    if (!peer->first) peer->last = &peer->first;
    free(letter);
}

void post_letters_drop(struct post *post, struct post_peer *peer)
{
    struct post_letter *kept = NULL, **last = &kept;
    while (peer->first) {
        struct post_letter *letter = peer->first;
        peer->first = letter->next;
        if (peer->keeps && letter->frame.type == FRAME_NOTE) {
            letter->frame.epoch = letter->frame.to_epoch = 0;
            letter->sent = 0;
            letter->next = NULL;
            *last = letter;
            last = &letter->next;
        } else {
            post->queued -= letter->frame.pairs.length;
            free(letter);
        }
    }
    peer->first = kept;
    peer->last = kept ? last : &peer->first;
}

/* The next piece of a letter: a part, or the rest under the message's own type. 0 or -EAGAIN. */
static int piece_send(struct post_peer *peer, struct post_letter *letter)
{
    struct frame piece = letter->frame;
    size_t most = lane_pairs_max(peer->out);
    int err;
    piece.pairs.data += letter->sent;
    piece.pairs.length -= letter->sent;
    if (piece.pairs.length > most) {
        piece.type = FRAME_PART;
        piece.pairs.length = most;
    }
    err = lane_send(peer->out, &piece);
    if (!err) letter->sent += piece.pairs.length;
    return err ? err : piece.type == FRAME_PART;
}

void post_flush(struct post *post, struct post_peer *peer)
{
    bool any = false;
    while (peer->first && peer->first->frame.epoch) { /* without: kept, nobody is there */
        int got = piece_send(peer, peer->first);
        if (got < 0) break;
        any = true;
        if (!got) letter_drop(post, peer);
    }
    if (any) bell_ring(post->segment, peer->process, BELL_MAIN);
    /* A lane has no bell for "there is room again"; a millisecond is a lane's worth of bytes. */
    if (peer->first && peer->first->frame.epoch && !post->retry.heap_index)
        loop_timer_set(post->loop, &post->retry, clock_mono_ns() + POST_RETRY_NS);
}

/* For whoever comes: it is addressed when somebody is there. */
static int letter_keep(struct post *post, struct post_peer *peer, const struct frame *frame)
{
    struct frame f = *frame;
    f.epoch = f.to_epoch = 0;
    return letter_queue(post, peer, &f);
}

static void letters_address(struct post *post, struct post_peer *peer)
{
    for (struct post_letter *l = peer->first; l && !l->frame.epoch; l = l->next) {
        l->frame.epoch = post->epoch;
        l->frame.to_epoch = peer->epoch;
    }
}

void post_letters_send(struct post *post, struct post_peer *peer)
{
    letters_address(post, peer);
    post_flush(post, peer);
}

void post_keep_notes(struct post *post, uint32_t to)
{
    CHECK(to < post->peers_count);
    post->peers[to].keeps = true;
}

void post_inherit_notes(struct post *post) { post->inherits = true; }

int post_send(struct post *post, uint32_t to, const struct frame *frame)
{
    struct post_peer *peer;
    struct frame f = *frame;
    int err;
    if (to >= post->peers_count) return -EINVAL;
    peer = &post->peers[to];
    if (f.pairs.length > BUS_MESSAGE_BYTES_MAX) return -EMSGSIZE;
    err = post_peer_ready(post, peer);
    if (err) return err == -EPIPE && peer->keeps && f.type == FRAME_NOTE ? letter_keep(post, peer, &f) : err;
    letters_address(post, peer);
    f.epoch = post->epoch;
    f.to_epoch = peer->epoch;
    if (!peer->first && f.pairs.length <= lane_pairs_max(peer->out) && !lane_send(peer->out, &f)) {
        bell_ring(post->segment, to, BELL_MAIN);
        return 0;
    }
    err = letter_queue(post, peer, &f);
    if (err)
        counter_add(counter_at(post->segment, post->process, COUNTER_lane_full), 1);
    else
        post_flush(post, peer);
    return err;
}

static struct kv_view view_of(const struct kv *pairs) { return pairs ? kv_view(pairs) : (struct kv_view) { NULL, 0 }; }

static uint32_t id_next(struct post *post)
{
    if (!++post->next_id) post->next_id = 1;
    return post->next_id;
}

int post_note(struct post *post, uint32_t to, enum message_kind kind, const struct kv *pairs)
{
    struct frame f = { .type = FRAME_NOTE, .kind = (uint16_t)kind, .id = id_next(post), .pairs = view_of(pairs) };
    return post_send(post, to, &f);
}

static void request_expired(struct loop_timer *timer)
{
    struct post_request *r = timer->context;
    struct post *post = r->post;
    struct frame cancel = { .type = FRAME_CANCEL, .id = r->id };
    post_request_take(post, r->id);
    post_send(post, r->to, &cancel);
    r->answer(r->context, -ETIMEDOUT, (struct kv_view) { NULL, 0 });
    free(r);
}

int post_request(struct post *post, uint32_t to, enum message_kind kind, const struct kv *pairs, int64_t timeout_ns, post_answer *answer,
                 void *context, uint32_t *id)
{
    struct frame f = { .type = FRAME_REQUEST, .kind = (uint16_t)kind, .id = id_next(post), .pairs = view_of(pairs) };
    struct post_request *r = malloc(sizeof *r), **bucket = &post->requests[f.id % POST_BUCKETS];
    int err;
    if (!r) return -EAGAIN;
    if (timeout_ns > 0) f.deadline_ns = clock_mono_ns() + timeout_ns;
    err = post_send(post, to, &f);
    if (err) {
        free(r);
        return err;
    }
    *r = (struct post_request) { .next = *bucket,
                                 .post = post,
                                 .id = f.id,
                                 .to = to,
                                 .answer = answer,
                                 .context = context,
                                 .timer = { .fire = request_expired, .context = r } };
    *bucket = r;
    if (f.deadline_ns) loop_timer_set(post->loop, &r->timer, f.deadline_ns);
    if (id) *id = f.id;
    return 0;
}

void post_cancel(struct post *post, uint32_t to, uint32_t id)
{
    struct post_request *r = post_request_take(post, id);
    struct frame cancel = { .type = FRAME_CANCEL, .id = id };
    if (!r) return;
    post_send(post, to, &cancel);
    free(r);
}

int post_reply(struct post *post, uint64_t ticket, int status, const struct kv *pairs)
{
    uint32_t to = (uint32_t)(ticket >> 56);
    struct frame f = { .type = FRAME_REPLY, .id = (uint32_t)ticket, .status = status, .pairs = view_of(pairs) };
    int err;
    if (to >= post->peers_count || (post->peers[to].epoch & 0xffffff) != (ticket >> 32 & 0xffffff)) return 0;
    err = post_send(post, to, &f);
    if (err == -EMSGSIZE) { /* the asker shall have its answer, if not this one */
        f.status = err;
        f.pairs.length = 0;
        return post_send(post, to, &f);
    }
    return err == -EPIPE ? 0 : err;
}
