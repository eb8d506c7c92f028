/* pool_pg.c: PostgreSQL connections for scripts: made on a helper thread, pooled by DSN, handed out oldest waiter first. */
#include "store/pool_pg.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "core/clock.h"

/* "pgsql://key=value …" is libpq's conninfo behind the scheme; anything else is a URI. */
static char *conninfo_of(const char *dsn)
{
    struct buf out = BUF_INIT;
    const char *rest = strstr(dsn, "://") + 3;
    bool uri = strchr(rest, '@') || !strchr(rest, '=');
    buf_printf(&out, "%s%s", uri && !strchr(rest, ' ') ? "postgresql://" : "", rest);
    return buf_take(&out);
}

/* Defaults stand first: what the script says in the expanded "dbname" wins over them. */
static PGconn *connect_with_defaults(const char *conninfo)
{
    const char *const keys[] = { "connect_timeout", "tcp_user_timeout", "keepalives_idle", "application_name", "dbname", NULL };
    const char *const values[] = { "5", "10000", "30", "carillon", conninfo, NULL };
    return PQconnectdbParams(keys, values, 1);
}

static void wait_timer_fired(struct loop_timer *timer);

struct pg_dsn *pg_dsn_of(struct pool *pool, const char *dsn)
{
    for (struct pg_dsn *d = pool->pg; d; d = d->next)
        if (strcmp(d->dsn, dsn) == 0) return d;
    struct pg_dsn *d = calloc(1, sizeof(*d));
    if (!d) return NULL;
    *d = (struct pg_dsn) { .pool = pool, .dsn = strdup(dsn), .conninfo = conninfo_of(dsn), .next = pool->pg };
    d->timer = (struct loop_timer) { .fire = wait_timer_fired, .context = d };
    pool->pg = d;
    return d;
}

/* --- connecting ------------------------------------------------------------------------------------------------------------- */

struct connecting {
    struct job job;
    struct pg_dsn *dsn;
    PGconn *pg;
};

static void serve_waiting(struct pg_dsn *dsn);

static void connect_run(struct job *job)
{
    struct connecting *connecting = job->context;
    connecting->pg = connect_with_defaults(connecting->dsn->conninfo);
}

/* Notices are the script's own doing and nobody's news. */
static void notice_drop(void *context, const char *text)
{
    (void)context;
    (void)text;
}

static struct pg_connection *connection_new(struct pg_dsn *dsn, PGconn *pg)
{
    struct pg_connection *connection = calloc(1, sizeof(*connection));
    if (!connection) return NULL;
    PQsetnonblocking(pg, 1);
    PQsetNoticeProcessor(pg, notice_drop, NULL);
    *connection = (struct pg_connection) { .pg = pg, .dsn = dsn };
    connection->watch = (struct loop_watch) { .fd = PQsocket(pg), .ready = pg_connection_ready, .context = connection };
    connection->watched = loop_watch_add(dsn->pool->params.loop, &connection->watch, EPOLLIN) == 0;
    return connection;
}

static void waiting_fail(struct pg_dsn *dsn, const char *text)
{
    while (dsn->first) {
        struct pg_session *session = dsn->first;
        struct cursor *cursor = session->waiting;
        pg_wait_cancel(session);
        pg_statement_failed(cursor, text);
    }
}

static void connect_done(struct job *job)
{
    struct connecting *connecting = job->context;
    struct pg_dsn *dsn = connecting->dsn;
    dsn->connecting--;
    free(dsn->problem);
    dsn->problem = NULL;
    struct pg_connection *connection = PQstatus(connecting->pg) == CONNECTION_OK ? connection_new(dsn, connecting->pg) : NULL;
    if (connection) {
        dsn->open++;
        connection->next = dsn->idle;
        dsn->idle = connection;
        serve_waiting(dsn);
    } else {
        dsn->problem = text_trimmed(PQerrorMessage(connecting->pg));
        PQfinish(connecting->pg);
        if (dsn->connecting == 0 && (dsn->open == 0 || !strstr(dsn->problem, "too many"))) waiting_fail(dsn, dsn->problem);
    }
    free(connecting);
}

static int connect_start(struct pg_dsn *dsn)
{
    struct connecting *connecting = calloc(1, sizeof(*connecting));
    if (!connecting) return -ENOMEM;
    *connecting = (struct connecting) { .job = { .run = connect_run, .done = connect_done, .context = connecting }, .dsn = dsn };
    int error = jobs_submit(dsn->pool->params.jobs, &connecting->job);
    if (error < 0)
        free(connecting);
    else
        dsn->connecting++;
    return error;
}

/* --- idle ones ------------------------------------------------------------------------------------------------------------------ */

void pg_connection_drop(struct pg_connection *connection)
{
    struct pg_dsn *dsn = connection->dsn;
    if (connection->watched) loop_watch_remove(dsn->pool->params.loop, &connection->watch);
    PQfinish(connection->pg);
    free(connection);
    dsn->open--;
}

struct pg_connection *pg_connection_take(struct pg_dsn *dsn)
{
    while (dsn->idle) {
        struct pg_connection *connection = dsn->idle;
        dsn->idle = connection->next;
        connection->next = NULL;
        /* A server that went away has closed its end: seen here without asking it. */
        if (PQconsumeInput(connection->pg) && PQstatus(connection->pg) == CONNECTION_OK) return connection;
        pg_connection_drop(connection);
    }
    return NULL;
}

void pg_connection_give(struct pg_connection *connection)
{
    connection->holder = NULL;
    connection->running = NULL;
    PGTransactionStatusType state = PQtransactionStatus(connection->pg);
    struct pg_dsn *dsn = connection->dsn;
    if (PQstatus(connection->pg) != CONNECTION_OK || state == PQTRANS_UNKNOWN) {
        pg_connection_drop(connection);
    } else if (state != PQTRANS_IDLE || connection->touched) {
        /* ROLLBACK and DISCARD ALL run asynchronously; pg_connection_ready puts it among the idle ones afterwards. */
        const char *cleaning = state == PQTRANS_IDLE ? "DISCARD ALL" : "ROLLBACK";
        connection->touched = state != PQTRANS_IDLE;
        if (state == PQTRANS_ACTIVE || !PQsendQuery(connection->pg, cleaning))
            pg_connection_drop(connection);
        else
            PQflush(connection->pg);
    } else {
        connection->next = dsn->idle;
        dsn->idle = connection;
    }
    serve_waiting(dsn);
}

/* --- who waits ----------------------------------------------------------------------------------------------------------------- */

static void wait_timer_set(struct pg_dsn *dsn)
{
    if (dsn->first)
        loop_timer_set(dsn->pool->params.loop, &dsn->timer, dsn->first->wait_until_ns);
    else
        loop_timer_clear(dsn->pool->params.loop, &dsn->timer);
}

static void wait_timer_fired(struct loop_timer *timer)
{
    struct pg_dsn *dsn = timer->context;
    int64_t now = loop_now_ns(dsn->pool->params.loop);
    while (dsn->first && dsn->first->wait_until_ns <= now) {
        struct pg_session *session = dsn->first;
        struct cursor *cursor = session->waiting;
        pg_wait_cancel(session);
        pg_statement_failed(cursor, dsn->problem ? dsn->problem : "no database connection became free in time");
    }
    wait_timer_set(dsn);
}

static void serve_waiting(struct pg_dsn *dsn)
{
    struct pg_connection *connection;
    while (dsn->first && (connection = pg_connection_take(dsn))) {
        struct pg_session *session = dsn->first;
        struct cursor *cursor = session->waiting;
        pg_wait_cancel(session);
        session->connection = connection;
        connection->holder = session;
        pg_statement_start(cursor);
    }
    uint32_t wanted = dsn->waiting < dsn->pool->params.connections_max ? dsn->waiting : dsn->pool->params.connections_max;
    while (dsn->connecting < wanted && dsn->open + dsn->connecting < dsn->pool->params.connections_max)
        if (connect_start(dsn) < 0) break;
}

int pg_wait(struct pg_session *session, struct cursor *cursor)
{
    struct pool *pool = session->session->pool;
    struct pg_dsn *dsn = pg_dsn_of(pool, session->session->dsn);
    if (!dsn || dsn->waiting >= pool->params.queue_max) return -EBUSY;
    session->waiting = cursor;
    session->next_waiting = NULL;
    session->queued = true;
    session->wait_until_ns = clock_mono_ns() + (int64_t)pool->params.wait_ms * NS_PER_MS;
    if (dsn->last)
        dsn->last->next_waiting = session;
    else
        dsn->first = session;
    dsn->last = session;
    dsn->waiting++;
    wait_timer_set(dsn);
    serve_waiting(dsn);
    return 0;
}

void pg_wait_cancel(struct pg_session *session)
{
    if (!session->queued) return;
    struct pg_dsn *dsn = pg_dsn_of(session->session->pool, session->session->dsn);
    struct pg_session **at = &dsn->first, *before = NULL;
    while (*at != session) {
        before = *at;
        at = &(*at)->next_waiting;
    }
    *at = session->next_waiting;
    if (dsn->last == session) dsn->last = before;
    session->queued = false;
    session->waiting = NULL;
    dsn->waiting--;
    wait_timer_set(dsn);
}

void pool_pg_free(struct pool *pool)
{
    while (pool->pg) {
        struct pg_dsn *dsn = pool->pg;
        pool->pg = dsn->next;
        while (dsn->idle) {
            struct pg_connection *connection = dsn->idle;
            dsn->idle = connection->next;
            pg_connection_drop(connection);
        }
        loop_timer_clear(pool->params.loop, &dsn->timer);
        free(dsn->dsn);
        free(dsn->conninfo);
        free(dsn->problem);
        free(dsn);
    }
}
