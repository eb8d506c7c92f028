/* segment.c: making, mapping and removing the shared segment, and the way to its parts. */
#include "bus/segment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bus/eventlog.h"
#include "bus/lane.h"
#include "bus/link.h"
#include "bus/ring.h"
#include "bus/segment_layout.h"
#include "bus/segment_size.h"
#include "bus/slot.h"
#include "core/check.h"
#include "core/clock.h"

#define PATH_BYTES 96

static void path_of(const char *name, char out[PATH_BYTES]) { snprintf(out, PATH_BYTES, "/dev/shm/carillon-%.40s", name); }

static struct ring *ring_at(const struct segment *segment, uint32_t index)
{
    return (struct ring *)((char *)segment_part_at(segment, PART_RINGS) + index * ring_bytes(segment->header->ring_records));
}

/* --- making ----------------------------------------------------------------------------------------------- */

static int bells_make(struct segment *segment)
{
    for (uint32_t p = 0; p < segment->header->processes; p++)
        for (int b = 0; b < 2; b++) {
            int fd = eventfd(0, EFD_NONBLOCK); /* no close-on-exec: children inherit the numbers */
            if (fd < 0) return -errno;
            segment->bells[p][b] = fd;
            segment_proc(segment, p)->bells[b].fd = fd;
        }
    return 0;
}

static void parts_init(struct segment *segment)
{
    const struct segment_header *h = segment->header;
    for (uint32_t i = 0; i < 2 * h->workers; i++) ring_init(ring_at(segment, i), h->ring_records);
    for (uint32_t from = 0; from < h->processes; from++)
        for (uint32_t to = 0; to < h->processes; to++) lane_init(segment_lane(segment, from, to), segment_lane_bytes(h, from, to));
    for (uint32_t p = 0; p < h->processes; p++) eventlog_init(segment_eventlog(segment, p), p, segment_log_bytes(h, p));
}

static int file_make(const char *path, size_t bytes, struct buf *error)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0640), err;
    if (fd < 0) {
        err = -errno;
        buf_printf(error, "cannot make %s: %s", path, strerror(-err));
        return err;
    }
    fchmod(fd, 0640); /* whatever the umask */
    err = -posix_fallocate(fd, 0, (off_t)bytes);
    if (!err) return fd;
    buf_printf(error, "cannot reserve %zu MB in /dev/shm: %s (a container needs --shm-size; or lower the slots, lanes or event logs)",
               bytes >> 20, strerror(-err));
    close(fd);
    unlink(path);
    return err;
}

static int map_file(struct segment **out, int fd, size_t bytes, bool read_only)
{
    struct segment *segment = calloc(1, sizeof *segment);
    void *base;
    if (!segment) return -ENOMEM;
    base = mmap(NULL, bytes, read_only ? PROT_READ : PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED) {
        int err = -errno;
        free(segment);
        return err;
    }
    segment->base = base;
    segment->header = base;
    segment->bytes = bytes;
    segment->read_only = read_only;
    memset(segment->bells, -1, sizeof segment->bells);
    *out = segment;
    return 0;
}

static int header_fill(struct segment_header *h)
{
    h->owner_pid = getpid();
    h->owner_start = proc_start_ticks(getpid());
    h->kernel_boot = proc_kernel_boot();
    h->started_utc_us = clock_utc_us();
    h->abi = SEGMENT_ABI;
    return getrandom(&h->boot_id, sizeof h->boot_id, 0) == sizeof h->boot_id ? 0 : -EIO;
}

/* Whether `name` is taken, and by whom. */
static int taken_check(const char *name, struct buf *error)
{
    struct segment *old;
    struct buf why = BUF_INIT;
    int err = segment_map(&old, name, true, &why);
    if (!err) {
        bool alive = segment_owner_alive(old);
        err = alive ? -EEXIST : -ESTALE;
        if (alive)
            buf_printf(error, "an engine of the name %s runs already (pid %d)", name, (int)old->header->owner_pid);
        else
            buf_printf(error, "an engine of the name %s died and left its segment: read it, then remove it", name);
        segment_unmap(old);
    } else if (err == -ENOENT) {
        err = 0;
    } else {
        buf_puts(error, buf_text(&why));
    }
    buf_free(&why);
    return err;
}

static int segment_fill(struct segment *segment, const struct segment_header *layout)
{
    int err;
    *segment->header = *layout;
    segment->owner = true;
    err = header_fill(segment->header);
    if (!err) err = bells_make(segment);
    if (err) return err;
    parts_init(segment);
    __atomic_store_n(&segment->header->magic, SEGMENT_MAGIC, __ATOMIC_RELEASE);
    return 0;
}

/* Made under a name of its own and linked to the real one when it is whole: of two starts at once one gets it, and nobody
 * ever finds an unfinished segment. */
int segment_create(struct segment **out, const struct segment_params *params, struct buf *error)
{
    struct segment_header layout;
    struct segment *segment = NULL;
    char path[PATH_BYTES], making[PATH_BYTES + 24];
    int fd, err = segment_layout(&layout, params, error);
    if (!err) err = taken_check(params->name, error);
    if (err) return err;
    path_of(params->name, path);
    snprintf(making, sizeof making, "%s.%d.new", path, (int)getpid());
    unlink(making);
    fd = file_make(making, layout.bytes, error);
    if (fd < 0) return fd;
    err = map_file(&segment, fd, layout.bytes, false);
    close(fd);
    if (!err) err = segment_fill(segment, &layout);
    if (!err && link(making, path)) err = -errno;
    unlink(making);
    if (err) {
        if (!error->length) buf_printf(error, "cannot make %s: %s", path, strerror(-err));
        segment_unmap(segment);
        return err;
    }
    *out = segment;
    return 0;
}

/* --- mapping ---------------------------------------------------------------------------------------------- */

static const char *header_wrong(const struct segment_header *h, size_t bytes)
{
    if (bytes < sizeof *h || __atomic_load_n(&h->magic, __ATOMIC_ACQUIRE) != SEGMENT_MAGIC) return "is no segment of Carillon";
    if (h->abi != SEGMENT_ABI)
        return "was made by another version of Carillon: use that one's binary, or stop the engine and remove the file";
    if (h->bytes != bytes || h->header_bytes != sizeof *h || h->slot_bytes != sizeof(struct slot) ||
        h->proc_bytes != sizeof(struct proc_entry) || h->link_bytes != link_bytes() || h->processes != BUS_WORKER_0 + h->workers ||
        h->workers > BUS_WORKERS_MAX)
        return "has other sizes than this binary's: stop the engine and remove the file";
    return NULL;
}

/* The bells are ours only if we inherited them: an outsider (`carillon top`) must not write to whatever has that number. */
static void bells_adopt(struct segment *segment)
{
    for (uint32_t p = 0; p < segment->header->processes; p++)
        for (int b = 0; b < 2; b++) {
            int fd = segment_proc(segment, p)->bells[b].fd;
            char path[40], target[32] = "";
            snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
            if (readlink(path, target, sizeof target - 1) < 0 || strcmp(target, "anon_inode:[eventfd]")) continue;
            segment->bells[p][b] = fd;
            /* What this process starts (scripts' commands) has nothing to ring. */
            if (segment->header->owner_pid != getpid()) fcntl(fd, F_SETFD, FD_CLOEXEC);
        }
}

int segment_map(struct segment **out, const char *name, bool read_only, struct buf *error)
{
    char path[PATH_BYTES];
    struct stat st;
    const char *wrong;
    int fd, err;
    path_of(name, path);
    fd = open(path, (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        err = -errno;
        buf_printf(error, err == -ENOENT ? "no engine of the name %s is here (%s)" : "cannot open the segment of %s: %s", name,
                   err == -ENOENT ? path : strerror(-err));
        return err;
    }
    err = fstat(fd, &st) ? -errno : st.st_size < (off_t)sizeof(struct segment_header) ? -EPROTO : 0;
    if (!err) err = map_file(out, fd, (size_t)st.st_size, read_only);
    close(fd);
    if (err) {
        buf_printf(error, "cannot map %s: %s", path, strerror(-err));
        return err;
    }
    wrong = header_wrong((*out)->header, (*out)->bytes);
    if (wrong) {
        buf_printf(error, "%s %s", path, wrong);
        segment_unmap(*out);
        *out = NULL;
        return -EPROTO;
    }
    if (!read_only) bells_adopt(*out);
    return 0;
}

void segment_unmap(struct segment *segment)
{
    if (!segment) return;
    for (uint32_t p = 0; segment->owner && p < segment->header->processes; p++)
        for (int b = 0; b < 2; b++)
            if (segment->bells[p][b] >= 0) close(segment->bells[p][b]);
    munmap(segment->base, segment->bytes);
    free(segment);
}

int segment_remove(const char *name)
{
    char path[PATH_BYTES];
    path_of(name, path);
    return unlink(path) ? -errno : 0;
}

bool segment_owner_alive(const struct segment *segment)
{
    const struct segment_header *h = segment->header;
    return h->kernel_boot == proc_kernel_boot() && h->owner_start && proc_start_ticks(h->owner_pid) == h->owner_start;
}

void segment_repair(struct segment *segment, uint32_t process)
{
    const struct segment_header *h = segment->header;
    bool broker = process == BUS_BROKER, worker = process >= BUS_WORKER_0;
    uint32_t first = worker ? (process - BUS_WORKER_0) * h->slots_each : 0;
    uint32_t end = worker ? first + h->slots_each : broker ? segment_slots(segment) : 0;
    for (uint32_t s = first; s < end; s++) slot_repair(segment_slot(segment, s), broker, worker);
    for (uint32_t w = 0; w < h->workers; w++) {
        if (!broker && process != BUS_WORKER_0 + w) continue;
        ring_repair(segment_ring_down(segment, w));
        ring_repair(segment_ring_up(segment, w));
    }
    for (uint32_t p = 0; p < h->processes; p++) {
        lane_repair(segment_lane(segment, process, p));
        lane_repair(segment_lane(segment, p, process));
    }
    for (uint32_t w = 0; worker && w < h->workers; w++)
        for (uint32_t i = 0; i < h->links_each; i++) link_repair(segment_link(segment, w, i), process, process == BUS_WORKER_0 + w);
    if (broker) directory_repair(segment);
    eventlog_repair(segment_eventlog(segment, process));
    event_wish(segment, process, (const uint64_t[2]) { 0, 0 });
    for (int b = 0; b < 2; b++) bell_busy(segment, process, (enum bell)b);
}

/* --- parts ------------------------------------------------------------------------------------------------ */

uint32_t segment_processes(const struct segment *segment) { return segment->header->processes; }
uint32_t segment_workers(const struct segment *segment) { return segment->header->workers; }
uint32_t segment_slots(const struct segment *segment) { return segment->header->workers * segment->header->slots_each; }
uint32_t segment_slots_each(const struct segment *segment) { return segment->header->slots_each; }
const char *segment_name(const struct segment *segment) { return segment->header->name; }
uint64_t segment_boot_id(const struct segment *segment) { return segment->header->boot_id; }
int64_t segment_started_utc_us(const struct segment *segment) { return segment->header->started_utc_us; }

struct slot *segment_slot(struct segment *segment, uint32_t slot)
{
    CHECK(slot < segment_slots(segment));
    return (struct slot *)segment_part_at(segment, PART_SLOTS) + slot;
}

struct ring *segment_ring_down(struct segment *segment, uint32_t worker)
{
    CHECK(worker < segment->header->workers);
    return ring_at(segment, 2 * worker);
}

struct ring *segment_ring_up(struct segment *segment, uint32_t worker)
{
    CHECK(worker < segment->header->workers);
    return ring_at(segment, 2 * worker + 1);
}

struct lane *segment_lane(struct segment *segment, uint32_t from, uint32_t to)
{
    CHECK(from < segment->header->processes && to < segment->header->processes);
    return (struct lane *)((char *)segment_part_at(segment, PART_LANES) + segment_lane_offset(segment->header, from, to));
}

struct eventlog *segment_eventlog(struct segment *segment, uint32_t process)
{
    CHECK(process < segment->header->processes);
    return (struct eventlog *)((char *)segment_part_at(segment, PART_LOGS) + segment_log_offset(segment->header, process));
}

bool segment_draining(const struct segment *segment) { return __atomic_load_n(&segment->header->draining, __ATOMIC_ACQUIRE); }

void segment_draining_set(struct segment *segment, bool draining)
{
    __atomic_store_n(&segment->header->draining, draining, __ATOMIC_RELEASE);
}

void segment_reload_answer(struct segment *segment, const char *text)
{
    struct segment_header *header = segment->header;
    snprintf(header->reload_text, sizeof header->reload_text, "%s", text);
    __atomic_store_n(&header->reloads, header->reloads + 1, __ATOMIC_RELEASE);
}

uint32_t segment_reload_look(const struct segment *segment, char out[SEGMENT_RELOAD_TEXT])
{
    uint32_t count = __atomic_load_n(&segment->header->reloads, __ATOMIC_ACQUIRE);
    snprintf(out, SEGMENT_RELOAD_TEXT, "%.*s", (int)sizeof segment->header->reload_text, segment->header->reload_text);
    return count;
}

uint32_t segment_links_each(const struct segment *segment) { return segment->header->links_each; }

struct link *segment_link(struct segment *segment, uint32_t home_worker, uint32_t index)
{
    const struct segment_header *h = segment->header;
    CHECK(home_worker < h->workers && index < h->links_each);
    return (struct link *)((char *)segment_part_at(segment, PART_LINKS) + ((size_t)home_worker * h->links_each + index) * h->link_bytes);
}
