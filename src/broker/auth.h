/* auth.h: digest credentials (RFC 3261 §22, RFC 2617) for 401 and 407, by the stack's auth client. */
#ifndef BROKER_AUTH_H
#define BROKER_AUTH_H

#include "broker/state.h"

/* Takes the challenges of a response: true if there are credentials to answer them (and the realm is the trunk's). */
bool auth_challenged(struct call *call, const sip_t *sip);
/* Authorization and Proxy-Authorization for a request, NULL if none are needed. They live in the call's home. */
sip_header_t *auth_headers(struct call *call, const char *method, const char *request_uri);

#endif
