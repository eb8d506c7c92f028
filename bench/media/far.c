/* far.c: the far end of all calls: one socket that sends each leg a packet per 20 ms, in slices of 2 ms, and counts what comes. */
#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "core/clock.h"
#include "media/rtp.h"
#include "media/secure.h"

#define BATCH 512u

struct far {
    int fd;
    struct far_shared *shared;
    uint16_t sequence[LEGS_MAX], heard[LEGS_MAX];
    bool heard_any[LEGS_MAX];
    _Alignas(8) uint8_t packets[BATCH][512];
    uint8_t in[BATCH][512];
    struct sockaddr_in to[BATCH], from[BATCH];
    struct iovec out_vec[BATCH], in_vec[BATCH];
    struct mmsghdr out[BATCH], in_head[BATCH];
    uint32_t queued;
    struct bench_sound sound;
    struct secure *secure[LEGS_MAX]; /* an SSRC each */
    const struct scenario *scenario;
};

static void far_flush(struct far *far)
{
    for (uint32_t done = 0; done < far->queued;) {
        int sent = sendmmsg(far->fd, far->out + done, far->queued - done, 0);
        if (sent <= 0) break;
        done += (uint32_t)sent;
    }
    atomic_fetch_add(&far->shared->sent, far->queued);
    far->queued = 0;
}

static void far_send(struct far *far, uint32_t leg, uint32_t frame)
{
    uint32_t i = far->queued++, length = RTP_HEADER_BYTES + PAYLOAD_BYTES;
    const struct scenario *scenario = far->scenario;
    if (!strcmp(leg % 2 ? scenario->other : scenario->codec, "opus")) {
        rtp_header(far->packets[i], 96, false, far->sequence[leg]++, frame * 960, 0xFA000000u + leg);
        length = RTP_HEADER_BYTES + (uint32_t)far->sound.opus_bytes[frame % 50];
        memcpy(far->packets[i] + RTP_HEADER_BYTES, far->sound.opus[frame % 50], (size_t)far->sound.opus_bytes[frame % 50]);
    } else {
        rtp_header(far->packets[i], 0, false, far->sequence[leg]++, frame * 160, 0xFA000000u + leg);
        memcpy(far->packets[i] + RTP_HEADER_BYTES, far->sound.ulaw[frame % 50], PAYLOAD_BYTES);
    }
    if (scenario->secure) {
        if (!far->secure[leg] && secure_new(&far->secure[leg], BENCH_KEY, true)) abort();
        secure_protect(far->secure[leg], far->packets[i], &length, false);
    }
    far->to[i] = (struct sockaddr_in) { .sin_family = AF_INET,
                                        .sin_port = htons((uint16_t)(PORT_NEAR + 2 * leg)),
                                        .sin_addr.s_addr = inet_addr(ADDRESS_NEAR) };
    far->out_vec[i] = (struct iovec) { far->packets[i], length };
    far->out[i].msg_hdr = (struct msghdr) {
        .msg_name = &far->to[i], .msg_namelen = sizeof far->to[i], .msg_iov = &far->out_vec[i], .msg_iovlen = 1
    };
    if (far->queued == BATCH) far_flush(far);
}

static void far_hear(struct far *far, uint32_t i)
{
    struct rtp_packet packet;
    uint32_t leg = (ntohs(far->from[i].sin_port) - PORT_NEAR) / 2u;
    if (leg >= LEGS_MAX || rtp_parse(&packet, far->in[i], far->in_head[i].msg_len) || rtp_is_rtcp(far->in[i], far->in_head[i].msg_len))
        return;
    if (far->heard_any[leg]) atomic_fetch_add(&far->shared->missing, (uint16_t)(packet.sequence - far->heard[leg] - 1));
    far->heard_any[leg] = true;
    far->heard[leg] = packet.sequence;
    atomic_fetch_add(&far->shared->received, 1);
}

static void far_take(struct far *far)
{
    int count;
    do {
        for (uint32_t i = 0; i < BATCH; i++) {
            far->in_vec[i] = (struct iovec) { far->in[i], sizeof far->in[i] };
            far->in_head[i].msg_hdr = (struct msghdr) {
                .msg_name = &far->from[i], .msg_namelen = sizeof far->from[i], .msg_iov = &far->in_vec[i], .msg_iovlen = 1
            };
        }
        count = recvmmsg(far->fd, far->in_head, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < count; i++) far_hear(far, (uint32_t)i);
    } while (count == (int)BATCH);
}

void far_run(struct far_shared *shared, int cpu)
{
    struct far *far = calloc(1, sizeof *far);
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(PORT_FAR), .sin_addr.s_addr = inet_addr(ADDRESS_FAR) };
    int size = 4 << 20;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
    sched_setscheduler(0, SCHED_FIFO, &(struct sched_param) { .sched_priority = 5 }); /* other load must not thin out the traffic */
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    prctl(PR_SET_PDEATHSIG, 9, 0, 0, 0);
    far->fd = socket(AF_INET, SOCK_DGRAM, 0);
    far->shared = shared;
    setsockopt(far->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(far->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    if (bind(far->fd, (struct sockaddr *)&name, sizeof name)) _exit(1);
    uint32_t before = 0;
    far->scenario = &scenarios[0];
    bench_sound_make(&far->sound);
    if (secure_start()) _exit(1);
    for (int64_t slice = clock_mono_ns() / 2000000; !atomic_load(&shared->stop); slice++) {
        struct timespec until = { slice * 2000000 / NS_PER_S, slice * 2000000 % NS_PER_S };
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        uint32_t wanted = atomic_load(&shared->legs);
        if (wanted != before) {
            memset(far->heard_any, 0, sizeof far->heard_any);
            for (uint32_t i = 0; i < LEGS_MAX; i++) {
                secure_free(far->secure[i]);
                far->secure[i] = NULL;
            }
            far->scenario = &scenarios[atomic_load(&shared->scenario)];
            before = wanted;
        }
        uint32_t legs = far->scenario->far_talks ? wanted : 0;
        for (uint32_t leg = (uint32_t)(slice % 10); leg < legs; leg += 10) far_send(far, leg, (uint32_t)(slice / 10));
        far_flush(far);
        if (clock_mono_ns() - slice * 2000000 > 5 * NS_PER_MS) atomic_fetch_add(&shared->sending_late_5ms, 1);
        far_take(far);
    }
    _exit(0);
}
