/* body_test.c: the session description in a message's body (body.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "broker/body.h"
#include "core/check.h"

#define SDP "v=0\r\nm=audio 1 RTP/AVP 0"

static const char *find(const char *type, const char *data, size_t *length)
{
    *length = 0;
    return body_sdp(type, data, strlen(data), length);
}

static void a_body_alone_is_the_description_if_its_type_says_so(void **state)
{
    size_t n;
    assert_non_null(find("application/sdp", SDP, &n));
    assert_int_equal(n, strlen(SDP));
    assert_non_null(find("APPLICATION/SDP;charset=utf-8", SDP, &n));
    assert_non_null(find(NULL, SDP, &n));
    assert_null(find("application/sdpx", SDP, &n));
    assert_null(find("application/unknown", SDP, &n));
    assert_null(find("application/sdp", "", &n));
}

static void the_part_of_a_multipart_body_is_found_beside_isup(void **state)
{
    static const char *const types[] = { "multipart/mixed;boundary=x y", "multipart/mixed; boundary=\"x\"",
                                         "multipart/mixed;version=1;boundary=x" };
    static const char body[] = "preamble\r\n--x\r\nContent-Type: application/ISUP;version=nxv3\r\n\r\n\x01\x10\r\n--x\r\n"
                               "Content-Disposition: session\r\ncontent-type:application/sdp\r\n\r\n" SDP "\r\n--x--\r\n";
    size_t n;
    for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
        const char *sdp = find(types[i], body, &n);
        assert_non_null(sdp);
        assert_int_equal(n, strlen(SDP));
        assert_memory_equal(sdp, SDP, n);
    }
}

static void broken_multipart_bodies_hold_none(void **state)
{
    size_t n;
    assert_null(find("multipart/mixed", "--x\r\nContent-Type: application/sdp\r\n\r\n" SDP "\r\n--x--", &n)); /* no boundary */
    assert_null(find("multipart/mixed;boundary=\"", "--\r\n\r\n", &n));
    assert_null(find("multipart/mixed;boundary=x", "--x", &n));
    assert_null(find("multipart/mixed;boundary=x", "--x\r\nContent-Type: application/sdp\r\n", &n)); /* no empty line */
    assert_null(find("multipart/mixed;boundary=x", "--x\r\nContent-Type: text/plain\r\n\r\n" SDP "\r\n--x--", &n));
    assert_non_null(
        find("multipart/mixed;boundary=x", "--x\r\nContent-Type: application/sdp\r\n\r\n" SDP, &n)); /* never closed: what is there */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_alone_is_the_description_if_its_type_says_so),
        cmocka_unit_test(the_part_of_a_multipart_body_is_found_beside_isup),
        cmocka_unit_test(broken_multipart_bodies_hold_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
