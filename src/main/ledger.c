/* ledger.c: `carillon ledger`: old rows go, copies are made; beside a running engine. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "campaign/campaign_file.h"
#include "campaign/import.h"
#include "campaign/ledger_keep.h"
#include "core/clock.h"
#include "main/command.h"

struct wishes {
    const char *older;
    bool leads, dry_run;
};

static void progress(void *context, const struct ledger_prune *sofar)
{
    if (isatty(STDERR_FILENO)) fprintf(stderr, "\r  %" PRIu64 " calls, %" PRIu64 " leads deleted ", sofar->attempts, sofar->lead_rows);
}

static int prune(struct db *db, const struct wishes *wishes, struct buf *error)
{
    int64_t age_ms = 0;
    if (wishes->older == NULL || duration_parse(wishes->older, &age_ms) < 0 || age_ms < 3600000)
        return usage_wrong("ledger", "prune needs --older AGE, an hour or more: 90d, 36h");
    struct ledger_prune work = {
        .before_us = clock_utc_us() - age_ms * 1000, .leads = wishes->leads, .count_only = wishes->dry_run, .progress = progress
    };
    int rc = ledger_prune(&work, db, error);
    if (isatty(STDERR_FILENO)) fputs("\r\033[K", stderr);
    if (rc == 0)
        printf("%s%" PRIu64 " calls and %" PRIu64 " leads older than %s\n", wishes->dry_run ? "would delete " : "deleted ", work.attempts,
               work.lead_rows, wishes->older);
    return rc == 0 ? EXIT_OK : EXIT_FAILED;
}

static int work_do(struct db *db, int argc, char **argv, const struct wishes *wishes, struct buf *error)
{
    if (strcmp(argv[0], "prune") == 0) return prune(db, wishes, error);
    if (strcmp(argv[0], "backup") != 0 || argc < 2) return usage_wrong("ledger", "what is to be done? prune --older AGE, or backup FILE");
    if (ledger_copy(db, argv[1], error) < 0) return EXIT_FAILED;
    printf("%s holds the ledger as it is now\n", argv[1]);
    return EXIT_OK;
}

int command_ledger(int argc, char **argv)
{
    const char *given = NULL, *path;
    struct wishes wishes = { 0 };
    const struct option_row rows[] = {
        CONFIG_OPTION(given),
        { 0, "older", "AGE", "prune: what is older than this (90d, 36h)", &wishes.older, NULL },
        { 0, "leads", NULL, "prune: also leads that are done, of campaigns that are over", NULL, &wishes.leads },
        { 0, "dry-run", NULL, "prune: only says how much it would delete", NULL, &wishes.dry_run },
    };
    const struct usage usage = { "ledger [OPTION…] prune --older AGE | backup FILE",
                                 "Keeps the ledger small and safe, also while the engine dials.\n"
                                 "  prune --older 90d    deletes rows of calls that began longer ago, a thousand at a time\n"
                                 "  backup FILE          a consistent copy of a SQLite ledger (for PostgreSQL: pg_dump)",
                                 rows, 4 };
    int at = options_read(&usage, argc, argv);
    if (at < 0) return options_exit(at);
    if (at == argc) return usage_wrong("ledger", "what is to be done? prune --older AGE, or backup FILE");
    argc -= at, argv += at;
    at = options_read(&usage, argc, argv); /* options may also stand behind the word */
    if (at < 0) return options_exit(at);
    argv[--at] = argv[0];
    struct config *config = config_open(given, &path);
    if (config == NULL) return EXIT_FAILED;
    struct buf database = BUF_INIT, error = BUF_INIT;
    struct db *db = NULL;
    database_resolve(config, &database);
    int rc = import_database(&db, buf_text(&database), &error) < 0 ? EXIT_FAILED : work_do(db, argc - at, argv + at, &wishes, &error);
    if (error.length) fprintf(stderr, "carillon ledger: %s\n", buf_text(&error));
    db_close(db);
    buf_free(&database);
    buf_free(&error);
    config_free(config);
    return rc;
}
