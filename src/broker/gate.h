/* gate.h: the gate before the SIP parser: a request from a source that nobody allowed is not even parsed.
 *
 * Left to itself the stack would answer a malformed request of any stranger with 400, and so tell a scanner that SIP
 * lives here. So our message class has a request line parser that first looks where the datagram came from; when it
 * refuses, the stack counts garbage and says nothing. */
#ifndef BROKER_GATE_H
#define BROKER_GATE_H

#include "broker/sofia.h"

/* The message class for nta_agent_create, with the gate in it. One broker per process. */
msg_mclass_t *gate_parser(struct broker *broker);

#endif
