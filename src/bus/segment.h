/* segment.h: the shared segment /dev/shm/carillon-NAME: made by the supervisor, mapped by everybody.
 *
 * Layout: header | process table | counters | slots | rings | lanes | event logs | directory | links. Offsets, never pointers.
 * Magic and ABI version are stored last, with release order; whoever maps it refuses on any mismatch of magic, ABI,
 * sizes or boot id. */
#ifndef BUS_SEGMENT_H
#define BUS_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bus/limits.h"
#include "core/buf.h"

struct segment;  /* a mapping of it in this process */
struct slot;     /* slot.h */
struct ring;     /* ring.h */
struct lane;     /* lane.h */
struct eventlog; /* eventlog.h */
struct link;     /* link.h */

struct segment_params {
    const char *name;    /* 1..32 of [A-Za-z0-9_-] */
    uint32_t workers;    /* 1..BUS_WORKERS_MAX */
    uint32_t slots_each; /* slots per worker: worker w owns slots [w*each, (w+1)*each) */
    size_t lane_bytes;   /* 0 = default; a power of two */
    size_t log_bytes;    /* 0 = default; a power of two */
};

/* Returns 0 with the segment, -EEXIST (living owner), -ESTALE (dead owner: read it, then segment_remove), -EINVAL, -ENOSPC
 * or another -errno; `error` says what and how to mend it.
 * Creates it (mode 0640, fallocate'd, so that a full /dev/shm is an error here and never a SIGBUS later) with eventfds
 * for the bells, which children inherit under the same numbers. -EEXIST if one of that name has a live owner
 * (pid and start time); a dead owner's segment is reported by segment_map and removed by segment_remove. */
int segment_create(struct segment **out, const struct segment_params *params, struct buf *error);
/* Maps an existing one. -ENOENT none, -EPROTO not ours or another ABI; `error` says which and what to do. */
int segment_map(struct segment **out, const char *name, bool read_only, struct buf *error);
void segment_unmap(struct segment *segment);
/* Does the process that made it still live? */
bool segment_owner_alive(const struct segment *segment);
/* Mends what a dead incarnation of `process` left half done: odd sequences, an event half published, its wishes.
 * proc_enter calls it. */
void segment_repair(struct segment *segment, uint32_t process);
int segment_remove(const char *name);

uint32_t segment_processes(const struct segment *segment); /* BUS_WORKER_0 + workers */
uint32_t segment_workers(const struct segment *segment);
uint32_t segment_slots(const struct segment *segment); /* of all workers */
uint32_t segment_slots_each(const struct segment *segment);
const char *segment_name(const struct segment *segment);
/* This start's id, for judging whether two looks at the engine saw the same one. */
uint64_t segment_boot_id(const struct segment *segment);
int64_t segment_started_utc_us(const struct segment *segment);

/* The supervisor's answer to `carillon reload`, for whoever asked: "+OK …" or "-ERR …". Returns how many there have been. */
#define SEGMENT_RELOAD_TEXT 4000
void segment_reload_answer(struct segment *segment, const char *text);
uint32_t segment_reload_look(const struct segment *segment, char out[SEGMENT_RELOAD_TEXT]);

/* The parts. */
struct slot *segment_slot(struct segment *segment, uint32_t slot);
struct ring *segment_ring_down(struct segment *segment, uint32_t worker);       /* broker → media thread */
struct ring *segment_ring_up(struct segment *segment, uint32_t worker);         /* media thread → broker */
struct lane *segment_lane(struct segment *segment, uint32_t from, uint32_t to); /* process numbers */
struct eventlog *segment_eventlog(struct segment *segment, uint32_t process);   /* one writing thread per process */

/* Audio links: each worker's pool; none where there is one worker. */
uint32_t segment_links_each(const struct segment *segment);
struct link *segment_link(struct segment *segment, uint32_t home_worker, uint32_t index);

/* Process table. proc_enter: pid, start time, epoch + 1 (returned, from 1). Heartbeats at least each 100 ms. */
enum proc_state { PROC_NONE, PROC_STARTING, PROC_RUNNING, PROC_DRAINING, PROC_DEAD };
uint32_t proc_enter(struct segment *segment, uint32_t process);
void proc_state_set(struct segment *segment, uint32_t process, enum proc_state state);
void proc_beat(struct segment *segment, uint32_t process, int64_t mono_ns);
struct proc_view {
    pid_t pid;
    enum proc_state state;
    uint32_t epoch;
    int64_t beat_ns;
    int64_t started_utc_us;
    bool alive; /* pid lives and is the same process (start time) */
};
void proc_look(const struct segment *segment, uint32_t process, struct proc_view *out);
/* The same without a system call: `alive` says only that the table does not say otherwise. */
void proc_peek(const struct segment *segment, uint32_t process, struct proc_view *out);
/* Engine-wide flags that the supervisor sets and everybody reads. */
bool segment_draining(const struct segment *segment);
void segment_draining_set(struct segment *segment, bool draining);

/* Bells. Each process has two sleepers: its main thread (lanes, up rings, logs) and its media thread (down ring).
 * bell_sleep says "about to sleep": what is published later rings. bell_ring costs a fence and a load when nobody sleeps. */
enum bell { BELL_MAIN, BELL_MEDIA };
int bell_fd(const struct segment *segment, uint32_t process, enum bell bell);
void bell_ring(struct segment *segment, uint32_t process, enum bell bell);
void bell_sleep(struct segment *segment, uint32_t process, enum bell bell); /* then check all sources once more, then wait on the fd */
void bell_awake(struct segment *segment, uint32_t process, enum bell bell); /* clears the mark and drains the fd */
void bell_busy(struct segment *segment, uint32_t process, enum bell bell);  /* clears the mark only: no system call */

/* Directory: call uuid → where it lives. Written by the broker only, read by all. */
struct directory_entry {
    uint32_t slot, generation, worker;
};
int directory_put(struct segment *segment, const uint8_t uuid[16], struct directory_entry entry); /* 0, -ENOSPC */
void directory_remove(struct segment *segment, const uint8_t uuid[16]);
bool directory_find(const struct segment *segment, const uint8_t uuid[16], struct directory_entry *out);

#endif
