/* mwi.h: message waiting (RFC 3842, RFC 6665): FreeSWITCH's event MESSAGE_WAITING, whoever fires it, becomes NOTIFY to all telephones of
 * the account: those that subscribed, within their subscription, and those that are registered, unasked. What was last said of an account
 * is remembered and told to telephones that come later. */
#ifndef BROKER_MWI_H
#define BROKER_MWI_H

#include "broker/registrar.h"

int mwi_open(struct broker *broker); /* 0 or -ENOMEM */
void mwi_close(struct broker *broker);

/* SUBSCRIBE outside of a dialog. Takes msg. */
void mwi_subscribe(struct broker *broker, struct listener *listener, enum transport transport, msg_t *msg, sip_t *sip);
/* A telephone came: what is known of its account is told to it. */
void mwi_registered(struct broker *broker, const struct location *location);

#endif
