/* esl_queue.c: what a client is still to be sent. Texts of events are shared between all clients that get them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "control/esl_own.h"

#define WRITE_TEXTS 64u /* in one system call */

struct esl_text *esl_text_new(const char *data, size_t length)
{
    struct esl_text *text = malloc(sizeof *text + length);
    if (text == NULL) return NULL;
    text->references = 1;
    text->event = false;
    text->length = length;
    memcpy(text->data, data, length);
    return text;
}

void esl_text_release(struct esl_text *text)
{
    if (text != NULL && --text->references == 0) free(text);
}

/* Room is kept for replies and for the notice of a gap, which come nevertheless. */
bool esl_queue_full(const struct esl_queue *queue) { return queue->count >= ESL_QUEUE_TEXTS_MAX || queue->bytes >= ESL_QUEUE_BYTES_MAX; }

static int grow(struct esl_queue *queue)
{
    uint32_t size = queue->size > 0 ? queue->size * 2 : 16;
    struct esl_text **ring = malloc(size * sizeof *ring);
    if (ring == NULL) return -ENOMEM;
    for (uint32_t i = 0; i < queue->count; i++) ring[i] = queue->ring[(queue->head + i) & (queue->size - 1)];
    free(queue->ring);
    queue->ring = ring;
    queue->size = size;
    queue->head = 0;
    return 0;
}

int esl_queue_put(struct esl_queue *queue, struct esl_text *text)
{
    if (text->length == 0) return 0;
    if (queue->count == queue->size && grow(queue) < 0) return -ENOMEM;
    queue->ring[(queue->head + queue->count++) & (queue->size - 1)] = text;
    queue->bytes += text->length;
    text->references++;
    return 0;
}

static void written(struct esl_queue *queue, size_t bytes)
{
    while (bytes > 0) {
        struct esl_text *first = queue->ring[queue->head];
        size_t left = first->length - queue->sent;
        if (bytes < left) {
            queue->sent += bytes;
            return;
        }
        bytes -= left;
        queue->sent = 0;
        queue->bytes -= first->length;
        queue->head = (queue->head + 1) & (queue->size - 1);
        queue->count--;
        esl_text_release(first);
    }
}

int esl_queue_write(struct esl_queue *queue, int fd)
{
    while (queue->count > 0) {
        struct iovec parts[WRITE_TEXTS];
        struct msghdr message = { .msg_iov = parts };
        uint32_t n = queue->count < WRITE_TEXTS ? queue->count : WRITE_TEXTS;
        for (uint32_t i = 0; i < n; i++) {
            struct esl_text *text = queue->ring[(queue->head + i) & (queue->size - 1)];
            size_t skip = i == 0 ? queue->sent : 0;
            parts[i] = (struct iovec) { text->data + skip, text->length - skip };
        }
        message.msg_iovlen = n;
        ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0 && errno == EINTR) continue;
        if (sent < 0) return errno == EAGAIN ? 1 : -errno;
        written(queue, (size_t)sent);
    }
    return 0;
}

void esl_queue_clear(struct esl_queue *queue)
{
    for (uint32_t i = 0; i < queue->count; i++) esl_text_release(queue->ring[(queue->head + i) & (queue->size - 1)]);
    free(queue->ring);
    *queue = (struct esl_queue) { 0 };
}

void esl_queue_drop_events(struct esl_queue *queue)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < queue->count; i++) {
        struct esl_text *text = queue->ring[(queue->head + i) & (queue->size - 1)];
        if (text->event && !(i == 0 && queue->sent > 0)) {
            queue->bytes -= text->length;
            esl_text_release(text);
        } else {
            queue->ring[(queue->head + kept++) & (queue->size - 1)] = text;
        }
    }
    queue->count = kept;
}
