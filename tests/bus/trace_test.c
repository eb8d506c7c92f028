/* The trace: found by uuid and by Call-ID, bounded, taken up by the next broker, masked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bus/trace.h"

static char name[40];

static void put(struct trace *trace, const char *call_id, const char *text)
{
    struct trace_message message = { .utc_us = 5,
                                     .sent = true,
                                     .transport = "udp",
                                     .local = "127.0.0.1:1",
                                     .remote = "127.0.0.1:2",
                                     .call_id = call_id,
                                     .text = text,
                                     .length = strlen(text) };
    trace_put(trace, &message);
}

static bool append(void *context, const struct trace_message *message)
{
    strncat(context, message->text, message->length);
    return true;
}

static bool count(void *context, const struct trace_message *message) { return ++*(int *)context > 0; }

static void a_call_is_found_by_its_uuid_and_by_its_call_id(void **state)
{
    struct trace *trace, *reader;
    struct uuid channel = uuid_make_v4();
    char text[UUID_TEXT_SIZE], out[100] = "";
    assert_int_equal(trace_open(&reader, name), -ENOENT);
    assert_int_equal(trace_make(&trace, name, 7, 4096), 0);
    put(trace, "one", "a");
    put(trace, "two", "b");
    trace_name(trace, &channel, "two");
    put(trace, "one", "c");
    put(trace, "two", "d");
    assert_int_equal(trace_open(&reader, name), 0);
    assert_int_equal(trace_walk(reader, uuid_text(&channel, text), append, out), 2);
    assert_string_equal(out, "bd");
    assert_int_equal(trace_walk(reader, "one", append, out), 2);
    assert_string_equal(out, "bdac");
    assert_int_equal(trace_walk(reader, "three", append, out), 0);
    assert_int_equal(trace_walk(reader, NULL, append, out), 4);
    assert_int_equal(trace_since(reader), 5);
    trace_close(reader);
    trace_close(trace);
}

static void the_newest_overwrite_the_oldest_and_a_new_broker_goes_on(void **state)
{
    struct trace *trace, *reader;
    char text[100];
    int seen = 0;
    assert_int_equal(trace_make(&trace, name, 7, 5000), 0); /* of the same start: what was there stays */
    assert_int_equal(trace_open(&reader, name), 0);
    assert_true(trace_walk(reader, "one", count, &seen) == 2);
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "message %d", i);
        put(trace, "many", text);
    }
    seen = 0;
    int held = trace_walk(reader, "many", count, &seen);
    assert_true(held == seen && held > 5 && held < 40);
    assert_int_equal(trace_walk(reader, "one", count, &seen), 0);
    char *big = test_malloc(100000);
    memset(big, 'x', 99999);
    big[99999] = 0;
    put(trace, "big", big); /* does not fit in so small a trace: left out, nothing breaks */
    test_free(big);
    trace_close(trace);
    assert_int_equal(trace_make(&trace, name, 8, 4096), 0); /* another start: empty */
    trace_close(reader);
    assert_int_equal(trace_open(&reader, name), 0);
    assert_int_equal(trace_walk(reader, NULL, count, &seen), 0);
    trace_close(reader);
    trace_close(trace);
    assert_int_equal(trace_remove(name), 0);
}

static void masking_leaves_addresses_and_ids_alone(void **state)
{
    char text[] = "INVITE sip:+15550123456@10.0.0.1:15060 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:15060;branch=z9hG4bK15550123456\r\n"
                  "From: \"15550100\" <sip:15550100@h>;tag=15550100\r\nTo: <tel:+15550199;x=1>\r\nCall-ID: 15550123456\r\n";
    trace_mask(text, strlen(text));
    assert_string_equal(text,
                        "INVITE sip:+xxxxxxxxx56@10.0.0.1:15060 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:15060;branch=z9hG4bK15550123456\r\n"
                        "From: \"xxxxxx00\" <sip:xxxxxx00@h>;tag=15550100\r\nTo: <tel:+xxxxxx99;x=1>\r\nCall-ID: 15550123456\r\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_found_by_its_uuid_and_by_its_call_id),
        cmocka_unit_test(the_newest_overwrite_the_oldest_and_a_new_broker_goes_on),
        cmocka_unit_test(masking_leaves_addresses_and_ids_alone),
    };
    snprintf(name, sizeof name, "trace-test-%d", (int)getpid());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
