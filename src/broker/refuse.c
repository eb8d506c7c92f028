/* refuse.c: final responses to our INVITE that are no success: credentials, failover, the end. */
#include <stdio.h>

#include "broker/auth.h"
#include "broker/call.h"
#include "broker/headers.h"
#include "broker/invite.h"
#include "core/log.h"

static bool try_credentials(struct call *call, int status, const sip_t *sip)
{
    if ((status != 401 && status != 407) || call->challenged) return false;
    if (!auth_challenged(call, sip)) return false;
    call->challenged = true;
    invite_queue(call);
    return true;
}

static bool try_longer_session(struct call *call, int status, const sip_t *sip)
{
    if (status != 422 || !session_too_brief(call, sip)) return false;
    invite_queue(call);
    return true;
}

static void heed_retry_after(struct call *call, int status, const sip_t *sip)
{
    if (status == 503 && call->trunk && sip && sip->sip_retry_after) trunk_pause(call->trunk, (uint32_t)sip->sip_retry_after->af_delta);
}

static bool try_another(struct call *call, int status) { return trunk_is_to_blame(call, status) && invite_fail_over(call, status); }

void invite_refused(struct call *call, int status, const sip_t *sip)
{
    int cause = cause_from_sip(status);
    nta_outgoing_destroy(call->invite);
    call->invite = NULL;
    if (call_is_ended(call)) {
        if (!call->sip_status) call->sip_status = status;
        call_check_over(call);
        return;
    }
    heed_retry_after(call, status, sip);
    if (try_credentials(call, status, sip) || try_longer_session(call, status, sip) || redirect_follow(call, status, sip) ||
        try_another(call, status))
        return;
    call->sip_status = status;
    if (sip && sip->sip_status)
        snprintf(call->sip_phrase, sizeof call->sip_phrase, "%.60s", sip->sip_status->st_phrase ? sip->sip_status->st_phrase : "");
    headers_reason(sip, &cause);
    call_end(call, cause, true, sip);
}
