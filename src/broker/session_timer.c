/* session_timer.c: see session_timer.h. */
#include "broker/session_timer.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "broker/call.h"
#include "broker/request.h"
#include "core/clock.h"
#include "core/log.h"

#define BUSY_NS   (2 * NS_PER_S)  /* another request of ours is under way */
#define FAILED_NS (10 * NS_PER_S) /* between a refresh that failed and the next try */

static uint32_t wish_of(const struct call *call)
{
    uint32_t wish = call->trunk ? call->trunk->session_timer_s : 0;
    return wish && wish < call->session.min_s ? call->session.min_s : wish;
}

static uint32_t min_of(const struct call *call) { return call->session.min_s > SESSION_MIN_S ? call->session.min_s : SESSION_MIN_S; }

/* --- running -------------------------------------------------------------------------------------------------------- */

/* They refresh: RFC 4028 §10 ends the call a little early, so that the BYE leaves before the far end forgets the dialog. */
static int64_t grace_ns(const struct call *call)
{
    uint32_t third = call->session.expires_s / 3;
    return (int64_t)(third < 32 ? third : 32) * NS_PER_S;
}

static void due(struct loop_timer *timer)
{
    struct call *call = timer->context;
    if (call_is_ended(call)) return;
    int64_t now = clock_mono_ns(), last = call->session.ends_ns - grace_ns(call);
    if (now >= last) {
        log_info(call->channel_text, "the session was not refreshed within %u s", call->session.expires_s);
        call_hangup(call, CAUSE_RECOVERY_ON_TIMER_EXPIRE, 0, NULL);
        return;
    }
    int64_t next = last;
    if (call->session.refresher == SESSION_WE && refresh_send(call, call->session.update) < 0 && now + BUSY_NS < last) next = now + BUSY_NS;
    loop_timer_set(call->broker->loop, timer, next);
}

static void run(struct call *call)
{
    struct session_timer *session = &call->session;
    session->timer = (struct loop_timer) {
        .at_ns = session->timer.at_ns, .heap_index = session->timer.heap_index, .fire = due, .context = call
    };
    if (!session->expires_s || session->refresher == SESSION_NOBODY) return session_stop(call);
    int64_t whole = (int64_t)session->expires_s * NS_PER_S;
    session->ends_ns = clock_mono_ns() + whole;
    loop_timer_set(call->broker->loop, &session->timer,
                   session->refresher == SESSION_WE ? clock_mono_ns() + whole / 2 : session->ends_ns - grace_ns(call));
}

void session_refresh_failed(struct call *call)
{
    int64_t again = clock_mono_ns() + FAILED_NS, last = call->session.ends_ns - grace_ns(call);
    if (call->session.refresher == SESSION_WE) loop_timer_set(call->broker->loop, &call->session.timer, again < last ? again : last);
}

void session_resume(struct call *call) { run(call); }

void session_stop(struct call *call) { loop_timer_clear(call->broker->loop, &call->session.timer); }

/* --- what is said --------------------------------------------------------------------------------------------------- */

void session_offer_write(const struct call *call, struct session_headers *out)
{
    uint32_t wish = call->session.refresher != SESSION_NOBODY ? call->session.expires_s : wish_of(call);
    memset(out, 0, sizeof *out);
    if (!wish) return;
    /* In a dialog the roles stay as they are; before it, the far end chooses. */
    const char *refresher = call->session.refresher == SESSION_WE     ? ";refresher=uac"
                            : call->session.refresher == SESSION_THEY ? ";refresher=uas"
                                                                      : "";
    snprintf(out->expires, sizeof out->expires, "%u%s", wish, refresher);
    snprintf(out->min, sizeof out->min, "%u", min_of(call));
}

bool session_too_brief(struct call *call, const sip_t *sip)
{
    unsigned long min = sip && sip->sip_min_se ? sip->sip_min_se->min_delta : 0;
    if (min <= call->session.min_s || min < SESSION_MIN_S || min > SESSION_EXPIRES_MAX_S) return false;
    call->session.min_s = (uint32_t)min;
    if (call->session.expires_s && call->session.expires_s < min) call->session.expires_s = (uint32_t)min;
    return true;
}

static void allow_read(struct call *call, const sip_t *sip)
{
    if (sip->sip_allow) call->session.update = sip_is_allowed(sip->sip_allow, SIP_METHOD_UPDATE);
}

/* Less than RFC 4028 allows is heeded where they say it: they will end the call by it. */
static uint32_t bounded(unsigned long s) { return s > SESSION_EXPIRES_MAX_S ? SESSION_EXPIRES_MAX_S : s < 2 ? 2 : (uint32_t)s; }

void session_answered(struct call *call, const sip_t *sip)
{
    const sip_session_expires_t *x = sip->sip_session_expires;
    allow_read(call, sip);
    call->session.expires_s = x ? bounded(x->x_delta) : 0;
    call->session.refresher = !x ? SESSION_NOBODY : x->x_refresher && !strcasecmp(x->x_refresher, "uac") ? SESSION_WE : SESSION_THEY;
    run(call);
}

static void agreed_write(const struct call *call, struct session_headers *out)
{
    const struct session_timer *session = &call->session;
    bool they = session->refresher == SESSION_THEY;
    memset(out, 0, sizeof *out);
    if (session->expires_s) snprintf(out->expires, sizeof out->expires, "%u;refresher=%s", session->expires_s, they ? "uac" : "uas");
    out->require = session->expires_s && they; /* RFC 4028 §9 */
}

void session_accept(struct call *call, struct session_headers *out)
{
    agreed_write(call, out);
    run(call);
}

int session_asked(struct call *call, const sip_t *sip, struct session_headers *out)
{
    const sip_session_expires_t *x = sip->sip_session_expires;
    bool supported = sip_has_feature(sip->sip_supported, "timer");
    memset(out, 0, sizeof *out);
    allow_read(call, sip);
    if (x && supported && x->x_delta < SESSION_MIN_S) {
        snprintf(out->min, sizeof out->min, "%u", min_of(call));
        return 422;
    }
    uint32_t wish = x                                                                                ? bounded(x->x_delta)
                    : sip->sip_min_se && wish_of(call) && sip->sip_min_se->min_delta > wish_of(call) ? bounded(sip->sip_min_se->min_delta)
                                                                                                     : wish_of(call);
    bool they = supported && x && (!x->x_refresher || !strcasecmp(x->x_refresher, "uac"));
    call->session.expires_s = wish;
    call->session.refresher = !wish ? SESSION_NOBODY : they ? SESSION_THEY : SESSION_WE;
    session_accept(call, out);
    return 0;
}
