/* user_auth.h: is it the user that a request says? RFC 3261 §22, RFC 7616. */
#ifndef BROKER_USER_AUTH_H
#define BROKER_USER_AUTH_H

#include "broker/registrar.h"

enum auth_verdict {
    AUTH_OK,
    AUTH_CHALLENGE, /* no credentials for this realm */
    AUTH_STALE,     /* credentials to an old nonce */
    AUTH_FORBIDDEN, /* no such user, wrong password, or too many of them */
    AUTH_BUSY       /* no worker can be asked now */
};

/* Who is asking for what; copied. */
struct auth_question {
    struct listener *listener;
    const char *realm;             /* that we ask for */
    const msg_auth_t *credentials; /* of the request: Authorization or Proxy-Authorization */
    const char *method;
    const char *to_user, *to_domain; /* for the log */
    const struct sockaddr *source;
};

/* `user`: with AUTH_OK, what the directory says: id, domain, number_alias, auth_username, auth_realm, p.NAME (params), v.NAME (variables).
 */
typedef void auth_done(void *context, enum auth_verdict verdict, struct kv_view user);
/* Calls `done` exactly once: before it returns, or later. */
void user_auth(struct broker *broker, const struct auth_question *question, auth_done *done, void *context);

/* The realm that a listener asks for, where a request says `host`. */
const char *user_realm(const struct listener *listener, const char *host);
/* One WWW-Authenticate or Proxy-Authenticate header for each algorithm, as lines. NULL if realm holds what it may not; else free() it. */
char *user_challenge(struct broker *broker, const struct listener *listener, const char *realm, bool proxy, bool stale);

#endif
