/* bell.c: waking a sleeping process through an eventfd, rung only when it said that it sleeps.
 *
 *   sleeper                               ringer
 *     sleeping = 1                          publishes
 *     fence                                 fence
 *     looks at all sources once more        loads `sleeping`
 *     waits on the fd                       1: writes the fd
 *
 * Of the two fences one comes first: either the sleeper sees what was published, or the ringer sees the mark.
 * Only the sleeper writes its mark. Were the ringer to clear it ("rung already"), one killed between clearing and
 * writing would leave the sleeper asleep. */
#include <unistd.h>

#include "bus/segment_layout.h"

int bell_fd(const struct segment *segment, uint32_t process, enum bell bell) { return segment->bells[process][bell]; }

void bell_ring(struct segment *segment, uint32_t process, enum bell bell)
{
    const uint64_t one = 1;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (!__atomic_load_n(&segment_proc(segment, process)->bells[bell].sleeping, __ATOMIC_RELAXED)) return;
    if (segment->bells[process][bell] < 0) return;                 /* an outsider: the sleeper's own timer finds what came */
    (void)!write(segment->bells[process][bell], &one, sizeof one); /* EAGAIN = rung often enough */
}

void bell_sleep(struct segment *segment, uint32_t process, enum bell bell)
{
    __atomic_store_n(&segment_proc(segment, process)->bells[bell].sleeping, 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void bell_busy(struct segment *segment, uint32_t process, enum bell bell)
{
    __atomic_store_n(&segment_proc(segment, process)->bells[bell].sleeping, 0, __ATOMIC_RELAXED);
}

void bell_awake(struct segment *segment, uint32_t process, enum bell bell)
{
    uint64_t count;
    bell_busy(segment, process, bell);
    (void)!read(segment->bells[process][bell], &count, sizeof count); /* EAGAIN = woken by something else */
}
