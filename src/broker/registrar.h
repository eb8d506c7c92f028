/* registrar.h: users and their telephones, at listeners that have `users`.
 *
 *   user_auth.c       who asks: digest, held against the directory. The directory is FreeSWITCH's XML, which the workers read (and which a
 *                     script may make); so a worker is asked for the user by the API command carillon_directory_user, each time: a
 *                     change is in force at once, and the broker keeps no passwords. Nonces, digests and limits are the broker's.
 *   register*.c       REGISTER: contacts come and go; its 200 leaves when they are on disk
 *   user_call.c       INVITE of a user
 *   registrar.c       the tables, and what happens by time: expiry, pings
 *   mwi*.c            SUBSCRIBE message-summary, and NOTIFY of waiting messages
 *   ping.c            OPTIONS to telephones; outside.c sends it and NOTIFY; nat.c finds who is behind a NAT
 *   registrar_list.c  what workers ask: the engine command `registrations`
 *
 * src/registrar has what of it is not SIP: locations, contacts, nonces, digests. */
#ifndef BROKER_REGISTRAR_H
#define BROKER_REGISTRAR_H

#include "broker/rate.h"
#include "broker/state.h"
#include "registrar/location.h"
#include "registrar/location_store.h"
#include "registrar/nonce.h"

struct mwi;
struct inviting; /* user_call.c */

struct registrar {
    struct broker *broker;
    struct locations *locations;
    struct location_store *store;
    struct nonces *nonces;
    struct rate_table requests; /* outside of calls, by address */
    struct rate_table failures; /* wrong passwords, by address and user */
    uint32_t lookups;           /* questions to workers that are not answered */
    uint32_t next_worker;
    uint32_t ping_serial;
    struct inviting *inviting; /* INVITEs whose user is being asked for */
    struct mwi *mwi;
};

/* Nothing is made if no listener has users. One clear line in `error`. */
int registrar_open(struct broker *broker, struct buf *error);
void registrar_close(struct broker *broker);

/* May this address send one more request? */
bool registrar_admits(struct broker *broker, const struct sockaddr *source);
/* Is a telephone registered whose requests go to host and port? */
bool registrar_has_target(const struct broker *broker, const char *host, uint16_t port);
/* The host and port of a SIP URI as text; false if it is none. */
bool registrar_uri_target(const char *uri, char *host, size_t size, uint16_t *port);

/* register.c: takes msg. */
void register_take(struct broker *broker, struct listener *listener, enum transport transport, msg_t *msg, sip_t *sip);
/* registrar_list.c: a line of names, then one per contact, tabs between. user "" = all. */
void registrations_write(const struct broker *broker, const char *user, const char *domain, struct buf *out);
/* Forgets a user's contacts, with domain "" those of that Call-ID, with both "" all; how many. */
unsigned registrations_flush(struct broker *broker, const char *user, const char *domain);
/* A contact ended by time or silence: event, store, table. */
void location_expire(struct registrar *registrar, struct location *location);
void location_drop(struct registrar *registrar, struct location *location);
/* After it was put or asked: when it is looked at next. */
void location_schedule(struct registrar *registrar, struct location *location);
/* ping.c: asks the telephone if it is time to; false if it has been silent too often. */
bool ping_turn(struct registrar *registrar, struct location *location, int64_t now_s);

#endif
