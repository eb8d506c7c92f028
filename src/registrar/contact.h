/* contact.h: a telephone's Contact as FreeSWITCH keeps it, and where requests to it go. */
#ifndef REGISTRAR_CONTACT_H
#define REGISTRAR_CONTACT_H

#include "registrar/location.h"

/* A Contact's URI in its parts; texts of the wire, bounded by their message. NULL = none. */
struct contact_parts {
    const char *display, *user, *host, *port, *params;
};
/* Where the registration came from: the address, the port, "udp" or "tcp", and what its Via says: sent-by. */
struct contact_source {
    const char *ip, *transport, *via_host;
    uint16_t port, via_port; /* via_port 0 = not written */
};

/* Fills uri, contact, status, network_* and target_* of a location. A telephone is behind a NAT if its contact, or over UDP its Via, does
 * not name the address that it sends from; then, as in FreeSWITCH, `;fs_nat=yes;fs_path=` with that address is added, and requests go
 * there. So no registration can lead a call anywhere but back to who registered. Parameters of the telephone that begin with "fs_" are left
 * out. -EINVAL: no host, or characters that are none of a URI; -EMSGSIZE: too long. */
int contact_take(struct location *location, const struct contact_parts *parts, const struct contact_source *source);
/* The URI in a contact, without its brackets: "sip:1001@192.0.2.1:5060;fs_nat=yes;…". */
void contact_url(const struct location *location, char *out, size_t size);
/* Where a request goes that is sent to it: "sip:1001@203.0.113.5:5062;transport=tcp". */
void contact_route(const struct location *location, char *out, size_t size);
bool contact_is_nat(const struct location *location);

#endif
