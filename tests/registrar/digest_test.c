/* Digest authentication held against the examples of the RFCs, and what is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "registrar/digest.h"
#include "registrar/nonce.h"

static struct digest_credentials read_all(const char *const *params)
{
    struct digest_credentials c;
    assert_int_equal(digest_read(&c, params), 0);
    return c;
}

static void the_example_of_rfc_2617_is_right_and_its_a1_hash_too(void **state)
{
    const char *const params[] = { "username=\"Mufasa\"",
                                   "realm=\"testrealm@host.com\"",
                                   "nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"",
                                   "uri=\"/dir/index.html\"",
                                   "qop=auth",
                                   "nc=00000001",
                                   "cnonce=\"0a4f113b\"",
                                   "response=\"6629fae49393a05397450978507c4ef1\"",
                                   "opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
                                   NULL };
    struct digest_credentials c = read_all(params);
    assert_true(digest_matches(&c, "GET", "Circle Of Life", NULL));
    assert_false(digest_matches(&c, "GET", "circle of life", NULL));
    assert_false(digest_matches(&c, "PUT", "Circle Of Life", NULL));
    assert_true(digest_matches(&c, "GET", NULL, "939e7578ed9e3c518a452acee763bce9"));
    assert_true(digest_matches(&c, "GET", NULL, "939E7578ED9E3C518A452ACEE763BCE9"));
    assert_false(digest_matches(&c, "GET", NULL, "939e7578ed9e3c518a452acee763bce8"));
    assert_false(digest_matches(&c, "GET", NULL, "short"));
    assert_int_equal(c.count, 1);
}

static void the_example_of_rfc_7616_for_sha_256_is_right_and_has_no_a1_hash(void **state)
{
    const char *const params[] = { "username=\"Mufasa\"",
                                   "realm=\"http-auth@example.org\"",
                                   "uri=\"/dir/index.html\"",
                                   "algorithm=SHA-256",
                                   "nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\"",
                                   "nc=00000001",
                                   "cnonce=\"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ\"",
                                   "qop=auth",
                                   "response=\"753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1\"",
                                   NULL };
    struct digest_credentials c = read_all(params);
    assert_true(digest_matches(&c, "GET", "Circle of Life", NULL));
    assert_false(digest_matches(&c, "GET", "Circle of life", NULL));
    assert_false(digest_matches(&c, "GET", NULL, "939e7578ed9e3c518a452acee763bce9"));
}

static void what_is_no_digest_of_ours_is_refused(void **state)
{
    struct digest_credentials c;
    char longest[400] = "username=\"";
    memset(longest + 10, 'a', sizeof longest - 12);
    longest[398] = '"';
    const char *const missing[] = { "username=\"a\"", "realm=\"b\"", "nonce=\"c\"", "uri=\"d\"", NULL };
    const char *const integrity[] = { "username=\"a\"", "realm=\"b\"", "nonce=\"c\"",  "uri=\"d\"", "response=\"e\"",
                                      "qop=auth-int",   "nc=00000001", "cnonce=\"x\"", NULL };
    const char *const count[] = { "username=\"a\"", "realm=\"b\"", "nonce=\"c\"",  "uri=\"d\"", "response=\"e\"",
                                  "qop=auth",       "nc=0000000g", "cnonce=\"x\"", NULL };
    const char *const zero[] = { "username=\"a\"", "realm=\"b\"", "nonce=\"c\"",  "uri=\"d\"", "response=\"e\"",
                                 "qop=auth",       "nc=00000000", "cnonce=\"x\"", NULL };
    const char *const unknown[] = { "username=\"a\"", "realm=\"b\"",        "nonce=\"c\"", "uri=\"d\"",
                                    "response=\"e\"", "algorithm=MD5-sess", NULL };
    const char *const control[] = { "username=\"a\nb\"", "realm=\"b\"", "nonce=\"c\"", "uri=\"d\"", "response=\"e\"", NULL };
    const char *const large[] = { longest, NULL };
    assert_int_equal(digest_read(&c, NULL), -EINVAL);
    assert_int_equal(digest_read(&c, missing), -EINVAL);
    assert_int_equal(digest_read(&c, integrity), -EINVAL);
    assert_int_equal(digest_read(&c, count), -EINVAL);
    assert_int_equal(digest_read(&c, zero), -EINVAL);
    assert_int_equal(digest_read(&c, unknown), -EINVAL);
    assert_int_equal(digest_read(&c, control), -EINVAL);
    assert_int_equal(digest_read(&c, large), -EMSGSIZE);
}

static void a_challenge_holds_what_it_should_and_no_realm_that_would_break_it(void **state)
{
    char text[256];
    assert_true(digest_challenge(text, sizeof text, "example.test", "abc", DIGEST_MD5, false));
    assert_string_equal(text, "Digest realm=\"example.test\", nonce=\"abc\", algorithm=MD5, qop=\"auth\"");
    assert_true(digest_challenge(text, sizeof text, "example.test", "abc", DIGEST_SHA256, true));
    assert_string_equal(text, "Digest realm=\"example.test\", nonce=\"abc\", stale=true, algorithm=SHA-256, qop=\"auth\"");
    assert_false(digest_challenge(text, sizeof text, "a\"b", "abc", DIGEST_MD5, false));
    assert_false(digest_challenge(text, 20, "example.test", "abc", DIGEST_MD5, false));
}

static void a_nonce_is_of_its_realm_and_time_and_each_count_serves_once(void **state)
{
    struct nonces *nonces, *others;
    char text[NONCE_TEXT_SIZE], later[NONCE_TEXT_SIZE], forged[NONCE_TEXT_SIZE];
    assert_int_equal(nonces_new(&nonces), 0);
    assert_int_equal(nonces_new(&others), 0);
    nonce_make(nonces, "a.test", 1000, text);
    assert_true(nonce_is_fresh(nonces, text, "a.test", 1000, 60));
    assert_true(nonce_is_fresh(nonces, text, "a.test", 1060, 60));
    assert_false(nonce_is_fresh(nonces, text, "a.test", 1061, 60));
    assert_false(nonce_is_fresh(nonces, text, "a.test", 999, 60));
    assert_false(nonce_is_fresh(nonces, text, "b.test", 1000, 60));
    assert_false(nonce_is_fresh(others, text, "a.test", 1000, 60));
    strcpy(forged, text);
    forged[NONCE_TEXT_SIZE - 2] = forged[NONCE_TEXT_SIZE - 2] == '0' ? '1' : '0';
    assert_false(nonce_is_fresh(nonces, forged, "a.test", 1000, 60));
    assert_false(nonce_is_fresh(nonces, "", "a.test", 1000, 60));
    assert_false(nonce_is_fresh(nonces, "zz", "a.test", 1000, 60));
    assert_true(nonce_use(nonces, text, 1));
    assert_false(nonce_use(nonces, text, 1));
    assert_true(nonce_use(nonces, text, 3));
    assert_false(nonce_use(nonces, text, 2));
    nonce_make(nonces, "a.test", 1000, later);
    assert_true(nonce_use(nonces, later, 0)); /* without a count it comes once */
    assert_false(nonce_use(nonces, later, 0));
    assert_false(nonce_use(nonces, later, 1));
    nonces_free(nonces);
    nonces_free(others);
}

static void a_newer_nonce_takes_the_place_of_an_older_one_which_is_stale_then(void **state)
{
    struct nonces *nonces;
    char first[NONCE_TEXT_SIZE], last[NONCE_TEXT_SIZE];
    assert_int_equal(nonces_new(&nonces), 0);
    nonce_make(nonces, "a.test", 1000, first);
    for (unsigned i = 1; i < NONCE_PLACES; i++) nonce_make(nonces, "a.test", 1000, last);
    nonce_make(nonces, "a.test", 1000, last);
    assert_true(nonce_use(nonces, first, 1));
    assert_true(nonce_use(nonces, last, 1));
    assert_false(nonce_is_fresh(nonces, first, "a.test", 1000, 60));
    assert_false(nonce_use(nonces, first, 2));
    assert_true(nonce_is_fresh(nonces, last, "a.test", 1000, 60));
    nonces_free(nonces);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_rfc_2617_is_right_and_its_a1_hash_too),
        cmocka_unit_test(the_example_of_rfc_7616_for_sha_256_is_right_and_has_no_a1_hash),
        cmocka_unit_test(what_is_no_digest_of_ours_is_refused),
        cmocka_unit_test(a_challenge_holds_what_it_should_and_no_realm_that_would_break_it),
        cmocka_unit_test(a_nonce_is_of_its_realm_and_time_and_each_count_serves_once),
        cmocka_unit_test(a_newer_nonce_takes_the_place_of_an_older_one_which_is_stale_then),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
