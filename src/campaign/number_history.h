/* number_history.h: when each number was called within the last 24 hours, for "at most so often a day". A table of fixed size with chains,
 * so that nothing on the signalling thread ever grows by copying; 24 + 4·limit bytes a number. */
#ifndef CAMPAIGN_NUMBER_HISTORY_H
#define CAMPAIGN_NUMBER_HISTORY_H

#include <stddef.h>
#include <stdint.h>

#define NUMBER_HISTORY_LIMIT_MAX 32u
#define NUMBER_HISTORY_DAY_S     86400

struct number_history;

/* `limit` attempts of a number are remembered, the youngest ones: 1 to NUMBER_HISTORY_LIMIT_MAX. NULL: out of memory. */
struct number_history *number_history_new(uint32_t limit);
void number_history_free(struct number_history *history); /* NULL is harmless */

/* An attempt at that time (UTC s). What is no E.164 number is not remembered. 0 or -ENOMEM. */
int number_history_note(struct number_history *history, const char *e164, int64_t at_s);
/* When it may be called again: 0 = now, otherwise the UTC second at which the oldest of `limit` attempts is a day old. */
int64_t number_history_free_at(const struct number_history *history, const char *e164, int64_t now_s);
/* Forgets what is older than a day, a part of the table at each call: the whole in an hour of calls at one a second. */
void number_history_sweep(struct number_history *history, int64_t now_s);
size_t number_history_count(const struct number_history *history);

#endif
