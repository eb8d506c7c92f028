/* isolate_test.c: what one script changes, another does not see. Each case runs a script that changes something and then one that looks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lua/run_fake.h"

static struct bench bench;

static int setup(void **state)
{
    bench_open(&bench, 16, 400);
    return 0;
}

static int teardown(void **state)
{
    bench_close(&bench);
    return 0;
}

/* `changer` keeps running (it waits) while `looker` looks, and its own view must hold afterwards. */
static void check_apart(const char *changer, const char *own_view, const char *looker, const char *expected)
{
    char code[4096];
    snprintf(code, sizeof code, "%s\nout('changed') os.execute('sleep 0.05') out(%s)", changer, own_view);
    struct run *a = run_start(&bench, code), *b;
    for (int i = 0; i < 2000 && !a->out.length && !a->done; i++) run_wait(&bench, a, 1);
    b = run_start(&bench, looker);
    assert_string_equal(run_output(&bench, b), expected);
    assert_true(b->ok);
    run_free(b);
    assert_string_equal(run_output(&bench, a), "changed\ntrue\n");
    run_free(a);
    b = run_start(&bench, looker); /* and after it ended */
    assert_string_equal(run_output(&bench, b), expected);
    run_free(b);
}

static void globals(void **state)
{
    check_apart("secret = 1 _G.other = 2 rawset(_G, 'third', 3)", "secret == 1 and other == 2 and third == 3",
                "out(secret, _G.other, third)", "nil nil nil\n");
}

static void functions_of_the_library(void **state)
{
    check_apart("print = 1 pairs = nil tostring = function() return 'mine' end", "tostring(1) == 'mine'",
                "out(type(print), type(pairs), tostring(1))", "function function 1\n");
}

static void library_tables(void **state)
{
    check_apart("string.upper = function() return 'X' end table.insert = nil math.pi = 3 os.time = 7 freeswitch.Session = 1",
                "string.upper('a') == 'X' and math.pi == 3 and os.time == 7 and freeswitch.Session == 1",
                "out(string.upper('a'), type(table.insert), math.pi > 3, type(os.time), type(freeswitch.Session))",
                "A function true function table\n");
}

static void a_class_table(void **state)
{
    check_apart("freeswitch.Session.extra = 5", "freeswitch.Session.extra == 5", "out(freeswitch.Session.extra)", "nil\n");
}

static void a_walk_over_a_library_shows_it_and_is_harmless(void **state)
{
    check_apart("local n = 0 for k, v in pairs(string) do n = n + 1 end count = n for k in pairs(string) do string[k] = nil end",
                "count > 10 and string.upper == nil and next(string) == nil",
                "out(string.upper('a'), next(table) ~= nil, rawget(math, 'floor') == math.floor)", "A true true\n");
}

static void the_metatable_of_a_library(void **state)
{
    check_apart("setmetatable(string, {__index = function() return 'any' end})", "string.nothing == 'any' and string.upper('a') == 'A'",
                "out(string.nothing, getmetatable(string))", "nil nil\n");
}

static void the_metatable_of_strings(void **state)
{
    check_apart("getmetatable('').__index = function(s, k) return k end getmetatable('').__add = function(a, b) return a .. b end",
                "('x').foo == 'foo' and ('a' + 'b') == 'ab'", "out(('x').foo, pcall(function() return 'a' + 'b' end), ('x'):upper())",
                "nil false X\n");
    check_apart("string.shout = function(s) return s:upper() .. '!' end", "('x'):shout() == 'X!'", "out(('x').shout)", "nil\n");
}

static void metatables_of_other_basic_types(void **state)
{
    check_apart("debug.setmetatable(0, {__index = function(n, k) return k end}) debug.setmetatable(print, {__index = {a = 1}})",
                "(5).foo == 'foo' and print.a == 1",
                "out(pcall(function() return (5).foo end), pcall(function() return print.a end), debug.getmetatable(0))",
                "false false nil\n");
}

static void metatables_of_objects(void **state)
{
    check_apart(
        "local e = freeswitch.Event('custom') local mt = getmetatable(e) mt.__index = nil mt['.fn'].getHeader = nil mt['.fn'].my_own "
        "= function() return 'mine' end mt.poison = 1 keep = e",
        "keep:my_own() == 'mine'", "local e = freeswitch.Event('custom') out(e.my_own, getmetatable(e).poison, type(e.getHeader))",
        "nil nil function\n");
}

static void metatables_of_files(void **state)
{
    check_apart("local mt = getmetatable(io.stdout) mt.__index = {} mt.write = nil", "io.stdout.write ~= nil", "out(type(io.stdout.write))",
                "function\n");
}

static void loaded_modules(void **state)
{
    check_apart("package.loaded.foo = {1} package.loaded.string = 5 package.preload.bar = function() return 'bar' end package.path = "
                "'/nowhere/?.lua'",
                "require('foo')[1] == 1 and require('bar') == 'bar'",
                "out(package.loaded.foo, type(require('string')), pcall(require, 'bar'), package.path:find('nowhere'))",
                "nil table false nil\n");
}

static void a_modules_state(void **state)
{
    check_apart("local m = require 'engine_module' m.count = 10", "require('engine_module').count == 10",
                "local m = require('engine_module') out(m.count, m.bump())", "1 2\n");
}

static void a_package_that_was_overwritten(void **state)
{
    check_apart("package = nil", "require('engine_module').count == 1", "out(type(package.loaded))", "table\n");
}

static void module_and_seeall(void **state)
{
    check_apart("module('own.name', package.seeall) value = 4 _G.m = own", "_G.own.name.value == 4 and _G.m.name._NAME == 'own.name'",
                "out(own, value)", "nil nil\n");
}

static void environments(void **state)
{
    check_apart("local e = getfenv(print) e.leak = 1 getfenv(freeswitch.consoleLog).leak2 = 2 getfenv(string.gsub).leak3 = 3",
                "leak == 1 and leak2 == 2 and leak3 == 3 and not pcall(setfenv, freeswitch.consoleLog, {})", "out(leak, leak2, leak3)",
                "nil nil nil\n");
    check_apart("setfenv(0, setmetatable({mark = 1}, {__index = _G}))", "loadstring('return mark')() == 1",
                "out(loadstring('return mark')())", "nil\n");
}

static void debug_doors(void **state)
{
    check_apart("debug.getregistry().x = 1",
                "debug.getregistry().x == 1 and debug.getupvalue(freeswitch.consoleLog, 1) == nil and debug.getupvalue(require, 1) == nil",
                "out(debug.getregistry().x)", "nil\n");
    check_apart("hits = 0 debug.sethook(function() hits = hits + 1 end, '', 1) for i = 1, 100 do end", "debug.gethook() == nil",
                "out(debug.gethook())", "nil\n");
}

static void default_files(void **state)
{
    check_apart("local f = io.open('/tmp/carillon-isolate.txt', 'w') io.output(f) io.write('a') io.input('/etc/hostname')",
                "io.output() ~= io.stdout and io.input() ~= io.stdin and io.write('b') and true",
                "out(io.output() == io.stdout, io.input() == io.stdin, io.read())", "true true nil\n");
}

static void random_numbers(void **state)
{
    check_apart("math.randomseed(42) first = {math.random(), math.random(10), math.random(5, 6)} math.randomseed(42)",
                "first[1] == math.random() and first[2] == math.random(10) and first[3] >= 5",
                "math.randomseed(1) local a = math.random() math.randomseed(1) out(a == math.random())", "true\n");
}

static void state_wide_switches(void **state)
{
    check_apart("collectgarbage('stop') jit.off() os.setlocale('de_DE.UTF-8')", "collectgarbage('isrunning')",
                "out(collectgarbage('isrunning'), collectgarbage('count') > 0, jit.status(), os.setlocale())", "true true false C\n");
}

static void finalisers(void **state)
{
    check_apart("for i = 1, 200 do local p = newproxy(true) getmetatable(p).__gc = function() error('of A') end end collectgarbage()",
                "true", "for i = 1, 20000 do local t = {i} end collectgarbage() collectgarbage('step') out('calm')", "calm\n");
}

static void a_shared_table_of_constants(void **state)
{
    check_apart("bit32.band = nil utf8.x = 1 coroutine.create = nil jit.os = 'mine' debug.traceback = nil",
                "bit32.band == nil and utf8.x == 1", "out(type(bit32.band), utf8.x, type(coroutine.create), jit.os, type(debug.traceback))",
                "function nil function Linux function\n");
}

static void the_ffi_and_c_modules_are_refused_in_the_shared_state_with_their_reason(void **state)
{
    check_output(&bench, "-- carillon: shared\nlocal ok, why = pcall(require, 'ffi') out(ok, why:match('shared state'))",
                 "false shared state\n");
    check_output(&bench,
                 "-- carillon: shared\npackage.cpath = '/usr/lib/x86_64-linux-gnu/?.so.0;/lib/x86_64-linux-gnu/lib?.so.6' local ok, why = "
                 "pcall(require, 'c') "
                 "out(ok, why:match('C module') or why)",
                 "false C module\n");
    check_output(&bench, "-- carillon: shared\nlocal f, why, what = package.loadlib('x', 'y') out(f, why:match('[^;]*'), what)",
                 "nil C libraries cannot be loaded into the scripts' shared state absent\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(globals),
        cmocka_unit_test(functions_of_the_library),
        cmocka_unit_test(library_tables),
        cmocka_unit_test(a_class_table),
        cmocka_unit_test(a_walk_over_a_library_shows_it_and_is_harmless),
        cmocka_unit_test(the_metatable_of_a_library),
        cmocka_unit_test(the_metatable_of_strings),
        cmocka_unit_test(metatables_of_other_basic_types),
        cmocka_unit_test(metatables_of_objects),
        cmocka_unit_test(metatables_of_files),
        cmocka_unit_test(loaded_modules),
        cmocka_unit_test(a_modules_state),
        cmocka_unit_test(a_package_that_was_overwritten),
        cmocka_unit_test(module_and_seeall),
        cmocka_unit_test(environments),
        cmocka_unit_test(debug_doors),
        cmocka_unit_test(default_files),
        cmocka_unit_test(random_numbers),
        cmocka_unit_test(state_wide_switches),
        cmocka_unit_test(finalisers),
        cmocka_unit_test(a_shared_table_of_constants),
        cmocka_unit_test(the_ffi_and_c_modules_are_refused_in_the_shared_state_with_their_reason),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
