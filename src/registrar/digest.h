/* digest.h: HTTP digest as SIP uses it (RFC 3261 §22, RFC 7616): credentials read, held against a password, and challenges written.
 * MD5 as all telephones have it, SHA-256 as RFC 8760 has it; qop "auth" or none. */
#ifndef REGISTRAR_DIGEST_H
#define REGISTRAR_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum digest_algorithm { DIGEST_MD5, DIGEST_SHA256 };

struct digest_credentials {
    char username[128], realm[128], nonce[128], uri[256], response[72], cnonce[128], nc[16], qop[16];
    enum digest_algorithm algorithm;
    uint32_t count; /* nc as a number; 0 = none */
};

/* `params`: "name=value" or "name=\"value\"" each, ended by NULL (NULL = none). -EINVAL: something needed is missing, or this kind of
 * digest is none of ours; -EMSGSIZE: longer than any telephone's. */
int digest_read(struct digest_credentials *out, const char *const *params);
/* The response to this method for a password; or for a1_hash, hex MD5 of user:realm:password (then MD5 alone). The other one is NULL. */
bool digest_matches(const struct digest_credentials *credentials, const char *method, const char *password, const char *a1_hash);
/* The value of WWW-Authenticate or Proxy-Authenticate. False if it does not fit. */
bool digest_challenge(char *out, size_t size, const char *realm, const char *nonce, enum digest_algorithm algorithm, bool stale);

#endif
