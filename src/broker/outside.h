/* outside.h: requests of ours outside of calls: OPTIONS, NOTIFY. */
#ifndef BROKER_OUTSIDE_H
#define BROKER_OUTSIDE_H

#include "broker/registrar.h"

struct outside_request {
    sip_method_t method;
    const char *method_name;
    const struct location *to;       /* the telephone */
    const char *headers;             /* lines; NULL = none */
    const char *content_type, *body; /* NULL = none */
};

/* Sends it to a registered telephone, by the listener that it registered at and the way that its registration came. `answered` may be NULL:
 * then nobody is told, and NULL returned. */
typedef int outside_answered(void *context, nta_outgoing_t *sent, const sip_t *sip);
nta_outgoing_t *outside_send(struct broker *broker, const struct outside_request *request, outside_answered *answered, void *context);

#endif
