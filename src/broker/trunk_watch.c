/* trunk_watch.c: see trunk_watch.h. */
#include "broker/trunk_watch_own.h"

#include <errno.h>
#include <stdlib.h>

#include "broker/event.h"
#include "core/log.h"

const char *registration_name(enum registration registration)
{
    static const char *const names[] = { "NOREG", "TRYING", "REGED", "FAILED" };
    return names[registration];
}

nta_leg_t *watch_leg(struct trunk_watch *watch, const char *user)
{
    struct trunk *trunk = watch->trunk;
    struct uuid id = uuid_make_v4(), tag = uuid_make_v4();
    char who[BUS_URI_MAX], from[BUS_URI_MAX + 64], call_id[UUID_TEXT_SIZE], text[UUID_TEXT_SIZE];
    snprintf(who, sizeof who, "<sip:%s%s%s>", user, *user ? "@" : "", trunk->domain);
    snprintf(from, sizeof from, "%s;tag=%.8s", who, uuid_text(&tag, text));
    return nta_leg_tcreate(trunk->broker->agent.nta, NULL, NULL, SIPTAG_CALL_ID_STR(uuid_text(&id, call_id)), SIPTAG_FROM_STR(from),
                           SIPTAG_TO_STR(who), TAG_END());
}

/* As mod_sofia says it. */
void watch_changed(struct trunk_watch *watch, const char *phrase)
{
    struct trunk *trunk = watch->trunk;
    struct kv pairs = KV_INIT;
    kv_add(&pairs, "Gateway", trunk->name);
    kv_add(&pairs, "State", registration_name(watch->health.registration));
    kv_add(&pairs, "Ping-Status", watch->health.down ? "DOWN" : "UP");
    kv_add(&pairs, "Phrase", phrase ? phrase : "");
    kv_add_int(&pairs, "Status", watch->health.status);
    event_fire(trunk->broker, EVENT_CUSTOM, "CUSTOM", "sofia::gateway_state", &pairs);
    kv_free(&pairs);
    trunk_serve(trunk);
}

int trunk_watch_start(struct trunk *trunk, const struct config_node *node)
{
    const struct config_node *registering = config_get(node, "register");
    int64_t ping_s = config_int(node, "ping_s", 0);
    if (!registering && ping_s == 0) return 0;
    struct trunk_watch *watch = calloc(1, sizeof *watch);
    if (!watch) return -ENOMEM;
    watch->trunk = trunk;
    watch->ping_s = (uint32_t)ping_s;
    watch->ping_failures_max = (uint32_t)config_int(node, "ping_failures", 3);
    trunk->watch = watch;
    if (registering) register_start(watch, registering);
    if (ping_s) ping_start(watch);
    return 0;
}

void trunk_watch_goodbye(struct trunk *trunk)
{
    struct trunk_watch *watch = trunk->watch;
    if (!watch) return;
    loop_timer_clear(trunk->broker->loop, &watch->refresh);
    loop_timer_clear(trunk->broker->loop, &watch->ping_due);
    register_goodbye(watch);
}

/* The agent is gone already, and with it what it had made. */
void trunk_watch_free(struct trunk *trunk)
{
    if (trunk->watch && trunk->watch->home) su_home_unref(trunk->watch->home);
    free(trunk->watch);
    trunk->watch = NULL;
}

struct trunk_health trunk_health(const struct trunk *trunk) { return trunk->watch ? trunk->watch->health : (struct trunk_health) { 0 }; }

bool trunk_is_reachable(const struct trunk *trunk)
{
    if (!trunk->watch) return true;
    enum registration registration = trunk->watch->health.registration;
    return !trunk->watch->health.down && (registration == REGISTRATION_NONE || registration == REGISTRATION_UP);
}
