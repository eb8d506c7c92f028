/* run_fake.c: see run_fake.h. */
#include "lua/run_fake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/jobs.h"
#include "core/log.h"
#include "lua/private.h"

static const char driver[] = "local core, out, report, code, file = ...\n"
                             "local token = core.script{ code = code, file = file, name = '=script', globals = { out = out } }\n"
                             "local _, _, _, x = core.wait_token(token)\n"
                             "report(x.ok, x.error)\n";

static const char engine_driver[] = "local core, out, report, code = ...\n"
                                    "local ok, why = pcall(assert(loadstring(code, '=engine code')), core, out)\n"
                                    "report(ok, why)\n";

static int out(lua_State *L)
{
    struct run *run = lua_touserdata(L, lua_upvalueindex(1));
    for (int i = 1; i <= lua_gettop(L); i++) {
        size_t length;
        const char *text = lua_isboolean(L, i) ? (lua_toboolean(L, i) ? "true" : "false") : lua_tolstring(L, i, &length);
        buf_puts(&run->out, i > 1 ? " " : "");
        buf_puts(&run->out, text ? text : luaL_typename(L, i));
    }
    buf_putc(&run->out, '\n');
    return 0;
}

static int report(lua_State *L)
{
    struct run *run = lua_touserdata(L, lua_upvalueindex(1));
    run->done = true;
    run->ok = lua_toboolean(L, 1);
    if (lua_isstring(L, 2)) buf_puts(&run->error, lua_tostring(L, 2));
    return 0;
}

void bench_open(struct bench *bench, int memory_mb, int budget_ms)
{
    snprintf(bench->log_path, sizeof bench->log_path, "/tmp/carillon-lua-test-%d.log", (int)getpid());
    unlink(bench->log_path);
    assert_int_equal(log_open("test", bench->log_path, "debug"), 0);
    bench->host = fake_host_new(memory_mb, budget_ms);
    int error = engine_new(&bench->engine, bench->host);
    if (error) {
        log_close();
        char command[128];
        snprintf(command, sizeof command, "cat %s", bench->log_path);
        if (system(command)) fprintf(stderr, "no log\n");
    }
    assert_int_equal(error, 0);
    fake_host_engine(bench->host, bench->engine);
}

void bench_close(struct bench *bench)
{
    jobs_free(host_jobs(bench->host));
    engine_free(bench->engine);
    assert_int_equal(fake_channels(bench->host), 0);
    fake_host_free(bench->host);
    log_close();
    unlink(bench->log_path);
}

static struct run *start(struct bench *bench, const char *with, const char *code, const char *file)
{
    struct run *run = calloc(1, sizeof *run);
    struct fiber *fiber = fiber_new(bench->engine, "test");
    lua_State *L = fiber->L;
    assert_int_equal(luaL_loadbuffer(L, with, strlen(with), "=driver"), 0);
    lua_rawgeti(L, LUA_REGISTRYINDEX, bench->engine->core);
    lua_pushlightuserdata(L, run);
    lua_pushcclosure(L, out, 1);
    lua_pushlightuserdata(L, run);
    lua_pushcclosure(L, report, 1);
    lua_pushstring(L, code);
    lua_pushstring(L, file);
    fiber_start(fiber, 5);
    return run;
}

struct run *run_start(struct bench *bench, const char *code) { return start(bench, driver, code, NULL); }

struct run *run_start_file(struct bench *bench, const char *file) { return start(bench, driver, NULL, file); }

struct run *run_engine_code(struct bench *bench, const char *code) { return start(bench, engine_driver, code, NULL); }

bool run_wait(struct bench *bench, struct run *run, int ms) { return fake_run(bench->host, &run->done, ms); }

const char *run_output(struct bench *bench, struct run *run)
{
    assert_true(run_wait(bench, run, 10000));
    if (!run->ok) fprintf(stderr, "script: %s\n", buf_text(&run->error));
    return buf_text(&run->out);
}

void run_free(struct run *run)
{
    buf_free(&run->out);
    buf_free(&run->error);
    free(run);
}

void check_output(struct bench *bench, const char *code, const char *expected)
{
    struct run *run = run_start(bench, code);
    assert_string_equal(run_output(bench, run), expected);
    assert_true(run->ok);
    run_free(run);
}

bool bench_logged(struct bench *bench, const char *text)
{
    int64_t until = clock_mono_ns() + 2 * NS_PER_S;
    do {
        char all[65536];
        FILE *file = fopen(bench->log_path, "r");
        size_t n = file ? fread(all, 1, sizeof all - 1, file) : 0;
        if (file) fclose(file);
        all[n] = 0;
        if (strstr(all, text)) return true;
        usleep(20000);
    } while (clock_mono_ns() < until);
    return false;
}
