/* trunk_group.h: several trunks under one name, and which of them a call tries first.
 *
 *   order    as they are listed
 *   weight   by lot, a trunk of weight 3 three times as often as one of weight 1; the others behind it, by lot again
 *   cost     the cheapest for the number first (trunks.*.rates); those without a price last
 *
 * In each case trunks that do badly (trunk_quality.h) stand behind those that do well. A group's name stands wherever a trunk's may. */
#ifndef BROKER_TRUNK_GROUP_H
#define BROKER_TRUNK_GROUP_H

#include <stddef.h>
#include <stdint.h>

#include "bus/limits.h"
#include "core/buf.h"

#define GROUP_TRUNKS_MAX 32u

struct broker;
struct trunk;
struct trunks;

enum group_choice { GROUP_ORDER, GROUP_WEIGHT, GROUP_COST };

struct trunk_group {
    char name[BUS_NAME_MAX];
    enum group_choice choice;
    struct trunk *trunks[GROUP_TRUNKS_MAX];
    uint32_t weights[GROUP_TRUNKS_MAX];
    unsigned count;
};

/* Reads trunk_groups; the trunks are there. One clear line in `error`. */
int groups_load(struct broker *broker, struct buf *error);
const struct trunk_group *group_named(const struct trunks *trunks, const char *name, size_t length);
/* The group's trunks in the order in which this call tries them; returns their number. `e164` may be "": then nothing has a price. */
unsigned group_order(const struct trunk_group *group, const char *e164, struct trunk *out[GROUP_TRUNKS_MAX]);
/* Good ones before bad ones, otherwise as they were. */
void trunks_good_first(struct trunk **list, unsigned count, int64_t now_ns);

#endif
