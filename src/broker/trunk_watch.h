/* trunk_watch.h: what a trunk is known to be outside of calls: registered with its carrier (RFC 3261 §10), and answering OPTIONS.
 *
 *   REGISTER   trying ─▶ registered ─(refresh before it expires)─▶ registered …       401/407: credentials; 423: Min-Expires;
 *                 ▲           │                                                       anything else: the next registrar, and later again,
 *                 └── failed ◀┘                                                       up to ten minutes later
 *   OPTIONS    any final answer but 408 and 503 counts; `ping_failures` silences in a row take the trunk down, one answer brings it up
 *
 * A trunk that is not registered, or down, takes no new calls. Each change is an event sofia::gateway_state. */
#ifndef BROKER_TRUNK_WATCH_H
#define BROKER_TRUNK_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "bus/limits.h"
#include "core/loop.h"

#define REGISTRARS_MAX 4

struct trunk;
struct trunk_watch;
struct config_node;

enum registration { REGISTRATION_NONE, REGISTRATION_TRYING, REGISTRATION_UP, REGISTRATION_FAILED };

struct trunk_health { /* as others may read it */
    enum registration registration;
    bool down;        /* OPTIONS unanswered */
    int status;       /* the last final answer to REGISTER or OPTIONS */
    uint32_t ping_ms; /* how long the last answer to OPTIONS took */
    int64_t registered_until_ns;
};

/* Begins what the trunk's configuration asks for; nothing is allocated where it asks for nothing. 0 or -ENOMEM. */
int trunk_watch_start(struct trunk *trunk, const struct config_node *node);
/* The engine ends: unregisters, and lets go. */
void trunk_watch_goodbye(struct trunk *trunk);
void trunk_watch_free(struct trunk *trunk);
/* All zeros for a trunk that is not watched. */
struct trunk_health trunk_health(const struct trunk *trunk);
/* Registered if it must be, and not down. */
bool trunk_is_reachable(const struct trunk *trunk);
/* FreeSWITCH's words: NOREG, TRYING, REGED, FAILED. */
const char *registration_name(enum registration registration);

#endif
