/* secure_test.c: SRTP: libsrtp's reference packets, round trips of each suite, forged and replayed packets. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "media/rtp.h"
#include "media/secure.h"

static const char *const suites[][2] = {
    { "AES_CM_128_HMAC_SHA1_80", "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0e" },
    { "AES_CM_128_HMAC_SHA1_32", "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0e" },
    { "AES_256_CM_HMAC_SHA1_80", "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLg==" },
    { "AES_CM_256_HMAC_SHA1_32", "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKywtLg" },
    { "AEAD_AES_128_GCM", "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHA==" },
    { "AEAD_AES_256_GCM", "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiMkJSYnKCkqKyw=" },
};
#define SUITES (sizeof suites / sizeof *suites)

static struct secure *secure(size_t suite, bool outbound)
{
    struct secure *made;
    char text[160];
    snprintf(text, sizeof text, "%s inline:%s|2^31", suites[suite][0], suites[suite][1]);
    assert_int_equal(secure_new(&made, text, outbound), 0);
    return made;
}

static uint32_t packet_make(uint8_t *packet, uint16_t sequence)
{
    rtp_header(packet, 0, false, sequence, sequence * 160u, 0xCAFEBABE);
    for (int i = 0; i < 160; i++) packet[RTP_HEADER_BYTES + i] = (uint8_t)(i * 7 + sequence);
    return RTP_HEADER_BYTES + 160;
}

/* libsrtp's test/srtp_driver.c: srtp_validate and srtp_validate_gcm. */
static void the_reference_packets_come_out_bit_for_bit(void **state)
{
    static const uint8_t plain[28] = { 0x80, 0x0f, 0x12, 0x34, 0xde, 0xca, 0xfb, 0xad, 0xca, 0xfe, 0xba, 0xbe, 0xab, 0xab,
                                       0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab, 0xab };
    static const uint8_t cm[38] = { 0x80, 0x0f, 0x12, 0x34, 0xde, 0xca, 0xfb, 0xad, 0xca, 0xfe, 0xba, 0xbe, 0x4e,
                                    0x55, 0xdc, 0x4c, 0xe7, 0x99, 0x78, 0xd8, 0x8c, 0xa4, 0xd2, 0x15, 0x94, 0x9d,
                                    0x24, 0x02, 0xb7, 0x8d, 0x6a, 0xcc, 0x99, 0xea, 0x17, 0x9b, 0x8d, 0xbb };
    static const uint8_t gcm[44] = { 0x80, 0x0f, 0x12, 0x34, 0xde, 0xca, 0xfb, 0xad, 0xca, 0xfe, 0xba, 0xbe, 0xc5, 0x00, 0x2e,
                                     0xde, 0x04, 0xcf, 0xdd, 0x2e, 0xb9, 0x11, 0x59, 0xe0, 0x88, 0x0a, 0xa0, 0x6e, 0xd2, 0x97,
                                     0x68, 0x26, 0xf7, 0x96, 0xb2, 0x01, 0xdf, 0x31, 0x31, 0xa1, 0x27, 0xe8, 0xa3, 0x92 };
    static const struct {
        const char *crypto;
        const uint8_t *cipher;
        uint32_t bytes;
    } cases[] = {
        { "AES_CM_128_HMAC_SHA1_80 inline:4fl6DT4Bi+DWT6MsBt5BOQ7Gda1Jiv7rtpYLOqvm", cm, sizeof cm },
        { "AEAD_AES_128_GCM inline:AAECAwQFBgcICQoLDA0OD6ChoqOkpaanqKmqqw==", gcm, sizeof gcm },
    };
    for (size_t i = 0; i < 2; i++) {
        struct secure *out, *in;
        _Alignas(4) uint8_t packet[28 + SECURE_TRAILER_MAX];
        uint32_t bytes = 28;
        memcpy(packet, plain, 28);
        assert_int_equal(secure_new(&out, cases[i].crypto, true), 0);
        assert_int_equal(secure_new(&in, cases[i].crypto, false), 0);
        assert_int_equal(secure_protect(out, packet, &bytes, false), 0);
        assert_int_equal(bytes, cases[i].bytes);
        assert_memory_equal(packet, cases[i].cipher, bytes);
        assert_int_equal(secure_unprotect(in, packet, &bytes, false), 0);
        assert_int_equal(bytes, 28);
        assert_memory_equal(packet, plain, 28);
        secure_free(out);
        secure_free(in);
    }
}

static void each_suite_goes_there_and_back_over_the_wrap(void **state)
{
    for (size_t s = 0; s < SUITES; s++) {
        struct secure *out = secure(s, true), *in = secure(s, false);
        for (uint32_t n = 65500; n < 65600; n++) {
            _Alignas(4) uint8_t packet[256], before[256];
            uint32_t bytes = packet_make(packet, (uint16_t)n);
            memcpy(before, packet, bytes);
            assert_int_equal(secure_protect(out, packet, &bytes, false), 0);
            assert_memory_not_equal(packet + RTP_HEADER_BYTES, before + RTP_HEADER_BYTES, 160);
            assert_int_equal(secure_unprotect(in, packet, &bytes, false), 0);
            assert_int_equal(bytes, RTP_HEADER_BYTES + 160);
            assert_memory_equal(packet, before, bytes);
        }
        _Alignas(4) uint8_t report[64] = { 0x80, 201, 0, 1, 0xCA, 0xFE, 0xBA, 0xBE };
        uint32_t bytes = 8;
        assert_int_equal(secure_protect(out, report, &bytes, true), 0);
        assert_true(bytes >= 8 + 4 + 10);
        assert_int_equal(secure_unprotect(in, report, &bytes, true), 0);
        assert_int_equal(bytes, 8);
        secure_free(out);
        secure_free(in);
    }
}

static void every_changed_byte_is_noticed(void **state)
{
    for (size_t s = 0; s < SUITES; s++) {
        struct secure *out = secure(s, true), *in = secure(s, false);
        _Alignas(4) uint8_t good[256], packet[256];
        uint32_t size = packet_make(good, 7);
        assert_int_equal(secure_protect(out, good, &size, false), 0);
        for (uint32_t i = 0; i < size; i++) {
            uint32_t bytes = size;
            memcpy(packet, good, size);
            packet[i] ^= 0x10;
            assert_int_equal(secure_unprotect(in, packet, &bytes, false), -EBADMSG);
        }
        for (uint32_t cut = 0; cut < size; cut++) {
            uint32_t bytes = cut;
            memcpy(packet, good, size);
            assert_int_equal(secure_unprotect(in, packet, &bytes, false), -EBADMSG);
        }
        assert_int_equal(secure_unprotect(in, good, &size, false), 0);
        secure_free(out);
        secure_free(in);
    }
}

static void replayed_packets_are_told_from_forged_ones(void **state)
{
    struct secure *out = secure(0, true), *in = secure(0, false);
    _Alignas(4) uint8_t packet[3][256];
    uint32_t bytes[3];
    for (int i = 0; i < 3; i++) {
        bytes[i] = packet_make(packet[i], (uint16_t)(100 + i));
        assert_int_equal(secure_protect(out, packet[i], &bytes[i], false), 0);
    }
    for (int n = 0, order[] = { 2, 0, 1 }; n < 3; n++) { /* out of order is no replay */
        _Alignas(4) uint8_t copy[256];
        uint32_t size = bytes[order[n]];
        memcpy(copy, packet[order[n]], size);
        assert_int_equal(secure_unprotect(in, copy, &size, false), 0);
        size = bytes[order[n]];
        memcpy(copy, packet[order[n]], size);
        assert_int_equal(secure_unprotect(in, copy, &size, false), -EALREADY);
    }
    secure_free(out);
    secure_free(in);
}

static void wrong_keys_are_refused(void **state)
{
    static const char *const wrong[] = { "",
                                         "AES_CM_128_HMAC_SHA1_80",
                                         "AES_CM_128_HMAC_SHA1_80 inline:",
                                         "AES_CM_128_HMAC_SHA1_80 inline:AQID",
                                         "AES_CM_128_HMAC_SHA1_80 AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0e",
                                         "AES_CM_128_HMAC_SHA1_80 inline:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0!",
                                         "NULL_HMAC_SHA1_80 inline:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0e",
                                         "AEAD_AES_256_GCM inline:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0e",
                                         "AES_CM_128_HMAC_SHA1_80 inline:AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0e|2^20|1:4" };
    struct secure *made;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) assert_int_equal(secure_new(&made, wrong[i], true), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_reference_packets_come_out_bit_for_bit),
        cmocka_unit_test(each_suite_goes_there_and_back_over_the_wrap),
        cmocka_unit_test(every_changed_byte_is_noticed),
        cmocka_unit_test(replayed_packets_are_told_from_forged_ones),
        cmocka_unit_test(wrong_keys_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
