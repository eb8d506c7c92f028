/* SRTP: no crypto text and no packet breaks it; a packet that is not ours never opens; what we seal opens once, as it was, and is told as
 * replayed the second time. First byte: suite; then what to do with the rest. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "core/check.h"
#include "media/rtp.h"
#include "media/secure.h"

static const char *const keys[] = {
    "AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
    "AES_CM_128_HMAC_SHA1_32 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
    "AEAD_AES_128_GCM inline:MTIzNDU2Nzg5QUJDREVGMDEyMzQ1Njc4OUFCQw==",
};

static void any_crypto_text(const uint8_t *data, size_t size)
{
    char text[256];
    struct secure *secure = NULL;
    snprintf(text, sizeof text, "%.*s", (int)(size < 255 ? size : 255), (const char *)data);
    if (!secure_new(&secure, text, true)) secure_free(secure);
}

static void any_packet(struct secure *in, const uint8_t *data, size_t size, bool rtcp)
{
    _Alignas(8) uint8_t packet[2048];
    uint32_t length = (uint32_t)(size < 1600 ? size : 1600);
    memcpy(packet, data, length);
    /* The fuzzer does not find a valid tag of 32 bits or more but by copying a corpus packet, which there is none of. */
    CHECK(secure_unprotect(in, packet, &length, rtcp) != 0);
}

static void there_and_back(const char *key, const uint8_t *data, size_t size, bool rtcp)
{
    _Alignas(8) uint8_t packet[2048], copy[2048];
    struct secure *out, *in;
    size_t payload = size < 1400 ? size : 1400;
    CHECK(secure_new(&out, key, true) == 0 && secure_new(&in, key, false) == 0);
    uint32_t length = RTP_HEADER_BYTES + (uint32_t)payload;
    rtp_header(packet, 0, false, (uint16_t)size, 1, 7);
    if (rtcp) packet[1] = 200;
    memcpy(packet + RTP_HEADER_BYTES, data, payload);
    memcpy(copy, packet, length);
    uint32_t plain = length;
    CHECK(secure_protect(out, packet, &length, rtcp) == 0);
    CHECK(length > plain && length <= plain + SECURE_TRAILER_MAX);
    uint8_t sealed[2048];
    uint32_t again = length;
    memcpy(sealed, packet, length);
    CHECK(secure_unprotect(in, packet, &length, rtcp) == 0);
    CHECK(length == plain && !memcmp(packet, copy, plain));
    memcpy(packet, sealed, again);
    CHECK(secure_unprotect(in, packet, &again, rtcp) == -EALREADY);
    secure_free(out);
    secure_free(in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2 || secure_start()) return 0;
    const char *key = keys[data[0] % 3];
    bool rtcp = data[1] & 1;
    any_crypto_text(data + 1, size - 1);
    there_and_back(key, data + 2, size - 2, rtcp);
    struct secure *in;
    CHECK(secure_new(&in, key, false) == 0);
    any_packet(in, data + 2, size - 2, rtcp);
    secure_free(in);
    return 0;
}
