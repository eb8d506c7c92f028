/* retry.h: what an attempt's end means for its lead: a disposition, and final or again. Pure functions. */
#ifndef CAMPAIGN_RETRY_H
#define CAMPAIGN_RETRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RETRY_RULES_MAX 48

struct retry_rule {
    char cause[40]; /* hangup cause name, or INTERRUPTED, SCRIPT_ERROR */
    int64_t after_us;
    uint32_t tries; /* tries that ended so, at most; 0 = never again */
};
struct retry_rules {
    struct retry_rule rule[RETRY_RULES_MAX];
    size_t count;
};

/* The rules of a campaign whose file says nothing: busy after 10 minutes, no answer after an hour, a congested or broken network after 5
 * minutes, interrupted after one; three tries each. All other causes are final. */
void retry_rules_default(struct retry_rules *rules);
/* Replaces or adds. -ENOSPC beyond RETRY_RULES_MAX. */
int retry_rules_set(struct retry_rules *rules, const char *cause, int64_t after_us, uint32_t tries);
const struct retry_rule *retry_rule_find(const struct retry_rules *rules, const char *cause);

struct attempt_facts {
    bool answered, interrupted;
    const char *refused;            /* the permit's reason code, or NULL */
    const char *cause;              /* name */
    const char *script_result;      /* NULL, "ok", "script_error" */
    const char *script_disposition; /* the script's own word, or NULL */
    uint32_t tries;                 /* of the lead, this one included */
    const char *history;            /* "USER_BUSY=2,NO_ANSWER=1" before this one, or NULL */
    uint32_t max_attempts;
    int64_t now_us;
};
struct lead_fate {
    char disposition[32];
    bool final;
    int64_t retry_at_us; /* if not final */
    char history[96];
};
void lead_decide(const struct retry_rules *rules, const struct attempt_facts *facts, struct lead_fate *fate);

/* "A=2,B=1" → the count of a cause; and one more of it. */
uint32_t history_count(const char *history, const char *cause);
void history_add(const char *history, const char *cause, char *out, size_t size);

#endif
