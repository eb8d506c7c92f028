/* report.h: what became of a campaign, from the database alone. */
#ifndef CAMPAIGN_REPORT_H
#define CAMPAIGN_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/buf.h"
#include "store/db.h"

#define REPORT_WORDS_MAX 64

/* Counts by word, the most frequent first; beyond the maximum they are summed up as "other". */
struct report_words {
    struct report_word {
        char word[48];
        int64_t count, answered;
    } word[REPORT_WORDS_MAX];
    size_t count;
};

struct report {
    char name[64], state[16], problem[300];
    int64_t started_us, ended_us;               /* of the campaign; 0 = not (yet) */
    int64_t leads, fresh, retrying, open, done; /* fresh: never tried; retrying: waits for its next try; open: claimed or dialling */
    int64_t next_due_us;                        /* of the waiting ones, 0 = none */
    int64_t attempts, invites, answered, interrupted, refused, unfinished;
    int64_t billsec_ms, ring_ms;                    /* sums: of answered calls; INVITE to end of the unanswered */
    int64_t pdd_p50, pdd_p95, bill_p50, bill_p95;   /* ms, -1 = none */
    int64_t sent, received, lost, late, with_media; /* packets; calls that had any */
    double jitter_ms, mos;                          /* means; 0 = none */
    int64_t first_us, last_us;                      /* first claim, last end */
    struct report_words dispositions;               /* of leads that are done */
    struct report_words attempt_dispositions, causes, statuses, refusals, tries, trunks, digits;
};

/* 0, -ENOENT (no such campaign; error names those that exist), or the database's error with its text. */
int report_make(struct db *db, const char *campaign, struct report *out, struct buf *error);
void report_json(const struct report *report, struct buf *out);
void report_text(const struct report *report, struct buf *out);
/* Per cent with one decimal, 0 if whole is 0. */
double report_share(int64_t part, int64_t whole);

#endif
