/* limits_test.c: what computes or grows for ever is ended, and nobody else notices. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lua/run_fake.h"

static struct bench bench;

static int setup(void **state)
{
    bench_open(&bench, 8, 300);
    return 0;
}

static int teardown(void **state)
{
    bench_close(&bench);
    return 0;
}

/* The script must be ended with this text while another one keeps its pace. */
static void check_ended(const char *code, const char *why)
{
    struct run *bad = run_start(&bench, code);
    struct run *other = run_start(&bench, "local n = 0 for i = 1, 10 do os.execute('exit 0') n = n + 1 end out(n)");
    assert_string_equal(run_output(&bench, other), "10\n");
    assert_true(run_wait(&bench, bad, 20000));
    assert_false(bad->ok);
    if (!strstr(buf_text(&bad->error), why)) fprintf(stderr, "instead: %s\n", buf_text(&bad->error));
    assert_non_null(strstr(buf_text(&bad->error), why));
    assert_non_null(strstr(buf_text(&bad->error), "script:"));
    run_free(bad);
    run_free(other);
}

static void an_endless_loop(void **state) { check_ended("while true do end", "script:1: the script computed for 300 ms without waiting"); }

static void an_endless_loop_that_catches_errors(void **state)
{
    check_ended("while true do pcall(function() while true do end end) end", "without waiting");
    check_ended("while true do pcall(pcall, function() while true do end end) end", "without waiting");
    check_ended("while true do xpcall(function() while true do end end, function() while true do end end) end", "without waiting");
}

static void an_endless_loop_in_an_own_coroutine(void **state)
{
    check_ended("while true do local co = coroutine.wrap(function() while true do end end) pcall(co) end", "without waiting");
}

static void an_endless_loop_in_a_comparison_or_a_replacement(void **state)
{
    check_ended("table.sort({2, 1, 3}, function() while true do end end)", "without waiting");
    check_ended("(('x'):rep(10)):gsub('x', function() while true do end end)", "without waiting");
}

static void an_endless_loop_in_a_metamethod(void **state)
{
    check_ended("local t = setmetatable({}, {__index = function() while true do end end}) local x = t.y", "without waiting");
}

static void endless_recursion(void **state) { check_ended("local function f() return 1 + f() end f()", "stack overflow"); }

static void a_pattern_that_never_ends(void **state)
{
    check_ended("local s = ('a'):rep(40) while true do s:find(('a-'):rep(20) .. 'b') end", "");
    check_ended("(('a'):rep(200000)):find('.-.-.-.-b')", "a pattern took too long");
}

static void a_long_computation_is_finished_in_slices(void **state)
{
    struct run *busy = run_start(&bench, "local t0 = os.clock() local n = 0 while os.clock() - t0 < 0.15 do n = n + 1 end out('done')");
    struct run *other = run_start(&bench, "os.execute('exit 0') out('first')");
    assert_string_equal(run_output(&bench, other), "first\n");
    assert_string_equal(run_output(&bench, busy), "done\n");
    run_free(busy);
    run_free(other);
}

static void a_script_that_waits_now_and_then_may_compute_for_ever(void **state)
{
    struct run *run = run_start(
        &bench, "local t0 = os.clock() while os.clock() - t0 < 0.8 do for i = 1, 1e5 do end os.execute('exit 0') end out('fine')");
    assert_string_equal(run_output(&bench, run), "fine\n");
    assert_true(run->ok);
    run_free(run);
}

static void a_table_that_grows_for_ever(void **state)
{
    check_ended("local t = {} while true do t[#t + 1] = {} end", "not enough memory");
    check_ended("local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000) .. i end", "not enough memory");
}

static void a_string_that_grows_for_ever(void **state)
{
    check_ended("local s = 'x' while true do s = s .. s end", "not enough memory");
    check_ended("local s = ('x'):rep(1e9)", "not enough memory");
}

static void garbage_is_not_counted(void **state)
{
    struct run *run = run_start(
        &bench, "for i = 1, 200 do local s = ('x'):rep(200000) .. i if i % 20 == 0 then os.execute('exit 0') end end out('fine')");
    assert_string_equal(run_output(&bench, run), "fine\n");
    assert_true(run->ok);
    run_free(run);
}

static void memory_comes_back_when_a_hog_has_ended(void **state)
{
    size_t before = engine_memory(bench.engine);
    for (int i = 0; i < 5; i++) check_ended("local t = {} while true do t[#t + 1] = {} end", "not enough memory");
    assert_true(engine_memory(bench.engine) < before + (24u << 20));
}

/* Counted in CPU, for the machine may be busy with other things: how much this process computes while another script's timer is due. */
static void a_slice_is_short(void **state)
{
    struct run *busy = run_start(&bench, "local t = {} for i = 1, 3e6 do t[i % 1000] = i .. '' end");
    struct run *other = run_engine_code(
        &bench, "local core, out = ... local worst, sum = 0, 0 for i = 1, 30 do local t = os.clock() core.wait(1) local c = (os.clock() - "
                "t) * 1000 sum = sum + c if c > worst then worst = c end end out(math.floor(worst + 0.5), math.floor(sum / 30 + 0.5))");
    char *rest;
    long worst = strtol(run_output(&bench, other), &rest, 10);
    print_message("beside a computing script another one's timer came after %ld ms of CPU at most, %ld on average\n", worst,
                  strtol(rest, NULL, 10));
    assert_true(worst < 80);
    run_wait(&bench, busy, 10000);
    run_free(busy);
    run_free(other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_endless_loop),
        cmocka_unit_test(an_endless_loop_that_catches_errors),
        cmocka_unit_test(an_endless_loop_in_an_own_coroutine),
        cmocka_unit_test(an_endless_loop_in_a_comparison_or_a_replacement),
        cmocka_unit_test(an_endless_loop_in_a_metamethod),
        cmocka_unit_test(endless_recursion),
        cmocka_unit_test(a_pattern_that_never_ends),
        cmocka_unit_test(a_long_computation_is_finished_in_slices),
        cmocka_unit_test(a_script_that_waits_now_and_then_may_compute_for_ever),
        cmocka_unit_test(a_table_that_grows_for_ever),
        cmocka_unit_test(a_string_that_grows_for_ever),
        cmocka_unit_test(garbage_is_not_counted),
        cmocka_unit_test(memory_comes_back_when_a_hog_has_ended),
        cmocka_unit_test(a_slice_is_short),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
