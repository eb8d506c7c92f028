/* SDP (RFC 4566, offers and answers of RFC 3264) as far as one G.711 audio stream needs it. */
#ifndef CARRIER_SDP_H
#define CARRIER_SDP_H

#include "base.h"
#include "net.h"

enum sdp_direction { SDP_SENDRECV, SDP_SENDONLY, SDP_RECVONLY, SDP_INACTIVE };

struct sdp {
	union net_addr rtp, rtcp;
	int codec;               /* 0 PCMU, 1 PCMA: the first of them in the offer */
	int payload_type;
	int event_type;          /* telephone-event/8000, or -1 */
	enum sdp_direction direction;
};

/* Returns NULL, or why we cannot take it. */
const char *sdp_parse(struct sdp *s, struct str body);
/* Writes an offer (both codecs) or, with `answer_to`, the answer. version rises with each change of one call. */
void sdp_write(struct text *t, const char *host, int port, bool six, unsigned long id, unsigned version, const struct sdp *answer_to,
               enum sdp_direction direction);

#endif
