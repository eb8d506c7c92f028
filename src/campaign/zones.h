/* zones.h: which hour it is where the lead lives, and when a calling window opens next.
 *
 * A zone is a name of the system's tz database ("America/New_York"), or several joined by '+' for a number whose place is not certain
 * ("America/New_York+America/Chicago"): then a window is open only while it is open in all of them. */
#ifndef CAMPAIGN_ZONES_H
#define CAMPAIGN_ZONES_H

#include <stdbool.h>
#include <stdint.h>

struct window {
    uint16_t from, to; /* minutes of the day, [from, to); from > to = over midnight; equal = always open */
    uint8_t weekdays;  /* bit 0 = Monday … bit 6 = Sunday; 0 = all */
};

bool zone_known(const char *zone);
/* By the longest known prefix of an E.164 number: NANP area codes, countries. NULL if there is none. The number says where it was given
 * out, not where its owner is: a zone column in the list is better. */
const char *zone_by_number(const char *number);
/* Seconds east of UTC at that time; an unknown zone counts as UTC. Loads a zone's file at its first use: not on a signalling thread
 * unless zone_known was asked before (in any thread). */
int32_t zone_offset_s(const char *zone, int64_t utc_s);

/* "08:00" to "24:00" → minutes of the day; -EINVAL if it is none. */
int time_of_day_parse(const char *text, uint16_t *minutes);
/* A checked table { from = "08:00", to = "21:00" }. False: there is none. */
struct config_node;
bool window_of_config(const struct config_node *node, struct window *window);

bool window_open(const struct window *window, const char *zone, int64_t utc_us);
/* Now if it is open, else when it opens next (UTC µs); within 8 days, or INT64_MAX if never. */
int64_t window_next(const struct window *window, const char *zone, int64_t utc_us);

#endif
