/* segment_layout.h: the bytes of the segment, for segment.c, proc.c, bell.c, directory.c and counter.c alone.
 *
 *   header | process table | counters | slots | rings | lanes | event logs | directory | links
 *
 * All numbers of fixed width, all references offsets from the start of the mapping. Who writes what:
 *   header          the supervisor, once (but `draining`, `wanted` and the answer to a reload)
 *   proc_entry      its own process; the supervisor's PROC_DEAD after it was reaped
 *   counters        their process (the histograms stand behind them)
 *   directory       the broker */
#ifndef BUS_SEGMENT_LAYOUT_H
#define BUS_SEGMENT_LAYOUT_H

#include <stdalign.h>

#include "bus/counter.h"
#include "bus/histogram.h"
#include "bus/segment.h"

#define SEGMENT_MAGIC 0x6e6f6c6c69726143ull /* "Carillon" */
#define SEGMENT_ABI   4u                    /* grows with every change of any struct in the segment */
#define SEGMENT_ALIGN 4096u
#define LINE          64u

#define DIRECTORY_WAYS 8u /* entries of a bucket */

enum segment_part { PART_PROCS, PART_COUNTERS, PART_SLOTS, PART_RINGS, PART_LANES, PART_LOGS, PART_DIRECTORY, PART_LINKS, PART_COUNT };

struct segment_header {
    uint64_t magic; /* stored last, with release */
    uint32_t abi, header_bytes;
    /* Up to here, and the owner, every version has alike: so that another version's segment can be named and judged. */
    int32_t owner_pid;
    uint32_t draining;
    uint64_t owner_start; /* clock ticks since boot, /proc/PID/stat */
    uint64_t kernel_boot; /* hash of the kernel's boot id: pids mean nothing after a reboot */
    uint64_t boot_id;     /* of this start of the engine */
    int64_t started_utc_us;
    uint64_t bytes; /* of the whole */
    uint32_t workers, processes, slots_each, ring_records;
    uint64_t lane_bytes, log_bytes;
    uint32_t slot_bytes, proc_bytes, counter_stride, directory_buckets;
    uint32_t links_each, link_bytes;
    uint64_t part[PART_COUNT]; /* offsets */
    char name[40];
    alignas(LINE) uint32_t reloads; /* how many answers there were; the text is whole when it grows */
    char reload_text[SEGMENT_RELOAD_TEXT];
    alignas(LINE) uint64_t wanted[2]; /* OR of all processes' wishes: event_wanted */
};

struct proc_bell {
    alignas(LINE) uint32_t sleeping; /* the sleeper's mark */
    int32_t fd;                      /* the same number in the supervisor and in all its children */
};

struct proc_entry {
    alignas(LINE) int32_t pid;
    uint32_t state; /* enum proc_state */
    uint32_t epoch;
    uint32_t reserved;
    uint64_t start; /* clock ticks since boot */
    int64_t started_utc_us;
    alignas(LINE) int64_t beat_ns;
    alignas(LINE) uint64_t wish[2];
    struct proc_bell bells[2];
};

struct directory_slot {
    uint32_t sequence; /* odd while it is written */
    uint32_t used;
    uint8_t uuid[16];
    struct directory_entry entry;
    uint32_t reserved;
};

struct segment {
    struct segment_header *header;
    char *base;
    size_t bytes;
    bool owner; /* made by this process */
    bool read_only;
    int bells[BUS_PROCESSES_MAX][2]; /* -1 where this process did not inherit them */
};

static inline void *segment_part_at(const struct segment *segment, enum segment_part part)
{
    return segment->base + segment->header->part[part];
}

static inline struct proc_entry *segment_proc(const struct segment *segment, uint32_t process)
{
    return (struct proc_entry *)segment_part_at(segment, PART_PROCS) + process;
}

/* Start time of a living process in clock ticks; 0 if there is none or it is a zombie. */
uint64_t proc_start_ticks(pid_t pid);
uint64_t proc_kernel_boot(void);
void directory_repair(struct segment *segment);

#endif
