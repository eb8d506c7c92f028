#include "media/secure.h"

#include <errno.h>
#include <pthread.h>
#include <srtp2/srtp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/check.h"

struct secure {
    srtp_t session;
};

struct suite {
    const char *name;
    size_t key_bytes; /* with its salt */
    void (*rtp)(srtp_crypto_policy_t *);
    void (*rtcp)(srtp_crypto_policy_t *);
};

/* RFC 4568 §6.2: the short tag is RTP's alone, SRTCP keeps 80 bits. */
static const struct suite suites[] = {
    { "AES_CM_128_HMAC_SHA1_80", 30, srtp_crypto_policy_set_rtp_default, srtp_crypto_policy_set_rtcp_default },
    { "AES_CM_128_HMAC_SHA1_32", 30, srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32, srtp_crypto_policy_set_rtcp_default },
    { "AES_256_CM_HMAC_SHA1_80", 46, srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80, srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80 },
    { "AES_256_CM_HMAC_SHA1_32", 46, srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32, srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80 },
    { "AES_CM_256_HMAC_SHA1_80", 46, srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80, srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80 },
    { "AES_CM_256_HMAC_SHA1_32", 46, srtp_crypto_policy_set_aes_cm_256_hmac_sha1_32, srtp_crypto_policy_set_aes_cm_256_hmac_sha1_80 },
    { "AEAD_AES_128_GCM", 28, srtp_crypto_policy_set_aes_gcm_128_16_auth, srtp_crypto_policy_set_aes_gcm_128_16_auth },
    { "AEAD_AES_256_GCM", 44, srtp_crypto_policy_set_aes_gcm_256_16_auth, srtp_crypto_policy_set_aes_gcm_256_16_auth },
};

static int start_result;

static void start_once(void) { start_result = srtp_init() == srtp_err_status_ok ? 0 : -EIO; }

int secure_start(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_once);
    return start_result;
}

static int base64_value(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Exactly `bytes` of them, then padding at most. */
static bool key_decode(const char *text, size_t length, uint8_t *out, size_t bytes)
{
    uint32_t bits = 0;
    unsigned held = 0;
    size_t count = 0;
    while (length && text[length - 1] == '=') length--;
    if (length != (bytes * 8 + 5) / 6) return false;
    for (size_t i = 0; i < length; i++) {
        int value = base64_value(text[i]);
        if (value < 0) return false;
        bits = bits << 6 | (uint32_t)value;
        held += 6;
        if (held >= 8 && count < bytes) out[count++] = (uint8_t)(bits >> (held -= 8));
    }
    return count == bytes;
}

static const struct suite *crypto_parse(const char *crypto, uint8_t key[SRTP_MAX_KEY_LEN])
{
    size_t name = strcspn(crypto, " ");
    const char *text = crypto + name + strspn(crypto + name, " ");
    if (strncasecmp(text, "inline:", 7)) return NULL;
    text += 7;
    size_t length = strcspn(text, "| ");
    if (strchr(text, ':')) return NULL; /* an MKI, which we never agree to */
    for (size_t i = 0; i < ARRAY_SIZE(suites); i++)
        if (strlen(suites[i].name) == name && !strncasecmp(suites[i].name, crypto, name))
            return key_decode(text, length, key, suites[i].key_bytes) ? &suites[i] : NULL;
    return NULL;
}

int secure_new(struct secure **out, const char *crypto, bool outbound)
{
    uint8_t key[SRTP_MAX_KEY_LEN];
    const struct suite *suite = crypto_parse(crypto, key);
    if (!suite) return -EINVAL;
    int result = secure_start();
    if (result) return result;
    struct secure *secure = calloc(1, sizeof *secure);
    if (!secure) return -ENOMEM;
    srtp_policy_t policy = { .ssrc.type = outbound ? ssrc_any_outbound : ssrc_any_inbound, .key = key, .window_size = SECURE_WINDOW };
    suite->rtp(&policy.rtp);
    suite->rtcp(&policy.rtcp);
    srtp_err_status_t status = srtp_create(&secure->session, &policy);
    explicit_bzero(key, sizeof key);
    if (status != srtp_err_status_ok) {
        free(secure);
        return status == srtp_err_status_alloc_fail ? -ENOMEM : -EIO;
    }
    *out = secure;
    return 0;
}

void secure_free(struct secure *secure)
{
    if (!secure) return;
    srtp_dealloc(secure->session);
    free(secure);
}

int secure_protect(struct secure *secure, uint8_t *packet, uint32_t *bytes, bool rtcp)
{
    int length = (int)*bytes;
    srtp_err_status_t status = rtcp ? srtp_protect_rtcp(secure->session, packet, &length) : srtp_protect(secure->session, packet, &length);
    if (status != srtp_err_status_ok) return -EIO;
    CHECK((uint32_t)length <= *bytes + SECURE_TRAILER_MAX);
    *bytes = (uint32_t)length;
    return 0;
}

int secure_unprotect(struct secure *secure, uint8_t *packet, uint32_t *bytes, bool rtcp)
{
    int length = (int)*bytes;
    if (length < 12) return -EBADMSG;
    srtp_err_status_t status = rtcp ? srtp_unprotect_rtcp(secure->session, packet, &length)
                                    : srtp_unprotect(secure->session, packet, &length);
    if (status == srtp_err_status_replay_fail || status == srtp_err_status_replay_old) return -EALREADY;
    if (status != srtp_err_status_ok || length < 0) return -EBADMSG;
    *bytes = (uint32_t)length;
    return 0;
}
