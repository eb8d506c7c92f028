/* media_command.c: what the script thread asked for. An operation whose leg is not there ends at once with MEDIA_GONE. */
#include "core/check.h"
#include "worker/media_internal.h"

static void operation_gone(struct media *m, struct operation *operation)
{
    switch (operation->kind) {
    case OPERATION_PLAY: {
        struct play *play = CONTAINER_OF(operation, struct play, operation);
        play_end(m, play, MEDIA_GONE);
        return;
    }
    case OPERATION_RECORD: {
        struct record *record = CONTAINER_OF(operation, struct record, operation);
        event_done(m, operation, MEDIA_GONE);
        operation_remove(m, operation);
        recorder_free(record->recorder);
        free(record);
        return;
    }
    case OPERATION_DIGITS:
        event_done(m, operation, MEDIA_GONE);
        operation_remove(m, operation);
        digits_free(CONTAINER_OF(operation, struct digits, operation));
        return;
    case OPERATION_DETECT:
        event_done(m, operation, MEDIA_GONE);
        operation_remove(m, operation);
        detector_free(CONTAINER_OF(operation, struct detector, operation));
        return;
    }
}

static void command_operation(struct media *m, const struct command *command)
{
    struct operation *operation = command->object;
    struct leg *leg = leg_find(m, command->leg);
    operation->id = command->leg;
    operation_add(m, operation);
    if (!leg) {
        operation_gone(m, operation);
        return;
    }
    switch (operation->kind) {
    case OPERATION_PLAY:
        play_begin(m, leg, CONTAINER_OF(operation, struct play, operation));
        break;
    case OPERATION_RECORD:
        record_begin(m, leg, CONTAINER_OF(operation, struct record, operation));
        break;
    case OPERATION_DIGITS:
        digits_begin(m, leg, CONTAINER_OF(operation, struct digits, operation));
        break;
    case OPERATION_DETECT:
        detector_begin(m, leg, CONTAINER_OF(operation, struct detector, operation));
        break;
    }
}

static void command_leg_open(struct media *m, const struct command *command)
{
    struct leg *leg = command->object;
    struct leg_link *link = leg->link;
    m->legs[leg->number] = leg;
    leg_on(m, leg);
    leg_codec(m, leg, codec_linear(command->a));
    if ((leg->link = link)) leg_link_open(m, leg);
    leg_plan(m, leg);
}

static void command_leg_close(struct media *m, struct leg *leg)
{
    if (!leg || !leg->is_virtual) return;
    leg_off(m, leg, MEDIA_GONE);
    m->legs[leg->number] = NULL;
    free(leg);
}

static void command_join(struct media *m, struct leg *a, struct leg *b)
{
    if (!a || !b || a == b || !a->is_virtual || !b->is_virtual) return;
    a->joined = b;
    b->joined = a;
    leg_plan(m, a);
    leg_plan(m, b);
}

static void command_bridge(struct media *m, const struct command *command)
{
    struct leg *a = leg_find(m, command->leg), *b = leg_find(m, command->other);
    if (a && b && bridge_set(m, a, b) == 0) return;
    /* One of them is gone: who asked must not wait for the end of a bridge that never began. */
    const struct media_leg ids[] = { command->leg, command->other };
    for (int i = 0; i < 2; i++) {
        struct media_event event = { .kind = MEDIA_UNBRIDGED, .leg = ids[i], .reason = MEDIA_GONE };
        event_push(m, &event);
    }
}

static void command_control(struct media *m, const struct command *command)
{
    struct operation *operation = operation_find(m, command->operation);
    if (!operation) return; /* it ended meanwhile; its MEDIA_DONE is on its way */
    if (operation->kind == OPERATION_PLAY)
        play_control(m, CONTAINER_OF(operation, struct play, operation), (enum media_control)command->a, command->value);
    else if (operation->kind == OPERATION_RECORD)
        record_control(m, CONTAINER_OF(operation, struct record, operation), (enum media_control)command->a, command->value);
}

/* Commands about one leg that is there. */
static void command_leg(struct media *m, const struct command *command)
{
    struct leg *leg = leg_find(m, command->leg), *other;
    if (!leg) return;
    switch (command->kind) {
    case COMMAND_UNBRIDGE:
        bridge_clear(m, leg);
        break;
    case COMMAND_ECHO:
        echo_set(m, leg, command->a, command->b);
        break;
    case COMMAND_MUTE:
        leg->muted_read = command->a;
        leg->muted_write = command->b;
        leg_plan(m, leg);
        break;
    case COMMAND_GAIN:
        *(command->a ? &leg->gain_read : &leg->gain_write) = (int)command->value;
        leg_plan(m, leg);
        break;
    case COMMAND_TIMEOUTS:
        leg->timeout_ms = command->a;
        leg->hold_timeout_ms = command->b;
        break;
    case COMMAND_ROOM_JOIN:
        room_join(m, leg, (uint32_t)command->value, &command->member);
        break;
    case COMMAND_ROOM_LEAVE:
        if (leg->room) room_leave(m, leg);
        break;
    case COMMAND_LISTEN:
        if ((other = leg_find(m, command->other)))
            listen_set(m, leg, other, command->a, command->b);
        else
            listen_clear(m, leg);
        break;
    default:
        break;
    }
}

/* Ends an operation, be it that it never began. */
static void command_stop(struct media *m, uint64_t number)
{
    struct operation *operation = operation_find(m, number);
    struct command start;
    if (operation) {
        operation_stop(m, operation, MEDIA_STOPPED);
    } else if (held_operation(m, number, &start)) {
        operation = start.object;
        operation->id = start.leg;
        operation_add(m, operation);
        operation_gone(m, operation);
    }
}

static void command_take(struct media *m, const struct command *command)
{
    switch (command->kind) {
    case COMMAND_LEG_OPEN:
        command_leg_open(m, command);
        break;
    case COMMAND_LEG_CLOSE:
        command_leg_close(m, leg_find(m, command->leg));
        break;
    case COMMAND_LEG_JOIN:
        command_join(m, leg_find(m, command->leg), leg_find(m, command->other));
        break;
    case COMMAND_OPERATION:
        command_operation(m, command);
        break;
    case COMMAND_CONTROL:
        command_control(m, command);
        break;
    case COMMAND_STOP:
        command_stop(m, command->operation);
        break;
    case COMMAND_BRIDGE:
        command_bridge(m, command);
        break;
    default:
        command_leg(m, command);
        break;
    }
}

void commands_take(struct media *m)
{
    struct command command;
    while (held_next(m, &command)) command_take(m, &command);
    while (spsc_pop(&m->commands, &command))
        if (!held_keep(m, &command)) command_take(m, &command);
}
