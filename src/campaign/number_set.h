/* number_set.h: millions of telephone numbers, to ask whether one is among them. E.164 digits, 8 bytes each: a sorted array, and beside it
 * the few that came since it was sorted. One thread at a time. */
#ifndef CAMPAIGN_NUMBER_SET_H
#define CAMPAIGN_NUMBER_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NUMBER_SET_RECENT_MAX 65536u

struct number_set;

struct number_set *number_set_new(void);      /* NULL: out of memory */
void number_set_free(struct number_set *set); /* NULL is harmless */

/* While it is filled: any order, any number of times. -EINVAL if it is no E.164 number, -ENOMEM. */
int number_set_append(struct number_set *set, const char *e164);
/* Sorts what was appended. From then on it can be asked. Takes about a second for ten millions: not on a signalling thread. */
void number_set_seal(struct number_set *set);

/* One more in a sealed set: at most NUMBER_SET_RECENT_MAX of them (-ENOSPC: fill and seal a new set). 0 also if it is there already. */
int number_set_add(struct number_set *set, const char *e164);
void number_set_remove(struct number_set *set, const char *e164);

bool number_set_has(const struct number_set *set, const char *e164);
size_t number_set_count(const struct number_set *set);

/* Digits as a number; 0 if the text is none of 1 to 15 digits without leading zero. */
uint64_t number_value(const char *e164);

#endif
