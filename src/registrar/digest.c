/* digest.c: see digest.h. */
#include "registrar/digest.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HASH_TEXT (64 + 1)

/* --- reading -------------------------------------------------------------------------------------------------------- */

/* A token or a quoted string (RFC 3261 §25.1); control characters are in neither. */
static int value_read(const char *from, char *out, size_t size)
{
    size_t n = 0;
    bool quoted = *from == '"';
    for (from += quoted; *from && !(quoted && *from == '"'); from++) {
        if (quoted && *from == '\\' && from[1]) from++;
        if ((unsigned char)*from < 0x20 || *from == 0x7f) return -EINVAL;
        if (n + 1 >= size) return -EMSGSIZE;
        out[n++] = *from;
    }
    out[n] = 0;
    return 0;
}

static int algorithm_read(const char *text, enum digest_algorithm *out)
{
    char name[32];
    if (value_read(text, name, sizeof name) < 0) return -EINVAL;
    if (!strcasecmp(name, "MD5"))
        *out = DIGEST_MD5;
    else if (!strcasecmp(name, "SHA-256"))
        *out = DIGEST_SHA256;
    else
        return -EINVAL;
    return 0;
}

static int param_read(struct digest_credentials *c, const char *param)
{
    const struct {
        const char *name;
        char *out;
        size_t size;
    } fields[] = {
        { "username", c->username, sizeof c->username },
        { "realm", c->realm, sizeof c->realm },
        { "nonce", c->nonce, sizeof c->nonce },
        { "uri", c->uri, sizeof c->uri },
        { "response", c->response, sizeof c->response },
        { "cnonce", c->cnonce, sizeof c->cnonce },
        { "nc", c->nc, sizeof c->nc },
        { "qop", c->qop, sizeof c->qop },
    };
    const char *equal = strchr(param, '=');
    if (!equal) return 0;
    size_t length = (size_t)(equal - param);
    if (length == 9 && !strncasecmp(param, "algorithm", 9)) return algorithm_read(equal + 1, &c->algorithm);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (strlen(fields[i].name) == length && !strncasecmp(param, fields[i].name, length))
            return value_read(equal + 1, fields[i].out, fields[i].size);
    return 0;
}

int digest_read(struct digest_credentials *out, const char *const *params)
{
    memset(out, 0, sizeof *out);
    for (; params && *params; params++) {
        int err = param_read(out, *params);
        if (err < 0) return err;
    }
    if (!*out->username || !*out->realm || !*out->nonce || !*out->uri || !*out->response) return -EINVAL;
    if (!*out->qop) return 0;
    if (strcasecmp(out->qop, "auth") || !*out->cnonce || strspn(out->nc, "0123456789abcdefABCDEF") != 8 || strlen(out->nc) != 8)
        return -EINVAL;
    out->count = (uint32_t)strtoul(out->nc, NULL, 16);
    return out->count ? 0 : -EINVAL;
}

/* --- computing ------------------------------------------------------------------------------------------------------ */

static bool hash(enum digest_algorithm algorithm, const char *text, char out[HASH_TEXT])
{
    uint8_t bytes[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    if (!EVP_Digest(text, strlen(text), bytes, &length, algorithm == DIGEST_MD5 ? EVP_md5() : EVP_sha256(), NULL)) return false;
    for (unsigned i = 0; i < length; i++) snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return true;
}

static bool a1_write(const struct digest_credentials *c, const char *password, const char *a1_hash, char out[HASH_TEXT])
{
    char text[1024];
    if (a1_hash) {
        if (c->algorithm != DIGEST_MD5 || strlen(a1_hash) != 32) return false;
        for (int i = 0; i <= 32; i++) out[i] = a1_hash[i] >= 'A' && a1_hash[i] <= 'F' ? (char)(a1_hash[i] + 32) : a1_hash[i];
        return true;
    }
    int n = snprintf(text, sizeof text, "%s:%s:%s", c->username, c->realm, password);
    return n > 0 && (size_t)n < sizeof text && hash(c->algorithm, text, out);
}

bool digest_matches(const struct digest_credentials *c, const char *method, const char *password, const char *a1_hash)
{
    char a1[HASH_TEXT], a2[HASH_TEXT], expected[HASH_TEXT], text[1024], given[HASH_TEXT];
    if (!a1_write(c, password, a1_hash, a1)) return false;
    snprintf(text, sizeof text, "%.64s:%s", method, c->uri);
    if (!hash(c->algorithm, text, a2)) return false;
    if (*c->qop)
        snprintf(text, sizeof text, "%s:%s:%s:%s:%s:%s", a1, c->nonce, c->nc, c->cnonce, c->qop, a2);
    else
        snprintf(text, sizeof text, "%s:%s:%s", a1, c->nonce, a2);
    if (!hash(c->algorithm, text, expected) || strlen(c->response) != strlen(expected)) return false;
    for (size_t i = 0; i <= strlen(expected); i++)
        given[i] = c->response[i] >= 'A' && c->response[i] <= 'F' ? (char)(c->response[i] + 32) : c->response[i];
    return CRYPTO_memcmp(given, expected, strlen(expected)) == 0;
}

bool digest_challenge(char *out, size_t size, const char *realm, const char *nonce, enum digest_algorithm algorithm, bool stale)
{
    int n = snprintf(out, size, "Digest realm=\"%s\", nonce=\"%s\",%s algorithm=%s, qop=\"auth\"", realm, nonce,
                     stale ? " stale=true," : "", algorithm == DIGEST_MD5 ? "MD5" : "SHA-256");
    return n > 0 && (size_t)n < size && !strpbrk(realm, "\"\\\r\n");
}
