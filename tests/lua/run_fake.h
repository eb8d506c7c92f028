/* run_fake.h: runs a script's text as the layer would, and collects what it says with out(…). */
#ifndef TESTS_LUA_RUN_FAKE_H
#define TESTS_LUA_RUN_FAKE_H

#include "core/buf.h"
#include "lua/host_fake.h"

struct run {
    bool done, ok;
    struct buf out;   /* what out(…) was given, each followed by a newline */
    struct buf error; /* of the script */
};

/* A host and an engine upon it. Logs go to a file that run_logged reads. */
struct bench {
    struct host *host;
    struct engine *engine;
    char log_path[64];
};
void bench_open(struct bench *bench, int memory_mb, int budget_ms);
void bench_close(struct bench *bench);

struct run *run_start(struct bench *bench, const char *code);      /* a script from text */
struct run *run_start_file(struct bench *bench, const char *file); /* from tests/lua/scripts */
/* Engine code in an engine fiber: gets core as its argument. */
struct run *run_engine_code(struct bench *bench, const char *code);
bool run_wait(struct bench *bench, struct run *run, int ms);
/* Waits at most 10 s; prints the script's error if it failed. The output, until run_free. */
const char *run_output(struct bench *bench, struct run *run);
void run_free(struct run *run);
/* Runs to its end and compares. */
void check_output(struct bench *bench, const char *code, const char *expected);
/* Was a line with this text logged (waits for the writer a moment)? */
bool bench_logged(struct bench *bench, const char *text);

#endif
