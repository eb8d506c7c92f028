/* event.h: events that the broker itself publishes: registrations and what else happens outside of calls. */
#ifndef BROKER_EVENT_H
#define BROKER_EVENT_H

#include "broker/state.h"

/* Numbers of event types, as FreeSWITCH's list has them (src/lua/fs/event_types.lua). */
enum event_type { EVENT_CUSTOM = 0, EVENT_MESSAGE_WAITING = 42, EVENT_MESSAGE_QUERY = 43 };

/* Publishes an event with the headers that all events have, then those of `pairs`. Costs nothing if nobody wants its type. */
void event_fire(struct broker *broker, enum event_type type, const char *name, const char *subclass, const struct kv *pairs);

#endif
