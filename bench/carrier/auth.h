/* Digest authentication (RFC 2617/7616, MD5, qop auth or none), both sides of it. */
#ifndef CARRIER_AUTH_H
#define CARRIER_AUTH_H

#include "sip_message.h"

struct carrier;

enum auth_result { AUTH_OK, AUTH_MISSING, AUTH_STALE, AUTH_WRONG };

void md5_hex(char out[33], const char *data, size_t n);
/* The challenge as a whole header line, with a fresh nonce. */
void auth_challenge(struct carrier *c, struct text *out, bool stale);
enum auth_result auth_check(struct carrier *c, const struct sip_message *m);
/* Credentials for a challenge received, as a whole header line. False when the challenge is not one we can answer. */
bool auth_answer(struct carrier *c, const struct sip_message *m, const char *method, const char *uri, struct text *out);

#endif
