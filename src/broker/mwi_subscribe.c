/* mwi_subscribe.c: SUBSCRIBE to message-summary (RFC 6665): its dialog, its NOTIFYs, its end. */
#include "broker/mwi_own.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "broker/nat.h"
#include "broker/user_auth.h"
#include "core/clock.h"

#define SUBSCRIPTIONS_MAX 10000u
#define EXPIRES_DEFAULT_S 3600u
#define EXPIRES_MIN_S     10u

/* --- NOTIFY within a subscription ----------------------------------------------------------------------------------- */

static int notify_answered(struct subscription *s, nta_outgoing_t *notify, const sip_t *sip)
{
    int status = sip && sip->sip_status ? sip->sip_status->st_status : nta_outgoing_status(notify);
    if (status < 200 || s->notify != notify) return 0;
    nta_outgoing_destroy(notify);
    s->notify = NULL;
    if (status == 481 || status == 408 || status == 404 || status == 410)
        s->ended = true; /* RFC 6665 §4.2.2 */
    else if (s->dirty)
        subscription_notify(s);
    return 0;
}

void subscription_notify(struct subscription *s)
{
    char state[64], body[256];
    const struct account *account = mwi_account(s->broker->registrar->mwi, s->user, s->domain);
    int64_t left_s = s->expires_s - clock_utc_us() / 1000000;
    if (s->notify) {
        s->dirty = true;
        return;
    }
    s->dirty = false;
    snprintf(body, sizeof body, "Messages-Waiting: no\r\nMessage-Account: sip:%s@%s\r\n", s->user, s->domain);
    if (left_s > 0)
        snprintf(state, sizeof state, "active;expires=%lld", (long long)left_s);
    else
        snprintf(state, sizeof state, "terminated;reason=timeout");
    if (left_s <= 0) s->ended = true;
    s->notify = nta_outgoing_tcreate(s->leg, notify_answered, s, NULL, SIP_METHOD_NOTIFY, NULL, TPTAG_IDENT(s->listener->name),
                                     SIPTAG_CONTACT(s->listener->contact[s->transport]), SIPTAG_USER_AGENT(s->broker->agent.user_agent),
                                     SIPTAG_EVENT_STR("message-summary"), SIPTAG_SUBSCRIPTION_STATE_STR(state),
                                     SIPTAG_CONTENT_TYPE_STR(MWI_CONTENT_TYPE), SIPTAG_PAYLOAD_STR(account ? account->body : body),
                                     TAG_END());
    if (!s->notify) s->ended = true;
}

void subscription_free(struct mwi *mwi, struct subscription **at)
{
    struct subscription *s = *at;
    *at = s->next;
    if (s->notify) nta_outgoing_destroy(s->notify);
    if (s->leg) nta_leg_destroy(s->leg);
    free(s);
    mwi->subscription_count--;
}

void subscriptions_reap(struct mwi *mwi)
{
    int64_t now_s = clock_utc_us() / 1000000;
    if (now_s == mwi->reaped_s) return;
    mwi->reaped_s = now_s;
    for (struct subscription **at = &mwi->subscriptions; *at;) {
        struct subscription *s = *at;
        if (!s->ended && s->expires_s <= now_s) subscription_notify(s);
        if (s->ended && !s->notify)
            subscription_free(mwi, at);
        else
            at = &s->next;
    }
}

/* --- SUBSCRIBE ------------------------------------------------------------------------------------------------------ */

static uint32_t expires_of(const sip_t *sip)
{
    uint32_t s = sip->sip_expires ? (uint32_t)sip->sip_expires->ex_delta : EXPIRES_DEFAULT_S;
    return s > EXPIRES_DEFAULT_S ? EXPIRES_DEFAULT_S : s;
}

static void reply_ok(struct subscription *s, nta_incoming_t *irq, uint32_t expires_s)
{
    char text[16];
    snprintf(text, sizeof text, "%u", expires_s);
    nta_incoming_treply(irq, SIP_200_OK, SIPTAG_CONTACT(s->listener->contact[s->transport]), SIPTAG_USER_AGENT(s->broker->agent.user_agent),
                        SIPTAG_EXPIRES_STR(text), TAG_END());
}

/* Within the subscription: a refresh, or its end. */
static int subscription_request(struct subscription *s, nta_leg_t *leg, nta_incoming_t *irq, const sip_t *sip)
{
    if (!sip || !sip->sip_request) return 0;
    if (sip->sip_request->rq_method != sip_method_subscribe) return 405;
    if (s->ended) return 481;
    uint32_t expires_s = expires_of(sip);
    if (expires_s && expires_s < EXPIRES_MIN_S) return 423;
    s->expires_s = clock_utc_us() / 1000000 + expires_s;
    reply_ok(s, irq, expires_s);
    nta_incoming_destroy(irq);
    subscription_notify(s);
    return 0;
}

struct subscribing {
    struct broker *broker;
    struct listener *listener;
    enum transport transport;
    nta_incoming_t *irq;
    sip_t *sip;
    su_sockaddr_t source;
    char realm[128];
};

static void refuse(struct subscribing *w, int status, const char *phrase, const char *headers)
{
    nta_incoming_treply(w->irq, status, phrase, SIPTAG_USER_AGENT(w->broker->agent.user_agent), TAG_IF(headers, SIPTAG_HEADER_STR(headers)),
                        TAG_END());
    nta_incoming_destroy(w->irq);
    free(w);
}

static bool leg_make(struct subscription *s, const struct subscribing *w)
{
    const sip_t *sip = w->sip;
    su_home_t home[1] = { SU_HOME_INIT(home) };
    s->leg = nta_leg_tcreate(s->broker->agent.nta, subscription_request, s, SIPTAG_CALL_ID(sip->sip_call_id),
                             SIPTAG_FROM((sip_from_t *)sip->sip_to), SIPTAG_TO((sip_to_t *)sip->sip_from),
                             NTATAG_REMOTE_CSEQ(sip->sip_cseq->cs_seq), TAG_END());
    if (!s->leg || !nta_leg_tag(s->leg, nta_incoming_tag(w->irq, NULL))) return false;
    su_home_init(home);
    nta_leg_server_route(s->leg, sip->sip_record_route, nat_contact_of_request(home, sip, &w->source, w->transport == TRANSPORT_UDP));
    su_home_deinit(home);
    return true;
}

static void subscription_begin(struct subscribing *w, const char *user)
{
    struct mwi *mwi = w->broker->registrar->mwi;
    struct subscription *s = mwi->subscription_count < SUBSCRIPTIONS_MAX ? calloc(1, sizeof *s) : NULL;
    uint32_t expires_s = expires_of(w->sip);
    if (!s) return refuse(w, SIP_503_SERVICE_UNAVAILABLE, "Retry-After: 30\r\n");
    *s = (struct subscription) {
        .broker = w->broker, .listener = w->listener, .transport = w->transport, .expires_s = clock_utc_us() / 1000000 + expires_s
    };
    snprintf(s->user, sizeof s->user, "%s", user);
    snprintf(s->domain, sizeof s->domain, "%s", w->realm);
    snprintf(s->call_id, sizeof s->call_id, "%s", w->sip->sip_call_id->i_id);
    s->next = mwi->subscriptions;
    mwi->subscriptions = s;
    mwi->subscription_count++;
    if (!leg_make(s, w)) {
        subscription_free(mwi, &mwi->subscriptions);
        return refuse(w, SIP_500_INTERNAL_SERVER_ERROR, NULL);
    }
    reply_ok(s, w->irq, expires_s);
    nta_incoming_destroy(w->irq);
    free(w);
    subscription_notify(s);
}

static void challenge(struct subscribing *w, bool stale)
{
    char *headers = user_challenge(w->broker, w->listener, w->realm, false, stale);
    if (headers)
        refuse(w, SIP_401_UNAUTHORIZED, headers);
    else
        refuse(w, SIP_400_BAD_REQUEST, NULL);
    free(headers);
}

/* A user may watch its own account, or that of its mwi-account. */
static void authenticated(void *context, enum auth_verdict verdict, struct kv_view user)
{
    struct subscribing *w = context;
    const char *wanted = w->sip->sip_to->a_url->url_user, *account = kv_get_or(user, "p.mwi-account", "");
    size_t length = strcspn(account, "@");
    if (verdict == AUTH_CHALLENGE || verdict == AUTH_STALE) return challenge(w, verdict == AUTH_STALE);
    if (verdict == AUTH_BUSY) return refuse(w, SIP_503_SERVICE_UNAVAILABLE, "Retry-After: 5\r\n");
    bool own = verdict == AUTH_OK &&
               (!strcasecmp(wanted, kv_get_or(user, "id", "")) || !strcasecmp(wanted, kv_get_or(user, "number_alias", "")));
    if (own)
        wanted = kv_get_or(user, "id", wanted);
    else
        own = verdict == AUTH_OK && length && strlen(wanted) == length && !strncasecmp(wanted, account, length);
    if (own)
        subscription_begin(w, wanted);
    else
        refuse(w, SIP_403_FORBIDDEN, NULL);
}

static bool is_sound(const sip_t *sip)
{
    return sip->sip_to && sip->sip_from && sip->sip_contact && sip->sip_call_id && sip->sip_cseq && sip->sip_to->a_url->url_user &&
           sip->sip_to->a_url->url_host && strlen(sip->sip_to->a_url->url_user) < 64 && strlen(sip->sip_to->a_url->url_host) < 128 &&
           strlen(sip->sip_call_id->i_id) < 128;
}

void mwi_subscribe(struct broker *broker, struct listener *listener, enum transport transport, msg_t *msg, sip_t *sip)
{
    struct subscribing *w = calloc(1, sizeof *w);
    const su_addrinfo_t *from = msg_addrinfo(msg);
    nta_incoming_t *irq = w ? nta_incoming_create(broker->agent.nta, NULL, msg, sip, TAG_END()) : NULL;
    if (!irq) {
        if (!w) nta_msg_discard(broker->agent.nta, msg);
        free(w);
        return;
    }
    *w = (struct subscribing) { .broker = broker, .listener = listener, .transport = transport, .irq = irq, .sip = sip };
    memcpy(&w->source, from->ai_addr, from->ai_addrlen < sizeof w->source ? from->ai_addrlen : sizeof w->source);
    nta_incoming_tag(irq, NULL);
    if (!is_sound(sip)) return refuse(w, SIP_400_BAD_REQUEST, NULL);
    if (!sip->sip_event || !sip->sip_event->o_type || strcasecmp(sip->sip_event->o_type, "message-summary"))
        return refuse(w, SIP_489_BAD_EVENT, "Allow-Events: message-summary\r\n");
    if (expires_of(sip) && expires_of(sip) < EXPIRES_MIN_S) return refuse(w, SIP_423_INTERVAL_TOO_BRIEF, "Min-Expires: 10\r\n");
    snprintf(w->realm, sizeof w->realm, "%s", user_realm(listener, sip->sip_to->a_url->url_host));
    struct auth_question question = { .listener = listener,
                                      .realm = w->realm,
                                      .credentials = sip->sip_authorization,
                                      .method = "SUBSCRIBE",
                                      .to_user = sip->sip_to->a_url->url_user,
                                      .to_domain = w->realm,
                                      .source = &w->source.su_sa };
    user_auth(broker, &question, authenticated, w);
}
