/* sdp_crypto_test.c: a=crypto offered, answered and refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "broker/sdp.h"

#define HEAD  "v=0\r\no=x 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"
#define KEY30 "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0e"

static struct sdp_codecs made(const char *word)
{
    struct sdp_codecs codecs = { 0 };
    sdp_codecs_parse(&codecs, "PCMU,PCMA");
    sdp_crypto_parse(&codecs.crypto, word);
    sdp_crypto_begin(&codecs.crypto, NULL, &codecs.crypto);
    return codecs;
}

static const struct sdp_local local = { .address = "192.0.2.1", .port = 16384, .session = 7, .version = 1, .direction = "sendrecv" };

static int read_offer(const char *text, const struct sdp_codecs *codecs, struct slot_media *media, struct sdp_streams *streams)
{
    return sdp_offer_read(text, strlen(text), codecs, media, streams);
}

static void the_words_of_rtp_secure_media_are_known(void **state)
{
    static const struct {
        const char *word;
        int mode, suites;
    } cases[] = { { NULL, SDP_CRYPTO_UNSAID, 0 },
                  { "", SDP_CRYPTO_UNSAID, 0 },
                  { "what", SDP_CRYPTO_UNSAID, 0 },
                  { "true", SDP_CRYPTO_MANDATORY, 0 },
                  { "mandatory", SDP_CRYPTO_MANDATORY, 0 },
                  { "OPTIONAL", SDP_CRYPTO_OPTIONAL, 0 },
                  { "forbidden", SDP_CRYPTO_OFF, 0 },
                  { "false", SDP_CRYPTO_OFF, 0 },
                  { "mandatory:AES_CM_128_HMAC_SHA1_80", SDP_CRYPTO_MANDATORY, 8 },
                  { "AEAD_AES_256_GCM", SDP_CRYPTO_MANDATORY, 1 },
                  { "optional:AES_CM_256_HMAC_SHA1_80:AES_CM_128_HMAC_SHA1_32", SDP_CRYPTO_OPTIONAL, 4 + 32 } };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct sdp_crypto crypto;
        sdp_crypto_parse(&crypto, cases[i].word);
        assert_int_equal(crypto.mode, cases[i].mode);
        assert_int_equal(crypto.suites, cases[i].suites);
    }
}

static void a_calls_wish_counts_more_than_its_trunk(void **state)
{
    struct sdp_crypto wish = { .mode = SDP_CRYPTO_OFF }, trunk = { .mode = SDP_CRYPTO_MANDATORY }, out;
    sdp_crypto_begin(&out, &wish, &trunk);
    assert_int_equal(out.mode, SDP_CRYPTO_OFF);
    assert_false(out.keyed);
    wish.mode = SDP_CRYPTO_UNSAID;
    sdp_crypto_begin(&out, &wish, &trunk);
    assert_int_equal(out.mode, SDP_CRYPTO_MANDATORY);
    assert_true(out.keyed);
    sdp_crypto_begin(&out, &wish, NULL);
    assert_int_equal(out.mode, SDP_CRYPTO_OFF);
}

static void two_of_us_agree_on_the_strongest_suite(void **state)
{
    static const char *const words[] = { "optional", "mandatory" };
    for (int i = 0; i < 2; i++) {
        char offer[SDP_TEXT_MAX], answer[SDP_TEXT_MAX];
        struct sdp_codecs a = made(words[i]), b = made("optional");
        struct slot_media at_a, at_b;
        struct sdp_streams streams;
        int n = sdp_offer_write(offer, sizeof offer, &local, &a);
        assert_true(n > 0);
        assert_non_null(strstr(offer, i ? "RTP/SAVP 0" : "RTP/AVP 0"));
        assert_int_equal(read_offer(offer, &b, &at_b, &streams), 0);
        n = sdp_answer_write(answer, sizeof answer, &local, &at_b, &streams);
        assert_true(n > 0);
        assert_non_null(strstr(answer, i ? "RTP/SAVP 0" : "RTP/AVP 0"));
        assert_int_equal(sdp_answer_read(answer, (size_t)n, &a, &at_a), 0);
        assert_memory_equal(at_a.crypto_local, "AEAD_AES_256_GCM inline:", 24);
        assert_string_equal(at_a.crypto_local, at_b.crypto_remote);
        assert_string_equal(at_a.crypto_remote, at_b.crypto_local);
        assert_string_not_equal(at_a.crypto_local, at_a.crypto_remote);
    }
}

static void an_answer_repeats_the_tag_and_the_name_of_the_offer(void **state)
{
    char answer[SDP_TEXT_MAX];
    struct sdp_codecs codecs = made("optional");
    struct slot_media media;
    struct sdp_streams streams;
    assert_int_equal(read_offer(HEAD "m=audio 4000 RTP/SAVP 0\r\na=crypto:1 F8_128_HMAC_SHA1_80 inline:" KEY30 "\r\n"
                                     "a=crypto:77 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "|2^20 KDR=0\r\n",
                                &codecs, &media, &streams),
                     0);
    assert_string_equal(media.crypto_remote, "AES_CM_128_HMAC_SHA1_80 inline:" KEY30);
    assert_true(sdp_answer_write(answer, sizeof answer, &local, &media, &streams) > 0);
    assert_non_null(strstr(answer, "a=crypto:77 AES_CM_128_HMAC_SHA1_80 inline:"));
    assert_non_null(strstr(answer, "m=audio 16384 RTP/SAVP 0\r\n"));
}

static void lines_we_cannot_honour_are_passed_over(void **state)
{
    static const char *const lines[] = { "1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "|2^20|1:4",
                                         "1 AES_CM_128_HMAC_SHA1_80 inline:AQID",
                                         "1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 " UNENCRYPTED_SRTP",
                                         "x AES_CM_128_HMAC_SHA1_80 inline:" KEY30,
                                         "1 AES_CM_128_HMAC_SHA1_80",
                                         "1 AES_CM_128_HMAC_SHA1_80 uri:" KEY30,
                                         "1",
                                         "" };
    struct sdp_codecs codecs = made("optional");
    struct slot_media media;
    struct sdp_streams streams;
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char text[1024];
        snprintf(text, sizeof text, HEAD "m=audio 4000 RTP/SAVP 0\r\na=crypto:%s\r\n", lines[i]);
        assert_true(read_offer(text, &codecs, &media, &streams) < 0);
    }
}

static void who_insists_takes_no_plain_call_and_who_forbids_no_secure_one(void **state)
{
    static const char plain[] = HEAD "m=audio 4000 RTP/AVP 0\r\n";
    static const char secure[] = HEAD "m=audio 4000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "\r\n";
    static const char both[] = HEAD "m=audio 4000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" KEY30
                                    "\r\nm=audio 4000 RTP/AVP 0\r\n";
    struct sdp_codecs off = made("false"), optional = made("optional"), mandatory = made("mandatory");
    struct slot_media media;
    struct sdp_streams streams;
    assert_int_equal(read_offer(plain, &off, &media, &streams), 0);
    assert_int_equal(read_offer(plain, &optional, &media, &streams), 0);
    assert_string_equal(media.crypto_remote, "");
    assert_true(read_offer(plain, &mandatory, &media, &streams) < 0);
    assert_true(read_offer(secure, &off, &media, &streams) < 0);
    assert_int_equal(read_offer(secure, &mandatory, &media, &streams), 0);
    assert_int_equal(read_offer(both, &off, &media, &streams), 0); /* FreeSWITCH's "optional": two streams, one is ours */
    assert_int_equal(streams.audio, 1);
    assert_int_equal(read_offer(both, &mandatory, &media, &streams), 0);
    assert_int_equal(streams.audio, 0);
    assert_true(sdp_answer_read(plain, strlen(plain), &mandatory, &media) < 0);
}

static void an_answer_with_a_tag_that_was_not_offered_is_no_agreement(void **state)
{
    struct sdp_codecs codecs = made("mandatory:AES_CM_128_HMAC_SHA1_80");
    struct slot_media media;
    static const char good[] = HEAD "m=audio 4000 RTP/SAVP 0\r\na=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:" KEY30 "\r\n";
    static const char other[] = HEAD "m=audio 4000 RTP/SAVP 0\r\na=crypto:6 AES_CM_128_HMAC_SHA1_32 inline:" KEY30 "\r\n";
    assert_int_equal(sdp_answer_read(good, strlen(good), &codecs, &media), 0);
    assert_true(sdp_answer_read(other, strlen(other), &codecs, &media) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_words_of_rtp_secure_media_are_known),
        cmocka_unit_test(a_calls_wish_counts_more_than_its_trunk),
        cmocka_unit_test(two_of_us_agree_on_the_strongest_suite),
        cmocka_unit_test(an_answer_repeats_the_tag_and_the_name_of_the_offer),
        cmocka_unit_test(lines_we_cannot_honour_are_passed_over),
        cmocka_unit_test(who_insists_takes_no_plain_call_and_who_forbids_no_secure_one),
        cmocka_unit_test(an_answer_with_a_tag_that_was_not_offered_is_no_agreement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
