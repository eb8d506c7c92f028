/* gate.c: see gate.h. */
#include "broker/gate.h"

#include "broker/guard.h"
#include "broker/state.h"
#include "core/log.h"

/* The parser's callback has no context of ours: it is set once, before the stack reads its first byte. */
static struct broker *gate_broker;

/* Any listener that takes calls from anybody, or registrations, opens the gate: by which listener a message came is not known this early,
 * and inbound.c looks again. */
static bool source_allowed(struct broker *broker, const struct sockaddr *source)
{
    struct agent *agent = &broker->agent;
    for (unsigned i = 0; i < agent->listener_count; i++)
        if (agent->listeners[i].anybody || agent->listeners[i].users.on) return true;
    return trunk_of_source(&broker->trunks, source) != NULL;
}

static issize_t request_parse(su_home_t *home, msg_header_t *header, char *text, isize_t length)
{
    su_addrinfo_t *info = msg_addrinfo((msg_t *)home);
    if (info && info->ai_addrlen && !source_allowed(gate_broker, (const struct sockaddr *)info->ai_addr)) {
        guard_dropped(gate_broker, (const struct sockaddr *)info->ai_addr, text);
        return -1;
    }
    return sip_request_class->hc_parse(home, header, text, length);
}

msg_mclass_t *gate_parser(struct broker *broker)
{
    static struct msg_hclass_s request_class;
    msg_mclass_t *parser = msg_mclass_clone(sip_default_mclass(), 0, 0);
    if (!parser) return NULL;
    gate_broker = broker;
    request_class = *sip_request_class;
    request_class.hc_parse = request_parse;
    parser->mc_request->hr_class = &request_class;
    return parser;
}
