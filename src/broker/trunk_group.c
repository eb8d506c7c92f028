/* trunk_group.c: see trunk_group.h. */
#include "broker/trunk_group.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/state.h"
#include "core/clock.h"

/* --- reading -------------------------------------------------------------------------------------------------------- */

static int trunk_read(struct trunks *trunks, struct trunk_group *group, const struct config_node *node, const char *name, struct buf *error)
{
    char path[BUS_NAME_MAX + 16];
    struct trunk *trunk = trunk_named(trunks, name, strlen(name));
    if (!trunk) return buf_printf(error, "trunk_groups.%s: no trunk is called \"%s\"", group->name, name), -EINVAL;
    snprintf(path, sizeof path, "weights.%s", name);
    group->trunks[group->count] = trunk;
    group->weights[group->count++] = (uint32_t)config_int(node, path, 1);
    return 0;
}

static int group_read(struct trunks *trunks, struct trunk_group *group, const struct config_node *node, struct buf *error)
{
    const struct config_node *list = config_get(node, "trunks");
    const char *choice = config_str(node, "choose", "order");
    snprintf(group->name, sizeof group->name, "%s", config_name(node));
    group->choice = !strcmp(choice, "weight") ? GROUP_WEIGHT : !strcmp(choice, "cost") ? GROUP_COST : GROUP_ORDER;
    if (trunk_named(trunks, group->name, strlen(group->name)))
        return buf_printf(error, "trunk_groups.%s: a trunk has that name, too; choose another", group->name), -EINVAL;
    for (size_t i = 0; i < config_count(list) && group->count < GROUP_TRUNKS_MAX; i++) {
        int err = trunk_read(trunks, group, node, config_text(config_child(list, i)), error);
        if (err < 0) return err;
    }
    return 0;
}

int groups_load(struct broker *broker, struct buf *error)
{
    const struct config_node *list = config_get(broker->config, "trunk_groups");
    struct trunks *trunks = &broker->trunks;
    size_t count = config_count(list);
    trunks->groups = calloc(count ? count : 1, sizeof *trunks->groups);
    if (!trunks->groups) return buf_puts(error, "out of memory for the trunk groups"), -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        int err = group_read(trunks, &trunks->groups[i], config_child(list, i), error);
        if (err < 0) return err;
        trunks->group_count++;
    }
    return 0;
}

const struct trunk_group *group_named(const struct trunks *trunks, const char *name, size_t length)
{
    for (unsigned i = 0; i < trunks->group_count; i++)
        if (strlen(trunks->groups[i].name) == length && !memcmp(trunks->groups[i].name, name, length)) return &trunks->groups[i];
    return NULL;
}

/* --- choosing ------------------------------------------------------------------------------------------------------- */

/* Both keep the order of equals: a key each, and the smaller one first. */
static void sort_by(struct trunk **list, double *keys, unsigned count)
{
    for (unsigned i = 1; i < count; i++) {
        struct trunk *trunk = list[i];
        double key = keys[i];
        unsigned at = i;
        for (; at > 0 && keys[at - 1] > key; at--) list[at] = list[at - 1], keys[at] = keys[at - 1];
        list[at] = trunk;
        keys[at] = key;
    }
}

/* A minute of a call that was answered, as the contract counts it. */
static double price_of(const struct trunk *trunk, const char *e164)
{
    const struct rate *rate = trunk->rates && *e164 ? rates_find(trunk->rates, e164) : NULL;
    return rate ? rate_cost(rate, 60000) : INFINITY;
}

/* Efraimidis and Spirakis: sorted by −ln(u)/weight, each place goes by lot according to the weights of those left. */
static double lot(uint32_t weight)
{
    double u = ((double)random() + 1) / ((double)RAND_MAX + 2);
    return -log(u) / weight;
}

void trunks_good_first(struct trunk **list, unsigned count, int64_t now_ns)
{
    double keys[GROUP_TRUNKS_MAX];
    if (count > GROUP_TRUNKS_MAX) count = GROUP_TRUNKS_MAX;
    for (unsigned i = 0; i < count; i++) keys[i] = !quality_good(&list[i]->quality, now_ns);
    sort_by(list, keys, count);
}

unsigned group_order(const struct trunk_group *group, const char *e164, struct trunk *out[GROUP_TRUNKS_MAX])
{
    double keys[GROUP_TRUNKS_MAX];
    for (unsigned i = 0; i < group->count; i++) {
        out[i] = group->trunks[i];
        keys[i] = group->choice == GROUP_COST ? price_of(out[i], e164) : group->choice == GROUP_WEIGHT ? lot(group->weights[i]) : 0;
    }
    sort_by(out, keys, group->count);
    trunks_good_first(out, group->count, clock_mono_ns());
    return group->count;
}
