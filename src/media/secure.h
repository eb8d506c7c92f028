/* secure.h: SRTP (RFC 3711) with keys from SDP (SDES, RFC 4568): one direction of one leg, RTP and RTCP alike, by libsrtp2.
 *
 * A crypto text is "SUITE inline:BASE64", as the broker puts it into the slot; what follows a '|' (lifetime) is ignored. Suites:
 * AES_CM_128_HMAC_SHA1_80 and _32 (RFC 4568), AES_256_CM_HMAC_SHA1_80 and _32 (RFC 6188; AES_CM_256_… is FreeSWITCH's name of them),
 * AEAD_AES_128_GCM and AEAD_AES_256_GCM (RFC 7714). */
#ifndef MEDIA_SECURE_H
#define MEDIA_SECURE_H

#include <stdbool.h>
#include <stdint.h>

#define SECURE_TRAILER_MAX 24u   /* what protecting adds at most: tag of 16, SRTCP's index of 4, rounded up */
#define SECURE_WINDOW      1024u /* packets that may come out of order; older ones count as replayed */

struct secure;

/* Once per process before the first use; any number of times. 0 or -EIO (libsrtp's self-test failed). */
int secure_start(void);
/* 0; -EINVAL (unknown suite, key of the wrong length, not base64, a key with MKI), -ENOMEM, -EIO (libsrtp). */
int secure_new(struct secure **out, const char *crypto, bool outbound);
void secure_free(struct secure *secure);

/* In place; `packet` is 4-byte aligned and has SECURE_TRAILER_MAX bytes of room behind. 0 or -EIO. */
int secure_protect(struct secure *secure, uint8_t *packet, uint32_t *bytes, bool rtcp);
/* In place. 0; -EBADMSG (forged or malformed), -EALREADY (replayed, or older than the window). */
int secure_unprotect(struct secure *secure, uint8_t *packet, uint32_t *bytes, bool rtcp);

#endif
