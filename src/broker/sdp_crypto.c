/* sdp_crypto.c: see sdp_crypto.h. */
#include "broker/sdp_crypto.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#include "core/check.h"

/* In order of preference. The second name is FreeSWITCH's for the same; an answer repeats the far end's word. */
static const struct {
    const char *name, *alias;
    size_t key_bytes;
} suites[SDP_CRYPTO_SUITES] = {
    { "AEAD_AES_256_GCM", "AEAD_AES_256_GCM", 44 },
    { "AEAD_AES_128_GCM", "AEAD_AES_128_GCM", 28 },
    { "AES_256_CM_HMAC_SHA1_80", "AES_CM_256_HMAC_SHA1_80", 46 },
    { "AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_80", 30 },
    { "AES_256_CM_HMAC_SHA1_32", "AES_CM_256_HMAC_SHA1_32", 46 },
    { "AES_CM_128_HMAC_SHA1_32", "AES_CM_128_HMAC_SHA1_32", 30 },
};

static bool word_is(const char *word, size_t length, const char *name)
{
    return strlen(name) == length && !strncasecmp(word, name, length);
}

static int suite_find(const char *word, size_t length)
{
    for (int i = 0; i < SDP_CRYPTO_SUITES; i++)
        if (word_is(word, length, suites[i].name) || word_is(word, length, suites[i].alias)) return i;
    return -1;
}

static uint8_t mode_of(const char *word, size_t length)
{
    if (word_is(word, length, "true") || word_is(word, length, "mandatory") || word_is(word, length, "required"))
        return SDP_CRYPTO_MANDATORY;
    if (word_is(word, length, "optional")) return SDP_CRYPTO_OPTIONAL;
    if (word_is(word, length, "false") || word_is(word, length, "forbidden") || word_is(word, length, "off")) return SDP_CRYPTO_OFF;
    return SDP_CRYPTO_UNSAID;
}

void sdp_crypto_parse(struct sdp_crypto *out, const char *word)
{
    *out = (struct sdp_crypto) { 0 };
    for (const char *at = word; at && *at; at += at[0] == ':') {
        size_t length = strcspn(at, ":");
        int suite = suite_find(at, length);
        if (suite >= 0) out->suites |= (uint8_t)(1u << suite);
        if (at == word) out->mode = suite >= 0 ? SDP_CRYPTO_MANDATORY : mode_of(at, length);
        at += length;
    }
}

void sdp_crypto_begin(struct sdp_crypto *out, const struct sdp_crypto *wish, const struct sdp_crypto *trunk)
{
    struct sdp_crypto made = { .mode = SDP_CRYPTO_OFF };
    if (trunk && trunk->mode != SDP_CRYPTO_UNSAID) made = *trunk;
    if (wish && wish->mode != SDP_CRYPTO_UNSAID) made = *wish;
    made.keyed = made.mode >= SDP_CRYPTO_OPTIONAL && getrandom(made.key, sizeof made.key, 0) == (ssize_t)sizeof made.key;
    *out = made;
}

static bool suite_wanted(const struct sdp_crypto *crypto, int suite)
{
    return crypto->keyed && (!crypto->suites || (crypto->suites & 1u << suite));
}

const char *sdp_crypto_protocol(const struct sdp_crypto *crypto) { return crypto->mode == SDP_CRYPTO_MANDATORY ? "RTP/SAVP" : "RTP/AVP"; }

/* "SUITE inline:KEY" */
static void key_write(const struct sdp_crypto *crypto, int suite, const char *name, size_t name_length, char *out, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char text[(SDP_CRYPTO_KEY + 2) / 3 * 4 + 1];
    size_t n = 0, bytes = suites[suite].key_bytes;
    for (size_t i = 0; i < bytes; i += 3) {
        uint32_t group = (uint32_t)crypto->key[i] << 16;
        if (i + 1 < bytes) group |= (uint32_t)crypto->key[i + 1] << 8;
        if (i + 2 < bytes) group |= crypto->key[i + 2];
        for (size_t k = 0; k < 4; k++) text[n++] = i + k <= bytes ? digits[group >> (18 - 6 * k) & 63] : '=';
    }
    text[n] = 0;
    snprintf(out, size, "%.*s inline:%s", (int)name_length, name, text);
}

bool sdp_crypto_line(const struct sdp_crypto *crypto, unsigned i, char *out, size_t size)
{
    char key[128];
    CHECK(i < SDP_CRYPTO_SUITES);
    if (!suite_wanted(crypto, (int)i)) return false;
    key_write(crypto, (int)i, suites[i].name, strlen(suites[i].name), key, sizeof key);
    snprintf(out, size, "a=crypto:%u %s\r\n", i + 1, key);
    return true;
}

/* Behind the key: nothing, or parameters that change nothing for us. Unencrypted or unauthenticated SRTP, FEC orders, other key
 * derivations and MKIs are not taken (RFC 4568 §6.3: a line with a parameter that one does not support is not to be used). */
static bool tail_plain(const char *at)
{
    if (memchr(at, ':', strcspn(at, " "))) return false; /* |lifetime|MKI:length */
    at += strcspn(at, " ");
    while (*at == ' ') at++;
    while (*at) {
        size_t length = strcspn(at, " ");
        if (!(length == 5 && !strncasecmp(at, "KDR=0", 5)) && !(length > 4 && !strncasecmp(at, "WSH=", 4))) return false;
        at += length;
        while (*at == ' ') at++;
    }
    return true;
}

bool sdp_crypto_take(const struct sdp_crypto *crypto, const char *value, bool answer, struct slot_media *media, uint32_t *tag)
{
    char *end;
    unsigned long number = strtoul(value, &end, 10);
    if (!isdigit((unsigned char)*value) || *end != ' ' || number > 999999999) return false;
    const char *name = end + strspn(end, " ");
    size_t name_length = strcspn(name, " ");
    int suite = suite_find(name, name_length);
    if (suite < 0 || !suite_wanted(crypto, suite) || (answer && number != (unsigned long)suite + 1)) return false;
    const char *key = name + name_length + strspn(name + name_length, " ");
    if (strncasecmp(key, "inline:", 7) || !tail_plain(key + 7)) return false;
    size_t key_length = strspn(key + 7, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    if (key_length != (suites[suite].key_bytes * 8 + 5) / 6) return false;
    for (int pad = 0; pad < 2 && key[7 + key_length] == '='; pad++) key_length++;
    snprintf(media->crypto_remote, sizeof media->crypto_remote, "%.*s inline:%.*s", (int)name_length, name, (int)key_length, key + 7);
    key_write(crypto, suite, name, name_length, media->crypto_local, sizeof media->crypto_local);
    *tag = (uint32_t)number;
    return true;
}

bool sdp_crypto_allows(const struct sdp_crypto *crypto, bool secure, const struct slot_media *media)
{
    if (*media->crypto_remote) return true;
    return !secure && crypto->mode != SDP_CRYPTO_MANDATORY;
}
