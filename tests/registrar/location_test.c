/* Contacts as they are written and found, and the file that they survive in. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "registrar/contact.h"
#include "registrar/location.h"
#include "registrar/location_store.h"

static struct location taken(const char *host, const char *port, const char *params, const char *ip, uint16_t from, const char *transport)
{
    struct location l = { .user = "1001", .domain = "example.test" };
    struct contact_parts parts = { "Alice \"A\"", "1001", host, port, params };
    struct contact_source source = { .ip = ip, .port = from, .transport = transport, .via_host = host };
    assert_int_equal(contact_take(&l, &parts, &source), 0);
    return l;
}

static void a_contact_at_its_own_address_is_kept_as_it_is(void **state)
{
    char text[256];
    struct location l = taken("192.0.2.1", "5062", "transport=udp", "192.0.2.1", 5062, "udp");
    assert_string_equal(l.contact, "\"Alice A\" <sip:1001@192.0.2.1:5062;transport=udp>");
    assert_string_equal(l.status, "Registered(UDP)");
    contact_url(&l, text, sizeof text);
    assert_string_equal(text, "sip:1001@192.0.2.1:5062;transport=udp");
    contact_route(&l, text, sizeof text);
    assert_string_equal(text, "sip:192.0.2.1:5062");
    assert_false(contact_is_nat(&l));
    l = taken("[2001:db8::1]", NULL, NULL, "2001:db8::1", 5060, "udp");
    assert_string_equal(l.contact, "\"Alice A\" <sip:1001@[2001:db8::1]>");
    contact_route(&l, text, sizeof text);
    assert_string_equal(text, "sip:[2001:db8::1]:5060");
    l = taken("192.0.2.1", "5060", "transport=tcp", "192.0.2.1", 43210, "tcp"); /* who connects does so from any port */
    assert_string_equal(l.status, "Registered(TCP)");
    contact_route(&l, text, sizeof text);
    assert_string_equal(text, "sip:192.0.2.1:5060;transport=tcp");
}

static void a_contact_elsewhere_is_sent_to_where_it_came_from_and_brings_no_path_of_its_own(void **state)
{
    char text[256];
    struct location l = taken("10.0.0.9", NULL, "line=7;fs_path=sip%3Aevil.test;fs_nat=no", "203.0.113.5", 1024, "udp");
    assert_string_equal(l.contact, "\"Alice A\" <sip:1001@10.0.0.9;line=7;fs_nat=yes;fs_path=sip%3A1001%40203.0.113.5%3A1024%3Bline%3D7>");
    assert_string_equal(l.uri, "sip:1001@10.0.0.9;line=7");
    assert_string_equal(l.status, "Registered(UDP-NAT)");
    contact_route(&l, text, sizeof text);
    assert_string_equal(text, "sip:203.0.113.5:1024");
    l = taken("203.0.113.5", "5060", NULL, "203.0.113.5", 1024, "udp"); /* another port is a NAT's, too */
    assert_true(contact_is_nat(&l));
}

static void what_is_no_contact_is_refused(void **state)
{
    struct location l = { 0 };
    char longest[400];
    memset(longest, 'a', sizeof longest - 1);
    longest[399] = 0;
    struct contact_source source = { .ip = "192.0.2.1", .port = 5060, .transport = "udp" };
    assert_int_equal(contact_take(&l, &(struct contact_parts) { .user = "1", .host = NULL }, &source), -EINVAL);
    assert_int_equal(contact_take(&l, &(struct contact_parts) { .user = "1", .host = "a b" }, &source), -EINVAL);
    assert_int_equal(contact_take(&l, &(struct contact_parts) { .user = "1>", .host = "h" }, &source), -EINVAL);
    assert_int_equal(contact_take(&l, &(struct contact_parts) { .user = "1", .host = "h", .port = "99999" }, &source), -EINVAL);
    assert_int_equal(contact_take(&l, &(struct contact_parts) { .user = longest, .host = "h" }, &source), -EMSGSIZE);
    const struct contact_parts path = { .user = "1;fs_path=sip%3Aevil.test", .host = "h" }, host = { .user = "1", .host = "h;fs_nat=yes" };
    assert_int_equal(contact_take(&l, &path, &source), -EINVAL); /* what looks like ours is no one else's */
    assert_int_equal(contact_take(&l, &host, &source), -EINVAL);
}

static struct location made(const char *user, const char *uri, int64_t port)
{
    struct location l = { .target_port = port, .expires_s = 100 };
    snprintf(l.user, sizeof l.user, "%s", user);
    snprintf(l.domain, sizeof l.domain, "Example.test");
    snprintf(l.uri, sizeof l.uri, "%s", uri);
    snprintf(l.target_host, sizeof l.target_host, "192.0.2.1");
    return l;
}

static void contacts_are_found_by_user_and_by_target_and_the_table_has_an_end(void **state)
{
    struct locations *t;
    struct location *there, a = made("1001", "sip:a", 1), b = made("1001", "sip:b", 2), c = made("1002", "sip:c", 3),
                            d = made("1003", "sip:d", 4);
    assert_int_equal(locations_new(&t, 3), 0);
    assert_int_equal(locations_put(t, &a, &there), 0);
    assert_int_equal(locations_put(t, &b, &there), 0);
    assert_int_equal(locations_put(t, &c, &there), 0);
    assert_int_equal(locations_put(t, &d, &there), -ENOSPC);
    there = locations_of_user(t, "1001", "EXAMPLE.TEST");
    assert_string_equal(there->uri, "sip:a");
    there = location_next_of_user(there);
    assert_string_equal(there->uri, "sip:b");
    assert_null(location_next_of_user(there));
    assert_true(locations_have_target(t, "192.0.2.1", 2));
    assert_false(locations_have_target(t, "192.0.2.1", 4));
    a.target_port = 9; /* it moved */
    assert_int_equal(locations_put(t, &a, &there), 0);
    assert_int_equal(locations_count(t), 3);
    assert_true(locations_have_target(t, "192.0.2.1", 9));
    assert_false(locations_have_target(t, "192.0.2.1", 1));
    locations_remove(t, locations_find(t, "1001", "example.test", "sip:a"));
    assert_string_equal(locations_of_user(t, "1001", "example.test")->uri, "sip:b");
    assert_false(locations_have_target(t, "192.0.2.1", 9));
    assert_string_equal(locations_walk(t, NULL)->uri, "sip:b");
    assert_string_equal(locations_walk(t, locations_walk(t, NULL))->uri, "sip:c");
    assert_int_equal(locations_put(t, &d, &there), 0);
    locations_free(t);
}

struct seen {
    struct loop *loop;
    int written, error, count;
    struct location last;
};

static void on_written(void *context, int error)
{
    struct seen *seen = context;
    seen->written++;
    seen->error = error;
    loop_stop(seen->loop);
}

static void on_row(void *context, const struct location *location)
{
    struct seen *seen = context;
    seen->count++;
    seen->last = *location;
}

static void what_was_written_is_there_after_a_new_start_until_it_expires(void **state)
{
    char folder[] = "/tmp/carillon-locations-XXXXXX", path[64];
    struct seen seen = { 0 };
    struct location_store *store;
    struct buf error = BUF_INIT;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/registrations.db", folder);
    assert_int_equal(loop_new(&seen.loop), 0);
    assert_int_equal(location_store_open(&store, seen.loop, path, 0, on_row, &seen, &error), 0);
    struct location_change *changes = calloc(3, sizeof *changes);
    changes[0].location = made("1001", "sip:a", 1);
    changes[1].location = made("1002", "sip:b", 2);
    changes[1].location.expires_s = 50;
    changes[2].location = made("1001", "sip:gone", 3);
    assert_int_equal(location_store_write(store, changes, 3, on_written, &seen), 0);
    loop_run(seen.loop);
    assert_int_equal(seen.error, 0);
    changes = calloc(1, sizeof *changes);
    changes[0].removed = true;
    changes[0].location = made("1001", "sip:gone", 3);
    assert_int_equal(location_store_write(store, changes, 1, on_written, &seen), 0);
    location_store_close(store); /* what waits is written */
    assert_int_equal(seen.written, 2);
    assert_int_equal(location_store_open(&store, seen.loop, path, 49, on_row, &seen, &error), 0);
    assert_int_equal(seen.count, 2);
    location_store_close(store);
    seen.count = 0;
    assert_int_equal(location_store_open(&store, seen.loop, path, 50, on_row, &seen, &error), 0);
    assert_int_equal(seen.count, 1);
    assert_string_equal(seen.last.uri, "sip:a");
    assert_int_equal(seen.last.target_port, 1);
    location_store_close(store);
    FILE *file = fopen(path, "w");
    fputs("no database, but long enough to look like one that is broken: ................................................................",
          file);
    fclose(file);
    assert_true(location_store_open(&store, seen.loop, path, 0, on_row, &seen, &error) < 0);
    assert_non_null(strstr(buf_text(&error), path));
    buf_free(&error);
    loop_free(seen.loop);
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_contact_at_its_own_address_is_kept_as_it_is),
        cmocka_unit_test(a_contact_elsewhere_is_sent_to_where_it_came_from_and_brings_no_path_of_its_own),
        cmocka_unit_test(what_is_no_contact_is_refused),
        cmocka_unit_test(contacts_are_found_by_user_and_by_target_and_the_table_has_an_end),
        cmocka_unit_test(what_was_written_is_there_after_a_new_start_until_it_expires),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
