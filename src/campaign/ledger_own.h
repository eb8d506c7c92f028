/* ledger_own.h: what ledger*.c and spool.c share. Nobody else includes it.
 *
 *   ledger.c         the loop's side: queueing, and completions coming back
 *   ledger_thread.c  the thread: groups, writes, falls back to the spool, reconnects, replays
 *   ledger_write.c   one operation → SQL
 *   ledger_record.c  one operation ↔ name/value pairs (the spool's records)
 *   ledger_recover.c what the last engine left open
 *   spool.c          the append-only file
 *
 * An operation is queued once and leaves once: written to the database, or to the spool, or (a begin) given back with an error. */
#ifndef CAMPAIGN_LEDGER_OWN_H
#define CAMPAIGN_LEDGER_OWN_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "campaign/ledger.h"
#include "campaign/spool.h"
#include "core/kv.h"
#include "store/db.h"

#define LEDGER_BEGIN_LINGER_MS  15     /* a begin waits this long for company; the contract says at most 20 */
#define LEDGER_RESULT_LINGER_MS 100    /* results have more time */
#define LEDGER_GROUP_MAX        1000   /* operations in one transaction */
#define LEDGER_RETRY_MS         1000   /* between attempts to reach a database that is away */
#define LEDGER_STATEMENT_MS     2000   /* a database that does not answer for that long is away */
#define LEDGER_PROBE_MS         20     /* how long a returning SQLite file may be locked before it still counts as away */
#define LEDGER_BACKLOG_MAX      100000 /* results kept in memory when neither database nor spool take them */
#define LEDGER_BEGINS_MAX       20000  /* begins waiting; more are refused at once */

enum op_kind { OP_BEGIN = 1, OP_END = 2, OP_REFUSED = 3, OP_LEAD = 4, OP_AUDIT = 5, OP_JOB = 100 /* never spooled */ };

/* Numbers are written in spools: never reuse one. */
struct ledger_op {
    _Atomic(struct ledger_op *) link; /* the queue's */
    struct ledger_op *next;           /* the thread's own lists */
    enum op_kind kind;
    int64_t queued_ns;
    union {
        struct {
            struct attempt_begin begin; /* OP_BEGIN, OP_REFUSED */
            struct attempt_end end;     /* OP_END, OP_REFUSED, OP_LEAD (its lead fields and id) */
        };
        struct audit_row audit; /* OP_AUDIT */
    };
    void (*durable)(void *context, int error);
    void *context;
    struct ledger_job *job;
    int error; /* for durable and job->done */
};
struct op_list {
    struct ledger_op *first, **end;
    size_t count;
};

/* The prepared statements on one connection. */
struct ledger_sql {
    struct db_statement *begin, *begin_lead, *end, *refused, *refused_lead, *lead_final, *lead_retry, *lead_now, *audit;
};

struct ledger {
    struct loop *loop;
    char *database, *node;
    pthread_t thread;
    int wake_fd;
    _Atomic bool stopping;

    /* Queue: any thread pushes with one exchange, the ledger's thread pops (D. Vyukov's MPSC queue). */
    _Alignas(64) _Atomic(struct ledger_op *) tail;
    _Alignas(64) struct ledger_op *head;
    struct ledger_op stub;
    /* When the sleeping thread wakes by itself; INT64_MIN while it is awake. What is due later rings no bell: the first of a group wakes
     * it once, the others find it waiting for the group's end. */
    _Alignas(64) _Atomic int64_t sleeps_until_ns;

    /* The thread's. */
    struct db *db;
    struct ledger_sql sql;
    struct spool *spool;
    struct op_list pending; /* taken from the queue, not yet written */
    size_t pending_begins;
    bool catching_up;   /* connected, but the spool is not yet replayed: everything still goes through it */
    uint64_t replay_at; /* its next record */
    uint64_t replayed;
    int64_t retry_ns; /* when to try the database or the spool again */
    bool away_told;

    /* Read by anybody. */
    _Atomic bool database_up, accepting;
    _Atomic uint64_t rows_written, rows_spooled, begins_waiting;
    _Atomic int64_t last_commit_us;
    char problem[2][160];
    _Atomic unsigned problem_at; /* which of the two is current */
};

/* ledger.c */
void ledger_push(struct ledger *ledger, struct ledger_op *op);
int64_t ledger_op_due_ns(const struct ledger_op *op);              /* when its group must be written */
bool ledger_pushing(const struct ledger *ledger);                  /* the thread's: a pusher is between its two steps */
struct ledger_op *ledger_pop(struct ledger *ledger);               /* NULL: empty */
void ledger_complete(struct ledger *ledger, struct op_list *done); /* posts completions; frees the rest */
void op_list_add(struct op_list *list, struct ledger_op *op);
struct ledger_op *op_list_take(struct op_list *list);

/* ledger_thread.c */
void *ledger_main(void *context);
int ledger_connect(struct ledger *ledger, struct buf *error); /* opens, migrates, prepares */
void ledger_disconnect(struct ledger *ledger);
int ledger_replay(struct ledger *ledger); /* next records of the spool into the database: 1 = more to come, 0 = all done, or an error */
void ledger_problem(struct ledger *ledger, const char *text);

/* ledger_write.c */
int ledger_sql_prepare(struct ledger_sql *sql, struct db *db);
void ledger_sql_finalize(struct ledger_sql *sql);
int ledger_write(struct ledger *ledger, const struct ledger_op *op);

/* ledger_record.c */
int ledger_record_encode(const struct ledger_op *op, struct kv *out);
int ledger_record_decode(struct ledger_op *op, uint32_t kind, struct kv_view view);

/* ledger_recover.c */
int ledger_recover_run(struct db *db, const char *node, const struct uuid *adopted, size_t count, int64_t *attempts);

#endif
