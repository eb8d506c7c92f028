/* ledger.h: one row per attempt, on disk before its INVITE leaves. For campaigns and for every other outgoing call.
 *
 * The ledger has a thread of its own that does all the blocking (SQLite or PostgreSQL through store/db.h): begin is
 * grouped for at most 20 ms; results go in batches; while the database is away results wait in a local spool
 * (append-only file, fsync'd in groups), and begins are refused as soon as they cannot be made durable there either. */
#ifndef CAMPAIGN_LEDGER_H
#define CAMPAIGN_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/buf.h"
#include "core/loop.h"
#include "core/uuid.h"

struct ledger;

struct ledger_params {
    const char *database; /* "sqlite:///path/ledger.db" or "postgresql://user:pw@host/db" */
    const char *spool_dir;
    const char *node;  /* this engine's name */
    struct loop *loop; /* callbacks run on its thread */
    bool start_away;   /* a database that cannot be reached is no failure: begin with the spool (a broker that restarts meanwhile) */
};
/* Opens, creates or migrates the schema (docs/schema.md). On failure one clear line with the mend in `error`. */
int ledger_open(struct ledger **out, const struct ledger_params *params, struct buf *error);
void ledger_close(struct ledger *ledger); /* writes out everything first */

/* What is known before the INVITE. */
struct attempt_begin {
    struct uuid id; /* UUIDv7; its text is the Call-ID */
    struct uuid channel;
    int64_t campaign; /* id, 0 = none */
    int64_t lead;     /* id, 0 = none */
    char trunk[64], number[64], caller_id[64], node[64];
    int64_t claimed_us;   /* UTC */
    uint32_t failover_of; /* 0, or n for the n-th trunk tried of this attempt */
};
/* `durable(context, 0)` once it is on disk (in the database, or in the spool while that is away); error < 0: the call must not
 * be made. Always called exactly once, on the loop's thread, never before this returns. */
int ledger_attempt_begin(struct ledger *ledger, const struct attempt_begin *attempt, void (*durable)(void *context, int error),
                         void *context);

enum attempt_state { ATTEMPT_CLAIMED, ATTEMPT_DONE, ATTEMPT_INTERRUPTED, ATTEMPT_REFUSED };
struct attempt_end {
    struct uuid id;
    int64_t lead, campaign;
    enum attempt_state state;
    int64_t invite_us, ring_us, answer_us, end_us; /* UTC, 0 = never; never decreasing */
    uint16_t sip_status;
    char cause[40];       /* hangup cause name */
    char disposition[32]; /* answered, busy, no_answer, failed, refused, interrupted, script_error, or the script's own word */
    char refused[40];     /* the permit's reason code */
    char trunk[64];       /* the last one tried */
    char digits[64];
    char error[160];
    int64_t billsec_ms, pdd_ms;
    uint64_t packets_sent, packets_received, packets_lost;
    uint64_t packets_late; /* sent more than 5 ms after their time */
    uint32_t jitter_us;
    uint16_t mos_x100;
    int64_t cost_micro; /* millionths of the rates' currency; 0 = nothing, or nobody knows */
    /* the lead's next state, decided by the campaign */
    bool lead_final;
    char lead_disposition[32];
    int64_t retry_at_us;   /* 0 = none */
    char lead_history[96]; /* tries per cause, for the retry rules: "USER_BUSY=2,NO_ANSWER=1" */
    bool kept;             /* set by `over`: the campaign has a copy and writes the row itself */
    /* All of these unset (not final, no retry, no disposition): the lead is left as it is (the row of a trunk that failed over). */
};
/* Never fails for the caller: queued, then database or spool. */
void ledger_attempt_end(struct ledger *ledger, const struct attempt_end *end);
/* A refused call: begin and end in one row, no INVITE. The lead's next state is not part of it: `over` told the campaign, and the
 * campaign writes it (broker: call watch->over with a row of state ATTEMPT_REFUSED, then throw that row away). */
void ledger_attempt_refused(struct ledger *ledger, const struct attempt_begin *attempt, const char *reason, const char *cause);

/* Somebody changed something: who, from where, what, and what came of it. A row of the table `audit`, by the same way as results: queued,
 * then database or spool; `durable` (may be NULL) is called once it is in one of them, or the database refuses it. Its id makes it one row
 * however often it is said. */
struct audit_row {
    struct uuid id; /* UUIDv7 */
    int64_t time_us;
    char who[64], role[16], origin[64], what[32], argument[500], result[200];
};
void ledger_audit(struct ledger *ledger, const struct audit_row *row, void (*durable)(void *context, int error), void *context);

/* For alarms and status. */
struct ledger_status {
    bool database_up, accepting; /* accepting = begins can be made durable */
    uint64_t rows_written, rows_spooled, begins_waiting;
    int64_t last_commit_us;
    char problem[160];
};
void ledger_status(const struct ledger *ledger, struct ledger_status *out);

/* At start: attempts of this node that are neither done nor interrupted (the last engine died): marks them interrupted. Their leads get
 * a pending retry (after the campaign's rule for INTERRUPTED) or, with their tries used up, their final disposition; leads that
 * were claimed and never dialled go back. Blocks (start-up only). Returns how many attempts, or a negative errno. */
int64_t ledger_recover(struct ledger *ledger);
/* The same, but the calls that this broker adopted are alive: their rows stay open. */
int64_t ledger_recover_except(struct ledger *ledger, const struct uuid *adopted, size_t count);

/* The lead of a call that got no row, or a refused one: pending again (lead_final false, at retry_at_us) or done. Uses the lead fields
 * only. */
void ledger_lead_next(struct ledger *ledger, const struct attempt_end *end);

/* Anything else that needs the database (claiming leads, counting): runs on the ledger's thread after everything that was
 * queued before it has been written. The job is the caller's memory until `done`. */
struct db;
struct ledger_job {
    int (*run)(struct ledger_job *job, struct db *db); /* on the ledger's thread; 0 or -errno. No transaction is open */
    void (*done)(struct ledger_job *job, int error);   /* on the loop's thread; -ENOTCONN if the database is away */
    void *context;
};
void ledger_submit(struct ledger *ledger, struct ledger_job *job);

#endif
