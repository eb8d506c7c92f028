/* isolated_test.c: scripts with C modules, the FFI or the JIT have a state and a thread of their own, and the same API. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "lua/run_fake.h"

static struct bench bench;

#define BUDGET_MS 400

static int setup(void **state)
{
    bench_open(&bench, 16, BUDGET_MS);
    return 0;
}

static int teardown(void **state)
{
    bench_close(&bench);
    return 0;
}

/* Runs it, and gives what its error was; free() it. */
static char *error_of(const char *code)
{
    struct run *run = run_start(&bench, code);
    assert_true(run_wait(&bench, run, 10000));
    assert_false(run->ok);
    char *text = strdup(buf_text(&run->error));
    run_free(run);
    return text;
}

static void c_modules_and_the_ffi_and_the_jit_are_had(void **state)
{
    check_output(&bench, "local lfs = require('lfs') out(type(lfs.attributes), lfs.attributes('/tmp', 'mode'))", "function directory\n");
    check_output(&bench,
                 "local json = require 'cjson' local t = json.decode('{\"a\":[1,2,{\"b\":true}]}') out(t.a[2], t.a[3].b, json.encode({7}))",
                 "2 true [7]\n");
    check_output(&bench, "local ffi = require('ffi') ffi.cdef'int getpid(void);' out(ffi.C.getpid() > 1)", "true\n");
    check_output(&bench, "jit.on() local n = 0 for i = 1, 1e7 do n = n + i % 3 end out(jit.status(), n > 0)", "true true\n");
    check_output(&bench, "local ok, m = pcall(require, \"cjson\") out(ok, type(m))", "true table\n");
    check_output(&bench, "-- carillon: isolated\nlocal name = 'l' .. 'fs' out(type(require(name).dir))", "function\n");
    check_output(&bench, "out(package.loadlib('/nowhere.so', 'x') == nil, pcall(require, 'socket'))", "true true table\n");
}

static void what_needs_none_of_it_stays_in_the_shared_state(void **state)
{
    /* A shared script has no JIT to speak of. */
    check_output(
        &bench,
        "-- require 'lfs' would be isolated\nlocal s = [[require 'cjson']] out(jit.status(), type(s), package.loadlib('x', 'y') == nil)",
        "false string true\n");
    check_output(&bench, "--[==[ jit.on() ]] ]==] out(pcall(jit.on))", "true\n");
    check_output(&bench, "-- carillon: shared\nout((pcall(require, 'lfs')))", "false\n");
}

static void a_module_that_requires_a_c_module_isolates_as_well(void **state)
{
    check_output(&bench,
                 "local socket = require('socket') local u = socket.udp() out(u:setsockname('127.0.0.1', 0), select(2, u:getsockname()) ~= "
                 "nil) u:close()",
                 "1 true\n");
}

static void a_file_that_is_run_by_name_isolates_as_well(void **state)
{
    FILE *f = fopen("/tmp/carillon-isolated-part.lua", "w");
    fputs("part = require('lfs')", f);
    fclose(f);
    check_output(&bench, "dofile('/tmp/carillon-isolated-part.lua') out(type(part.dir))", "function\n");
    unlink("/tmp/carillon-isolated-part.lua");
}

static void the_module_esl_is_there(void **state)
{
    check_output(&bench,
                 "require('lfs') local esl = require('ESL') out(esl == ESL, ESL.ESLevent('CUSTOM', 'a::b'):getHeader('Event-Subclass')) "
                 "local c = ESL.ESLconnection('127.0.0.1', '1', 'ClueCon') out(c:connected())",
                 "true a::b\n0\n");
}

static void a_name_that_cannot_be_seen_is_explained_and_learned(void **state)
{
    const char *file = "/tmp/carillon-isolated-learn.lua";
    const char *code = "local name = 'lf' .. 's' out(type(require(name)))";
    FILE *f = fopen(file, "w");
    fputs(code, f);
    fclose(f);
    struct run *run = run_start_file(&bench, file);
    assert_true(run_wait(&bench, run, 10000));
    assert_false(run->ok);
    assert_non_null(strstr(buf_text(&run->error), "-- carillon: isolated"));
    run_free(run);
    run = run_start_file(&bench, file);
    assert_string_equal(run_output(&bench, run), "table\n");
    run_free(run);
    unlink(file);
}

static void it_has_what_every_script_has(void **state)
{
    check_output(
        &bench,
        "-- carillon: isolated\nout(type(freeswitch.Session), utf8.char(228), bit32.band(7, 3), table.unpack({5}), type(session), argv)",
        "table \xC3\xA4 3 5 nil nil\n");
    check_output(&bench,
                 "-- carillon: isolated\nlocal e = freeswitch.Event('custom', 'a::b') e:addHeader('X', 'y') out(e:getHeader('X'), "
                 "tostring(e):match('type .(%w+)'), e:getType())",
                 "y Event CUSTOM\n");
    check_output(&bench,
                 "-- carillon: isolated\nfreeswitch.setGlobalVariable('isolated_x', 'y') out(freeswitch.getGlobalVariable('isolated_x'))",
                 "y\n");
    check_output(&bench,
                 "-- carillon: isolated\nos.exit(1) os.setlocale('de_DE') out(os.execute('exit 3'), io.popen('echo hi'):read('*l'))",
                 "768 hi\n");
    check_output(&bench, "-- carillon: isolated\nlocal api = freeswitch.API() out(api:execute('toupper', 'abc'), #api:getTime() > 10)",
                 "ABC true\n");
}

static void errors_say_what_they_say_elsewhere(void **state)
{
    struct run *shared = run_start(&bench, "\nlocal e = freeswitch.Event('custom')\nout(pcall(function() e:addHeader(1) end))");
    struct run *alone = run_start(&bench,
                                  "-- carillon: isolated\nlocal e = freeswitch.Event('custom')\nout(pcall(function() e:addHeader(1) end))");
    char *text = strdup(run_output(&bench, shared));
    assert_non_null(strstr(text, "script:3: Error in Event::addHeader expected 3..3 args, got 2"));
    assert_string_equal(run_output(&bench, alone), text);
    free(text);
    run_free(shared);
    run_free(alone);

    text = error_of("-- carillon: isolated\nlocal function f()\n  local x = nil + 1\nend\nf()");
    assert_string_equal(text, "script:3: attempt to perform arithmetic on a nil value");
    free(text);
    assert_true(bench_logged(&bench, "in main chunk"));
    text = error_of("-- carillon: isolated\nlocal x = = 1");
    assert_non_null(strstr(text, "script:2: unexpected symbol near '='"));
    free(text);
}

static void its_state_is_its_own(void **state)
{
    check_output(&bench, "-- carillon: isolated\nstring.upper = nil mine = 1 getmetatable('').__index = nil out('done')", "done\n");
    check_output(&bench, "-- carillon: isolated\nout(mine, ('x'):upper())", "nil X\n");
    check_output(&bench, "out(mine, ('x'):upper())", "nil X\n");
}

static void what_blocks_in_c_holds_up_nobody(void **state)
{
    struct run *blocked = run_start(&bench, "local socket = require 'socket' socket.sleep(1.5) out('woke')");
    int64_t begin = clock_mono_ns();
    for (int i = 0; i < 20; i++) check_output(&bench, "os.execute('true') out('quick')", "quick\n");
    if (clock_mono_ns() - begin < NS_PER_S) assert_false(blocked->done);
    assert_string_equal(run_output(&bench, blocked), "woke\n");
    run_free(blocked);
}

static void one_that_computes_for_ever_is_ended(void **state)
{
    char *text = error_of("-- carillon: isolated\nwhile true do pcall(function() while true do end end) end");
    assert_non_null(strstr(text, "scripts.budget_ms"));
    free(text);
    text = error_of("-- carillon: isolated\nlocal t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end");
    assert_non_null(strstr(text, "not enough memory"));
    free(text);
    check_output(&bench,
                 "-- carillon: isolated\nfor i = 1, 4 do local n = os.clock() + 0.15 while os.clock() < n do end freeswitch.msleep(1) end "
                 "out('whole')",
                 "whole\n");
}

static void its_handles_are_closed_at_its_end(void **state)
{
    check_output(&bench, "-- carillon: isolated\nlocal c = freeswitch.EventConsumer('CUSTOM', 'isolated::end') kept = c out('bound')",
                 "bound\n");
    check_output(&bench, "-- carillon: isolated\nfor i = 1, 2000 do local e = freeswitch.Event('custom') end collectgarbage() out('many')",
                 "many\n");
}

static void many_at_once_each_end(void **state)
{
    struct run *runs[40];
    for (size_t i = 0; i < 40; i++)
        runs[i] = run_start(&bench,
                            "local lfs = require 'lfs' freeswitch.msleep(20) out(lfs.attributes('/', 'mode')) freeswitch.msleep(5)");
    for (size_t i = 0; i < 40; i++) {
        assert_string_equal(run_output(&bench, runs[i]), "directory\n");
        run_free(runs[i]);
    }
}

static void the_engines_end_does_not_wait_for_a_stuck_one(void **state)
{
    struct run *stuck = run_start(&bench, "local socket = require 'socket' out('in') socket.sleep(8)");
    struct run *waiting = run_start(&bench, "-- carillon: isolated\nout('in') freeswitch.msleep(60000)");
    struct run *endless = run_start(&bench, "-- carillon: isolated\nout('in') while true do pcall(error) end");
    while (!stuck->out.length || !waiting->out.length || !endless->out.length) run_wait(&bench, stuck, 5);
    int64_t begin = clock_mono_ns();
    bench_close(&bench);
    assert_true(clock_mono_ns() - begin < 5 * NS_PER_S);
    bench_open(&bench, 16, BUDGET_MS);
    run_free(stuck);
    run_free(waiting);
    run_free(endless);
}

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

static void a_compiled_loop_ends_its_script_though_not_its_thread(void **state)
{
    if (__has_feature(address_sanitizer)) skip(); /* what the thread holds to the end would be called a leak */
    char *text = error_of("jit.on() local n = 0 while true do n = n + 1 end");
    assert_non_null(strstr(text, "in compiled code or in a C module"));
    free(text);
    check_output(&bench, "local lfs = require('lfs') out(type(lfs))", "table\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(c_modules_and_the_ffi_and_the_jit_are_had),
        cmocka_unit_test(what_needs_none_of_it_stays_in_the_shared_state),
        cmocka_unit_test(a_module_that_requires_a_c_module_isolates_as_well),
        cmocka_unit_test(a_file_that_is_run_by_name_isolates_as_well),
        cmocka_unit_test(the_module_esl_is_there),
        cmocka_unit_test(a_name_that_cannot_be_seen_is_explained_and_learned),
        cmocka_unit_test(it_has_what_every_script_has),
        cmocka_unit_test(errors_say_what_they_say_elsewhere),
        cmocka_unit_test(its_state_is_its_own),
        cmocka_unit_test(what_blocks_in_c_holds_up_nobody),
        cmocka_unit_test(one_that_computes_for_ever_is_ended),
        cmocka_unit_test(its_handles_are_closed_at_its_end),
        cmocka_unit_test(many_at_once_each_end),
        cmocka_unit_test(a_compiled_loop_ends_its_script_though_not_its_thread),
        cmocka_unit_test(the_engines_end_does_not_wait_for_a_stuck_one),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
