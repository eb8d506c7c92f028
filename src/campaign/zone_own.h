/* zone_own.h: between zones.c and zone_file.c. */
#ifndef CAMPAIGN_ZONE_OWN_H
#define CAMPAIGN_ZONE_OWN_H

#include <stddef.h>
#include <stdint.h>

/* The yearly rule after the last transition of a file: month, week (5 = last) and weekday (0 = Sunday), second of the local day. */
struct zone_change {
    int month, week, weekday;
    int32_t second;
};
struct zone {
    struct zone *next;
    char name[64];
    size_t count;
    int64_t *times;   /* transitions, ascending */
    int32_t *offsets; /* from then on */
    int32_t first;    /* before the first */
    int has_rule;     /* 0: the last offset stays */
    int32_t standard, summer;
    struct zone_change to_summer, to_standard;
};

/* NULL if the system has no such zone (or the name is none). */
struct zone *zone_read(const char *name, size_t length);
int32_t zone_offset(const struct zone *zone, int64_t utc_s);

#endif
