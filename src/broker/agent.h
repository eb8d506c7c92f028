/* agent.h: the SIP stack's loop, its listeners, and the gate before its parser.
 *
 * One nta agent carries all listeners; each is known to it by its name (tport ident), so that a request leaves by the
 * listener that the trunk or profile names. */
#ifndef BROKER_AGENT_H
#define BROKER_AGENT_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "broker/sofia.h"
#include "bus/limits.h"
#include "core/buf.h"

#define LISTENERS_MAX 16

enum transport { TRANSPORT_UDP, TRANSPORT_TCP, TRANSPORT_COUNT };

struct listener {
    char name[BUS_NAME_MAX];
    char address[46];                    /* as bound */
    char advertised[46];                 /* in Contact; the same unless configured */
    uint16_t port;
    bool transports[TRANSPORT_COUNT];
    bool anybody;                        /* takes calls from sources that are nobody's trunk */
    char script[256], context[BUS_NAME_MAX]; /* for those */
    struct sockaddr_storage bound;
    tport_t *tport[TRANSPORT_COUNT];     /* its primary transports */
    sip_contact_t *contact[TRANSPORT_COUNT];
    char contact_text[TRANSPORT_COUNT][BUS_URI_MAX];
};

struct agent {
    su_home_t home[1];
    su_root_t *root;
    nta_agent_t *nta;
    msg_mclass_t *parser;
    sip_user_agent_t *user_agent;
    sip_allow_t *allow;
    sip_content_type_t *sdp_type;
    int timer_fd;                        /* the core loop's next timer, in sofia's loop */
    int64_t timer_ns;                    /* what it is set to */
    struct listener listeners[LISTENERS_MAX];
    unsigned listener_count;
};

/* Reads sip.* of the configuration, opens all listeners, and nests the core loop in sofia's. One clear line in `error`. */
int agent_open(struct broker *broker, struct buf *error);
void agent_run(struct broker *broker); /* until agent_stop */
void agent_stop(struct broker *broker);
void agent_close(struct broker *broker);

struct listener *listener_named(struct agent *agent, const char *name);
/* The listener with exactly this address and port; NULL if none of ours. */
struct listener *listener_at(struct agent *agent, const struct sockaddr *address);
struct listener *listener_of_text(struct agent *agent, const char *host, uint16_t port);
/* By which a message came in. */
struct listener *listener_of(struct agent *agent, nta_incoming_t *irq, msg_t *msg, enum transport *transport);

#endif
