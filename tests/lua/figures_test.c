/* figures_test.c: what a script costs: to start, and while it waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "lua/private.h"
#include "lua/run_fake.h"

#define SUSPENDED 5000
#define STARTED   20000

static struct bench bench;

static int setup(void **state)
{
    bench_open(&bench, 64, 10000);
    return 0;
}

static int teardown(void **state)
{
    bench_close(&bench);
    return 0;
}

static double cpu_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* sleeper() waits for ever in the fiber; the script is as small as scripts get. */
static void prepare(void)
{
    struct run *run = run_engine_code(&bench, "local core = ... core.base.sleeper = function() core.wait() end core.base_set(core.base)");
    run_output(&bench, run);
    run_free(run);
}

static void a_suspended_script_is_small(void **state)
{
    char code[300];
    prepare();
    lua_gc(bench.engine->L, LUA_GCCOLLECT, 0);
    size_t before = engine_memory(bench.engine);
    snprintf(code, sizeof code,
             "local core, out = ... for i = 1, %d do core.script{code = 'local a, b = 1, 2 function f() return a end sleeper()', name = "
             "'=s', detached = true, argv = {[0] = 's', 'x'}} end core.wait(1)",
             SUSPENDED);
    struct run *run = run_engine_code(&bench, code);
    run_output(&bench, run);
    assert_int_equal(engine_scripts(bench.engine), SUSPENDED);
    lua_gc(bench.engine->L, LUA_GCCOLLECT, 0);
    size_t lua = (engine_memory(bench.engine) - before) / SUSPENDED;
    print_message("a suspended script holds %zu bytes of Lua and %zu of C\n", lua,
                  sizeof(struct fiber) + sizeof(struct script) + sizeof(struct meter));
    assert_true(lua <= 4608); /* goal: 4 KB */
    run_free(run);
}

static void a_start_is_cheap(void **state)
{
    char code[300];
    snprintf(code, sizeof code,
             "local core, out = ... for i = 1, %d do core.script{code = 'local a = 1', name = '=s', detached = true} if i %% 100 == 0 then "
             "core.wait(0) end end core.wait(1)",
             STARTED);
    size_t scripts = engine_scripts(bench.engine);
    double from = cpu_us();
    struct run *run = run_engine_code(&bench, code);
    run_output(&bench, run);
    while (engine_scripts(bench.engine) > scripts) run_wait(&bench, run, 1), run->done = false;
    double each = (cpu_us() - from) / STARTED;
    print_message("a script's start, run and end cost %.1f us of CPU, beside %zu suspended ones\n", each, scripts);
    assert_true(each < 100);
    run_free(run);
}

static void a_switch_is_cheap(void **state)
{
    double from = cpu_us();
    struct run *run = run_engine_code(&bench, "local core, out = ... for i = 1, 100000 do core.wait(0) end");
    run_output(&bench, run);
    double each = (cpu_us() - from) / 100000;
    print_message("a wait and its resume cost %.2f us of CPU\n", each);
    assert_true(each < 20);
    run_free(run);
}

static double process_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* Both threads' CPU. No goal: they are few; but a call must not cost what a start does. */
static void an_isolated_script_costs_more_but_little(void **state)
{
    double from = process_us();
    for (int i = 0; i < 200; i++) check_output(&bench, "-- carillon: isolated\nout(1)", "1\n");
    double start = (process_us() - from) / 200;
    from = process_us();
    check_output(&bench, "-- carillon: isolated\nlocal get = freeswitch.getGlobalVariable for i = 1, 20000 do get('x') end out(1)", "1\n");
    double call = (process_us() - from) / 20000;
    print_message("an isolated script's start, run and end cost %.0f us of CPU, a call of the API %.1f us\n", start, call);
    assert_true(call < start);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_suspended_script_is_small),
        cmocka_unit_test(a_start_is_cheap),
        cmocka_unit_test(a_switch_is_cheap),
        cmocka_unit_test(an_isolated_script_costs_more_but_little),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
