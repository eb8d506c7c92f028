/* peer.c: one operator's connection. Its buffers are its own: whoever does not read fills only these. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/own.h"
#include "core/log.h"

static void peer_events(struct peer *peer)
{
    /* While a request runs, only the connection's end is of interest (EPOLLRDHUP); further requests wait in the kernel. */
    uint32_t events = EPOLLRDHUP | (peer->waiting ? 0 : EPOLLIN) | (peer->out.length > peer->sent ? EPOLLOUT : 0);
    if (events != peer->events && loop_watch_change(peer->control->loop, &peer->watch, events) == 0) peer->events = events;
}

static void stall_set(struct peer *peer)
{
    struct loop *loop = peer->control->loop;
    if (peer->in.length > 0 || peer->out.length > peer->sent)
        loop_timer_set(loop, &peer->stall, clock_mono_ns() + PEER_STALL_NS);
    else
        loop_timer_clear(loop, &peer->stall);
}

static void stall_fire(struct loop_timer *timer)
{
    struct peer *peer = timer->context;
    if (peer->waiting && peer->out.length == peer->sent) return; /* its pipelined next request lies there while the first one runs */
    log_notice(NULL, "an operator's connection made no progress for %lld s and is closed", (long long)(PEER_STALL_NS / NS_PER_S));
    peer_end(peer);
}

void peer_end(struct peer *peer)
{
    struct control *control = peer->control;
    if (peer->gone) return;
    peer->gone = true;
    dispatch_cancel(peer);
    loop_timer_clear(control->loop, &peer->stall);
    loop_watch_remove(control->loop, &peer->watch);
    close(peer->watch.fd);
    if (peer->previous != NULL)
        peer->previous->next = peer->next;
    else
        control->peers = peer->next;
    if (peer->next != NULL) peer->next->previous = peer->previous;
    /* Callers up the stack still hold it; the hook at the turn's end frees it. */
    peer->next = control->gone;
    control->gone = peer;
    control->peer_count--;
}

void peers_sweep(struct control *control)
{
    while (control->gone != NULL) {
        struct peer *peer = control->gone;
        control->gone = peer->next;
        buf_free(&peer->in);
        buf_free(&peer->out);
        free(peer->action);
        free(peer);
    }
}

static void peer_write(struct peer *peer)
{
    while (peer->sent < peer->out.length) {
        ssize_t n = send(peer->watch.fd, peer->out.data + peer->sent, peer->out.length - peer->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) break;
        if (n < 0) {
            peer_end(peer);
            return;
        }
        peer->sent += (size_t)n;
    }
    if (peer->sent == peer->out.length) {
        buf_free(&peer->out); /* a reply may have been 16 MB */
        peer->sent = 0;
    }
    stall_set(peer);
    peer_events(peer);
}

/* A whole frame in `in` is a request; it stays there until it was handed on. */
void peer_requests(struct peer *peer)
{
    while (!peer->gone && !peer->waiting && peer->in.length >= FRAME_HEAD_BYTES) {
        int64_t length = frame_length((const uint8_t *)peer->in.data, FRAME_REQUEST_BYTES_MAX);
        if (length < 0) {
            peer_reply(peer, EPROTO, (struct kv_view) { 0 }, "that was no request of `carillon`");
            if (!peer->gone) peer_end(peer);
            return;
        }
        size_t whole = FRAME_HEAD_BYTES + (size_t)length;
        if (peer->in.length < whole) return;
        struct kv_view request = { peer->in.data + FRAME_HEAD_BYTES, (size_t)length };
        if (kv_valid(request))
            dispatch_request(peer, request);
        else
            peer_reply(peer, EPROTO, (struct kv_view) { 0 }, "the request is malformed");
        if (peer->gone) return;
        memmove(peer->in.data, peer->in.data + whole, peer->in.length - whole);
        peer->in.length -= whole;
        if (peer->in.length == 0) buf_free(&peer->in);
    }
}

static void peer_read(struct peer *peer)
{
    char block[65536];
    while (!peer->waiting) {
        ssize_t n = recv(peer->watch.fd, block, sizeof block, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) break;
        if (n <= 0 || buf_put(&peer->in, block, (size_t)n) < 0) {
            peer_end(peer);
            return;
        }
        peer_requests(peer);
        if (peer->gone) return;
    }
    stall_set(peer);
    peer_events(peer);
}

static void peer_ready(struct loop_watch *watch, uint32_t events)
{
    struct peer *peer = watch->context;
    if ((events & (EPOLLERR | EPOLLHUP)) != 0 || ((events & EPOLLRDHUP) != 0 && peer->waiting)) {
        peer_end(peer);
        return;
    }
    if ((events & EPOLLOUT) != 0) peer_write(peer);
    if (!peer->gone && (events & (EPOLLIN | EPOLLRDHUP)) != 0) peer_read(peer);
}

void peer_accept(struct control *control, int fd)
{
    struct peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL) {
        close(fd);
        return;
    }
    struct ucred who;
    socklen_t size = sizeof who;
    peer->uid = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0 ? who.uid : UINT32_MAX;
    peer->control = control;
    peer->watch = (struct loop_watch) { .fd = fd, .ready = peer_ready, .context = peer };
    peer->stall = (struct loop_timer) { .fire = stall_fire, .context = peer };
    peer->events = EPOLLRDHUP | EPOLLIN;
    if (loop_watch_add(control->loop, &peer->watch, peer->events) < 0) {
        close(fd);
        free(peer);
        return;
    }
    peer->next = control->peers;
    if (control->peers != NULL) control->peers->previous = peer;
    control->peers = peer;
    control->peer_count++;
}

void peer_reply(struct peer *peer, int status, struct kv_view pairs, const char *error)
{
    struct kv reply = KV_INIT;
    int rc = kv_add_int(&reply, "status", status);
    if (rc == 0 && error != NULL) rc = kv_add(&reply, "error", error);
    uint8_t head[FRAME_HEAD_BYTES];
    struct kv_view own = kv_view(&reply);
    frame_head(head, (uint32_t)(own.length + pairs.length));
    if (rc == 0) rc = buf_put(&peer->out, head, sizeof head);
    if (rc == 0) rc = buf_put(&peer->out, own.data, own.length);
    if (rc == 0 && pairs.length > 0) rc = buf_put(&peer->out, pairs.data, pairs.length);
    kv_free(&reply);
    if (rc < 0)
        peer_end(peer);
    else
        peer_write(peer);
}
