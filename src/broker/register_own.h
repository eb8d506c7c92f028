/* register_own.h: a REGISTER on its way: what the files register*.c share.
 *
 *   register.c           its course: asked for a password, taken, answered
 *   register_contact.c   its contacts: checked, put, removed
 *   register_tell.c      the events about it */
#ifndef BROKER_REGISTER_OWN_H
#define BROKER_REGISTER_OWN_H

#include "broker/registrar.h"

struct registering {
    struct broker *broker;
    struct listener *listener;
    nta_incoming_t *irq; /* holds the request and so `sip` */
    sip_t *sip;
    struct sockaddr_storage source;
    char ip[64];
    uint16_t port;
    enum transport transport;
    char domain[128];    /* of the address of record, and the realm */
    const char *user;    /* in the To of the request */
    struct kv directory; /* what the directory says, once it is the user */
};

/* What it changes in the store. */
struct changes {
    struct location_change *list;
    size_t count;
};

/* register_contact.c: how long a contact is to be kept; a contact as a location (0, or -EINVAL, -EMSGSIZE); all of them: 0 or the status
 * that refuses the request. */
int64_t register_expires(const struct registering *r, const sip_contact_t *contact);
int register_location(const struct registering *r, const sip_contact_t *contact, struct location *l);
int register_contacts(struct registering *r, const char *user, struct changes *changes);

/* register_tell.c: an attempt with its result, or without one; a failure; a contact that came or went; the question for what waits. */
void register_tell_attempt(struct registering *r, const char *subclass, const char *result);
void register_tell_failure(struct registering *r);
void register_tell_contact(struct registering *r, const struct location *l, bool again, bool gone);
void register_tell_query(struct registering *r, const struct location *l);
const char *register_agent(const struct registering *r);

#endif
