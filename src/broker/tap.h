/* tap.h: what the SIP stack sends and receives goes into the trace (bus/trace.h), as it was on the wire: with retransmissions, with what
 * the stack answers by itself, decrypted where it came by TLS. */
#ifndef BROKER_TAP_H
#define BROKER_TAP_H

#include <stdbool.h>

struct broker;
struct call;

/* As the configuration's `trace` wants it. Without memory for it nothing is traced, and the log says so. */
void tap_open(struct broker *broker);
void tap_close(void);
bool tap_is_open(void);
/* A call has got its Call-ID. */
void tap_name(const struct call *call);

#endif
