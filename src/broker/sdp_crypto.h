/* sdp_crypto.h: a=crypto (SDES, RFC 4568): which suites a call offers and takes, with what key of ours.
 *
 * A call has one master secret for as long as it lives; each suite takes as many bytes of it as its key is long (one suite alone
 * comes into use). So a re-INVITE says the same key again, and our packet index counts on. */
#ifndef BROKER_SDP_CRYPTO_H
#define BROKER_SDP_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bus/slot.h"

#define SDP_CRYPTO_SUITES 6
#define SDP_CRYPTO_KEY    46

enum sdp_crypto_mode {
    SDP_CRYPTO_UNSAID, /* as SDP_CRYPTO_OFF, but another's word counts */
    SDP_CRYPTO_OFF,
    SDP_CRYPTO_OPTIONAL, /* offered as RTP/AVP with a=crypto; both are taken */
    SDP_CRYPTO_MANDATORY /* RTP/SAVP, or no call */
};

struct sdp_crypto {
    uint8_t mode;   /* enum sdp_crypto_mode */
    uint8_t suites; /* bits, in order of preference; 0 = all */
    bool keyed;
    uint8_t key[SDP_CRYPTO_KEY];
};

/* FreeSWITCH's rtp_secure_media: true, mandatory, optional, forbidden, false, each with ":SUITE…" behind, or a suite alone. What is no
 * such word leaves `out` unsaid. NULL too. */
void sdp_crypto_parse(struct sdp_crypto *out, const char *word);
/* A call's own: the wish if it says something, else the trunk's (either may be NULL); makes the key if SRTP may come into use. `out` may be
 * one of them. */
void sdp_crypto_begin(struct sdp_crypto *out, const struct sdp_crypto *wish, const struct sdp_crypto *trunk);

/* The m= line's protocol in our offer. */
const char *sdp_crypto_protocol(const struct sdp_crypto *crypto);
/* The i-th a=crypto line of our offer with its line end (0 … SDP_CRYPTO_SUITES-1); false if that suite is not offered. */
bool sdp_crypto_line(const struct sdp_crypto *crypto, unsigned i, char *out, size_t size);

/* One value of a=crypto in what the far end wrote. In its answer (`answer`) the tag must be that of our line; in its offer the first that
 * we can use counts, and `tag` takes its tag. true: media->crypto_local and crypto_remote are set. */
bool sdp_crypto_take(const struct sdp_crypto *crypto, const char *value, bool answer, struct slot_media *media, uint32_t *tag);
/* May a stream with this outcome be used? `secure` = its protocol is RTP/SAVP. */
bool sdp_crypto_allows(const struct sdp_crypto *crypto, bool secure, const struct slot_media *media);

#endif
