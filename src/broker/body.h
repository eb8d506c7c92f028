/* body.h: what a message's body holds: a session description alone, or as a part of multipart/mixed, as carriers send it beside ISUP (RFC
 * 5621).
 *
 * Pure: bytes in, a place in the same bytes out. The bytes are the wire's, and bounded by their length alone. */
#ifndef BROKER_BODY_H
#define BROKER_BODY_H

#include <stdbool.h>
#include <stddef.h>

/* The SDP in a body of that Content-Type ("application/sdp", "multipart/mixed;boundary=x"; NULL = application/sdp): its place and length;
 * NULL if there is none. */
const char *body_sdp(const char *content_type, const char *data, size_t size, size_t *length);

#endif
