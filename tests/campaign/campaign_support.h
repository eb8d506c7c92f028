/* campaign_support.h: a folder, a database and a loop for each test of campaigns. TEST_DATABASE (postgresql://…) replaces SQLite:
 * tests/campaign/postgresql_test.py runs these same programs against a server of its own. */
#ifndef TESTS_CAMPAIGN_SUPPORT_H
#define TESTS_CAMPAIGN_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "campaign/schema.h"
#include "core/buf.h"
#include "core/clock.h"
#include "core/loop.h"
#include "store/db.h"

struct place {
    char folder[64], database[256];
    struct loop *loop;
};

static inline struct db *place_db(const struct place *p)
{
    struct buf error = BUF_INIT;
    struct db *db = NULL;
    int e = db_open(&db, p->database, NULL, &error);
    if (e == 0) e = schema_migrate(db, &error);
    if (e) fail_msg("%s", buf_text(&error));
    buf_free(&error);
    return db;
}

static inline void place_make(struct place *p)
{
    const char *given = getenv("TEST_DATABASE");
    strcpy(p->folder, "/tmp/carillon-test-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    if (given)
        snprintf(p->database, sizeof p->database, "%s", given);
    else
        snprintf(p->database, sizeof p->database, "sqlite://%s/ledger.db", p->folder);
    if (given) { /* one server for many tests: each begins with empty tables */
        struct db *db = place_db(p);
        assert_int_equal(db_exec(db, "DROP SCHEMA public CASCADE; CREATE SCHEMA public"), 0);
        db_close(db);
    }
    assert_int_equal(loop_new(&p->loop), 0);
}

static inline void place_remove(struct place *p)
{
    char command[128];
    loop_free(p->loop);
    snprintf(command, sizeof command, "rm -rf %s", p->folder);
    assert_int_equal(system(command), 0);
}

static inline char *place_file(const struct place *p, const char *name, const char *text)
{
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", p->folder, name) > 0);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return path;
}

static inline int64_t place_int(const struct place *p, const char *sql)
{
    struct db *db = place_db(p);
    int64_t value = -1;
    int e = db_value_int(db, sql, &value);
    if (e) fail_msg("%s: %s", sql, db_error(db));
    db_close(db);
    return value;
}

/* Turns the loop until `done(context)` or the time is over. */
static inline int run_until(struct loop *loop, int (*done)(void *context), void *context, int64_t ms)
{
    int64_t end = clock_mono_ns() + ms * NS_PER_MS;
    while (!done(context)) {
        if (clock_mono_ns() > end) return 0;
        loop_step(loop, 5 * NS_PER_MS);
    }
    return 1;
}

#endif
