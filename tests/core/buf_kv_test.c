/* buf_kv_test.c: buffers and name/value pairs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/kv.h"

static void a_buffer_is_always_terminated_and_empty_text_is_never_null(void **state)
{
    struct buf b = BUF_INIT;
    char *taken;
    assert_string_equal(buf_text(&b), "");
    assert_int_equal(buf_puts(&b, "ab"), 0);
    assert_int_equal(buf_putc(&b, 'c'), 0);
    assert_int_equal(buf_printf(&b, "%d-%s", 42, "x"), 0);
    assert_string_equal(buf_text(&b), "abc42-x");
    buf_clear(&b);
    assert_string_equal(buf_text(&b), "");
    taken = buf_take(&b);
    assert_string_equal(taken, "");
    free(taken);
    taken = buf_take(&b);
    assert_non_null(taken);
    free(taken);
}

static void a_buffer_grows_to_any_length_and_refuses_what_overflows(void **state)
{
    struct buf b = BUF_INIT;
    for (int i = 0; i < 10000; i++) assert_int_equal(buf_printf(&b, "%05d", i), 0);
    assert_int_equal(b.length, 50000);
    assert_memory_equal(b.data + 49995, "09999", 6);
    assert_int_equal(buf_reserve(&b, SIZE_MAX - 10), -12);
    assert_int_equal(b.length, 50000);
    buf_free(&b);
}

static void pairs_keep_order_repeats_and_any_byte(void **state)
{
    struct kv kv = KV_INIT;
    struct kv_pair pair;
    size_t at = 0, length;
    int n = 0;
    assert_int_equal(kv_add(&kv, "a", "1"), 0);
    assert_int_equal(kv_add_bytes(&kv, "bin", "x\0y", 3), 0);
    assert_int_equal(kv_add(&kv, "a", "2"), 0);
    assert_int_equal(kv_add(&kv, "none", NULL), 0);
    assert_int_equal(kv_add_int(&kv, "n", INT64_MIN), 0);
    assert_int_equal(kv_addf(&kv, "f", "%0500d", 7), 0);
    assert_int_equal(kv_add(&kv, "", "x"), -22);
    assert_true(kv_valid(kv_view(&kv)));
    while (kv_next(kv_view(&kv), &at, &pair)) n++;
    assert_int_equal(n, 5);
    assert_string_equal(kv_get(kv_view(&kv), "a"), "1");
    assert_memory_equal(kv_get_bytes(kv_view(&kv), "bin", &length), "x\0y", 4);
    assert_int_equal(length, 3);
    assert_true(kv_get_int(kv_view(&kv), "n", 0) == INT64_MIN);
    assert_int_equal(strlen(kv_get(kv_view(&kv), "f")), 500);
    assert_null(kv_get(kv_view(&kv), "none"));
    assert_int_equal(kv_get_int(kv_view(&kv), "bin", 5), 5);
    assert_string_equal(kv_get_or(kv_view(&kv), "none", "o"), "o");
    kv_free(&kv);
}

static void no_cut_or_flipped_encoding_is_read_beyond_its_end(void **state)
{
    struct kv kv = KV_INIT;
    struct kv_view view;
    kv_add(&kv, "name", "value");
    kv_add(&kv, "other", "");
    view = kv_view(&kv);
    for (size_t n = 0; n < view.length; n++) { /* each in memory of its exact size, for the sanitizers */
        char *copy = malloc(n ? n : 1);
        memcpy(copy, view.data, n);
        assert_int_equal(kv_valid((struct kv_view) { copy, n }), n == 0 || n == 8 + 5 + 6);
        free(copy);
    }
    for (size_t n = 0; n < view.length * 8; n++) {
        char *copy = malloc(view.length);
        struct kv_view flipped = { copy, view.length };
        struct kv_pair pair;
        size_t at = 0;
        memcpy(copy, view.data, view.length);
        copy[n / 8] ^= (char)(1 << n % 8);
        if (kv_valid(flipped))
            while (kv_next(flipped, &at, &pair)) assert_true(strlen(pair.name) > 0);
        assert_true(!kv_valid(flipped) || at == view.length);
        free(copy);
    }
    kv_free(&kv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_buffer_is_always_terminated_and_empty_text_is_never_null),
        cmocka_unit_test(a_buffer_grows_to_any_length_and_refuses_what_overflows),
        cmocka_unit_test(pairs_keep_order_repeats_and_any_byte),
        cmocka_unit_test(no_cut_or_flipped_encoding_is_read_beyond_its_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
