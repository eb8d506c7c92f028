/* retry.c: see retry.h. */
#include "campaign/retry.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MINUTE_US 60000000LL

void retry_rules_default(struct retry_rules *rules)
{
    static const char *const network[] = { "NORMAL_CIRCUIT_CONGESTION",
                                           "SWITCH_CONGESTION",
                                           "NORMAL_TEMPORARY_FAILURE",
                                           "NETWORK_OUT_OF_ORDER",
                                           "RECOVERY_ON_TIMER_EXPIRE",
                                           "GATEWAY_DOWN",
                                           "CRASH" };
    rules->count = 0;
    retry_rules_set(rules, "USER_BUSY", 10 * MINUTE_US, 3);
    retry_rules_set(rules, "NO_ANSWER", 60 * MINUTE_US, 3);
    retry_rules_set(rules, "NO_USER_RESPONSE", 60 * MINUTE_US, 3);
    retry_rules_set(rules, "PROGRESS_TIMEOUT", 60 * MINUTE_US, 3);
    retry_rules_set(rules, "INTERRUPTED", MINUTE_US, 3);
    for (size_t i = 0; i < sizeof network / sizeof network[0]; i++) retry_rules_set(rules, network[i], 5 * MINUTE_US, 3);
}

const struct retry_rule *retry_rule_find(const struct retry_rules *rules, const char *cause)
{
    for (size_t i = 0; i < rules->count; i++)
        if (strcmp(rules->rule[i].cause, cause) == 0) return &rules->rule[i];
    return NULL;
}

int retry_rules_set(struct retry_rules *rules, const char *cause, int64_t after_us, uint32_t tries)
{
    struct retry_rule *rule = (struct retry_rule *)retry_rule_find(rules, cause);
    if (!rule && rules->count == RETRY_RULES_MAX) return -ENOSPC;
    if (!rule) rule = &rules->rule[rules->count++];
    snprintf(rule->cause, sizeof rule->cause, "%s", cause);
    rule->after_us = after_us;
    rule->tries = tries;
    return 0;
}

/* --- history ---------------------------------------------------------------------------------------------------------- */

static const char *history_find(const char *history, const char *cause)
{
    size_t length = strlen(cause);
    for (const char *at = history; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (strncmp(at, cause, length) == 0 && at[length] == '=') return at;
    return NULL;
}

uint32_t history_count(const char *history, const char *cause)
{
    const char *at = history_find(history, cause);
    return at ? (uint32_t)strtoul(at + strlen(cause) + 1, NULL, 10) : 0;
}

/* The newest stands first, so that what a full field loses is the oldest. */
void history_add(const char *history, const char *cause, char *out, size_t size)
{
    const char *old = history_find(history, cause), *rest = history ? history : "";
    size_t used = (size_t)snprintf(out, size, "%s=%u", cause, history_count(history, cause) + 1);
    while (*rest && used < size) {
        size_t length = strcspn(rest, ",");
        if (rest != old && used + length + 1 < size) used += (size_t)snprintf(out + used, size - used, ",%.*s", (int)length, rest);
        rest += length + (rest[length] == ',');
    }
}

/* --- the decision ------------------------------------------------------------------------------------------------------ */

/* What is refused for its number stays refused. All else passes (caps, a trunk or the database that is away, an engine that ends): the
 * lead was not called and comes again soon, without a rule and without a limit. */
static int64_t refusal_passes_us(const char *reason)
{
    static const char *const final[] = { "country", "emergency", "number", "uri_host", "own_number", "do_not_call", "price" };
    for (size_t i = 0; i < sizeof final / sizeof final[0]; i++)
        if (strcmp(final[i], reason) == 0) return 0;
    if (strcmp(reason, "window") == 0) return MINUTE_US;
    if (strcmp(reason, "attempts") == 0) return 60 * MINUTE_US;
    return strstr(reason, "concurrent") || strcmp(reason, "ledger") == 0 ? 2000000 : 15000000;
}

static const char *usual_word(const struct attempt_facts *f)
{
    static const char *const silent[] = { "NO_ANSWER", "NO_USER_RESPONSE", "PROGRESS_TIMEOUT", "ORIGINATOR_CANCEL", "ALLOTTED_TIMEOUT" };
    const char *cause = f->cause ? f->cause : "";
    if (f->refused) return "refused";
    if (f->script_result && strcmp(f->script_result, "script_error") == 0) return "script_error";
    if (f->interrupted) return "interrupted";
    if (f->answered) return f->script_disposition && *f->script_disposition ? f->script_disposition : "answered";
    if (strcmp(cause, "USER_BUSY") == 0) return "busy";
    for (size_t i = 0; i < sizeof silent / sizeof silent[0]; i++)
        if (strcmp(cause, silent[i]) == 0) return "no_answer";
    return "failed";
}

void lead_decide(const struct retry_rules *rules, const struct attempt_facts *facts, struct lead_fate *fate)
{
    const char *word = usual_word(facts), *key = facts->cause ? facts->cause : "";
    bool failed = strcmp(word, "script_error") == 0;
    *fate = (struct lead_fate) { .final = true };
    snprintf(fate->disposition, sizeof fate->disposition, "%s", word);
    if (facts->refused) {
        int64_t after = refusal_passes_us(facts->refused);
        snprintf(fate->history, sizeof fate->history, "%s", facts->history ? facts->history : "");
        fate->final = after == 0;
        fate->retry_at_us = after ? facts->now_us + after : 0;
        return;
    }
    if (failed || facts->interrupted) key = failed ? "SCRIPT_ERROR" : "INTERRUPTED";
    history_add(facts->history, *key ? key : "UNKNOWN", fate->history, sizeof fate->history);
    if (facts->answered && !failed && !facts->interrupted) return; /* reached */
    const struct retry_rule *rule = retry_rule_find(rules, key);
    if (!rule || facts->tries >= facts->max_attempts || history_count(fate->history, key) >= rule->tries) return;
    fate->final = false;
    fate->retry_at_us = facts->now_us + (rule->after_us ? rule->after_us : 1);
}
