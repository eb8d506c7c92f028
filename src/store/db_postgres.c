/* db_postgres.c: PostgreSQL behind db.h. libpq's asynchronous calls with a deadline of our own around them, because a server
 * that was stopped (SIGSTOP, a hung disk, a firewall that drops) acknowledges TCP and never answers. */
#include <errno.h>
#include <inttypes.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "store/db_own.h"

#define PARAMETERS_MAX 48

struct pg {
    struct db db; /* first */
    PGconn *connection;
    unsigned next_name;
};
struct pg_statement {
    struct db_statement statement; /* first */
    char *sql;
    char name[16];
    bool prepared;
    int parameters;
    char *values[PARAMETERS_MAX]; /* owned text, NULL = NULL */
    PGresult *result;             /* the rows, while walking */
    int row;
};

static struct pg *pg_of(const struct db *db) { return (struct pg *)db; }

static struct pg_statement *pg_statement_of(const struct db_statement *statement) { return (struct pg_statement *)statement; }

static int lost(struct pg *pg, const char *why)
{
    db_error_set(&pg->db, why);
    pg->db.lost = true;
    return -ENOTCONN;
}

/* SQLSTATE → errno, see the table in db.h and PostgreSQL's appendix A. */
static int error_number(struct pg *pg, const char *state)
{
    if (PQstatus(pg->connection) != CONNECTION_OK || !state || !strncmp(state, "08", 2) || !strncmp(state, "57P", 3)) {
        pg->db.lost = true;
        return -ENOTCONN;
    }
    if (!strcmp(state, "23505")) return -EEXIST;
    if (!strncmp(state, "40", 2)) return -EAGAIN;
    if (!strcmp(state, "55P03") || !strcmp(state, "57014")) return -EBUSY; /* lock_timeout, statement_timeout */
    if (!strcmp(state, "53100")) return -ENOSPC;
    if (!strncmp(state, "53", 2)) return -EAGAIN;
    if (!strcmp(state, "25006")) return -EROFS;
    if (!strncmp(state, "58", 2) || !strncmp(state, "XX", 2)) return -EIO;
    return -EINVAL;
}

static int failed(struct pg *pg, PGresult *result)
{
    const char *text = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    db_error_set(&pg->db, text ? text : PQerrorMessage(pg->connection));
    int e = error_number(pg, result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL);
    PQclear(result);
    return e;
}

/* Waits until the answer can be read without blocking, or the deadline passes: then the connection counts as lost. */
static int wait_answer(struct pg *pg, int64_t deadline_ns)
{
    for (;;) {
        int unsent = PQflush(pg->connection);
        if (unsent < 0) return lost(pg, PQerrorMessage(pg->connection));
        if (!unsent && !PQisBusy(pg->connection)) return 0;
        int64_t left_ms = (deadline_ns - clock_mono_ns()) / NS_PER_MS;
        if (left_ms <= 0) return lost(pg, "no answer within the deadline");
        struct pollfd p = { .fd = PQsocket(pg->connection), .events = (short)(POLLIN | (unsent ? POLLOUT : 0)) };
        if (poll(&p, 1, (int)left_ms) < 0 && errno != EINTR) return lost(pg, strerror(errno));
        if ((p.revents & (POLLIN | POLLHUP | POLLERR)) && !PQconsumeInput(pg->connection)) return lost(pg, PQerrorMessage(pg->connection));
    }
}

/* Takes the whole answer; *out (may be NULL) gets the last result. The first error wins. */
static int collect(struct pg *pg, PGresult **out)
{
    int64_t deadline = clock_mono_ns() + (int64_t)(pg->db.options.statement_ms + 500) * NS_PER_MS; /* the server's own timeout first */
    PGresult *last = NULL;
    int e = 0;
    for (;;) {
        int w = wait_answer(pg, deadline);
        if (w) {
            PQclear(last);
            return w;
        }
        PGresult *result = PQgetResult(pg->connection);
        if (!result) break;
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
            PQclear(last);
            last = result;
        } else if (!e) {
            e = failed(pg, result);
        } else {
            PQclear(result);
        }
    }
    if (e || !out) {
        PQclear(last);
        return e;
    }
    *out = last;
    return 0;
}

static void pg_close(struct db *db)
{
    PQfinish(pg_of(db)->connection);
    free(db);
}

static int pg_exec(struct db *db, const char *sql)
{
    struct pg *pg = pg_of(db);
    if (db->lost) return -ENOTCONN;
    if (!PQsendQuery(pg->connection, sql)) return lost(pg, PQerrorMessage(pg->connection));
    return collect(pg, NULL);
}

/* "a = ? AND b = '?'" → "a = $1 AND b = '?'". */
static char *number_parameters(const char *sql, int *count)
{
    struct buf out = BUF_INIT;
    bool quoted = false;
    *count = 0;
    for (const char *c = sql; *c; c++) {
        if (*c == '\'') quoted = !quoted;
        if (*c == '?' && !quoted)
            buf_printf(&out, "$%d", ++*count);
        else
            buf_putc(&out, *c);
    }
    return buf_take(&out);
}

static int pg_prepare(struct db *db, struct db_statement **out, const char *sql)
{
    struct pg_statement *s = calloc(1, sizeof *s);
    if (!s) return -ENOMEM;
    s->statement.db = db;
    s->sql = number_parameters(sql, &s->parameters);
    snprintf(s->name, sizeof s->name, "s%u", pg_of(db)->next_name++);
    if (s->parameters > PARAMETERS_MAX) {
        db_error_set(db, "too many parameters in one statement");
        free(s->sql);
        free(s);
        return -EINVAL;
    }
    *out = &s->statement;
    return 0; /* the server sees it at its first run: opening costs no round trip per statement */
}

static void forget_values(struct pg_statement *s)
{
    for (int i = 0; i < s->parameters; i++) {
        free(s->values[i]);
        s->values[i] = NULL;
    }
}

static void pg_done(struct db_statement *statement)
{
    struct pg_statement *s = pg_statement_of(statement);
    PQclear(s->result);
    s->result = NULL;
    forget_values(s);
}

static void pg_finalize(struct db_statement *statement)
{
    struct pg_statement *s = pg_statement_of(statement);
    pg_done(statement);
    if (s->prepared && !statement->db->lost) {
        char sql[40];
        snprintf(sql, sizeof sql, "DEALLOCATE %s", s->name);
        pg_exec(statement->db, sql); /* in an aborted transaction it fails, and the name stays taken: names are not reused */
    }
    free(s->sql);
    free(s);
}

static void bind_value(struct db_statement *statement, int index, char *value)
{
    struct pg_statement *s = pg_statement_of(statement);
    if (index < 1 || index > s->parameters) {
        free(value);
        return;
    }
    free(s->values[index - 1]);
    s->values[index - 1] = value;
}

static void pg_bind_int(struct db_statement *statement, int index, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, value);
    bind_value(statement, index, strdup(text));
}

static void pg_bind_real(struct db_statement *statement, int index, double value)
{
    char text[40];
    snprintf(text, sizeof text, "%.17g", value);
    bind_value(statement, index, strdup(text));
}

static void pg_bind_text(struct db_statement *statement, int index, const char *text)
{
    bind_value(statement, index, text ? strdup(text) : NULL);
}

static int run(struct pg *pg, struct pg_statement *s)
{
    if (pg->db.lost) return -ENOTCONN;
    if (!s->prepared) {
        if (!PQsendPrepare(pg->connection, s->name, s->sql, 0, NULL)) return lost(pg, PQerrorMessage(pg->connection));
        int e = collect(pg, NULL);
        if (e) return e;
        s->prepared = true;
    }
    if (!PQsendQueryPrepared(pg->connection, s->name, s->parameters, (const char *const *)s->values, NULL, NULL, 0))
        return lost(pg, PQerrorMessage(pg->connection));
    int e = collect(pg, &s->result);
    if (e) return e;
    s->statement.changes = s->result ? atoll(PQcmdTuples(s->result)) : 0;
    s->row = -1;
    return 0;
}

static int pg_step(struct db_statement *statement)
{
    struct pg_statement *s = pg_statement_of(statement);
    if (!s->result) {
        int e = run(pg_of(statement->db), s);
        if (e) {
            statement->changes = 0;
            pg_done(statement);
            return e;
        }
    }
    if (s->result && ++s->row < PQntuples(s->result)) return 1;
    pg_done(statement);
    return 0;
}

static bool pg_null(const struct db_statement *statement, int column)
{
    struct pg_statement *s = pg_statement_of(statement);
    return PQgetisnull(s->result, s->row, column);
}

static const char *pg_text(const struct db_statement *statement, int column)
{
    struct pg_statement *s = pg_statement_of(statement);
    const char *text = PQgetvalue(s->result, s->row, column);
    return text ? text : "";
}

static int64_t pg_int(const struct db_statement *statement, int column)
{
    const char *text = pg_text(statement, column);
    return text[0] == 't' ? 1 : atoll(text); /* booleans come as t and f */
}

static double pg_real(const struct db_statement *statement, int column) { return atof(pg_text(statement, column)); }

static const struct db_backend backend = {
    .close = pg_close,
    .exec = pg_exec,
    .prepare = pg_prepare,
    .finalize = pg_finalize,
    .bind_int = pg_bind_int,
    .bind_real = pg_bind_real,
    .bind_text = pg_bind_text,
    .step = pg_step,
    .done = pg_done,
    .get_int = pg_int,
    .get_real = pg_real,
    .get_text = pg_text,
    .get_null = pg_null,
};

static void ignore_notice(void *context, const char *message) {}

static int configure(struct pg *pg)
{
    char sql[200];
    PQsetNoticeProcessor(pg->connection, ignore_notice, NULL);
    if (PQsetnonblocking(pg->connection, 1) != 0) return lost(pg, PQerrorMessage(pg->connection));
    snprintf(sql, sizeof sql, "SET client_encoding='UTF8'; SET statement_timeout=%u; SET idle_in_transaction_session_timeout=60000%s",
             pg->db.options.statement_ms, pg->db.options.read_only ? "; SET default_transaction_read_only=on" : "");
    return pg_exec(&pg->db, sql);
}

static const char *mend(const char *text)
{
    if (strstr(text, "does not exist")) return "create the role and database, or correct the address";
    if (strstr(text, "authentication") || strstr(text, "password")) return "check user and password, and pg_hba.conf";
    return "is PostgreSQL running there, and is the address right?";
}

static PGconn *connect_to(const char *dsn, const struct db_options *options)
{
    char connect_s[12], user_timeout_ms[12];
    unsigned seconds = (options->connect_ms + 999) / 1000;
    snprintf(connect_s, sizeof connect_s, "%u", seconds < 2 ? 2 : seconds);
    snprintf(user_timeout_ms, sizeof user_timeout_ms, "%u", options->connect_ms);
    /* What stands before dbname are defaults; the address itself may say otherwise. */
    const char *names[] = { "connect_timeout",  "tcp_user_timeout",          "keepalives_idle", "keepalives_interval",
                            "keepalives_count", "fallback_application_name", "dbname",          NULL };
    const char *values[] = { connect_s, user_timeout_ms, "10", "5", "3", "carillon", dsn, NULL };
    return PQconnectdbParams(names, values, 1);
}

int db_postgres_open(struct db **out, const char *dsn, const struct db_options *options, struct buf *error)
{
    struct pg *pg = calloc(1, sizeof *pg);
    if (!pg) return -ENOMEM;
    pg->db = (struct db) { .backend = &backend, .kind = DB_POSTGRESQL, .options = *options };
    pg->connection = connect_to(dsn, options);
    int e = PQstatus(pg->connection) == CONNECTION_OK ? configure(pg) : lost(pg, PQerrorMessage(pg->connection));
    if (e) {
        buf_puts(error, "cannot open database ");
        db_dsn_public(dsn, error);
        buf_printf(error, ": %s; %s", pg->db.error, mend(pg->db.error));
        pg_close(&pg->db);
        return e;
    }
    *out = &pg->db;
    return 0;
}
