/* media_uring.c: the media thread's one way to the kernel: receives that never end, sends by the batch.
 *
 * user_data = kind << 32 | file. Sends are submitted with DONTWAIT and complete within the submit, so a batch's memory is free again
 * when uring_flush returns; they leave a completion only when they failed. */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "core/check.h"
#include "worker/media_internal.h"

enum user_kind { USER_RECEIVE = 1, USER_SEND, USER_BELL, USER_COMMAND };

static uint64_t user_data(enum user_kind kind, uint32_t file) { return (uint64_t)kind << 32 | file; }

static struct io_uring_sqe *uring_sqe(struct media *m)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&m->ring);
    if (sqe) return sqe;
    uring_flush(m);
    sqe = io_uring_get_sqe(&m->ring);
    CHECK(sqe);
    return sqe;
}

/* --- receiving ---------------------------------------------------------------------------------------------------- */

static void arm_receive(struct media *m, uint32_t file)
{
    struct io_uring_sqe *sqe = uring_sqe(m);
    io_uring_prep_recvmsg_multishot(sqe, (int)file, &m->receive_shape, 0);
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    sqe->ioprio |= IORING_RECVSEND_POLL_FIRST;
    sqe->buf_group = 0;
    sqe->user_data = user_data(USER_RECEIVE, file);
}

static void arm_poll(struct media *m, int fd, enum user_kind kind)
{
    if (fd < 0) return;
    struct io_uring_sqe *sqe = uring_sqe(m);
    io_uring_prep_poll_multishot(sqe, fd, POLLIN);
    sqe->user_data = user_data(kind, 0);
}

void uring_arm_all(struct media *m)
{
    for (uint32_t file = 0; file < 2 * m->slots; file++) arm_receive(m, file);
    arm_poll(m, bell_fd(m->segment, m->process, BELL_MEDIA), USER_BELL);
    arm_poll(m, m->command_fd, USER_COMMAND);
    uring_flush(m);
}

static void receive_one(struct media *m, uint32_t file, void *buffer, int length)
{
    struct io_uring_recvmsg_out *out = io_uring_recvmsg_validate(buffer, length, &m->receive_shape);
    if (!out || (out->flags & MSG_TRUNC)) {
        COUNT(m, packets_dropped, 1);
        return;
    }
    struct leg *leg = &m->slot_legs[file / 2];
    const struct sockaddr_in6 *from = io_uring_recvmsg_name(out);
    uint8_t *bytes = io_uring_recvmsg_payload(out, &m->receive_shape);
    size_t size = io_uring_recvmsg_payload_length(out, length, &m->receive_shape);
    if (!leg->on)
        COUNT(m, packets_dropped, 1);
    else if (file & 1)
        leg_rtcp_receive(m, leg, from, bytes, size);
    else
        leg_receive(m, leg, from, bytes, size);
}

static void reap_receive(struct media *m, const struct io_uring_cqe *cqe, int *returned)
{
    uint32_t file = (uint32_t)cqe->user_data;
    if (cqe->flags & IORING_CQE_F_BUFFER) {
        uint32_t id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
        void *buffer = m->buffer_memory + (size_t)id * RECEIVE_BYTES;
        if (cqe->res > 0) receive_one(m, file, buffer, cqe->res);
        io_uring_buf_ring_add(m->buffers, buffer, RECEIVE_BYTES, (unsigned short)id, io_uring_buf_ring_mask(m->buffer_count),
                              (*returned)++);
    }
    /* Ended: no buffers for a moment, or an overflow of completions. Armed again once the buffers are back. */
    if (!(cqe->flags & IORING_CQE_F_MORE) && cqe->res != -ECANCELED && m->rearms < 2 * m->slots) m->rearm_list[m->rearms++] = file;
}

static void reap_one(struct media *m, const struct io_uring_cqe *cqe, int *returned)
{
    switch ((enum user_kind)(cqe->user_data >> 32)) {
    case USER_RECEIVE:
        reap_receive(m, cqe, returned);
        break;
    case USER_SEND: /* only failures come: a full socket buffer, no route, a filter */
        COUNT(m, packets_dropped, 1);
        break;
    case USER_BELL:
        if (!(cqe->flags & IORING_CQE_F_MORE)) arm_poll(m, bell_fd(m->segment, m->process, BELL_MEDIA), USER_BELL);
        break;
    case USER_COMMAND:
        if (!(cqe->flags & IORING_CQE_F_MORE)) arm_poll(m, m->command_fd, USER_COMMAND);
        break;
    }
}

void uring_reap(struct media *m)
{
    struct io_uring_cqe *cqe;
    unsigned head, seen = 0;
    int returned = 0;
    io_uring_for_each_cqe(&m->ring, head, cqe)
    {
        reap_one(m, cqe, &returned);
        seen++;
    }
    io_uring_cq_advance(&m->ring, seen);
    if (returned) io_uring_buf_ring_advance(m->buffers, returned);
    uint32_t rearms = m->rearms;
    m->rearms = 0;
    for (uint32_t i = 0; i < rearms; i++) arm_receive(m, m->rearm_list[i]);
    if (rearms) COUNT(m, uring_rearms, rearms);
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

uint8_t *uring_packet(struct media *m, uint32_t bytes)
{
    if (m->arena_used + bytes > ARENA_BYTES || m->batch_count >= BATCH_MAX) uring_flush(m);
    CHECK(m->arena_used + bytes <= ARENA_BYTES);
    uint8_t *at = m->arena + m->arena_used;
    m->arena_used += (bytes + 15) & ~15u;
    return at;
}

void uring_send(struct media *m, uint32_t file, const uint8_t *bytes, uint32_t length, const struct sockaddr_in6 *to, uint32_t to_bytes)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&m->ring);
    if (!sqe) {
        /* No flush here: it would free the very packet. BATCH_MAX and re-arms leave room, so this is a burst of both. */
        io_uring_submit(&m->ring);
        sqe = io_uring_get_sqe(&m->ring);
        CHECK(sqe);
    }
    io_uring_prep_send(sqe, (int)file, bytes, length, MSG_DONTWAIT);
    io_uring_prep_send_set_addr(sqe, (const struct sockaddr *)to, (uint16_t)to_bytes);
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = user_data(USER_SEND, file);
}

void uring_sent_mark(struct media *m, struct leg *leg, int64_t due_ns)
{
    if (m->batch_count < BATCH_MAX) m->batch[m->batch_count++] = (struct sent) { leg, due_ns };
}

/* Judged when the whole batch has left: late rather than flattering for all but its last packet. */
static void lateness(struct media *m, int64_t now_ns)
{
    int64_t worst = INT64_MIN;
    for (uint32_t i = 0; i < m->batch_count; i++) {
        struct sent *sent = &m->batch[i];
        if (!sent->due_ns) {
            sent->leg->due_ns = now_ns + sent->leg->packet_ms * NS_PER_MS;
            continue;
        }
        int64_t late = now_ns - sent->due_ns;
        if (late > worst) worst = late;
        if (late > LATE_NS) {
            sent->leg->packets_late++;
            COUNT(m, packets_late_5ms, 1);
        }
        if (late / 1000 > (int64_t)m->lateness_max_us) {
            m->lateness_max_us = (uint64_t)(late / 1000);
            counter_set(m->count[COUNTER_lateness_max_us], m->lateness_max_us);
        }
    }
    m->batch_count = 0;
    if (worst > INT64_MIN) histogram_record(m->lateness, HISTOGRAM_tick_lateness, worst / 1000);
}

void uring_flush(struct media *m)
{
    while (io_uring_sq_ready(&m->ring)) {
        int result = io_uring_submit(&m->ring);
        if (result == -EBUSY || result == -EAGAIN)
            io_uring_get_events(&m->ring); /* completions that did not fit are moved into the ring first */
        else if (result < 0 && result != -EINTR)
            break;
    }
    m->arena_used = 0;
    if (m->batch_count) lateness(m, clock_mono_ns());
}

/* With legs active nothing but the time matters: it asks for more completions than there will be, so packets that come do not wake
 * the thread one by one; they are all taken at the next slice. */
void uring_wait(struct media *m, int64_t until_ns)
{
    int64_t wait_ns = until_ns ? until_ns - clock_mono_ns() : NS_PER_S;
    if (wait_ns <= 0) {
        io_uring_submit_and_get_events(&m->ring);
        return;
    }
    struct __kernel_timespec time = { .tv_sec = wait_ns / NS_PER_S, .tv_nsec = wait_ns % NS_PER_S };
    struct io_uring_cqe *cqe;
    io_uring_submit_and_wait_timeout(&m->ring, &cqe, until_ns ? m->ring.cq.ring_entries : 1, &time, NULL);
}
