/* nonce.h: digest challenges that need no table to be recognised (RFC 7616 §5.4).
 *
 *   nonce = number . time . MAC(secret, number, time, realm)         in hex
 *
 * A flood of requests without credentials costs no memory: only a nonce that was answered rightly takes a place in a ring of
 * NONCE_PLACES, with the last count (`nc`) that was used, so that what somebody overheard cannot be sent again. A newer nonce takes the
 * place of an older one; whose nonce lost its place, grew old, or comes from before a restart is challenged anew with stale=true, and its
 * telephone answers by itself. */
#ifndef REGISTRAR_NONCE_H
#define REGISTRAR_NONCE_H

#include <stdbool.h>
#include <stdint.h>

#define NONCE_PLACES    65536u
#define NONCE_TEXT_SIZE 65

struct nonces;

int nonces_new(struct nonces **out); /* 0 or -errno */
void nonces_free(struct nonces *nonces);

void nonce_make(struct nonces *nonces, const char *realm, int64_t now_s, char out[NONCE_TEXT_SIZE]);
/* Ours, for this realm, and not older than life_s? */
bool nonce_is_fresh(const struct nonces *nonces, const char *text, const char *realm, int64_t now_s, uint32_t life_s);
/* After a right answer to a fresh one: true if this count was not used yet. nc 0 (a client without qop) may come once. */
bool nonce_use(struct nonces *nonces, const char *text, uint32_t nc);

#endif
