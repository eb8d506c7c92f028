/* pool_pg.h: PostgreSQL for scripts: connections by DSN (pool_pg.c) and statements on them (pool_pg_statement.c). */
#ifndef STORE_POOL_PG_H
#define STORE_POOL_PG_H

#include <libpq-fe.h>

#include "store/pool_private.h"

struct pg_connection {
    PGconn *pg;
    struct loop_watch watch;
    bool watched;
    struct pg_dsn *dsn;
    struct pg_session *holder;
    struct cursor *running;     /* whose results are being read */
    bool touched;               /* SET, LISTEN, temporary tables …: clean it before the next user */
    struct pg_connection *next; /* in the list of idle ones */
};

/* What session->connection points to. */
struct pg_session {
    struct session *session;
    struct pg_connection *connection; /* NULL between statements */
    struct cursor *waiting;           /* a cursor that waits for a connection */
    struct pg_session *next_waiting;
    int64_t wait_until_ns;
    bool queued;
};

struct pg_dsn {
    struct pool *pool;
    char *dsn, *conninfo;
    struct pg_connection *idle;
    uint32_t open, connecting;
    struct pg_session *first, *last; /* waiting for a connection, oldest first */
    uint32_t waiting;
    struct loop_timer timer; /* deadlines of those that wait */
    char *problem;           /* why the last attempt to connect failed */
    struct pg_dsn *next;
};

/* pool_pg.c */
struct pg_connection *pg_connection_take(struct pg_dsn *dsn); /* an idle living one, or NULL */
void pg_connection_give(struct pg_connection *connection);    /* back: cleaned if touched, closed if broken */
void pg_connection_drop(struct pg_connection *connection);
int pg_wait(struct pg_session *session, struct cursor *cursor); /* for a connection */
void pg_wait_cancel(struct pg_session *session);
struct pg_dsn *pg_dsn_of(struct pool *pool, const char *dsn);
/* pool_pg_statement.c */
void pg_statement_start(struct cursor *cursor); /* its session has a connection */
void pg_statement_failed(struct cursor *cursor, const char *text);
int pg_statement_begin(struct cursor *cursor);
int pg_statement_more(struct cursor *cursor);
void pg_statement_close(struct cursor *cursor);
void pg_connection_ready(struct loop_watch *watch, uint32_t events);

#endif
