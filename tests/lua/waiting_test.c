/* waiting_test.c: a script may wait inside every construct of the language and of the library. os.execute is the wait. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lua/run_fake.h"

#define PRELUDE "local function w(x) assert(os.execute('exit 0') == 0) return x end "

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

static void check(const char *code, const char *expected)
{
    char text[4096];
    snprintf(text, sizeof text, "%s%s", PRELUDE, code);
    check_output(&bench, text, expected);
}

static void a_required_body(void **state)
{
    check("local m = require 'engine_waits' out(m.value, require('engine_waits') == m)", "waited true\n");
}

static void dofile_and_loadfile(void **state)
{
    check("out(dofile(package.searchpath('engine_waits', package.path)).value)", "waited\n");
    check("out(assert(loadfile(package.searchpath('engine_waits', package.path)))().value)", "waited\n");
}

static void load_with_a_reader(void **state)
{
    check("local parts, i = {'return ', '1 + ', '41'}, 0 out(load(function() i = i + 1 return w(parts[i]) end)())", "42\n");
}

static void a_comparison_of_sort(void **state)
{
    check("local t = {3, 1, 2} table.sort(t, function(a, b) return w(a < b) end) out(table.concat(t, ','))", "1,2,3\n");
}

static void a_replacement_of_gsub(void **state)
{
    check("out((('a-b-c'):gsub('%w', function(c) return w(c:upper()) end)))", "A-B-C\n");
    check("out((('a-b'):gsub('%w', setmetatable({}, {__index = function(_, k) return w(k .. k) end}))))", "aa-bb\n");
}

static void metamethods(void **state)
{
    check("local mt = {__index = function(_, k) return w(k) end, __add = function() return w('sum') end, __call = function() return "
          "w('called') end, __eq = function() return w(true) end, "
          "__lt = function() return w(true) end, __concat = function() return w('cat') end, __len = function() return w(9) end, __unm = "
          "function() return w('neg') end} "
          "local a, b = setmetatable({}, mt), setmetatable({}, mt) out(a.x, a + b, a(), a == b, a < b, a .. b, -a)",
          "x sum called true true cat neg\n");
}

static void tostring_and_print(void **state)
{
    check("local o = setmetatable({}, {__tostring = function() return w('text') end}) out(tostring(o))", "text\n");
}

static void iterators(void **state)
{
    check("local n = 0 for i in function(_, i) i = (i or 0) + 1 w() if i < 4 then return i end end do n = n + i end out(n)", "6\n");
    check("local s = {} table.foreach({x = 1}, function(k, v) w() s[#s + 1] = k .. v end) table.foreachi({5, 6}, function(i, v) w() s[#s + "
          "1] = i .. v end) out(table.concat(s, ' '))",
          "x1 15 26\n");
    check("local s = {} for k in pairs{a = 1} do w() s[#s + 1] = k end for k in ('x y'):gmatch('%w') do w() s[#s + 1] = k end "
          "out(table.concat(s))",
          "axy\n");
}

static void protected_calls(void **state)
{
    check("out(pcall(function() w() error('e', 0) end)) out(pcall(w, 5))", "false e\ntrue 5\n");
    check("out(xpcall(function() w() error('e', 0) end, function(m) return 'handled ' .. m end))", "false handled e\n");
    check("out(select(2, pcall(pcall, function() w() return 7 end)))", "true 7\n");
}

static void own_coroutines(void **state)
{
    check("local co = coroutine.create(function(a) w() local b = coroutine.yield(a + 1) w() return b * 2 end) "
          "out(coroutine.resume(co, 1)) out(coroutine.status(co)) out(coroutine.resume(co, 10)) out(coroutine.status(co)) "
          "out(coroutine.resume(co))",
          "true 2\nsuspended\ntrue 20\ndead\nfalse cannot resume dead coroutine\n");
    check("local out2 = {} for v in coroutine.wrap(function() for i = 1, 3 do w() coroutine.yield(i) end end) do w() out2[#out2 + 1] = v "
          "end out(table.concat(out2, ','))",
          "1,2,3\n");
    check("local deep = coroutine.wrap(function() local inner = coroutine.wrap(function() w() coroutine.yield('x') w() return 'y' end) "
          "coroutine.yield(inner()) return inner() end) out(deep(), deep())",
          "x y\n");
    check("local co = coroutine.create(function() w() coroutine.yield() w() error('inside', 0) end) out(coroutine.resume(co)) "
          "out(coroutine.resume(co))",
          "true\nfalse inside\n");
    check("out(pcall(coroutine.yield, 1)) out(coroutine.running()) out(coroutine.wrap(function() return type(coroutine.running()) end)())",
          "false attempt to yield from outside a coroutine\nnil\nthread\n");
}

static void a_wait_in_an_error_handler_is_refused_clearly(void **state)
{
    check("local seen xpcall(function() error('x') end, function() local ok, why = pcall(w) seen = why end) out(seen:match('cannot wait "
          "here'))",
          "cannot wait here\n");
}

static void other_scripts_go_on_meanwhile(void **state)
{
    struct run *a = run_start(&bench, "os.execute('sleep 0.2') out('a')"), *b = run_start(&bench, "os.execute('sleep 0.01') out('b')");
    assert_string_equal(run_output(&bench, b), "b\n");
    assert_false(a->done);
    assert_string_equal(run_output(&bench, a), "a\n");
    run_free(a);
    run_free(b);
}

static void programs(void **state)
{
    check("out(os.execute('exit 3'), os.execute('kill -9 $$'), os.execute())", "768 9 1\n");
    check("local p = io.popen('echo one; echo two; printf 12.5') out(p:read()) out(p:read('*l')) out(p:read('*n')) out(p:read()) "
          "out(p:close())",
          "one\ntwo\n12.5\nnil\ntrue exit 0\n");
    check("for l in io.popen('printf \"a\\\\nb\\\\nc\"'):lines() do out(l) end", "a\nb\nc\n");
    check("local p = io.popen('cat > /tmp/carillon-popen.txt', 'w') p:write('x', 1, '\\n') p:write(('y'):rep(300000)) out(p:close()) "
          "local f = io.open('/tmp/carillon-popen.txt') out(#f:read('*a')) f:close() os.remove('/tmp/carillon-popen.txt')",
          "true exit 0\n300003\n");
    check("out(#io.popen('head -c 500000 /dev/zero'):read('*a'), io.type(io.popen('true')))", "500000 file\n");
    check("local p = io.popen('exit 4') out(p:read('*a') == '') out(p:close()) out(pcall(p.read, p))",
          "true\nnil exit 4\nfalse attempt to use a closed file\n");
}

static void the_script_started_before_the_wait_is_told_of_everything(void **state)
{
    struct channel *channel = fake_channel(bench.host);
    char code[512];
    snprintf(
        code, sizeof code,
        "local core, out = ... local ch = core.channel('%s') ch:own(core.self())\n"
        "local child = core.await(core.child_start('sleep 0.1')) local _, t = core.child_wait(child) core.await(t) core.child_drop(child)\n"
        "out(core.wait()) out(core.wait(0)) ch:own(nil)",
        channel_facts(channel)->uuid_text);
    struct run *run = run_engine_code(&bench, code);
    run_wait(&bench, run, 20);
    fake_digit(channel, '5');
    assert_int_equal(strncmp(run_output(&bench, run), "digit userdata", 14), 0);
    run_free(run);
    channel_unref(channel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_required_body),
        cmocka_unit_test(dofile_and_loadfile),
        cmocka_unit_test(load_with_a_reader),
        cmocka_unit_test(a_comparison_of_sort),
        cmocka_unit_test(a_replacement_of_gsub),
        cmocka_unit_test(metamethods),
        cmocka_unit_test(tostring_and_print),
        cmocka_unit_test(iterators),
        cmocka_unit_test(protected_calls),
        cmocka_unit_test(own_coroutines),
        cmocka_unit_test(a_wait_in_an_error_handler_is_refused_clearly),
        cmocka_unit_test(other_scripts_go_on_meanwhile),
        cmocka_unit_test(programs),
        cmocka_unit_test(the_script_started_before_the_wait_is_told_of_everything),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
