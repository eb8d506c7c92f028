/* dial_choose.c: by which trunks a call may go, and how many calls they take. */
#include <errno.h>
#include <string.h>

#include "broker/call.h"
#include "broker/dial.h"
#include "broker/permit.h"
#include "core/check.h"
#include "core/clock.h"

static void trunk_add(struct call *call, struct trunk *trunk)
{
    for (unsigned i = 0; i < call->trunk_count; i++)
        if (call->trunks[i] == trunk) return;
    if (call->trunk_count < CALL_TRUNKS_MAX) call->trunks[call->trunk_count++] = trunk;
}

static int name_add(struct call *call, const char *name, size_t length)
{
    char e164[PERMIT_NUMBER_MAX] = "";
    bool as_given;
    struct trunks *trunks = &call->broker->trunks;
    struct trunk *trunk = trunk_named(trunks, name, length), *ordered[GROUP_TRUNKS_MAX];
    const struct trunk_group *group = trunk ? NULL : group_named(trunks, name, length);
    if (trunk) trunk_add(call, trunk);
    if (trunk || !group) return trunk ? 0 : -EINVAL;
    if (number_normalise(&call->broker->permit, call->number, e164, sizeof e164, &as_given) < 0) e164[0] = 0;
    unsigned count = group_order(group, e164, ordered);
    for (unsigned i = 0; i < count; i++) trunk_add(call, ordered[i]);
    return 0;
}

int dial_trunks(struct call *call, const char *names)
{
    for (const char *at = names; at && *at;) {
        size_t length = strcspn(at, ", ");
        if (length && name_add(call, at, length) < 0) return -EINVAL;
        at += length;
        at += strspn(at, ", ");
    }
    if (!call->trunk_count) return -EINVAL;
    trunks_good_first(call->trunks, call->trunk_count, clock_mono_ns());
    for (unsigned i = 0, own = call->trunk_count; i < own; i++)
        for (unsigned k = 0; k < call->trunks[i]->failover_count; k++) trunk_add(call, call->trunks[i]->failover[k]);
    return 0;
}

/* --- room ----------------------------------------------------------------------------------------------------------- */

/* How many calls a trunk could begin until then, less what waits for its turn there already. */
static uint32_t trunk_room(const struct trunk *trunk, int64_t now, int64_t until)
{
    if (!trunk_usable(trunk, now) || !cap_free(&trunk->cap)) return 0;
    uint32_t room = pace_room(&trunk->pace, now, until), waiting = trunk->waiting_count + trunk->pending;
    room = room > waiting ? room - waiting : 0;
    return room < cap_room(&trunk->cap) ? room : cap_room(&trunk->cap);
}

/* Weighted trunks share the calls; of others the first that takes calls gets them. */
static uint32_t group_room(const struct trunk_group *group, int64_t now, int64_t until)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < group->count; i++) {
        sum += trunk_room(group->trunks[i], now, until);
        if (sum && group->choice != GROUP_WEIGHT) break;
    }
    return sum > UINT32_MAX ? UINT32_MAX : (uint32_t)sum;
}

/* Of the first name in order that takes calls. */
uint32_t dialler_room(const struct dialler *dialler, const char *names, uint32_t ms)
{
    struct broker *broker = dialler->broker;
    int64_t now = clock_mono_ns(), until = now + (int64_t)ms * NS_PER_MS;
    uint32_t room = 0;
    if (broker->terminating || segment_draining(broker->segment) || !spend_allows(&broker->spend, clock_utc_us())) return 0;
    for (const char *at = names; at && *at && !room;) {
        size_t length = strcspn(at, ", ");
        const struct trunk *trunk = trunk_named(&broker->trunks, at, length);
        const struct trunk_group *group = trunk ? NULL : group_named(&broker->trunks, at, length);
        room = trunk ? trunk_room(trunk, now, until) : group ? group_room(group, now, until) : 0;
        at += length;
        at += strspn(at, ", ");
    }
    uint32_t caps[] = { pace_room(&broker->trunks.pace, now, until), cap_room(&broker->cap), slots_room(broker) };
    for (size_t i = 0; i < ARRAY_SIZE(caps); i++)
        if (caps[i] < room) room = caps[i];
    return room;
}
