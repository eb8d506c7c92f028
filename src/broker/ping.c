/* ping.c: OPTIONS to registered telephones: what a NAT is kept open by, and how it is noticed that one is gone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/event.h"
#include "broker/outside.h"
#include "core/clock.h"
#include "core/log.h"

#define MISSED_MAX 3u

/* What an answer is matched by: the telephone may have gone meanwhile. */
struct ping {
    struct broker *broker;
    char user[64], domain[128], uri[256];
    uint32_t serial;
};

static void tell_state(struct broker *broker, const struct location *l, int status, const char *phrase)
{
    struct kv event = KV_INIT;
    kv_add(&event, "sip_contact", l->contact);
    kv_add(&event, "profile-name", l->profile);
    kv_add(&event, "sip_user", l->user);
    kv_add(&event, "from-user", l->user);
    kv_add(&event, "from-host", l->domain);
    kv_add(&event, "call-id", l->call_id);
    kv_add(&event, "Ping-Status", l->ping_status);
    kv_add_int(&event, "Status", status);
    kv_add(&event, "Phrase", phrase);
    event_fire(broker, EVENT_CUSTOM, "CUSTOM", "sofia::sip_user_state", &event);
    kv_free(&event);
}

static void state_set(struct broker *broker, struct location *l, const char *state, int status, const char *phrase)
{
    if (!strcmp(l->ping_status, state)) return;
    snprintf(l->ping_status, sizeof l->ping_status, "%s", state);
    log_info(NULL, "%s@%s at %s: %s", l->user, l->domain, l->uri, state);
    tell_state(broker, l, status, phrase);
}

/* Any answer of the telephone is one; 408 and 503 are the stack's own for silence and for a connection that failed. */
static int ping_answered(void *context, nta_outgoing_t *sent, const sip_t *sip)
{
    struct ping *ping = context;
    int status = sip && sip->sip_status ? sip->sip_status->st_status : nta_outgoing_status(sent);
    if (status < 200) return 0;
    struct registrar *registrar = ping->broker->registrar;
    struct location *l = registrar ? locations_find(registrar->locations, ping->user, ping->domain, ping->uri) : NULL;
    if (l && l->ping_serial == ping->serial && status != 408 && status != 503) {
        l->ping_ms = (clock_mono_ns() - l->ping_sent_ns) / NS_PER_MS;
        l->ping_sent_ns = 0;
        l->pings_missed = 0;
        state_set(ping->broker, l, "Reachable", status, sip && sip->sip_status ? sip->sip_status->st_phrase : "");
    }
    nta_outgoing_destroy(sent);
    free(ping);
    return 0;
}

static void ping_send(struct registrar *registrar, struct location *l)
{
    struct ping *ping = calloc(1, sizeof *ping);
    struct outside_request request = { .method = sip_method_options, .method_name = "OPTIONS", .to = l };
    if (!ping) return;
    ping->broker = registrar->broker;
    snprintf(ping->user, sizeof ping->user, "%s", l->user);
    snprintf(ping->domain, sizeof ping->domain, "%s", l->domain);
    snprintf(ping->uri, sizeof ping->uri, "%s", l->uri);
    ping->serial = l->ping_serial = ++registrar->ping_serial;
    l->ping_sent_ns = clock_mono_ns();
    if (!outside_send(registrar->broker, &request, ping_answered, ping)) free(ping);
}

bool ping_turn(struct registrar *registrar, struct location *l, int64_t now_s)
{
    const struct listener *listener = listener_named(&registrar->broker->agent, l->profile);
    if (!listener || !listener->users.ping_s || l->ping_due_s > now_s) return true;
    if (l->ping_sent_ns) {
        l->pings_missed++;
        state_set(registrar->broker, l, "Unreachable", 408, "Request Timeout");
    }
    if (l->pings_missed >= MISSED_MAX) return false;
    l->ping_due_s = now_s + listener->users.ping_s;
    ping_send(registrar, l);
    return true;
}
