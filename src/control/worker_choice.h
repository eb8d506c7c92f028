/* worker_choice.h: which worker an API command goes to. */
#ifndef CONTROL_WORKER_CHOICE_H
#define CONTROL_WORKER_CHOICE_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/segment.h"

/* It is up and takes requests. */
bool worker_serves(const struct segment *segment, uint32_t worker);
/* The next one in turn that serves, from *next on, which moves on. -1: none does. */
int worker_in_turn(const struct segment *segment, uint32_t *next);
/* The one that has the call whose uuid is the first word of `args`; without such a call the next one in turn. -1: none serves. */
int worker_for(struct segment *segment, const char *args, uint32_t *next);

#endif
