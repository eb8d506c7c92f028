/* floor.c: the same traffic with nothing but the kernel in it: per slice one submit of sends, receives multishot with provided
 * buffers, no parsing. What any engine on io_uring must at least pay; beside it the bare library's work (work.c). */
#include <arpa/inet.h>
#include <errno.h>
#include <liburing.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "bench.h"
#include "core/clock.h"
#include "media/rtp.h"

#define BUFFERS      4096u
#define BUFFER_BYTES 2048u

struct floor {
    struct work *work;
    uint32_t legs;
    double seconds;
    int cpu, result;
    struct io_uring ring;
    struct io_uring_buf_ring *buffers;
    uint8_t *memory;
    int *sockets;
    uint8_t packet[RTP_HEADER_BYTES + PAYLOAD_BYTES];
    struct sockaddr_in far;
    uint16_t *sequence;
    uint64_t sent, received;
    double cpu_s;
};

static int floor_open(struct floor *f)
{
    struct io_uring_params params = { .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
                                      .cq_entries = 32768 };
    int result = io_uring_queue_init_params(4096, &f->ring, &params);
    if (result) return result;
    for (uint32_t i = 0; i < f->legs; i++) {
        struct sockaddr_in name = { .sin_family = AF_INET,
                                    .sin_port = htons((uint16_t)(PORT_NEAR + 2 * i)),
                                    .sin_addr.s_addr = inet_addr(ADDRESS_NEAR) };
        int tos = 0xB8;
        f->sockets[i] = socket(AF_INET, SOCK_DGRAM, 0);
        setsockopt(f->sockets[i], IPPROTO_IP, IP_TOS, &tos, sizeof tos);
        if (bind(f->sockets[i], (struct sockaddr *)&name, sizeof name)) return -errno;
    }
    result = io_uring_register_files(&f->ring, f->sockets, f->legs);
    if (result) return result;
    f->buffers = mmap(NULL, BUFFERS * sizeof(struct io_uring_buf), PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    f->memory = mmap(NULL, BUFFERS * BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE | MAP_POPULATE, -1, 0);
    struct io_uring_buf_reg reg = { .ring_addr = (uintptr_t)f->buffers, .ring_entries = BUFFERS };
    result = io_uring_register_buf_ring(&f->ring, &reg, 0);
    io_uring_buf_ring_init(f->buffers);
    for (uint32_t i = 0; i < BUFFERS; i++)
        io_uring_buf_ring_add(f->buffers, f->memory + i * BUFFER_BYTES, BUFFER_BYTES, (unsigned short)i, BUFFERS - 1, (int)i);
    io_uring_buf_ring_advance(f->buffers, BUFFERS);
    return result;
}

static struct io_uring_sqe *floor_sqe(struct floor *f)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&f->ring);
    if (!sqe) {
        io_uring_submit(&f->ring);
        sqe = io_uring_get_sqe(&f->ring);
    }
    return sqe;
}

static void floor_arm(struct floor *f, uint32_t leg)
{
    struct io_uring_sqe *sqe = floor_sqe(f);
    io_uring_prep_recv_multishot(sqe, (int)leg, NULL, 0, 0);
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    sqe->user_data = leg + 1;
}

static void floor_send(struct floor *f, uint32_t leg)
{
    struct io_uring_sqe *sqe = floor_sqe(f);
    io_uring_prep_send(sqe, (int)leg, f->packet, sizeof f->packet, MSG_DONTWAIT);
    io_uring_prep_send_set_addr(sqe, (struct sockaddr *)&f->far, sizeof f->far);
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = 0;
    f->sent++;
}

static void floor_reap(struct floor *f)
{
    struct io_uring_cqe *cqe;
    unsigned head, seen = 0;
    int back = 0;
    io_uring_for_each_cqe(&f->ring, head, cqe)
    {
        seen++;
        if (cqe->flags & IORING_CQE_F_BUFFER) {
            uint32_t id = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
            io_uring_buf_ring_add(f->buffers, f->memory + id * BUFFER_BYTES, BUFFER_BYTES, (unsigned short)id, BUFFERS - 1, back++);
            f->received++;
        }
        if (cqe->user_data && !(cqe->flags & IORING_CQE_F_MORE) && cqe->res != -ECANCELED) floor_arm(f, (uint32_t)cqe->user_data - 1);
    }
    io_uring_cq_advance(&f->ring, seen);
    io_uring_buf_ring_advance(f->buffers, back);
}

static double thread_cpu(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void floor_slices(struct floor *f)
{
    int64_t slice = clock_mono_ns() / 2000000 + 1, end = slice + (int64_t)(f->seconds * 500);
    for (; slice < end; slice++) {
        int64_t wait = slice * 2000000 - clock_mono_ns();
        if (wait > 0) {
            struct __kernel_timespec time = { wait / NS_PER_S, wait % NS_PER_S };
            struct io_uring_cqe *cqe;
            io_uring_submit_and_wait_timeout(&f->ring, &cqe, 32768, &time, NULL);
        } else {
            io_uring_submit_and_get_events(&f->ring);
        }
        floor_reap(f);
        for (uint32_t leg = (uint32_t)(slice % 10); leg < f->legs; leg += 10) {
            work_do(f->work, leg);
            floor_send(f, leg);
        }
        io_uring_submit(&f->ring);
    }
}

static void *floor_thread(void *context)
{
    struct floor *f = context;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(f->cpu, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    pthread_setschedparam(pthread_self(), SCHED_FIFO, &(struct sched_param) { .sched_priority = 10 });
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    f->result = floor_open(f);
    for (uint32_t i = 0; i < f->legs && !f->result; i++) floor_arm(f, i);
    double before = thread_cpu();
    if (!f->result) floor_slices(f);
    f->cpu_s = thread_cpu() - before;
    io_uring_queue_exit(&f->ring);
    return NULL;
}

int floor_run(struct figures *out, const struct scenario *scenario, uint32_t legs, double seconds, int cpu)
{
    struct floor *f = calloc(1, sizeof *f);
    pthread_t thread;
    *f = (struct floor) { .legs = legs, .seconds = seconds, .cpu = cpu };
    f->work = work_new(scenario, legs);
    f->sockets = calloc(legs, sizeof *f->sockets);
    f->far = (struct sockaddr_in) { .sin_family = AF_INET, .sin_port = htons(PORT_FAR), .sin_addr.s_addr = inet_addr(ADDRESS_FAR) };
    rtp_header(f->packet, 0, false, 0, 0, 1);
    pthread_create(&thread, NULL, floor_thread, f);
    pthread_join(thread, NULL);
    for (uint32_t i = 0; i < legs; i++) close(f->sockets[i]);
    munmap(f->buffers, BUFFERS * sizeof(struct io_uring_buf));
    munmap(f->memory, BUFFERS * BUFFER_BYTES);
    out->cpu_us_per_leg_s = f->cpu_s * 1e6 / legs / seconds;
    out->sent = f->sent;
    out->received = f->received;
    int result = f->result;
    work_free(f->work);
    free(f->sockets);
    free(f);
    if (result) fprintf(stderr, "floor: %s\n", strerror(-result));
    return result;
}
