/* trunk.c: the trunks' queues: whose turn it is to send an INVITE. */
#include "broker/trunk.h"

#include <string.h>

#include "broker/invite.h"
#include "broker/state.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/log.h"

struct trunk *trunk_named(const struct trunks *trunks, const char *name, size_t length)
{
    for (unsigned i = 0; i < trunks->count; i++)
        if (strlen(trunks->list[i].name) == length && !memcmp(trunks->list[i].name, name, length)) return &trunks->list[i];
    return NULL;
}

bool trunk_usable(const struct trunk *trunk, int64_t now_ns)
{
    return !trunk->disabled && trunk->paused_until_ns <= now_ns && trunk_is_reachable(trunk);
}

void trunk_queue(struct trunk *trunk, struct call *call)
{
    call->next_waiting = NULL;
    *trunk->waiting_end = call;
    trunk->waiting_end = &call->next_waiting;
    trunk->waiting_count++;
    trunk_serve(trunk);
}

void trunk_unqueue(struct trunk *trunk, struct call *call)
{
    for (struct call **at = &trunk->waiting; *at; at = &(*at)->next_waiting) {
        if (*at != call) continue;
        *at = call->next_waiting;
        if (trunk->waiting_end == &call->next_waiting) trunk->waiting_end = at;
        call->next_waiting = NULL;
        trunk->waiting_count--;
        return;
    }
}

static struct call *waiting_take(struct trunk *trunk)
{
    struct call *call = trunk->waiting;
    trunk_unqueue(trunk, call);
    return call;
}

/* When both the trunk's pace and the engine's let the next INVITE go. */
static int64_t turn_when(const struct trunk *trunk)
{
    int64_t own = pace_when(&trunk->pace), all = pace_when(&trunk->broker->trunks.pace);
    return own > all ? own : all;
}

static void turn_set(struct trunk *trunk)
{
    int64_t when = trunk->waiting ? turn_when(trunk) : INT64_MAX;
    if (when == INT64_MAX)
        loop_timer_clear(trunk->broker->loop, &trunk->turn);
    else
        loop_timer_set(trunk->broker->loop, &trunk->turn, when);
}

void trunk_serve(struct trunk *trunk)
{
    int64_t now = clock_mono_ns();
    while (trunk->waiting) {
        if (!trunk_usable(trunk, now)) {
            invite_unsendable(waiting_take(trunk));
            continue;
        }
        if (turn_when(trunk) > now) break;
        struct call *call = waiting_take(trunk);
        pace_take(&trunk->pace, now);
        pace_take(&trunk->broker->trunks.pace, now);
        trunk->invites++;
        invite_send(call);
    }
    turn_set(trunk);
}

bool trunk_is_to_blame(const struct call *call, int status) { return (status >= 500 && status < 600) || (status == 408 && !call->at.ring); }

void trunk_result(struct call *call, enum quality_result result)
{
    if (call->trunk && call->at.invite) quality_result(&call->trunk->quality, result, clock_mono_ns());
}

void trunk_cause_count(struct call *call, int cause)
{
    if (call->trunk && call->at.invite && !call->inbound) trunk_causes_count(&call->trunk->causes, cause, clock_mono_ns());
}

void trunk_delay(struct call *call)
{
    int64_t now = clock_mono_ns();
    if (call->trunk && call->sent_ns) quality_delay(&call->trunk->quality, now - call->sent_ns, now);
    call->sent_ns = 0;
}

void trunk_pause(struct trunk *trunk, uint32_t seconds)
{
    if (seconds > TRUNK_RETRY_AFTER_MAX_S) seconds = TRUNK_RETRY_AFTER_MAX_S;
    int64_t until = clock_mono_ns() + (int64_t)seconds * NS_PER_S;
    if (until <= trunk->paused_until_ns) return;
    trunk->paused_until_ns = until;
    log_notice(NULL, "trunk %s asked for a pause of %u s", trunk->name, seconds);
}

static uint16_t port_of(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) return ntohs(((const struct sockaddr_in *)(const void *)address)->sin_port);
    if (address->sa_family == AF_INET6) return ntohs(((const struct sockaddr_in6 *)(const void *)address)->sin6_port);
    return 0;
}

struct trunk *trunk_of_source(const struct trunks *trunks, const struct sockaddr *source)
{
    struct trunk *by_address = NULL;
    for (unsigned i = 0; i < trunks->count; i++) {
        struct trunk *trunk = &trunks->list[i];
        for (unsigned k = 0; k < trunk->source_count; k++) {
            if (!source_matches(&trunk->sources[k], source)) continue;
            if (port_of((const struct sockaddr *)&trunk->sources[k].address) == port_of(source)) return trunk;
            if (!by_address) by_address = trunk;
        }
    }
    return by_address;
}

void trunk_learn_source(struct trunk *trunk, nta_outgoing_t *orq)
{
    msg_t *msg = trunk->named && trunk->source_count < TRUNK_SOURCES_MAX ? nta_outgoing_getresponse(orq) : NULL;
    const su_addrinfo_t *info = msg ? msg_addrinfo(msg) : NULL;
    const struct sockaddr *source = info && info->ai_addrlen ? (const struct sockaddr *)info->ai_addr : NULL;
    bool known = !source || (source->sa_family != AF_INET && source->sa_family != AF_INET6);
    for (unsigned i = 0; i < trunk->source_count && !known; i++) known = source_matches(&trunk->sources[i], source);
    if (!known) {
        struct source *one = &trunk->sources[trunk->source_count++];
        *one = (struct source) { .bits = source->sa_family == AF_INET ? 32 : 128 };
        memcpy(&one->address, source, source->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        log_info(NULL, "trunk %s: DNS led to one more address of its carrier; calls from there are its calls", trunk->name);
    }
    if (msg) msg_destroy(msg);
}
