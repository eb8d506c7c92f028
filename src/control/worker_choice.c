/* worker_choice.c: see worker_choice.h. */
#include "control/worker_choice.h"

#include <string.h>

#include "core/uuid.h"

bool worker_serves(const struct segment *segment, uint32_t worker)
{
    struct proc_view view;
    proc_look(segment, BUS_WORKER_0 + worker, &view);
    return view.alive && view.state == PROC_RUNNING;
}

int worker_in_turn(const struct segment *segment, uint32_t *next)
{
    uint32_t workers = segment_workers(segment);
    for (uint32_t i = 0; i < workers; i++) {
        uint32_t worker = (*next + i) % workers;
        if (!worker_serves(segment, worker)) continue;
        *next = worker + 1;
        return (int)worker;
    }
    return -1;
}

int worker_for(struct segment *segment, const char *args, uint32_t *next)
{
    struct directory_entry entry;
    struct uuid id;
    char word[UUID_TEXT_SIZE];
    size_t length = strcspn(args, " ");
    if (length == UUID_TEXT_SIZE - 1) {
        memcpy(word, args, length);
        word[length] = 0;
        if (uuid_parse(&id, word) == 0 && directory_find(segment, id.bytes, &entry) && worker_serves(segment, entry.worker))
            return (int)entry.worker;
    }
    return worker_in_turn(segment, next);
}
