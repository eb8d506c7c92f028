/* engine_test.c: scripts start, wait, end and fail as they should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bus/protocol.h"
#include "core/clock.h"
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

static void a_script_runs_with_its_globals(void **state)
{
    check_output(&bench, "x = 1; out(x, _G.x, _G._G == _G, getfenv(1) == _G, getfenv(0) == _G) out(type(argv), ('a'):upper())",
                 "1 1 true true true\nnil A\n");
}

static void a_script_file_is_found_and_gets_argv(void **state)
{
    struct run *run = run_start_file(&bench, "engine_hello.lua");
    assert_string_equal(run_output(&bench, run), "engine_hello.lua 0 main\n");
    run_free(run);
}

static void a_missing_script_is_an_error_with_its_path(void **state)
{
    struct run *run = run_start_file(&bench, "engine_nowhere.lua");
    run_output(&bench, run);
    assert_false(run->ok);
    assert_non_null(strstr(buf_text(&run->error), "tests/lua/scripts/engine_nowhere.lua: No such file or directory"));
    assert_true(bench_logged(&bench, "engine_nowhere.lua: No such file"));
    run_free(run);
}

static void a_syntax_error_names_file_and_line(void **state)
{
    struct run *run = run_start_file(&bench, "engine_syntax.lua");
    run_output(&bench, run);
    assert_false(run->ok);
    assert_non_null(strstr(buf_text(&run->error), "engine_syntax.lua:4: "));
    assert_non_null(strstr(buf_text(&run->error), "near '=='"));
    run_free(run);
}

static void a_runtime_error_is_one_line_with_its_traceback(void **state)
{
    struct run *run = run_start_file(&bench, "engine_error.lua");
    run_output(&bench, run);
    assert_false(run->ok);
    assert_non_null(strstr(buf_text(&run->error), "engine_error.lua:5: attempt to index"));
    assert_true(bench_logged(&bench, "engine_error.lua:5: attempt to index"));
    assert_true(bench_logged(&bench, "in function 'inner'"));
    assert_true(bench_logged(&bench, "engine_error.lua:8: in main chunk"));
    run_free(run);
}

static void the_first_line_and_a_mark_are_skipped(void **state)
{
    struct run *run = run_start_file(&bench, "engine_shebang.lua");
    assert_string_equal(run_output(&bench, run), "line 2\n");
    run_free(run);
}

static void an_error_survives_debug_being_replaced(void **state)
{
    struct run *run = run_start(&bench, "debug = {} debug['sql'] = true; error('boom')");
    run_output(&bench, run);
    assert_false(run->ok);
    assert_true(bench_logged(&bench, "boom"));
    run_free(run);
    run = run_start(&bench, "debug['sql'] = true out(debug.sql) local t = nil; t.x = 1");
    assert_string_equal(run_output(&bench, run), "true\n");
    run_free(run);
}

static void os_exit_is_logged_and_the_script_goes_on(void **state)
{
    check_output(&bench, "os.exit(1) out('still here')", "still here\n");
    assert_true(bench_logged(&bench, "Surely you jest! exiting is a bad plan...."));
}

static void a_missing_module_reads_as_lua_says_it(void **state)
{
    struct run *run = run_start(&bench, "require 'no.such.module'");
    run_output(&bench, run);
    assert_false(run->ok);
    assert_non_null(strstr(buf_text(&run->error),
                           "script:1: module 'no.such.module' not found:\n\tno field package.preload['no.such.module']\n\tno file '"));
    assert_non_null(strstr(buf_text(&run->error), "/no/such/module.lua'"));
    run_free(run);
}

static void handles_are_closed_in_reverse_order_however_the_script_ended(void **state)
{
    struct run *run = run_engine_code(
        &bench, "local core = ... core.closed = {}\n"
                "core.base.test_handle = function(name)\n"
                "  return core.on_end(function() core.closed[#core.closed + 1] = name if name == 'b' then error('in a handler') end end)\n"
                "end\n"
                "core.base.test_off = core.off_end\n"
                "core.base_set(core.base)\n");
    run_output(&bench, run);
    run_free(run);
    run = run_start(&bench, "local off for _, n in ipairs{'a', 'b', 'off', 'c'} do local h = test_handle(n) if n == 'off' then off = h end "
                            "end test_off(off) error('x')");
    run_wait(&bench, run, 1000);
    assert_false(run->ok);
    run_free(run);
    run = run_engine_code(&bench, "local core, out = ... out(table.concat(core.closed, ' '))");
    assert_string_equal(run_output(&bench, run), "c b a\n");
    run_free(run);
    assert_true(bench_logged(&bench, "in a handler"));
}

static void programs_and_files_take_their_place_among_the_handles(void **state)
{
    check_output(&bench, "test_handle('1') p = io.popen('sleep 10') test_handle('2') f = io.open('/dev/null') test_handle('3')", "");
    struct run *run = run_engine_code(&bench, "local core, out = ... out(table.concat(core.closed, ' '))");
    assert_string_equal(run_output(&bench, run), "c b a 3 2 1\n");
    run_free(run);
}

static void a_file_left_open_is_closed_at_the_end(void **state)
{
    check_output(&bench, "f = io.open('/tmp/carillon-engine-test.txt', 'w') f:write('kept\\n')", "");
    check_output(
        &bench, "local f = io.open('/tmp/carillon-engine-test.txt') out(f:read('*a')) f:close() os.remove('/tmp/carillon-engine-test.txt')",
        "kept\n\n");
}

static void events_of_a_call_reach_the_fiber_in_order(void **state)
{
    struct channel *channel = fake_channel(bench.host);
    char code[600];
    snprintf(code, sizeof code,
             "local core, out = ...\n"
             "local ch = core.channel('%s')\n"
             "out(ch == core.channel(ch:uuid()), ch:kind(), ch:state(), ch:up(), tostring(ch:cause()))\n"
             "ch:own(core.self()) ch:data().x = 1\n"
             "local t = core.token() ch:play(t, '20.wav', 0)\n"
             "for i = 1, 3 do local what, c, token, x = core.wait() out(what, c == ch, token == t, x and x.reason, x and x.ms) end\n"
             "out(ch:take_digit()) ch:hangup('USER_BUSY') out(ch:cause(), ch:data().x)\n",
             channel_facts(channel)->uuid_text);
    struct run *run = run_engine_code(&bench, code);
    run_wait(&bench, run, 5);
    fake_digit(channel, '7');
    fake_digit(channel, '8');
    assert_string_equal(run_output(&bench, run), "true sip CS_EXECUTE true nil\ndigit true false nil nil\ndigit true false nil nil\ndone "
                                                 "true true finished 20\n7 800\nUSER_BUSY 1\n");
    run_free(run);
    channel_unref(channel);
}

static void wait_times_out_and_a_token_is_waited_for_alone(void **state)
{
    struct run *run = run_engine_code(
        &bench,
        "local core, out = ...\n"
        "local t0 = core.now() out(tostring(core.wait(30))) local d = core.now() - t0 out(d >= 29 and d < 200)\n"
        "local me, a, b = core.self(), core.token(), core.token()\n"
        "core.spawn('x', function() core.wait(5) core.wake(me, b, 'b') core.wake(me, a, {'a'}) end)\n"
        "local _, _, _, x = core.wait_token(a) out(x[1]) local what, ch, token, y = core.wait() out(what, tostring(ch), token == b, y)\n"
        "out(tostring(core.wait(0)))\n"
        "local r = core.request('broker', 'ENGINE', {command='x'}, 1000) local w, _, k, z = core.wait() out(w, k == r, z.status, "
        "z.pairs.text)\n");
    assert_string_equal(run_output(&bench, run), "nil\ntrue\na\nwake nil true b\nnil\nreply true 0 answered\n");
    run_free(run);
}

static void a_killed_fiber_ends_even_if_it_catches_errors(void **state)
{
    struct run *run = run_engine_code(&bench, "local core, out = ...\n"
                                              "local f = core.spawn('x', function() core.wait() end) core.wait(1) out(core.fiber_alive(f)) "
                                              "core.kill(f, 'enough') core.wait(1) out(core.fiber_alive(f))\n");
    assert_string_equal(run_output(&bench, run), "true\nfalse\n");
    run_free(run);
}

static void jobs_answer(void **state)
{
    struct run *run = run_engine_code(
        &bench, "local core, out = ...\n"
                "out(core.await(core.job('popen_read', 'echo one; echo two')))\n"
                "out(core.await(core.job('write_file', '/tmp/carillon-job.txt', 'text')), core.await(core.job('read_file', "
                "'/tmp/carillon-job.txt')))\n"
                "out(core.await(core.job('copy', '/tmp/carillon-job.txt', '/tmp/carillon-job2.txt')), core.await(core.job('remove', "
                "'/tmp/carillon-job2.txt')))\n"
                "out(core.await(core.job('system', 'exit 3')), core.await(core.job('remove', '/tmp/carillon-job2.txt')).error)\n"
                "out(core.await(core.job('mailer', 'cat > /tmp/carillon-job.txt', 'mail')), core.await(core.job('read_file', "
                "'/tmp/carillon-job.txt')))\n"
                "local c = core.await(core.job('curl', {url = 'http://127.0.0.1:1/'})) out(c.code, c.error ~= nil)\n"
                "core.await(core.job('remove', '/tmp/carillon-job.txt'))\n");
    assert_string_equal(run_output(&bench, run),
                        "one\ntwo\n\ntrue text\ntrue true\n768 /tmp/carillon-job2.txt: No such file or directory\n0 mail\n0 true\n");
    run_free(run);
}

static bool replied;
static char reply_text[256];

static void reply(void *context, const char *text, size_t length)
{
    replied = true;
    snprintf(reply_text, sizeof reply_text, "%.*s", (int)length, text);
}

static void an_api_command_is_answered_once(void **state)
{
    replied = false;
    engine_api(bench.engine, "no_such_command", "x", reply, NULL);
    assert_true(fake_run(bench.host, &replied, 2000));
    assert_int_equal(strncmp(reply_text, "-ERR", 4), 0);
}

static void an_ended_engine_forgets_its_fibers(void **state)
{
    struct run *run = run_start(&bench, "os.execute('sleep 5')");
    assert_false(run_wait(&bench, run, 30));
    assert_int_equal(engine_scripts(bench.engine), 1);
    run_free(run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_script_runs_with_its_globals),
        cmocka_unit_test(a_script_file_is_found_and_gets_argv),
        cmocka_unit_test(a_missing_script_is_an_error_with_its_path),
        cmocka_unit_test(a_syntax_error_names_file_and_line),
        cmocka_unit_test(a_runtime_error_is_one_line_with_its_traceback),
        cmocka_unit_test(the_first_line_and_a_mark_are_skipped),
        cmocka_unit_test(an_error_survives_debug_being_replaced),
        cmocka_unit_test(os_exit_is_logged_and_the_script_goes_on),
        cmocka_unit_test(a_missing_module_reads_as_lua_says_it),
        cmocka_unit_test(handles_are_closed_in_reverse_order_however_the_script_ended),
        cmocka_unit_test(programs_and_files_take_their_place_among_the_handles),
        cmocka_unit_test(a_file_left_open_is_closed_at_the_end),
        cmocka_unit_test(events_of_a_call_reach_the_fiber_in_order),
        cmocka_unit_test(wait_times_out_and_a_token_is_waited_for_alone),
        cmocka_unit_test(a_killed_fiber_ends_even_if_it_catches_errors),
        cmocka_unit_test(jobs_answer),
        cmocka_unit_test(an_api_command_is_answered_once),
        cmocka_unit_test(an_ended_engine_forgets_its_fibers),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
