/* listener.h: where SIP is received and sent from; FreeSWITCH calls these profiles.
 *
 * One nta agent carries all listeners; each is known to it by its name (tport ident), so that a request leaves by the
 * listener that the trunk or profile names. A listener has an address as bound and one as advertised (Contact, Via). */
#ifndef BROKER_LISTENER_H
#define BROKER_LISTENER_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "broker/sofia.h"
#include "bus/limits.h"
#include "core/buf.h"

#define LISTENERS_MAX 16

enum transport { TRANSPORT_UDP, TRANSPORT_TCP, TRANSPORT_TLS, TRANSPORT_COUNT };

struct agent;

/* Of a listener that users register at: sip.listen.*.users. */
struct listener_users {
    bool on;
    char domain[128];               /* all users' domain; "" = what their requests say */
    bool sha256, md5, sha256_first; /* what is asked for */
    uint32_t expires_min_s, expires_max_s, contacts_max, ping_s, nonce_s;
};

struct listener {
    char name[BUS_NAME_MAX];
    char address[46];    /* as bound */
    char advertised[46]; /* in Contact and Via; the same unless configured */
    uint16_t port, tls_port;
    bool transports[TRANSPORT_COUNT];
    bool tls_verify_in;                      /* whoever connects must show a certificate of our authorities */
    char tls_folder[512];                    /* agent.pem: our certificate and key; cafile.pem: the authorities that we trust */
    bool anybody;                            /* takes calls from sources that are nobody's trunk */
    char script[256], context[BUS_NAME_MAX]; /* for those */
    struct listener_users users;
    struct sockaddr_storage bound;
    tport_t *tport[TRANSPORT_COUNT]; /* its primary transports */
    sip_contact_t *contact[TRANSPORT_COUNT];
    char contact_text[TRANSPORT_COUNT][BUS_URI_MAX];
};

/* "udp", "tcp", "tls". */
const char *transport_name(enum transport transport);
/* By the first letters of a text ("tcp external"); UDP if it is none. */
enum transport transport_of(const char *text);

/* Opens all of sip.listen. One clear line in `error`. */
int listeners_open(struct broker *broker, struct buf *error);

struct listener *listener_named(struct agent *agent, const char *name);
/* The listener with exactly this address and port; NULL if none of ours. */
struct listener *listener_at(struct agent *agent, const struct sockaddr *address);
struct listener *listener_of_text(struct agent *agent, const char *host, uint16_t port);
/* By which a message came in. */
struct listener *listener_of(struct agent *agent, nta_incoming_t *irq, msg_t *msg, enum transport *transport);

#endif
