/* adopt.c: see adopt.h. A dialog is recreated from its Call-ID, tags, CSeqs, route set and target. */
#include "broker/adopt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/adopt_own.h"
#include "broker/bye.h"
#include "broker/call.h"
#include "broker/charge.h"
#include "broker/dialog.h"
#include "broker/media.h"
#include "broker/request.h"
#include "campaign/campaigns.h"
#include "core/check.h"
#include "core/clock.h"
#include "core/log.h"

#define COPY(to, from) snprintf((to), sizeof(to), "%s", (from))

/* --- a call from what its slot says --------------------------------------------------------------------------------- */

static void texts_take(struct call *call, const struct slot_call *from)
{
    COPY(call->call_id, from->call_id);
    COPY(call->local_tag, from->local_tag);
    COPY(call->remote_tag, from->remote_tag);
    COPY(call->branch, from->branch);
    COPY(call->local_uri, from->local_uri);
    COPY(call->remote_uri, from->remote_uri);
    COPY(call->target, from->target);
    COPY(call->route, from->route);
    COPY(call->via, from->via);
    call->local_cseq = from->local_cseq;
    call->invite_cseq = from->invite_cseq;
    call->remote_cseq = from->remote_cseq;
    call->sdp_session = from->sdp_session;
    call->sdp_version = from->sdp_version;
    call->session.expires_s = from->session_expires_s;
    call->session.min_s = from->session_min_se_s;
    call->session.refresher = (enum session_refresher)from->session_refresher;
    call->session.update = from->session_update;
    call->request_direction = from->held ? "sendonly" : NULL;
}

static void script_take(struct call *call, const struct slot_call *from)
{
    COPY(call->campaign_name, from->campaign);
    COPY(call->lead_history, from->lead_history);
    COPY(call->script_result, from->script_result);
    COPY(call->script_disposition, from->script_disposition);
    COPY(call->digits, from->digits);
    call->campaign = from->campaign_id;
    call->lead = from->lead;
    call->lead_tries = from->lead_tries;
}

static void facts_take(struct call *call, const struct slot_call *from)
{
    call->adopted = true;
    call->answered = from->answered;
    call->media = from->media;
    call->media_agreed = *from->media.codec != 0;
    call->media_started = from->state == SLOT_MEDIA || (from->state == SLOT_ENDING && call->media_agreed);
    call->media_seen = true;
    call->at = (struct call_times) { .claimed = from->invite_utc_us,
                                     .invite = from->invite_utc_us,
                                     .ring = from->ring_utc_us,
                                     .answer = from->answer_utc_us,
                                     .end = from->end_utc_us };
    call->sip_status = from->sip_status;
    call->max_s = call->broker->permit.max_call_s;
    call->row_begun = !call->inbound;
    call->told_worker = call->inbound || call->answered;
    call->nat = !*from->trunk && from->media.nat;
    call->permitted = true;
}

/* "udp NAME" of the listener that it goes by. */
static void path_take(struct call *call, const struct slot_call *from)
{
    struct broker *broker = call->broker;
    const char *name = strchr(from->transport, ' ');
    call->transport = transport_of(from->transport);
    call->listener = name ? listener_named(&broker->agent, name + 1) : NULL;
    if (!call->listener) call->listener = &broker->agent.listeners[0];
    call->trunk = trunk_named(&broker->trunks, from->trunk, strlen(from->trunk));
    if (call->trunk)
        call->codecs = call->trunk->codecs;
    else
        sdp_codecs_parse(&call->codecs, "PCMU,PCMA");
    struct sdp_crypto wish = { .mode = *from->media.crypto_local ? SDP_CRYPTO_OPTIONAL : SDP_CRYPTO_UNSAID };
    sdp_crypto_begin(&call->codecs.crypto, &wish, call->trunk ? &call->trunk->codecs.crypto : NULL); /* a re-INVITE will say new keys */
}

/* The campaign's rules decide over its lead as if the call had been its own. */
static void watch_take(struct call *call)
{
    if (call->inbound || !call->lead || !*call->campaign_name) return;
    struct campaign_adopted adopted = { .campaign = call->campaign_name,
                                        .campaign_id = call->campaign,
                                        .lead = call->lead,
                                        .lead_tries = call->lead_tries,
                                        .lead_history = call->lead_history,
                                        .answered = call->answered };
    campaigns_adopt(call->broker->campaigns, &adopted, call, &call->watch);
    call->watched = true;
}

struct call *adopt_call(struct broker *broker, const struct slot_call *from)
{
    struct call *call = call_new_adopted(broker, &from->channel, &from->attempt, from->role == SLOT_IN);
    if (!call) return NULL;
    texts_take(call, from);
    script_take(call, from);
    path_take(call, from);
    facts_take(call, from);
    watch_take(call);
    if (call->answered) charge_begin(call);
    return call;
}

/* --- its dialog ----------------------------------------------------------------------------------------------------- */

/* An outgoing call's From stands with its tag in the slot; the others are bare. */
static void party_write(char *out, size_t size, const char *uri, const char *tag)
{
    bool complete = strstr(uri, ";tag=") != NULL, bracketed = strchr(uri, '<') != NULL;
    snprintf(out, size, bracketed ? "%s%s%s" : "<%s>%s%s", uri, complete || !*tag ? "" : ";tag=", complete ? "" : tag);
}

void adopt_leg(struct call *call)
{
    char from[BUS_URI_MAX + BUS_TAG_MAX + 16], to[BUS_URI_MAX + BUS_TAG_MAX + 16], cseq[24];
    party_write(from, sizeof from, call->local_uri, call->local_tag);
    party_write(to, sizeof to, call->remote_uri, call->remote_tag);
    snprintf(cseq, sizeof cseq, "%u INVITE", call->local_cseq);
    call->leg = nta_leg_tcreate(call->broker->agent.nta, call_request, call, SIPTAG_CALL_ID_STR(call->call_id), SIPTAG_FROM_STR(from),
                                SIPTAG_TO_STR(to), SIPTAG_CSEQ_STR(cseq), NTATAG_REMOTE_CSEQ(call->remote_cseq), TAG_END());
    if (!call->leg || !call->answered) return;
    su_home_t home[1] = { SU_HOME_INIT(home) };
    su_home_init(home);
    sip_record_route_t *route = *call->route ? sip_record_route_make(home, call->route) : NULL;
    sip_contact_t *target = *call->target ? sip_contact_create(home, URL_STRING_MAKE(call->target), NULL) : NULL;
    nta_leg_server_route(call->leg, route, target);
    su_home_deinit(home);
}

static void cancel_again(struct call *call)
{
    char cseq[24];
    if (!call->leg || !*call->branch) return;
    snprintf(cseq, sizeof cseq, "%u CANCEL", call->invite_cseq);
    nta_outgoing_t *cancel = nta_outgoing_tcreate(call->leg, NULL, NULL, call->trunk ? URL_STRING_MAKE(call->trunk->route) : NULL,
                                                  SIP_METHOD_CANCEL, URL_STRING_MAKE(call->target), NTATAG_BRANCH_KEY(call->branch),
                                                  SIPTAG_CSEQ_STR(cseq), TPTAG_IDENT(call->listener->name), TAG_END());
    if (cancel) nta_outgoing_destroy(cancel);
    call->cancel_due = cancel != NULL;
}

void adopt_end_dialog(struct call *call)
{
    bool dialog = call->answered && call->leg;
    call->state = dialog ? CALL_TALKING : CALL_CLAIMED;
    if (!dialog && call->inbound)
        adopt_refuse(call);
    else if (!dialog && call->at.invite)
        cancel_again(call);
}

/* --- going on ------------------------------------------------------------------------------------------------------- */

static void slot_take(struct call *call, uint32_t slot, uint32_t generation)
{
    struct slots *slots = &call->broker->slots;
    call->slot = slot;
    call->generation = generation;
    call->worker = slot / slots->each;
    slots->calls[slot] = call;
    slots->workers[call->worker].busy++;
    slots->busy++;
    call->capped = true;
    call->broker->cap.active++;
    if (call->trunk && !call->inbound) call->trunk->cap.active++;
}

static bool worker_knows(const struct call *call, const struct slot_call *from)
{
    const struct worker_state *worker = &call->broker->workers[call->worker];
    return worker->ready && worker->epoch == from->worker_epoch;
}

static void live_on(struct call *call)
{
    int64_t lived_ns = (clock_utc_us() - call->at.answer) * 1000, whole_ns = (int64_t)call->max_s * NS_PER_S;
    call->state = CALL_TALKING;
    session_resume(call);
    loop_timer_set(call->broker->loop, &call->timer, clock_mono_ns() + (lived_ns < whole_ns ? whole_ns - lived_ns : 0));
    slot_mirror(call);
}

/* Its outcome was decided by the broker before; what that waited for is asked for again: the far end's BYE or CANCEL may have been
 * lost with it, and RELEASED may have been read already. */
static void end_on(struct call *call, const struct slot_call *from)
{
    struct slot_totals totals;
    adopt_end_dialog(call);
    if (call->state == CALL_TALKING) bye_send(call, from->cause);
    bool known = slot_totals_read(segment_slot(call->broker->segment, call->slot), &totals) && totals.generation == call->generation;
    if (known) call->totals = totals;
    call->cause = from->cause;
    call->state = CALL_ENDING;
    call->ended_told = true;
    loop_timer_set(call->broker->loop, &call->timer, clock_mono_ns() + CALL_RELEASE_WAIT_NS);
    if (known && totals.released)
        call->media_released = true;
    else
        call_media_stop(call);
    call_check_over(call);
}

/* By what the broker before was doing with it. */
static void go_on(struct call *call, const struct slot_call *from)
{
    bool known = worker_knows(call, from);
    call->script_running = known && call->media_started && from->role == SLOT_OUT_CAMPAIGN && call->answered && !*call->script_result;
    if (known && from->state == SLOT_ENDING) return end_on(call, from);
    if (known && call->answered && from->state == SLOT_MEDIA && call->leg) return live_on(call);
    adopt_end_dialog(call);
    call_hangup(call, CAUSE_CRASH, 0, NULL);
    if (call->slot == SLOT_NONE || known) return;
    slot_free(call->broker, call, true);
    call_check_over(call);
}

static bool adopt_slot(struct broker *broker, uint32_t slot)
{
    struct slot_call from;
    if (!slot_call_read(segment_slot(broker->segment, slot), &from) || from.state == SLOT_FREE) return false;
    struct call *call = adopt_call(broker, &from);
    if (!call) return false;
    slot_take(call, slot, from.generation);
    adopt_leg(call);
    go_on(call, &from);
    return call->state == CALL_TALKING;
}

static void adopt_all(struct broker *broker)
{
    uint32_t found = 0, alive = 0;
    for (uint32_t slot = 0; slot < broker->slots.total; slot++) {
        if (segment_slot(broker->segment, slot)->call.state == SLOT_FREE) continue;
        found++;
        alive += adopt_slot(broker, slot);
    }
    counter_set(broker->counters[COUNTER_calls_active], broker->slots.busy);
    if (found) log_notice(NULL, "adopted %u calls of the broker before this one: %u go on, %u are ended", found, alive, found - alive);
}

void adopt_calls(struct broker *broker)
{
    struct adopt_list ended = { 0 };
    adopt_ended_find(broker, broker->segment, &ended);
    adopt_all(broker);
    adopt_ended(broker, &ended);
    adopt_list_free(&ended);
    adopt_old(broker);
}
