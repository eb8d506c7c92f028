/* user_call.h: calls from users' telephones. */
#ifndef BROKER_USER_CALL_H
#define BROKER_USER_CALL_H

#include "broker/inbound.h"

/* An INVITE of nobody's trunk at a listener with users: the user is asked for, then it is taken as a call with what the directory says of
 * the user. Takes msg. */
void user_call_take(struct broker *broker, const struct source_found *found, msg_t *msg, sip_t *sip);

#endif
