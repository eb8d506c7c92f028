/* headers.h: users' SIP headers, in and out: h.X pairs of the bus ↔ headers of messages. */
#ifndef BROKER_HEADERS_H
#define BROKER_HEADERS_H

#include "broker/sofia.h"
#include "core/buf.h"
#include "core/kv.h"

/* Adds "Name: value\r\n" if name is a token, value holds no control character, and the header is none that the
 * signalling itself writes (Via, Call-ID, Contact, Authorization …). -EINVAL if not, -EMSGSIZE beyond CALL_HEADERS_MAX. */
int headers_add(struct buf *text, const char *name, const char *value);
/* All h.X pairs as header lines; malloc'ed, NULL if there are none. */
char *headers_from_pairs(struct kv_view pairs);
/* Pairs without prefix (dial_request.headers). */
char *headers_from_list(struct kv_view pairs);
/* Adds h.X-… for each X- header (bounded in number and length) and h.Reason. */
void headers_to_pairs(struct kv *pairs, const sip_t *sip);
/* The Q.850 cause of a message's Reason headers: true and *cause if there is one. */
bool headers_reason(const sip_t *sip, int *cause);
/* Text for a quoted display name: what would end the quotes or the line is left out. */
void display_clean(const char *name, char *out, size_t size);
/* What may stand in the user or host part of a URI; anything else is left out, so that no value ends a header. */
void uri_part_clean(const char *value, char *out, size_t size);

#endif
