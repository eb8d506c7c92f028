/* nonce.c: see nonce.h. */
#include "registrar/nonce.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define STAMP_TEXT 32 /* number and time: 16 hex digits each */
#define MAC_BYTES  16

struct place {
    uint64_t number; /* 0 = free */
    uint32_t last_nc;
};
struct nonces {
    uint8_t secret[32];
    uint64_t next;
    struct place places[NONCE_PLACES];
};

int nonces_new(struct nonces **out)
{
    struct nonces *nonces = calloc(1, sizeof *nonces);
    if (!nonces) return -ENOMEM;
    if (getrandom(nonces->secret, sizeof nonces->secret, 0) != (ssize_t)sizeof nonces->secret) {
        free(nonces);
        return -EIO;
    }
    nonces->next = 1;
    *out = nonces;
    return 0;
}

void nonces_free(struct nonces *nonces) { free(nonces); }

static void mac_write(const struct nonces *nonces, const char *stamp, const char *realm, char out[MAC_BYTES * 2 + 1])
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    char text[STAMP_TEXT + 256];
    int n = snprintf(text, sizeof text, "%.*s%.200s", STAMP_TEXT, stamp, realm);
    HMAC(EVP_sha256(), nonces->secret, sizeof nonces->secret, (const uint8_t *)text, (size_t)n, mac, &length);
    for (int i = 0; i < MAC_BYTES; i++) snprintf(out + 2 * i, 3, "%02x", mac[i]);
}

void nonce_make(struct nonces *nonces, const char *realm, int64_t now_s, char out[NONCE_TEXT_SIZE])
{
    snprintf(out, NONCE_TEXT_SIZE, "%016llx%016llx", (unsigned long long)nonces->next++, (unsigned long long)now_s);
    mac_write(nonces, out, realm, out + STAMP_TEXT);
}

static bool stamp_read(const char *text, uint64_t *number, int64_t *time_s)
{
    unsigned long long a, b;
    if (strlen(text) != NONCE_TEXT_SIZE - 1 || strspn(text, "0123456789abcdef") != NONCE_TEXT_SIZE - 1) return false;
    if (sscanf(text, "%16llx%16llx", &a, &b) != 2) return false;
    *number = a;
    *time_s = (int64_t)b;
    return true;
}

bool nonce_is_fresh(const struct nonces *nonces, const char *text, const char *realm, int64_t now_s, uint32_t life_s)
{
    char mac[MAC_BYTES * 2 + 1];
    uint64_t number;
    int64_t time_s;
    if (!stamp_read(text, &number, &time_s)) return false;
    mac_write(nonces, text, realm, mac);
    if (CRYPTO_memcmp(mac, text + STAMP_TEXT, sizeof mac - 1)) return false;
    return now_s >= time_s && now_s - time_s <= (int64_t)life_s && nonces->places[number % NONCE_PLACES].number <= number;
}

bool nonce_use(struct nonces *nonces, const char *text, uint32_t nc)
{
    uint64_t number;
    int64_t time_s;
    if (!stamp_read(text, &number, &time_s)) return false;
    struct place *place = &nonces->places[number % NONCE_PLACES];
    if (place->number > number) return false;
    bool known = place->number == number;
    if (known && (nc == 0 || nc <= place->last_nc)) return false;
    *place = (struct place) { .number = number, .last_nc = nc ? nc : UINT32_MAX };
    return true;
}
