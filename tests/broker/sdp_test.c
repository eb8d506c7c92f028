/* sdp_test.c: offers and answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "broker/sdp.h"

#define HEAD "v=0\r\no=x 1 1 IN IP4 192.0.2.9\r\ns=-\r\nc=IN IP4 192.0.2.9\r\nt=0 0\r\n"

static struct sdp_codecs both;

static int setup(void **state) { return sdp_codecs_parse(&both, "PCMU,PCMA"); }

static int answer(const char *text, struct slot_media *media) { return sdp_answer_read(text, strlen(text), &both, media); }

static void codec_names_of_any_case_are_known_once_each(void **state)
{
    struct sdp_codecs codecs;
    assert_int_equal(sdp_codecs_parse(&codecs, "pcma, PCMU@20i,PCMA,what"), 0);
    assert_int_equal(codecs.count, 2);
    assert_string_equal(codecs.list[0].name, "PCMA");
    assert_true(sdp_codecs_parse(&codecs, "what") < 0);
    assert_true(sdp_codecs_parse(&codecs, "") < 0);
}

static void an_offer_can_be_read_back(void **state)
{
    char text[SDP_TEXT_MAX];
    struct sdp_local local = { .address = "192.0.2.1", .port = 16384, .session = 7, .version = 1, .direction = "sendrecv" };
    struct slot_media media;
    struct sdp_streams streams;
    int n = sdp_offer_write(text, sizeof text, &local, &both);
    assert_true(n > 0);
    assert_int_equal(sdp_offer_read(text, (size_t)n, &both, &media, &streams), 0);
    assert_string_equal(media.codec, "PCMU");
    assert_int_equal(media.event_payload_type, SDP_EVENT_PT);
    assert_int_equal(media.ptime_ms, 20);
    assert_true(media.send && media.receive);
    assert_true(sdp_offer_write(text, 20, &local, &both) < 0);
}

static void a_codecs_ptime_is_offered_and_used_unless_the_answer_says_another(void **state)
{
    char text[SDP_TEXT_MAX];
    struct sdp_local local = { .address = "192.0.2.1", .port = 16384, .session = 7, .version = 1, .direction = "sendrecv" };
    struct sdp_codecs codecs = { 0 };
    struct slot_media media;
    assert_int_equal(sdp_codecs_parse(&codecs, "PCMU@8000h@40i,PCMA@999i,G722@30i"), 0);
    assert_int_equal(codecs.list[0].ptime_ms, 40);
    assert_int_equal(codecs.list[1].ptime_ms, 0);
    assert_int_equal(codecs.list[2].ptime_ms, 30);
    assert_true(sdp_offer_write(text, sizeof text, &local, &codecs) > 0);
    assert_non_null(strstr(text, "a=ptime:40\r\n"));
    assert_int_equal(sdp_answer_read(HEAD "m=audio 4000 RTP/AVP 0\r\n", strlen(HEAD "m=audio 4000 RTP/AVP 0\r\n"), &codecs, &media), 0);
    assert_int_equal(media.ptime_ms, 40);
    assert_int_equal(sdp_answer_read(HEAD "m=audio 4000 RTP/AVP 0\r\na=ptime:10\r\n",
                                     strlen(HEAD "m=audio 4000 RTP/AVP 0\r\na=ptime:10\r\n"), &codecs, &media),
                     0);
    assert_int_equal(media.ptime_ms, 10);
}

static void comfort_noise_is_agreed_where_both_want_it(void **state)
{
    static const char with[] = HEAD "m=audio 4000 RTP/AVP 0 13\r\n", without[] = HEAD "m=audio 4000 RTP/AVP 0\r\n";
    char text[SDP_TEXT_MAX];
    struct sdp_local local = { .address = "192.0.2.1", .port = 16384, .session = 7, .version = 1, .direction = "sendrecv" };
    struct sdp_codecs codecs = { .comfort_noise = true };
    struct slot_media media;
    struct sdp_streams streams;
    assert_int_equal(sdp_codecs_parse(&codecs, "PCMU"), 0);
    assert_true(sdp_offer_write(text, sizeof text, &local, &codecs) > 0);
    assert_non_null(strstr(text, " 101 13\r\n"));
    assert_int_equal(sdp_offer_read(with, sizeof with - 1, &codecs, &media, &streams), 0);
    assert_true(media.send_comfort_noise);
    assert_true(sdp_answer_write(text, sizeof text, &local, &media, &streams) > 0);
    assert_non_null(strstr(text, "RTP/AVP 0 13\r\n"));
    assert_int_equal(sdp_offer_read(without, sizeof without - 1, &codecs, &media, &streams), 0);
    assert_false(media.send_comfort_noise);
    assert_int_equal(sdp_offer_read(with, sizeof with - 1, &both, &media, &streams), 0);
    assert_false(media.send_comfort_noise);
    assert_int_equal(media.comfort_noise_payload_type, 13); /* what comes is understood */
}

static void opus_wishes_for_fec(void **state)
{
    char text[SDP_TEXT_MAX];
    struct sdp_local local = { .address = "192.0.2.1", .port = 16384, .session = 7, .version = 1, .direction = "sendrecv" };
    struct sdp_codecs codecs = { 0 };
    assert_int_equal(sdp_codecs_parse(&codecs, "opus,GSM"), 0);
    assert_true(sdp_offer_write(text, sizeof text, &local, &codecs) > 0);
    assert_non_null(strstr(text, "a=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n"));
    assert_non_null(strstr(text, "a=rtpmap:3 GSM/8000\r\n"));
}

static void the_answers_first_codec_of_ours_is_used(void **state)
{
    struct slot_media media;
    char ip[64];
    uint16_t port;
    assert_int_equal(answer(HEAD "m=audio 4000 RTP/AVP 18 8 0 96\r\na=rtpmap:96 telephone-event/8000\r\na=ptime:30\r\n", &media), 0);
    assert_string_equal(media.codec, "PCMA");
    assert_int_equal(media.payload_type, 8);
    assert_int_equal(media.event_payload_type, 96);
    assert_int_equal(media.ptime_ms, 30);
    assert_string_equal(sdp_remote_text(&media, ip, sizeof ip, &port), "192.0.2.9");
    assert_int_equal(port, 4000);
}

static void an_answer_without_telephone_event_has_none(void **state)
{
    struct slot_media media;
    assert_int_equal(answer(HEAD "m=audio 4000 RTP/AVP 0\r\n", &media), 0);
    assert_int_equal(media.event_payload_type, 0);
}

static void directions_are_seen_from_us(void **state)
{
    struct slot_media media;
    assert_int_equal(answer(HEAD "m=audio 4000 RTP/AVP 0\r\na=sendonly\r\n", &media), 0);
    assert_true(media.receive && !media.send);
    assert_string_equal(sdp_direction_of(&media), "recvonly");
    assert_int_equal(answer(HEAD "m=audio 4000 RTP/AVP 0\r\na=inactive\r\n", &media), 0);
    assert_true(!media.receive && !media.send);
    assert_int_equal(answer("v=0\r\no=x 1 1 IN IP4 1.2.3.4\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n", &media), 0);
    assert_true(media.receive && !media.send);
}

static void what_is_broken_or_foreign_is_refused(void **state)
{
    struct slot_media media;
    assert_true(answer("", &media) < 0);
    assert_true(answer("nonsense", &media) < 0);
    assert_true(answer(HEAD, &media) < 0);
    assert_true(answer(HEAD "m=audio 0 RTP/AVP 0\r\n", &media) < 0);
    assert_true(answer(HEAD "m=audio 4000 RTP/AVP 3\r\n", &media) < 0);
    assert_true(answer(HEAD "m=video 4000 RTP/AVP 0\r\n", &media) < 0);
    assert_true(answer(HEAD "m=audio 4000 RTP/SAVP 0\r\n", &media) < 0);
    assert_true(answer("v=0\r\no=x 1 1 IN IP4 h\r\ns=-\r\nc=IN IP4 host.example\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n", &media) < 0);
    char big[SDP_BYTES_MAX + 10];
    memset(big, 'a', sizeof big);
    assert_true(sdp_answer_read(big, sizeof big, &both, &media) < 0);
}

/* Found by the fuzzer: each of these made sofia-sip's parser allocate for ever. */
static void a_media_line_that_would_hang_the_parser_never_reaches_it(void **state)
{
    struct slot_media media;
    assert_true(answer(HEAD "m=audio 4000 RT\265/AVP 8 96\r\n", &media) < 0);
    assert_true(answer(HEAD "m=audio 4000 udp /9\r\n", &media) < 0);
    assert_true(answer(HEAD "m=audio 40audio 400////0NP/0Pv\r\n", &media) < 0);
    assert_true(answer(HEAD "m=audio 4000 udp 8 \265\r\n", &media) < 0);
    assert_true(answer(HEAD " \tm=audio 4000 udp \265\n", &media) < 0);
    assert_true(answer(HEAD "m=audio 4000 udp (x)\r", &media) < 0);
}

static void an_answer_refuses_the_other_streams_in_their_place(void **state)
{
    static const char offer[] = HEAD "m=video 5000 RTP/AVP 31\r\nm=audio 4000 RTP/AVP 8\r\nm=image 6000 udptl t38\r\n";
    struct slot_media media;
    struct sdp_streams streams;
    char text[SDP_TEXT_MAX];
    struct sdp_local local = { .address = "2001:db8::1", .port = 16384, .session = 7, .version = 1 };
    assert_int_equal(sdp_offer_read(offer, strlen(offer), &both, &media, &streams), 0);
    assert_int_equal(streams.count, 3);
    assert_int_equal(streams.audio, 1);
    assert_true(sdp_answer_write(text, sizeof text, &local, &media, &streams) > 0);
    const char *video = strstr(text, "m=video 0 "), *audio = strstr(text, "m=audio 16384 RTP/AVP 8"), *image = strstr(text, "m=image 0 ");
    assert_true(video && audio && image && video < audio && audio < image);
    assert_non_null(strstr(text, "c=IN IP6 2001:db8::1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codec_names_of_any_case_are_known_once_each),
        cmocka_unit_test(an_offer_can_be_read_back),
        cmocka_unit_test(a_codecs_ptime_is_offered_and_used_unless_the_answer_says_another),
        cmocka_unit_test(comfort_noise_is_agreed_where_both_want_it),
        cmocka_unit_test(opus_wishes_for_fec),
        cmocka_unit_test(the_answers_first_codec_of_ours_is_used),
        cmocka_unit_test(an_answer_without_telephone_event_has_none),
        cmocka_unit_test(directions_are_seen_from_us),
        cmocka_unit_test(what_is_broken_or_foreign_is_refused),
        cmocka_unit_test(a_media_line_that_would_hang_the_parser_never_reaches_it),
        cmocka_unit_test(an_answer_refuses_the_other_streams_in_their_place),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
