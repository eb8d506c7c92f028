/* media_operation.c: operations by number, and events up. No event is ever lost: those that find the ring full wait in order. */
#include "core/check.h"
#include "worker/media_internal.h"

#include <unistd.h>

static struct operation **operation_place(struct media *m, uint64_t number)
{
    struct operation **at = &m->operations[(number * 0x9E3779B97F4A7C15ull >> 32) % OPERATION_BUCKETS];
    while (*at && (*at)->number != number) at = &(*at)->chain;
    return at;
}

void operation_add(struct media *m, struct operation *operation)
{
    struct operation **at = operation_place(m, operation->number);
    CHECK(!*at); /* the script thread never reuses an open number */
    *at = operation;
}

struct operation *operation_find(struct media *m, uint64_t number) { return *operation_place(m, number); }

void operation_remove(struct media *m, struct operation *operation)
{
    struct operation **at = operation_place(m, operation->number);
    if (*at == operation) *at = operation->chain;
    operation->chain = NULL;
}

void operation_stop(struct media *m, struct operation *operation, enum media_reason reason)
{
    switch (operation->kind) {
    case OPERATION_PLAY:
        play_end(m, CONTAINER_OF(operation, struct play, operation), reason);
        break;
    case OPERATION_RECORD:
        record_finish(m, CONTAINER_OF(operation, struct record, operation), reason);
        break;
    case OPERATION_DIGITS:
        digits_end(m, CONTAINER_OF(operation, struct digits, operation), reason);
        break;
    case OPERATION_DETECT:
        detector_end(m, CONTAINER_OF(operation, struct detector, operation), reason);
        break;
    }
}

static bool backlog_flush(struct media *m)
{
    uint32_t sent = 0;
    while (sent < m->backlog_count && spsc_push(&m->events, &m->backlog[sent]) == 0) sent++;
    m->backlog_count -= sent;
    memmove(m->backlog, m->backlog + sent, m->backlog_count * sizeof *m->backlog);
    m->events_pushed |= sent > 0;
    return !m->backlog_count;
}

void event_push(struct media *m, const struct media_event *event)
{
    if ((!m->backlog_count || backlog_flush(m)) && spsc_push(&m->events, event) == 0) {
        m->events_pushed = true;
        return;
    }
    if (m->backlog_count == m->backlog_size) {
        uint32_t size = m->backlog_size ? 2 * m->backlog_size : 1024;
        struct media_event *backlog = realloc(m->backlog, size * sizeof *backlog);
        CHECK(backlog);
        m->backlog = backlog;
        m->backlog_size = size;
    }
    m->backlog[m->backlog_count++] = *event;
}

void event_done(struct media *m, const struct operation *operation, enum media_reason reason)
{
    struct media_event event = { .kind = MEDIA_DONE, .leg = operation->id, .operation = operation->number, .reason = reason };
    event_push(m, &event);
}

/* Once a turn, and only if the script thread has read the last signal: one write for any number of events. */
void events_flush(struct media *m)
{
    const uint64_t one = 1;
    if (m->backlog_count) backlog_flush(m);
    if (!m->events_pushed) return;
    m->events_pushed = false;
    if (!atomic_exchange(&m->event_signal, 1)) (void)!write(m->event_fd, &one, sizeof one);
}
