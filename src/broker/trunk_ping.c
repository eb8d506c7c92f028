/* trunk_ping.c: OPTIONS to a trunk's carrier: does it answer? */
#include "broker/trunk_watch_own.h"

#include "core/clock.h"
#include "core/log.h"

static void answered(struct trunk_watch *watch, int status, const char *phrase)
{
    watch->ping_failures = 0;
    watch->health.ping_ms = (uint32_t)((clock_mono_ns() - watch->ping_sent_ns) / NS_PER_MS);
    if (!watch->health.down) return;
    watch->health.down = false;
    log_notice(NULL, "trunk %s answers again (%d)", watch->trunk->name, status);
    watch_changed(watch, phrase);
}

static void unanswered(struct trunk_watch *watch, const char *phrase)
{
    if (++watch->ping_failures < watch->ping_failures_max || watch->health.down) return;
    watch->health.down = true;
    log_warning(NULL, "trunk %s does not answer OPTIONS; no calls go out by it until it does", watch->trunk->name);
    watch_changed(watch, phrase);
}

static int ping_response(struct trunk_watch *watch, nta_outgoing_t *orq, const sip_t *sip)
{
    int status = sip && sip->sip_status ? sip->sip_status->st_status : nta_outgoing_status(orq);
    if (status < 200 || watch->ping != orq) return 0;
    const char *phrase = sip && sip->sip_status && sip->sip_status->st_phrase ? sip->sip_status->st_phrase : "";
    if (sip) trunk_learn_source(watch->trunk, orq);
    watch->health.status = status;
    watch->ping = NULL;
    if (status == 408 || status == 503)
        unanswered(watch, phrase);
    else
        answered(watch, status, phrase);
    nta_outgoing_destroy(orq);
    return 0;
}

static void ping_send(struct loop_timer *timer)
{
    struct trunk_watch *watch = timer->context;
    struct trunk *trunk = watch->trunk;
    char uri[BUS_URI_MAX];
    if (watch->ping) { /* not answered within a whole interval: the transaction's own 32 s are not waited for */
        nta_outgoing_destroy(watch->ping);
        watch->ping = NULL;
        watch->health.status = 408;
        unanswered(watch, "Request Timeout");
    }
    snprintf(uri, sizeof uri, "sip:%s", trunk->domain);
    if (!watch->ping_leg) watch->ping_leg = watch_leg(watch, "");
    watch->ping_sent_ns = clock_mono_ns();
    watch->ping = nta_outgoing_tcreate(
        watch->ping_leg, ping_response, watch, URL_STRING_MAKE(trunk->route), SIP_METHOD_OPTIONS, URL_STRING_MAKE(uri),
        TPTAG_IDENT(trunk->listener->name), SIPTAG_CONTACT(trunk->listener->contact[trunk->transport]),
        SIPTAG_USER_AGENT(trunk->broker->agent.user_agent), TAG_IF(*trunk->proxy, SIPTAG_ROUTE_STR(trunk->proxy)), TAG_END());
    loop_timer_set(trunk->broker->loop, timer, clock_mono_ns() + (int64_t)watch->ping_s * NS_PER_S);
}

void ping_start(struct trunk_watch *watch)
{
    watch->ping_due = (struct loop_timer) { .fire = ping_send, .context = watch };
    loop_timer_set(watch->trunk->broker->loop, &watch->ping_due, clock_mono_ns());
}
