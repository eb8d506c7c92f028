/* registrar.c: see registrar.h: the registrar made and ended, and what happens by time. */
#include "broker/registrar.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "broker/address.h"
#include "broker/event.h"
#include "broker/mwi.h"
#include "core/clock.h"
#include "core/log.h"

#define FAILURES_BURST 10.0        /* wrong passwords of one user from one address at once … */
#define FAILURES_PER_S (10.0 / 60) /* … and then so many */

/* --- time ----------------------------------------------------------------------------------------------------------- */

static void tell_expired(struct broker *broker, const struct location *l)
{
    struct kv event = KV_INIT;
    kv_add(&event, "profile-name", l->profile);
    kv_add(&event, "call-id", l->call_id);
    kv_add(&event, "user", l->user);
    kv_add(&event, "username", l->user);
    kv_add(&event, "host", l->domain);
    kv_add(&event, "contact", l->contact);
    kv_add_int(&event, "expires", l->expires_s);
    kv_add(&event, "user-agent", l->agent);
    kv_add(&event, "realm", l->auth_realm);
    kv_add(&event, "network-ip", l->network_ip);
    kv_add_int(&event, "network-port", l->network_port);
    event_fire(broker, EVENT_CUSTOM, "CUSTOM", "sofia::expire", &event);
    kv_free(&event);
}

/* Out of the table, for whatever reason. */
void location_drop(struct registrar *registrar, struct location *location)
{
    loop_timer_clear(registrar->broker->loop, &location->due);
    locations_remove(registrar->locations, location);
}

void location_expire(struct registrar *registrar, struct location *location)
{
    struct location_change *change = calloc(1, sizeof *change);
    log_info(NULL, "%s@%s is no more at %s", location->user, location->domain, location->uri);
    tell_expired(registrar->broker, location);
    if (change) {
        *change = (struct location_change) { .removed = true, .location = *location };
        location_store_write(registrar->store, change, 1, NULL, NULL);
    }
    location_drop(registrar, location);
}

static void came_due(struct loop_timer *timer)
{
    struct location *location = (struct location *)((char *)timer - offsetof(struct location, due));
    struct registrar *registrar = timer->context;
    int64_t now_s = clock_utc_us() / 1000000;
    if (location->expires_s <= now_s || !ping_turn(registrar, location, now_s))
        location_expire(registrar, location);
    else
        location_schedule(registrar, location);
}

void location_schedule(struct registrar *registrar, struct location *location)
{
    const struct listener *listener = listener_named(&registrar->broker->agent, location->profile);
    bool pinged = listener && listener->users.ping_s;
    int64_t at_us = (pinged && location->ping_due_s < location->expires_s ? location->ping_due_s : location->expires_s) * 1000000;
    int64_t left_us = at_us - clock_utc_us();
    location->due.fire = came_due;
    location->due.context = registrar;
    loop_timer_set(registrar->broker->loop, &location->due, clock_mono_ns() + (left_us > 0 ? left_us : 0) * 1000 + NS_PER_MS);
}

/* --- start and end -------------------------------------------------------------------------------------------------- */

/* Of the store, at the start. Their telephones are asked soon, spread over the time between two pings. */
static void location_restore(void *context, const struct location *stored)
{
    struct registrar *registrar = context;
    struct location location = *stored, *there;
    const struct listener *listener = listener_named(&registrar->broker->agent, location.profile);
    if (!listener || !listener->users.on) return;
    int64_t ping_s = listener->users.ping_s ? listener->users.ping_s : 1;
    location.ping_due_s = clock_utc_us() / 1000000 + 1 + locations_count(registrar->locations) % ping_s;
    if (locations_put(registrar->locations, &location, &there) == 0) location_schedule(registrar, there);
}

static const struct config_node *users_of(struct broker *broker, unsigned index)
{
    char path[48];
    snprintf(path, sizeof path, "sip.listen.%u.users", index + 1);
    return config_get(broker->config, path);
}

static int store_open(struct registrar *registrar, struct buf *error)
{
    char path[512];
    snprintf(path, sizeof path, "%s/registrations.db", config_str(registrar->broker->config, "data_dir", "data"));
    int err = location_store_open(&registrar->store, registrar->broker->loop, path, clock_utc_us() / 1000000, location_restore, registrar,
                                  error);
    if (err == 0 && locations_count(registrar->locations))
        log_info(NULL, "%u telephones are registered from before", locations_count(registrar->locations));
    return err;
}

int registrar_open(struct broker *broker, struct buf *error)
{
    double per_s = 0;
    for (unsigned i = 0; i < broker->agent.listener_count; i++) {
        double wanted = broker->agent.listeners[i].users.on ? config_num(users_of(broker, i), "requests_per_s", 100) : 0;
        if (wanted > per_s) per_s = wanted;
    }
    if (per_s <= 0) return 0;
    struct registrar *registrar = calloc(1, sizeof *registrar);
    if (!registrar) return -ENOMEM;
    broker->registrar = registrar;
    registrar->broker = broker;
    registrar->requests.per_s = per_s;
    registrar->requests.burst = per_s * 4;
    registrar->failures.per_s = FAILURES_PER_S;
    registrar->failures.burst = FAILURES_BURST;
    int err = locations_new(&registrar->locations, (uint32_t)config_int(broker->config, "sip.registrations", 10000));
    if (err == 0) err = nonces_new(&registrar->nonces);
    if (err == 0) err = store_open(registrar, error);
    if (err == 0) err = mwi_open(broker);
    return err;
}

void registrar_close(struct broker *broker)
{
    struct registrar *registrar = broker->registrar;
    if (!registrar) return;
    for (struct location *l = locations_walk(registrar->locations, NULL); l; l = locations_walk(registrar->locations, l))
        loop_timer_clear(broker->loop, &l->due);
    mwi_close(broker);
    location_store_close(registrar->store);
    locations_free(registrar->locations);
    nonces_free(registrar->nonces);
    free(registrar);
    broker->registrar = NULL;
}

/* --- questions ------------------------------------------------------------------------------------------------------ */

bool registrar_admits(struct broker *broker, const struct sockaddr *source)
{
    return !broker->registrar || rate_take(&broker->registrar->requests, rate_key(source, ""), clock_mono_ns());
}

bool registrar_has_target(const struct broker *broker, const char *host, uint16_t port)
{
    return broker->registrar && locations_have_target(broker->registrar->locations, host, port);
}

bool registrar_uri_target(const char *uri, char *host, size_t size, uint16_t *port)
{
    char text[160];
    const char *at = strncasecmp(uri, "sip:", 4) ? uri : uri + 4, *user = strchr(at, '@');
    if (user) at = user + 1;
    snprintf(text, sizeof text, "%.*s", (int)strcspn(at, ";?>"), at);
    return host_port_parse(text, host, size, port) == 0;
}
