/* bench-import [ROWS]: `carillon campaign import` beside plain `sqlite3 .import` of the same file, in the same run, with the memory of each.
 *
 * Plain .import splits lines into a table without a key; ours checks numbers, drops duplicates by a unique index, keeps the claimable ones
 * indexed, and survives a crash at any batch. The second import of the same file is measured too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "campaign/import.h"
#include "core/clock.h"

struct cost {
    double seconds, cpu_s;
    long peak_kb;
    int status;
};

/* Rows in no order, as lists are. */
static void write_leads(const char *path, unsigned rows)
{
    FILE *f = fopen(path, "w");
    if (!f)
        exit(1);
    fputs("number,name,amount,city\n", f);
    for (unsigned i = 0; i < rows; i++) {
        unsigned n = (unsigned)((unsigned long long)i * 48271u % 7999993u); /* 7999993 is prime: no number twice */
        fprintf(f, "1212%03u%04u,\"Lead, %u\",%u.%02u,Springfield\n", 200 + n / 10000, n % 10000, i, i % 900, i % 100);
    }
    fclose(f);
}

static int import_here(const char *database, const char *path)
{
    struct buf error = BUF_INIT;
    struct import_result result;
    struct db *db = NULL;
    int e = import_database(&db, database, &error);
    const struct import_params params = { .db = db, .campaign = "bench", .default_country = "1", .bad_rows = stderr };
    if (e == 0)
        e = import_csv(&params, path, &result, &error);
    if (e)
        fprintf(stderr, "%s\n", buf_text(&error));
    else
        printf("    %llu rows, %llu added, %llu already there, %llu bad\n", (unsigned long long)result.rows, (unsigned long long)result.added,
               (unsigned long long)result.known, (unsigned long long)result.bad);
    fflush(stdout);
    db_close(db);
    return e ? 1 : 0;
}

static int sqlite3_here(const char *database, const char *path)
{
    char sql[400];
    snprintf(sql, sizeof sql, ".import --csv %s leads", path);
    execlp("sqlite3", "sqlite3", database, sql, (char *)NULL);
    fprintf(stderr, "sqlite3 is not installed (apt install sqlite3)\n");
    return 1;
}

/* In a process of its own, so that its memory is its own. */
static struct cost measure(int (*work)(const char *, const char *), const char *database, const char *path)
{
    struct cost cost;
    struct rusage usage;
    int status;
    int64_t begun = clock_mono_ns();
    pid_t pid = fork();
    if (pid == 0)
        _exit(work(database, path));
    wait4(pid, &status, 0, &usage);
    cost.seconds = (double)(clock_mono_ns() - begun) / 1e9;
    cost.cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    cost.peak_kb = usage.ru_maxrss;
    cost.status = status;
    return cost;
}

static void show(const char *what, const struct cost *c, double beside)
{
    printf("%-28s %7.2f s  %7.2f s CPU  %6.1f MB", what, c->seconds, c->cpu_s, (double)c->peak_kb / 1024);
    if (beside > 0)
        printf("  %.2f × sqlite3 .import", c->seconds / beside);
    printf("%s\n", c->status ? "  FAILED" : "");
    fflush(stdout);
}

int main(int argc, char **argv)
{
    unsigned rows = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000000;
    char folder[] = "/var/tmp/carillon-import-XXXXXX", csv[80], plain[80], ours[100], command[100];
    if (rows == 0 || rows > 7999992 || !mkdtemp(folder)) {
        fprintf(stderr, "usage: bench-import [ROWS]   1 to 7999992\n");
        return 2;
    }
    snprintf(csv, sizeof csv, "%s/leads.csv", folder);
    snprintf(plain, sizeof plain, "%s/plain.db", folder);
    snprintf(ours, sizeof ours, "sqlite://%s/ledger.db", folder);
    write_leads(csv, rows);
    printf("%u rows\n", rows);
    fflush(stdout); /* or the children print it again */
    struct cost base = measure(sqlite3_here, plain, csv);
    show("sqlite3 .import", &base, 0);
    struct cost first = measure(import_here, ours, csv);
    show("carillon import", &first, base.seconds);
    struct cost again = measure(import_here, ours, csv);
    show("the same again", &again, base.seconds);
    const char *database = getenv("BENCH_DATABASE"); /* postgresql://…: an empty database of yours */
    struct cost postgresql = { 0 };
    if (database) {
        postgresql = measure(import_here, database, csv);
        show("carillon import, PostgreSQL", &postgresql, base.seconds);
    }
    snprintf(command, sizeof command, "rm -rf %s", folder);
    int removed = system(command);
    bool good = !base.status && !first.status && !again.status && !postgresql.status && first.seconds <= 4 * base.seconds && first.peak_kb <= 64 << 10;
    printf("%s: at most 4 × and 64 MB\n", good ? "held" : "NOT HELD");
    return good && removed == 0 ? 0 : 1;
}
