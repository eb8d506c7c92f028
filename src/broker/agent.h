/* agent.h: the SIP stack: one nta agent with our core loop nested in its loop. */
#ifndef BROKER_AGENT_H
#define BROKER_AGENT_H

#include <stdbool.h>
#include <stdint.h>

#include "broker/listener.h"
#include "broker/sofia.h"
#include "bus/limits.h"
#include "core/buf.h"

struct agent {
    su_home_t home[1];
    su_root_t *root;
    nta_agent_t *nta;
    msg_mclass_t *parser;
    sip_user_agent_t *user_agent;
    sip_allow_t *allow;
    sip_content_type_t *sdp_type;
    int timer_fd;     /* the core loop's next timer, in sofia's loop */
    int64_t timer_ns; /* what it is set to */
    struct listener listeners[LISTENERS_MAX];
    unsigned listener_count;
};

/* Reads sip.* of the configuration, opens all listeners, and nests the core loop in sofia's. One clear line in `error`. */
int agent_open(struct broker *broker, struct buf *error);
void agent_run(struct broker *broker); /* until agent_stop */
void agent_stop(struct broker *broker);
void agent_close(struct broker *broker);

#endif
