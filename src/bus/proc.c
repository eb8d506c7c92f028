/* proc.c: the process table: who lives, in which incarnation, and since when it was last heard. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus/segment_layout.h"
#include "core/check.h"
#include "core/clock.h"

/* Reads a small file of /proc; the length or -errno. */
static int read_small(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;
    if (fd < 0) return -errno;
    n = read(fd, out, size - 1);
    close(fd);
    if (n < 0) return -EIO;
    out[n] = 0;
    return (int)n;
}

/* proc(5): "PID (comm) S …", comm may hold anything, so look behind its last ')'. The state is field 3, the start 22. */
uint64_t proc_start_ticks(pid_t pid)
{
    char path[32], text[1024], *at, *save = NULL;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (pid <= 0 || read_small(path, text, sizeof text) < 0 || !(at = strrchr(text, ')'))) return 0;
    at = strtok_r(at + 1, " ", &save);
    if (!at || *at == 'Z' || *at == 'X') return 0;
    for (int field = 3; at && field < 22; field++) at = strtok_r(NULL, " ", &save);
    return at ? strtoull(at, NULL, 10) : 0;
}

uint64_t proc_kernel_boot(void)
{
    char text[64];
    uint64_t hash = 14695981039346656037ull; /* FNV-1a */
    int n = read_small("/proc/sys/kernel/random/boot_id", text, sizeof text);
    for (int i = 0; i < n; i++) hash = (hash ^ (unsigned char)text[i]) * 1099511628211ull;
    return n > 0 ? hash : 0;
}

uint32_t proc_enter(struct segment *segment, uint32_t process)
{
    struct proc_entry *p = segment_proc(segment, process);
    uint32_t epoch = __atomic_load_n(&p->epoch, __ATOMIC_RELAXED) + 1;
    CHECK(process < segment->header->processes);
    if (!epoch) epoch = 1;
    segment_repair(segment, process);
    __atomic_store_n(&p->pid, getpid(), __ATOMIC_RELAXED);
    __atomic_store_n(&p->start, proc_start_ticks(getpid()), __ATOMIC_RELAXED);
    __atomic_store_n(&p->started_utc_us, clock_utc_us(), __ATOMIC_RELAXED);
    __atomic_store_n(&p->beat_ns, clock_mono_ns(), __ATOMIC_RELAXED);
    __atomic_store_n(&p->state, PROC_STARTING, __ATOMIC_RELEASE);
    __atomic_store_n(&p->epoch, epoch, __ATOMIC_SEQ_CST);
    return epoch;
}

void proc_state_set(struct segment *segment, uint32_t process, enum proc_state state)
{
    __atomic_store_n(&segment_proc(segment, process)->state, (uint32_t)state, __ATOMIC_RELEASE);
}

void proc_beat(struct segment *segment, uint32_t process, int64_t mono_ns)
{
    __atomic_store_n(&segment_proc(segment, process)->beat_ns, mono_ns, __ATOMIC_RELAXED);
}

void proc_peek(const struct segment *segment, uint32_t process, struct proc_view *out)
{
    const struct proc_entry *p = segment_proc(segment, process);
    /* The state first: who is seen RUNNING is seen with the epoch, pid and start of that incarnation. */
    out->state = (enum proc_state)__atomic_load_n(&p->state, __ATOMIC_ACQUIRE);
    out->epoch = __atomic_load_n(&p->epoch, __ATOMIC_ACQUIRE);
    out->pid = __atomic_load_n(&p->pid, __ATOMIC_RELAXED);
    out->beat_ns = __atomic_load_n(&p->beat_ns, __ATOMIC_RELAXED);
    out->started_utc_us = __atomic_load_n(&p->started_utc_us, __ATOMIC_RELAXED);
    out->alive = out->state != PROC_NONE && out->state != PROC_DEAD;
}

void proc_look(const struct segment *segment, uint32_t process, struct proc_view *out)
{
    uint64_t start;
    proc_peek(segment, process, out);
    /* After the state, with whose release it was published. */
    start = __atomic_load_n(&segment_proc(segment, process)->start, __ATOMIC_RELAXED);
    out->alive = out->pid > 0 && start && segment->header->kernel_boot == proc_kernel_boot() && proc_start_ticks(out->pid) == start;
}
