/* event_wish.c: which event types any process wants, as one bitmap that a publisher looks at before it makes an event. */
#include "bus/eventlog.h"
#include "bus/segment_layout.h"

bool event_wanted(const struct segment *segment, uint16_t type)
{
    const uint64_t *wanted = segment->header->wanted;
    return type < 128 && __atomic_load_n(&wanted[type / 64], __ATOMIC_RELAXED) >> (type % 64) & 1;
}

static uint64_t wishes_join(const struct segment *segment, int word)
{
    uint64_t all = 0;
    for (uint32_t p = 0; p < segment->header->processes; p++)
        all |= __atomic_load_n(&segment_proc(segment, p)->wish[word], __ATOMIC_SEQ_CST);
    return all;
}

/* Several processes may do this at once. Each stores what it joined and then joins again: whoever stores last has looked
 * after its store, so a wish that it missed belongs to one that will store later still. */
void event_wish(struct segment *segment, uint32_t process, const uint64_t types[2])
{
    for (int word = 0; word < 2; word++) {
        uint64_t *wanted = &segment->header->wanted[word], joined;
        __atomic_store_n(&segment_proc(segment, process)->wish[word], types[word], __ATOMIC_SEQ_CST);
        do {
            joined = wishes_join(segment, word);
            __atomic_store_n(wanted, joined, __ATOMIC_SEQ_CST);
        } while (wishes_join(segment, word) != joined);
    }
}
