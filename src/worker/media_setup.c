/* media_setup.c: sockets of all slots, and the io_uring they are handed to.
 *
 * Each slot has two sockets (RTP, and RTCP one port up), bound once. They become *registered files* of the ring: file 2·slot
 * and 2·slot + 1; their descriptors are closed then, so a worker with thousands of slots holds a dozen descriptors. Every
 * socket has a multishot receive for ever, also while its slot is free: nothing piles up in it between two calls, and
 * a call's begin and end cost no request. */
#include <arpa/inet.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/log.h"
#include "worker/media_internal.h"

#define RECEIVE_BUFFER_BYTES (64 << 10)
#define SUBMISSIONS          4096u
#define BIND_PATIENCE_NS     (2 * NS_PER_S)
#define COMPLETIONS          32768u

static int address_parse(struct sockaddr_in6 *out, socklen_t *bytes, const char *text, uint16_t port)
{
    struct sockaddr_in *four = (struct sockaddr_in *)out;
    memset(out, 0, sizeof *out);
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        *bytes = sizeof *four;
        return 0;
    }
    if (inet_pton(AF_INET6, text, &out->sin6_addr) == 1) {
        out->sin6_family = AF_INET6;
        out->sin6_port = htons(port);
        *bytes = sizeof *out;
        return 0;
    }
    return -EINVAL;
}

/* The kernel takes a dead worker's ring down in its own time, and until then its sockets keep their ports: a successor that comes up at
 * once waits for them, for so long that a foreign program's port is still told soon. */
static int bind_patiently(int fd, const struct sockaddr_in6 *name, socklen_t bytes, int64_t until_ns)
{
    while (bind(fd, (const struct sockaddr *)name, bytes)) {
        if (errno != EADDRINUSE || clock_mono_ns() > until_ns) return -errno;
        usleep(2000);
    }
    return 0;
}

static int socket_open(const char *address, uint16_t port, int64_t until_ns)
{
    struct sockaddr_in6 name;
    socklen_t bytes;
    if (address_parse(&name, &bytes, address, port)) {
        log_err(NULL, "media: \"%s\" is no IP address (media.addresses)", address);
        return -EINVAL;
    }
    int fd = socket(name.sin6_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        int error = errno;
        log_err(NULL, "media: no socket for %s:%u: %s%s", address, port, strerror(error),
                error == EMFILE ? " (raise the limit of open files, RLIMIT_NOFILE: two per slot)" : "");
        return -error;
    }
    int size = RECEIVE_BUFFER_BYTES, tos = 0xB8; /* DSCP EF, RFC 3246 */
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    if (name.sin6_family == AF_INET)
        setsockopt(fd, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
    else
        setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
    int error = -bind_patiently(fd, &name, bytes, until_ns);
    if (!error) return fd;
    close(fd);
    log_err(NULL, "media: cannot bind %s:%u: %s%s", address, port, strerror(error),
            error == EADDRINUSE      ? " (another program has the port: choose another media.ports range, outside ip_local_port_range)"
            : error == EADDRNOTAVAIL ? " (no interface of this machine has that address: media.addresses)"
                                     : "");
    return -error;
}

static int files_limit_raise(uint32_t sockets)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit)) return -errno;
    rlim_t want = sockets + 512;
    if (limit.rlim_cur >= want) return 0;
    limit.rlim_cur = limit.rlim_max < want ? limit.rlim_max : want;
    setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < sockets + 64) {
        log_err(NULL,
                "media: %u sockets are needed (two per slot), but only %llu files may be open: raise LimitNOFILE/ulimit -n, "
                "or have fewer slots",
                sockets, (unsigned long long)limit.rlim_cur);
        return -EMFILE;
    }
    return 0;
}

int media_sockets_open(struct media *m, const struct media_params *params)
{
    uint32_t addresses = 0, count = 2 * m->slots;
    while (params->addresses && params->addresses[addresses]) addresses++;
    uint32_t ports = params->port_last > params->port_first ? ((uint32_t)params->port_last - params->port_first + 1) / 2 : 0;
    if (!addresses || (params->port_first & 1) || (uint64_t)addresses * ports < (uint64_t)m->first_slot + m->slots) {
        log_err(NULL, "media: %u address(es) with ports %u–%u (%u pairs each, the first must be even) do not suffice for slots up to %u",
                addresses, params->port_first, params->port_last, ports, m->first_slot + m->slots);
        return -EINVAL;
    }
    int result = files_limit_raise(count);
    if (result) return result;
    m->sockets = calloc(count, sizeof *m->sockets);
    if (!m->sockets) return -ENOMEM;
    for (uint32_t i = 0; i < count; i++) m->sockets[i] = -1;
    int64_t until_ns = clock_mono_ns() + BIND_PATIENCE_NS;
    for (uint32_t i = 0; i < m->slots; i++) {
        uint32_t address;
        uint16_t port;
        media_address(m->first_slot + i, addresses, params->port_first, params->port_last, &address, &port);
        for (uint32_t rtcp = 0; rtcp < 2; rtcp++) {
            int fd = socket_open(params->addresses[address], (uint16_t)(port + rtcp), until_ns);
            if (fd < 0) return fd;
            m->sockets[2 * i + rtcp] = fd;
        }
    }
    return 0;
}

static void uring_refused(int error)
{
    if (error == -EPERM || error == -EACCES)
        log_err(NULL, "media: the kernel refuses io_uring: set sysctl kernel.io_uring_disabled=0, or in a container allow "
                      "io_uring_setup, io_uring_enter and io_uring_register in its seccomp profile (deploy/ has one)");
    else if (error == -ENOSYS)
        log_err(NULL, "media: this kernel has no io_uring (Linux 6.1 or later is needed), or a seccomp profile hides it (deploy/ has one "
                      "that does not)");
    else if (error == -EINVAL)
        log_err(NULL, "media: this kernel's io_uring is too old: Linux 6.1 or later is needed (SINGLE_ISSUER, DEFER_TASKRUN)");
    else
        log_err(NULL, "media: io_uring: %s%s", strerror(-error), error == -ENOMEM ? " (RLIMIT_MEMLOCK?)" : "");
}

static int buffers_open(struct media *m)
{
    m->buffer_count = 512;
    while (m->buffer_count < 2 * m->slots && m->buffer_count < 4096) m->buffer_count *= 2;
    size_t ring_bytes = m->buffer_count * sizeof(struct io_uring_buf);
    void *ring = mmap(NULL, ring_bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE | MAP_POPULATE, -1, 0);
    void *memory = mmap(NULL, (size_t)m->buffer_count * RECEIVE_BYTES, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE | MAP_POPULATE,
                        -1, 0);
    if (ring == MAP_FAILED || memory == MAP_FAILED) return -ENOMEM;
    m->buffers = ring;
    m->buffer_memory = memory;
    struct io_uring_buf_reg reg = { .ring_addr = (uintptr_t)ring, .ring_entries = m->buffer_count, .bgid = 0 };
    int result = io_uring_register_buf_ring(&m->ring, &reg, 0);
    if (result) return result;
    io_uring_buf_ring_init(m->buffers);
    for (uint32_t i = 0; i < m->buffer_count; i++)
        io_uring_buf_ring_add(m->buffers, m->buffer_memory + (size_t)i * RECEIVE_BYTES, RECEIVE_BYTES, (unsigned short)i,
                              io_uring_buf_ring_mask(m->buffer_count), (int)i);
    io_uring_buf_ring_advance(m->buffers, (int)m->buffer_count);
    return 0;
}

/* On the media thread: with SINGLE_ISSUER the ring belongs to the thread that made it. */
int media_uring_open(struct media *m)
{
    struct io_uring_params params = { .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL |
                                               IORING_SETUP_CQSIZE,
                                      .cq_entries = COMPLETIONS };
    int result = io_uring_queue_init_params(SUBMISSIONS, &m->ring, &params);
    if (result) {
        m->ring.ring_fd = -1;
        uring_refused(result);
        return result;
    }
    result = io_uring_register_files(&m->ring, m->sockets, 2 * m->slots);
    if (result) {
        log_err(NULL, "media: io_uring cannot take %u sockets: %s (RLIMIT_NOFILE)", 2 * m->slots, strerror(-result));
        return result;
    }
    for (uint32_t i = 0; i < 2 * m->slots; i++) {
        close(m->sockets[i]);
        m->sockets[i] = -1;
    }
    result = buffers_open(m);
    m->arena = malloc(ARENA_BYTES);
    m->batch = calloc(SUBMISSIONS, sizeof *m->batch);
    m->rearm_list = calloc(2 * m->slots + 1, sizeof *m->rearm_list);
    if (!m->arena || !m->batch || !m->rearm_list) result = -ENOMEM;
    if (result) {
        uring_refused(result);
        return result;
    }
    m->receive_shape.msg_namelen = sizeof(struct sockaddr_in6);
    uring_arm_all(m);
    return 0;
}

void media_uring_close(struct media *m)
{
    if (m->ring.ring_fd > 0) io_uring_queue_exit(&m->ring);
    if (m->buffers) munmap(m->buffers, m->buffer_count * sizeof(struct io_uring_buf));
    if (m->buffer_memory) munmap(m->buffer_memory, (size_t)m->buffer_count * RECEIVE_BYTES);
    free(m->arena);
    free(m->batch);
    free(m->rearm_list);
}
