/* media_address.h: a slot is its RTP address: the one formula, for the broker (which writes the SDP offer without asking
 * anybody) and for the media thread (which binds the sockets at its start). */
#ifndef BUS_MEDIA_ADDRESS_H
#define BUS_MEDIA_ADDRESS_H

#include <stdint.h>

/* Index into the list of media addresses, and an even port; RTCP is one higher. Neighbours have different addresses, so that each worker
 * has slots on all of them. There are (port_last - port_first + 1) / 2 ports per address; `addresses` >= 1. Several slots share an address
 * and port only if there are more slots than those. */
static inline void media_address(uint32_t slot, uint32_t addresses, uint16_t port_first, uint16_t port_last, uint32_t *address,
                                 uint16_t *port)
{
    uint32_t ports = ((uint32_t)port_last - port_first + 1) / 2;
    *address = slot % addresses;
    *port = (uint16_t)(port_first + 2 * (slot / addresses % ports));
}

#endif
