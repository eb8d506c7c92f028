/* The configuration: what is accepted, what is said of each kind of mistake, and that nothing in it can run away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/config.h"
#include "core/config_document.h"

static char folder[] = "/tmp/config_test_XXXXXX";

static const char *file_write(const char *name, const char *text)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

#define REST                                                                                                                               \
    "numbers = { countries = { '1' } }, media = { addresses = { '127.0.0.1' } },\n"                                                        \
    "sip = { listen = { { name = 'x', address = '127.0.0.1' } } },\n"

static struct config *load(const char *text)
{
    struct config *config = NULL;
    struct buf errors = BUF_INIT;
    int rc = config_load(&config, file_write("c.lua", text), &errors);
    if (rc != 0) print_message("%s", buf_text(&errors));
    assert_int_equal(rc, 0);
    assert_int_equal(errors.length, 0);
    buf_free(&errors);
    return config;
}

/* The load fails and its errors hold each of these texts (NULL ends). */
static void refused(const char *text, ...)
{
    struct config *config = NULL;
    struct buf errors = BUF_INIT;
    assert_int_not_equal(config_load(&config, file_write("c.lua", text), &errors), 0);
    assert_null(config);
    va_list args;
    va_start(args, text);
    for (const char *part; (part = va_arg(args, const char *)) != NULL;)
        if (strstr(buf_text(&errors), part) == NULL) fail_msg("expected \"%s\" in:\n%s", part, buf_text(&errors));
    va_end(args);
    buf_free(&errors);
}

static void the_shipped_configuration_is_valid(void **state)
{
    struct config *config = NULL;
    struct buf errors = BUF_INIT;
    int rc = config_load(&config, "conf/carillon.lua", &errors);
    if (rc != 0) print_message("%s", buf_text(&errors));
    assert_int_equal(rc, 0);
    const struct config_node *root = config_root(config);
    assert_string_equal(config_str(root, "sip.listen.1.address", ""), "127.0.0.1");
    assert_int_equal(config_int(root, "slots", 0), 4000);
    assert_string_equal(config_name(config_child(config_get(root, "trunks"), 0)), "acme");
    config_free(config);
    buf_free(&errors);
}

static void defaults_are_filled_in(void **state)
{
    struct config *config = load("return { " REST " trunks = { b = { address = 'h' }, a = { address = 'h:5' } } }");
    const struct config_node *root = config_root(config);
    assert_string_equal(config_str(root, "trunks.b.transport", ""), "udp");
    assert_string_equal(config_str(root, "trunks.b.codecs.2", ""), "PCMA");
    assert_true(config_num(root, "trunks.a.cps", 0) == 10);
    assert_int_equal(config_int(root, "limits.max_call_s", 0), 3600);
    assert_null(config_get(root, "trunks.a.inbound"));
    assert_null(config_get(root, "trunks.a.password"));
    assert_string_equal(config_str(root, "trunks.a.prefix.strip", "?"), "");
    assert_false(config_bool(root, "trunks.a.nat", true));
    assert_int_equal(config_count(config_get(root, "nothing.here")), 0);
    assert_string_equal(config_name(config_child(config_get(root, "trunks"), 0)), "a");
    assert_string_equal(config_str(root, "workers", ""), "auto");
    config_free(config);
}

static void relative_paths_start_from_the_files_folder(void **state)
{
    struct config *config = load("return { data_dir = 'd/e', run_dir = '/abs', " REST "}");
    char expected[128];
    snprintf(expected, sizeof expected, "%s/d/e", folder);
    assert_string_equal(config_str(config_root(config), "data_dir", ""), expected);
    assert_string_equal(config_str(config_root(config), "run_dir", ""), "/abs");
    snprintf(expected, sizeof expected, "%s/sounds", folder);
    assert_string_equal(config_str(config_root(config), "sounds_dir", ""), expected);
    assert_string_equal(config_str(config_root(config), "log.file", ""), "-");
    config_free(config);
}

static void a_mistake_names_line_path_found_and_allowed(void **state)
{
    refused("return {\n" REST "trunks = {\n acme = {\n  address = 'h',\n  -- here\n  cps = 'fast',\n } } }",
            "c.lua:8: trunks.acme.cps: found the text \"fast\"", "a number from 0.1 to 10000", NULL);
    refused("return { " REST "\n['slots'] = 0 }", "c.lua:4: slots: found the number 0; allowed: a whole number from 1 to 65536", NULL);
    refused("return { " REST "\nslots = 1.5 }", "c.lua:4: slots: found the number 1.5", NULL);
    refused("return { " REST "\nslots = 0/0 }", "slots: found the number", NULL);
    refused("return { " REST "workers = {} }", "workers: found an empty table; allowed: a whole number from 1 to 64, or \"auto\"", NULL);
    refused("return { " REST "trunks = { t = { address = 'h', transport = 'sctp' } } }", "\"udp\", \"tcp\"", NULL);
    refused("return { " REST "trunks = { t = { address = 'h', nat = 'yes' } } }", "allowed: true or false", NULL);
    refused("return { " REST "trunks = { t = { address = 'h:99999' } } }", "trunks.t.address", "host:port", NULL);
    refused("return { " REST "trunks = { t = { address = 'h', codecs = 'PCMU' } } }", "allowed: a list", NULL);
    refused("return { " REST "trunks = { t = { address = 'h', codecs = { 'iLBC' } } } }", "trunks.t.codecs.1", "\"PCMU\"", NULL);
    refused("return { " REST "trunks = { t = { address = env } } }", "found a function", NULL);
}

static void unknown_keys_are_refused_with_a_guess(void **state)
{
    refused("return { " REST "\n slot = 5 }", "c.lua:4: slot: unknown key; did you mean `slots`?", NULL);
    refused("return { " REST " trunks = { acme = { adress = 'h' } } }", "trunks.acme.adress: unknown key; did you mean `address`?",
            "trunks.acme.address: missing", NULL);
    refused("return { " REST " frobnicate = 5 }", "frobnicate: unknown key; allowed here: name, data_dir", NULL);
    refused("return { 5, " REST "}", "1: unknown key", NULL);
}

static void all_mistakes_are_listed_at_once(void **state)
{
    refused("return { slots = 'many',\n name = 'a b',\n log = { level = 'loud' } }",
            "slots:", "name:", "log.level:", "numbers.countries: missing", "sip.listen: missing", "media.addresses: missing", NULL);
}

static void what_spans_keys_is_checked(void **state)
{
    refused("return { " REST " trunks = { a = { address = 'h', failover = { 'b' } } } }",
            "trunks.a.failover.1: found \"b\", but there is no such trunk; allowed: a", NULL);
    refused("return { " REST " trunks = { a = { address = 'h', failover = { 'a' } } } }", "own name", NULL);
    refused("return { " REST " trunks = { a = { address = 'h', listen = 'y' } } }", "no such listener; allowed: x", NULL);
    refused("return { " REST " trunks = { a = { address = 'h', inbound = {} } } }", "neither `script` nor `context`", NULL);
    refused("return { " REST " trunks = { a = { address = 'h', user = 'u' } } }", "`user` without `password`", NULL);
    refused("return { " REST " slots = 9000 }", "8192 pairs", "9000 slots", NULL);
    refused("return { numbers = { countries = {} }, sip = { listen = { { name = 'x', address = '::1' } } }, media = { addresses = { '::1' "
            "}, port_first = 16385 } }",
            "numbers.countries: found 0 entries", NULL);
    refused("return { numbers = { countries = { '1' } }, sip = { listen = { { name = 'x', address = '::1' } } }, media = { addresses = { "
            "'::1' }, port_first = 16385 } }",
            "media.port_first: found the number 16385; allowed: an even port", NULL);
}

static void the_environment_is_empty(void **state)
{
    refused("local s = require('os')\nreturn {}", "c.lua:1:", "only env(NAME[, otherwise]), secret(FILE) and include(FILE) exist here",
            NULL);
    refused("return { name = ('x'):rep(10) }", "c.lua:1:", NULL);
    refused("return {\n  name = \n}", "c.lua:3:", NULL);
    refused("name = 'x'", "must return a table", NULL);
}

static void nothing_runs_away(void **state)
{
    refused("while true do end", "computes for too long", NULL);
    refused("local t = {} for i = 1, 1e9 do t[i] = { i } end return t", "c.lua", NULL);
    refused("local s = 'xxxxxxxxxxxxxxxx' while true do s = s .. s end", "too much memory", NULL);
    refused("local t = {} t.t = t return t", "nested too deeply", NULL);
    refused("return { include('c.lua') }", "nested more than", NULL);
    refused("local function f() return f() + 1 end f()", "stack overflow", NULL);
    refused("return { include('/dev/zero') }", "not a regular file", NULL);
    refused("return { include('none.lua') }", "none.lua", "No such file", NULL);
}

static void env_gives_the_type_of_its_otherwise(void **state)
{
    setenv("CONFIG_TEST_PORT", "5062", 1);
    setenv("CONFIG_TEST_NAME", "peal", 1);
    unsetenv("CONFIG_TEST_NONE");
    struct config *config = load("return { name = env('CONFIG_TEST_NAME'), slots = env('CONFIG_TEST_PORT', 1), " REST
                                 " log = { level = env('CONFIG_TEST_NONE', 'debug') } }");
    assert_string_equal(config_str(config_root(config), "name", ""), "peal");
    assert_int_equal(config_int(config_root(config), "slots", 0), 5062);
    assert_string_equal(config_str(config_root(config), "log.level", ""), "debug");
    config_free(config);
    refused("return {\n name = env('CONFIG_TEST_NONE') }", "c.lua:2:", "CONFIG_TEST_NONE is not set", NULL);
    refused("return { slots = env('CONFIG_TEST_NAME', 1) }", "must be a number, found \"peal\"", NULL);
}

static void a_secret_is_the_first_line_of_a_file_and_never_told(void **state)
{
    file_write("word.txt", "s3cret word\r\nnot this\n");
    file_write("empty.txt", "\n");
    struct config *config = load("return { " REST " trunks = { a = { address = 'h', user = 'u', password = secret('word.txt') } } }");
    assert_string_equal(config_str(config_root(config), "trunks.a.password", ""), "s3cret word");
    config_free(config);
    refused("return { " REST " trunks = { a = { address = 'h', user = 'u', password = secret('gone.txt') } } }",
            "gone.txt: cannot read it: No such file", NULL);
    refused("return { " REST " trunks = { a = { address = 'h', user = 'u', password = secret('empty.txt') } } }",
            "empty.txt: its first line must be a secret", NULL);
    refused("return { " REST " trunks = { a = { address = 'h', user = 'u', password = secret() } } }", "c.lua", NULL);
}

static void included_files_have_their_own_lines(void **state)
{
    char path[160];
    snprintf(path, sizeof path, "%s/sub", folder);
    mkdir(path, 0700);
    file_write("sub/trunks.lua", "-- one\nreturn {\n  b = include('b.lua'),\n  a = { address = 'h',\n cps = -1 } }");
    file_write("sub/b.lua", "return {\n\n address = '' }");
    refused("return { " REST " trunks = include('sub/trunks.lua') }", "sub/trunks.lua:5: trunks.a.cps: found the number -1",
            "sub/b.lua:3: trunks.b.address: found the text \"\"", NULL);
}

static void a_dump_loads_to_the_same_tree(void **state)
{
    struct config *config = load(
        "return { " REST
        " trunks = { ['a-b'] = { address = 'h', cps = 0.5, caller_name = 'say \"hi\"\\\\', headers = { ['X-A'] = 'b' } } } }");
    struct buf first = BUF_INIT, second = BUF_INIT, errors = BUF_INIT;
    assert_int_equal(config_dump(config, &first), 0);
    struct config *again = NULL;
    int rc = config_load(&again, file_write("dump.lua", buf_text(&first)), &errors);
    if (rc != 0) print_message("%s", buf_text(&errors));
    assert_int_equal(rc, 0);
    config_dump(again, &second);
    assert_string_equal(buf_text(&first), buf_text(&second));
    assert_string_equal(config_str(config_root(again), "trunks.a-b.caller_name", ""), "say \"hi\"\\");
    config_free(config);
    config_free(again);
    buf_free(&first);
    buf_free(&second);
}

static void passwords_are_not_repeated(void **state)
{
    struct config *config = NULL;
    struct buf errors = BUF_INIT;
    assert_int_not_equal(
        config_load(&config, file_write("c.lua", "return { " REST " trunks = { t = { address = 'h', user = 'u', password = 123456 } } }"),
                    &errors),
        0);
    assert_non_null(strstr(buf_text(&errors), "trunks.t.password"));
    assert_null(strstr(buf_text(&errors), "123456"));
    buf_free(&errors);
}

static void the_document_is_up_to_date(void **state)
{
    struct buf text = BUF_INIT;
    assert_int_equal(config_document(&text), 0);
    FILE *f = fopen("docs/configuration.md", "r");
    assert_non_null(f);
    char *file = calloc(1, text.length + 2);
    size_t n = fread(file, 1, text.length + 1, f);
    fclose(f);
    if (n != text.length || memcmp(file, text.data, n) != 0)
        fail_msg("docs/configuration.md differs; write it anew: carillon check --document > docs/configuration.md");
    free(file);
    buf_free(&text);
}

static struct config_changes settle(const char *running, const char *wanted, struct config **now, struct config **next)
{
    struct config_changes changes;
    *now = load(running);
    *next = load(wanted);
    assert_int_equal(config_settle(*now, *next, &changes), 0);
    return changes;
}

static void what_is_live_is_taken_over_and_the_rest_stays_as_it_runs(void **state)
{
    struct config *now, *next;
    struct config_changes changes = settle(
        "return { " REST "trunks = { a = { address = 'h1', cps = 5, headers = { ['X-A'] = '1' } }, b = { address = 'h2' } }, slots = 100,"
        " limits = { concurrent = 50 }, log = { level = 'info' } }",
        "return { " REST "trunks = { a = { address = 'h9', cps = 7, headers = { ['X-B'] = '2' } }, c = { address = 'h3' } }, slots = 200,"
        " limits = { concurrent = 60 }, log = { level = 'debug' } }",
        &now, &next);
    const struct config_node *root = config_root(next);
    assert_string_equal(buf_text(&changes.live), "limits.concurrent, log.level, trunks.a.cps, trunks.a.headers.X-A, trunks.a.headers.X-B");
    assert_string_equal(buf_text(&changes.fixed), "slots, trunks.a.address, trunks.b, trunks.c");
    assert_int_equal(config_int(root, "slots", 0), 100);
    assert_int_equal(config_int(root, "limits.concurrent", 0), 60);
    assert_string_equal(config_str(root, "trunks.a.address", ""), "h1");
    assert_int_equal(config_int(root, "trunks.a.cps", 0), 7);
    assert_string_equal(config_str(root, "trunks.a.headers.X-B", ""), "2");
    assert_null(config_get(root, "trunks.a.headers.X-A"));
    assert_string_equal(config_str(root, "trunks.b.address", ""), "h2");
    assert_null(config_get(root, "trunks.c"));
    config_changes_free(&changes);
    /* What was settled says the same as itself. */
    assert_int_equal(config_settle(next, next, &changes), 0);
    assert_int_equal(changes.live_count + changes.fixed_count, 0);
    assert_true(config_same(root, root));
    assert_false(config_same(root, config_root(now)));
    config_changes_free(&changes);
    config_free(now);
    config_free(next);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shipped_configuration_is_valid),
        cmocka_unit_test(defaults_are_filled_in),
        cmocka_unit_test(relative_paths_start_from_the_files_folder),
        cmocka_unit_test(a_mistake_names_line_path_found_and_allowed),
        cmocka_unit_test(unknown_keys_are_refused_with_a_guess),
        cmocka_unit_test(all_mistakes_are_listed_at_once),
        cmocka_unit_test(what_spans_keys_is_checked),
        cmocka_unit_test(the_environment_is_empty),
        cmocka_unit_test(nothing_runs_away),
        cmocka_unit_test(env_gives_the_type_of_its_otherwise),
        cmocka_unit_test(a_secret_is_the_first_line_of_a_file_and_never_told),
        cmocka_unit_test(included_files_have_their_own_lines),
        cmocka_unit_test(a_dump_loads_to_the_same_tree),
        cmocka_unit_test(passwords_are_not_repeated),
        cmocka_unit_test(what_is_live_is_taken_over_and_the_rest_stays_as_it_runs),
        cmocka_unit_test(the_document_is_up_to_date),
    };
    if (mkdtemp(folder) == NULL) return 1;
    int failed = cmocka_run_group_tests_name("config", tests, NULL, NULL);
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command) != 0 || failed;
}
