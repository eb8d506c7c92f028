/* campaigns_own.h: what campaigns*.c and leads.c share.
 *
 *   campaigns.c           the list, commands, the tick
 *   campaigns_feed.c      one campaign: claimed leads → calls → fates
 *   campaigns_adopt.c     calls that another broker began
 *   campaigns_jobs.c      what runs on the ledger's thread for a campaign, and how it comes back
 *   campaigns_progress.c  live figures as JSON
 *   leads.c               the leads' SQL */
#ifndef CAMPAIGN_CAMPAIGNS_OWN_H
#define CAMPAIGN_CAMPAIGNS_OWN_H

#include "campaign/campaign_file.h"
#include "campaign/campaigns.h"
#include "store/db.h"

#define TICK_MS       20
#define ROOM_MS       100 /* never further ahead than this of the trunks' caps */
#define CLAIM_MIN     20
#define CLAIM_MAX     1000
#define CLAIM_POLL_MS 1000 /* how often an idle campaign looks for due retries and new leads */
#define RATE_SECONDS  16

struct lead {
    struct lead *next;
    int64_t id, due_us;
    uint32_t tries; /* before this one */
    char number[24], zone[80], history[96], disposition[32];
    struct kv variables;
};
struct lead_list {
    struct lead *first, *last;
    size_t count;
};

enum campaign_state {
    CAMPAIGN_LOADING,
    CAMPAIGN_RUNNING,
    CAMPAIGN_PAUSED,
    CAMPAIGN_STOPPING,
    CAMPAIGN_STOPPED,
    CAMPAIGN_DONE,
    CAMPAIGN_FAILED
};

struct lead_counts {
    int64_t total, pending, open, done;
};

struct campaign {
    struct campaign *next;
    struct campaigns *all;
    char name[64], path[512];
    int64_t id;
    enum campaign_state state, wanted; /* wanted: what it becomes once loaded (running or paused) */
    struct campaign_file *file;
    char problem[300];
    struct lead_list queue;  /* claimed, not yet dialled */
    struct running *running; /* calls */
    uint32_t in_progress;
    double tokens; /* of pacing.cps */
    int64_t filled_ns;
    size_t next_caller_id;
    bool claiming;                  /* a claim is under way */
    int64_t claim_at_ns;            /* not before */
    int64_t next_due_us;            /* of pending leads: the earliest; 0 = none left */
    uint64_t overs, overs_at_claim; /* calls ended; the same when the last claim was asked */
    /* figures of this run */
    struct lead_counts counts; /* at load; done grows */
    uint64_t dialled, answered, abandoned, ended, retries, refused;
    int64_t started_ns, ended_ns;
    uint32_t per_second[RATE_SECONDS]; /* calls begun, by second modulo */
    int64_t second;
};

/* One call under way. */
struct running {
    struct running *next, **link;
    struct campaign *campaign;
    struct lead *lead;
    struct call *call;
    bool answered, dialling, over; /* dialling: within dialler_call */
};

/* A call that another broker began: waits for its campaign, then is as the others. */
struct adopted {
    struct adopted *next;
    struct campaigns *all;
    struct running *running; /* its campaign is NULL until it is loaded */
    char campaign[64];
    bool forlorn; /* nobody loads its campaign: the usual rules hold */
    bool kept;    /* it has ended: the row waits here */
    char script_result[16], script_disposition[32];
    struct attempt_end row;
};

struct campaigns {
    struct campaigns_params params;
    char *node;
    struct loop_timer tick;
    struct campaign *first;
    struct adopted *adopted; /* without their campaign yet */
    int64_t resume_at_ns;    /* to ask the database again which campaigns ran; 0 = known */
    bool draining, ended;
    uint32_t jobs; /* under way; the struct lives until 0 */
};

/* campaigns_feed.c */
void campaign_feed(struct campaign *campaign, int64_t now_ns);
void campaign_release_queue(struct campaign *campaign);
void campaign_hangup_all(struct campaign *campaign);

void running_free(struct running *r);
void running_link(struct campaign *campaign, struct running *r);
void lead_fate_fill(struct attempt_end *row, const struct lead_fate *fate);
void on_answered(void *context, struct call *call);
void on_over(void *context, struct call *call, const struct call_outcome *outcome, struct attempt_end *row);
void campaign_call_over(struct running *r, const struct attempt_facts *outcome, struct attempt_end *row);

/* campaigns_adopt.c */
void campaign_take_adopted(struct campaign *campaign);                 /* loaded */
void campaigns_forsake(struct campaigns *campaigns, const char *name); /* it will not be loaded; NULL: all that are in no list */
void adopted_give_up(struct campaigns *campaigns);

/* campaigns_jobs.c: each calls back into the campaign on the loop's thread when done. */
void campaign_load(struct campaign *campaign);
void campaign_claim(struct campaign *campaign, uint32_t limit);
void campaign_release(struct campaign *campaign, struct lead_list *leads); /* takes them over */
void campaign_save_state(struct campaign *campaign, const char *state);
void campaigns_resume(struct campaigns *campaigns);
void campaign_recount(struct campaign *campaign);

/* campaigns.c */
struct campaign *campaign_find(const struct campaigns *campaigns, const char *name);
struct campaign *campaign_add(struct campaigns *campaigns, const char *name, const char *path);
void campaign_fail(struct campaign *campaign, const char *problem);
void campaign_end(struct campaign *campaign, enum campaign_state state);
void campaigns_free(struct campaigns *campaigns);

/* campaigns_progress.c */
void campaign_progress(const struct campaign *campaign, struct buf *out);
double campaign_cps(const struct campaign *campaign, int64_t now_ns);
void campaign_count_dial(struct campaign *campaign, int64_t now_ns);

/* leads.c: on the ledger's thread */
int leads_claim(struct db *db, const struct campaign_file *file, int64_t campaign, const char *node, uint32_t limit, struct lead_list *out,
                int64_t *next_due_us);
int leads_release(struct db *db, const struct lead *first);
int leads_count(struct db *db, int64_t campaign, struct lead_counts *out);
int campaign_state_save(struct db *db, int64_t campaign, const char *state, const char *problem);
int campaign_state_begin(struct db *db, const char *name, const struct campaign_file *file, const char *node, const char *state,
                         int64_t *id);

void lead_list_add(struct lead_list *list, struct lead *lead);
struct lead *lead_list_take(struct lead_list *list);
void lead_list_put_back(struct lead_list *list, struct lead *lead);
void lead_list_free(struct lead_list *list);
void lead_free(struct lead *lead);
const char *lead_zone(const struct lead *lead, const struct campaign_file *file);
/* When the lead may be called: now, or when the campaign's window and the engine's are both open; INT64_MAX if they never are. */
int64_t lead_callable_us(const struct lead *lead, const struct campaign_file *file, int64_t now_us);

#endif
