/* nat.h: where somebody behind a NAT is really reached. */
#ifndef BROKER_NAT_H
#define BROKER_NAT_H

#include <stdbool.h>

#include "broker/sofia.h"

/* The contact with `host` and `port` in place of its own; made in `home`. NULL if there is none. */
sip_contact_t *nat_contact(su_home_t *home, const sip_contact_t *contact, const char *host, uint16_t port);
/* The contact of a request with the address that it came from, where that is another one, no proxy stands between, and it came over UDP or
 * from another host; otherwise the contact itself. */
const sip_contact_t *nat_contact_of_request(su_home_t *home, const sip_t *sip, const su_sockaddr_t *source, bool datagram);

#endif
