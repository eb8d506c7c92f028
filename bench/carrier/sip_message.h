/* SIP messages: one bounded reader (RFC 3261 §7, §25), no writer beyond text. Slices point into the datagram.
 *
 * Tolerant where networks differ (compact names, folded lines, several values a line, missing rport), strict where a wrong
 * reading would falsify the book: the start line, Call-ID, From, To, CSeq, top Via and Content-Length must be right.
 */
#ifndef CARRIER_SIP_MESSAGE_H
#define CARRIER_SIP_MESSAGE_H

#include "base.h"

#define SIP_SIZE_MAX    16384   /* bytes of one message */
#define SIP_HEADERS_MAX 96
#define SIP_ID_MAX      256     /* bytes of a Call-ID, tag, branch, or user */

enum sip_method {
	SIP_INVITE, SIP_ACK, SIP_CANCEL, SIP_BYE, SIP_OPTIONS, SIP_INFO, SIP_PRACK, SIP_UPDATE, SIP_REGISTER, SIP_MESSAGE, SIP_OTHER,
};

enum sip_header_id {
	HDR_OTHER, HDR_VIA, HDR_FROM, HDR_TO, HDR_CALL_ID, HDR_CSEQ, HDR_CONTACT, HDR_ROUTE, HDR_RECORD_ROUTE, HDR_CONTENT_LENGTH,
	HDR_CONTENT_TYPE, HDR_AUTHORIZATION, HDR_PROXY_AUTHORIZATION, HDR_WWW_AUTHENTICATE, HDR_PROXY_AUTHENTICATE, HDR_REASON,
};

struct sip_header {
	enum sip_header_id id;
	struct str value;
};

struct sip_message {
	bool request;
	enum sip_method method;          /* of a request */
	struct str uri;                  /* of a request */
	int status;                      /* of a response */
	struct sip_header headers[SIP_HEADERS_MAX];
	unsigned header_count;
	struct str call_id, from, to, from_tag, to_tag;
	uint32_t cseq;
	enum sip_method cseq_method;
	struct str cseq_name;            /* the method as written */
	struct str via, branch, via_host; /* the first value of the first Via */
	int via_port;                    /* 0 = none given */
	bool rport;                      /* the sender asked for rport */
	struct str content_type, body;
};

/* Reads one whole message; data is changed (folded lines are joined). Returns NULL, or why it is malformed. */
const char *sip_parse(struct sip_message *m, char *data, size_t n);
/* The length of the first whole message in a stream, 0 when more bytes are needed, -1 when it cannot be one. */
long sip_frame(const char *data, size_t n);

const char *sip_method_name(enum sip_method m);
/* The first header of that kind, or an empty slice. */
struct str sip_get(const struct sip_message *m, enum sip_header_id id);
/* The value of `;name=value` after the address part of a From, To, Via or Contact value. An empty slice when absent; *found tells. */
struct str sip_param(struct str value, const char *name, bool *found);
/* The URI inside a name-addr or addr-spec. */
struct str sip_uri(struct str value);
struct str sip_uri_user(struct str uri);
/* Host (brackets removed) and port (0 when absent) of a URI or sent-by. False when there is no host. */
bool sip_uri_host(struct str uri, struct str *host, int *port);
const char *sip_phrase(int status);

#endif
