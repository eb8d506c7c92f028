/* media_held.c: commands that came before their leg. A script that answers a call plays at once, while the broker is still writing the
 * 200: its commands wait here, in order, until MEDIA_START is taken or the slot's call is over. */
#include <stdlib.h>

#include "worker/media_internal.h"

struct held {
    struct command command;
    struct held *next;
};

/* Its call is there but its START is not yet. */
static bool leg_awaited(struct media *m, struct media_leg id)
{
    struct slot_call call;
    if (id.number >= m->slots || leg_find(m, id)) return false;
    if (!slot_call_read(segment_slot(m->segment, m->first_slot + id.number), &call) || call.generation != id.generation) return false;
    return call.state == SLOT_DIALLING || call.state == SLOT_MEDIA;
}

static bool command_awaits(struct media *m, const struct command *command)
{
    switch (command->kind) {
    case COMMAND_LEG_OPEN:
    case COMMAND_LEG_JOIN:
    case COMMAND_LEG_CLOSE:
    case COMMAND_CONTROL:
    case COMMAND_STOP:
        return false;
    case COMMAND_BRIDGE:
    case COMMAND_LISTEN:
        return leg_awaited(m, command->leg) || leg_awaited(m, command->other);
    default:
        return leg_awaited(m, command->leg);
    }
}

bool held_keep(struct media *m, const struct command *command)
{
    if (!command_awaits(m, command)) return false;
    struct held *held = calloc(1, sizeof(*held));
    if (!held) return false;
    held->command = *command;
    *(m->held_last ? &m->held_last->next : &m->held) = held;
    m->held_last = held;
    return true;
}

/* Takes the first one that fits out of the list. */
static bool held_pick(struct media *m, bool (*fits)(struct media *m, const struct command *command, uint64_t operation), uint64_t operation,
                      struct command *out)
{
    struct held *before = NULL;
    for (struct held *held = m->held; held; before = held, held = held->next) {
        if (!fits(m, &held->command, operation)) continue;
        *out = held->command;
        *(before ? &before->next : &m->held) = held->next;
        if (m->held_last == held) m->held_last = before;
        free(held);
        return true;
    }
    return false;
}

static bool fits_due(struct media *m, const struct command *command, uint64_t operation)
{
    (void)operation;
    return !command_awaits(m, command);
}

static bool fits_operation(struct media *m, const struct command *command, uint64_t operation)
{
    (void)m;
    return command->kind == COMMAND_OPERATION && ((struct operation *)command->object)->number == operation;
}

bool held_next(struct media *m, struct command *out) { return m->held && held_pick(m, fits_due, 0, out); }

bool held_operation(struct media *m, uint64_t operation, struct command *out)
{
    return m->held && held_pick(m, fits_operation, operation, out);
}
