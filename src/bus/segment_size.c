/* segment_size.c: where each part of the segment lies, computed with overflow checks. */
#include "bus/segment_size.h"

#include <errno.h>
#include <string.h>

#include "bus/eventlog.h"
#include "bus/lane.h"
#include "bus/link.h"
#include "bus/ring.h"
#include "bus/slot.h"

static bool power_of_two(uint64_t n) { return n && !(n & (n - 1)); }

static uint32_t round_to_power(uint32_t n)
{
    uint32_t p = 1;
    while (p < n) p *= 2;
    return p;
}

/* Appends `count` × `each` bytes as a part; false on overflow. */
static bool part_add(struct segment_header *h, enum segment_part part, uint64_t count, uint64_t each)
{
    uint64_t bytes;
    h->part[part] = h->bytes;
    if (__builtin_mul_overflow(count, each, &bytes) || __builtin_add_overflow(h->bytes, bytes, &h->bytes)) return false;
    if (__builtin_add_overflow(h->bytes, SEGMENT_ALIGN - 1, &h->bytes)) return false;
    h->bytes &= ~(uint64_t)(SEGMENT_ALIGN - 1);
    return true;
}

/* Broker and control talk with everybody; workers among themselves, and anybody with the supervisor, seldom and little. */
uint64_t segment_lane_bytes(const struct segment_header *h, uint32_t from, uint32_t to)
{
    bool busy = from != to && from != BUS_SUPERVISOR && to != BUS_SUPERVISOR && (from < BUS_WORKER_0 || to < BUS_WORKER_0);
    return busy ? h->lane_bytes : h->lane_bytes / LANE_SMALL_PART < LANE_SMALL_MIN ? LANE_SMALL_MIN : h->lane_bytes / LANE_SMALL_PART;
}

/* Only broker, workers and scripts have much to tell. */
uint64_t segment_log_bytes(const struct segment_header *h, uint32_t process)
{
    bool small = process == BUS_SUPERVISOR || process == BUS_CONTROL;
    return small && h->log_bytes / LOG_SMALL_PART >= LOG_SMALL_MIN ? h->log_bytes / LOG_SMALL_PART : h->log_bytes;
}

uint64_t segment_lane_offset(const struct segment_header *h, uint32_t from, uint32_t to)
{
    uint64_t at = 0;
    for (uint32_t f = 0; f < h->processes; f++)
        for (uint32_t t = 0; t < h->processes; t++) {
            if (f == from && t == to) return at;
            at += lane_bytes(segment_lane_bytes(h, f, t));
        }
    return at;
}

uint64_t segment_log_offset(const struct segment_header *h, uint32_t process)
{
    uint64_t at = 0;
    for (uint32_t p = 0; p < process; p++) at += eventlog_bytes(segment_log_bytes(h, p));
    return at;
}

static int params_check(const struct segment_params *p, struct buf *error)
{
    size_t length = p->name ? strlen(p->name) : 0;
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    const char *wrong = NULL;
    if (!length || length > 32 || strspn(p->name, allowed) != length)
        wrong = "the engine's name must be 1 to 32 letters, digits, '_' or '-'";
    else if (!p->workers || p->workers > BUS_WORKERS_MAX)
        wrong = "workers must be 1 to 64";
    else if (!p->slots_each || p->slots_each > BUS_SLOTS_MAX / p->workers)
        wrong = "slots of all workers together must be 1 to 65536";
    else if (p->lane_bytes && (!power_of_two(p->lane_bytes) || p->lane_bytes < LANE_SMALL_MIN || p->lane_bytes > 1u << 30))
        wrong = "lane bytes must be a power of two, 64 KiB to 1 GiB";
    else if (p->log_bytes && (!power_of_two(p->log_bytes) || p->log_bytes < 4 * BUS_EVENT_BYTES_MAX || p->log_bytes > 1u << 30))
        wrong = "event log bytes must be a power of two, 256 KiB to 1 GiB";
    if (!wrong) return 0;
    buf_puts(error, wrong);
    return -EINVAL;
}

int segment_layout(struct segment_header *h, const struct segment_params *p, struct buf *error)
{
    uint32_t nobody = UINT32_MAX;
    int err = params_check(p, error);
    bool fits;
    if (err) return err;
    memset(h, 0, sizeof *h);
    strcpy(h->name, p->name);
    h->workers = p->workers;
    h->processes = BUS_WORKER_0 + p->workers;
    h->slots_each = p->slots_each;
    h->ring_records = round_to_power(p->slots_each * RING_KINDS);
    h->lane_bytes = p->lane_bytes ? p->lane_bytes : BUS_LANE_BYTES_DEFAULT;
    h->log_bytes = p->log_bytes ? p->log_bytes : BUS_LOG_BYTES_DEFAULT;
    h->header_bytes = sizeof *h;
    h->slot_bytes = sizeof(struct slot);
    h->proc_bytes = sizeof(struct proc_entry);
    h->counter_stride = (COUNTER_COUNT * sizeof(uint64_t) + HISTOGRAM_COUNT * sizeof(struct histogram_counts) + 2 * LINE - 1) / LINE * LINE;
    h->directory_buckets = round_to_power(p->workers * p->slots_each * 4 / DIRECTORY_WAYS + 2);
    h->links_each = p->workers < 2                  ? 0
                    : p->slots_each / 2 < LINKS_MIN ? LINKS_MIN
                    : p->slots_each / 2 > LINKS_MAX ? LINKS_MAX
                                                    : p->slots_each / 2;
    h->link_bytes = (uint32_t)link_bytes();
    h->bytes = SEGMENT_ALIGN;
    fits = part_add(h, PART_PROCS, h->processes, sizeof(struct proc_entry)) &&
           part_add(h, PART_COUNTERS, h->processes, h->counter_stride) &&
           part_add(h, PART_SLOTS, (uint64_t)p->workers * p->slots_each, sizeof(struct slot)) &&
           part_add(h, PART_RINGS, 2 * p->workers, ring_bytes(h->ring_records)) &&
           part_add(h, PART_LANES, 1, segment_lane_offset(h, nobody, nobody)) &&
           part_add(h, PART_LOGS, 1, segment_log_offset(h, h->processes)) &&
           part_add(h, PART_DIRECTORY, h->directory_buckets, DIRECTORY_WAYS * sizeof(struct directory_slot)) &&
           part_add(h, PART_LINKS, (uint64_t)p->workers * h->links_each, h->link_bytes);
    return fits ? 0 : -EOVERFLOW;
}
