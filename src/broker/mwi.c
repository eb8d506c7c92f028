/* mwi.c: see mwi.h. */
#define NTA_LEG_MAGIC_T      struct subscription
#define NTA_OUTGOING_MAGIC_T struct subscription
struct subscription;

#include "broker/mwi.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "broker/event.h"
#include "broker/nat.h"
#include "broker/outside.h"
#include "broker/user_auth.h"
#include "bus/eventlog.h"
#include "core/clock.h"
#include "core/log.h"

#define POLL_NS           (100 * NS_PER_MS)
#define SUBSCRIPTIONS_MAX 10000u
#define ACCOUNTS_MAX      10000u
#define ACCOUNT_BUCKETS   1024u
#define BODY_MAX          2000
#define EXPIRES_DEFAULT_S 3600u
#define EXPIRES_MIN_S     10u

static const char content_type[] = "application/simple-message-summary";

/* What was last said of an account: the body of NOTIFY. */
struct account {
    char user[64], domain[128];
    char *body;
    struct account *next;
};

struct subscription {
    struct broker *broker;
    struct listener *listener;
    enum transport transport;
    char user[64], domain[128], call_id[128];
    nta_leg_t *leg;
    nta_outgoing_t *notify; /* one at a time */
    bool dirty;             /* another one is due when it is answered */
    bool ended;             /* reaped when its last NOTIFY is through */
    int64_t expires_s;      /* UTC */
    struct subscription *next;
};

struct mwi {
    struct broker *broker;
    struct account *accounts[ACCOUNT_BUCKETS];
    struct subscription *subscriptions;
    uint32_t account_count, subscription_count;
    struct eventlog_cursor cursors[BUS_PROCESSES_MAX];
    struct loop_timer poll;
    int64_t reaped_s;
};

/* --- accounts ------------------------------------------------------------------------------------------------------- */

static struct account **bucket_of(struct mwi *mwi, const char *user)
{
    uint32_t hash = 2166136261u;
    for (; *user; user++) hash = (hash ^ (unsigned char)tolower((unsigned char)*user)) * 16777619u;
    return &mwi->accounts[hash % ACCOUNT_BUCKETS];
}

static struct account *account_find(struct mwi *mwi, const char *user, const char *domain)
{
    for (struct account *a = *bucket_of(mwi, user); a; a = a->next)
        if (!strcasecmp(a->user, user) && !strcasecmp(a->domain, domain)) return a;
    return NULL;
}

static void account_set(struct mwi *mwi, const char *user, const char *domain, const char *body)
{
    struct account *account = account_find(mwi, user, domain);
    char *copy = strdup(body);
    if (!account && copy && mwi->account_count < ACCOUNTS_MAX && (account = calloc(1, sizeof *account))) {
        snprintf(account->user, sizeof account->user, "%s", user);
        snprintf(account->domain, sizeof account->domain, "%s", domain);
        struct account **bucket = bucket_of(mwi, user);
        account->next = *bucket;
        *bucket = account;
        mwi->account_count++;
    }
    if (!account || !copy) return free(copy);
    free(account->body);
    account->body = copy;
}

/* --- NOTIFY within a subscription ----------------------------------------------------------------------------------- */

static void notify_send(struct subscription *s);

static int notify_answered(struct subscription *s, nta_outgoing_t *notify, const sip_t *sip)
{
    int status = sip && sip->sip_status ? sip->sip_status->st_status : nta_outgoing_status(notify);
    if (status < 200 || s->notify != notify) return 0;
    nta_outgoing_destroy(notify);
    s->notify = NULL;
    if (status == 481 || status == 408 || status == 404 || status == 410)
        s->ended = true; /* RFC 6665 §4.2.2 */
    else if (s->dirty)
        notify_send(s);
    return 0;
}

static void notify_send(struct subscription *s)
{
    char state[64], body[256];
    const struct account *account = account_find(s->broker->registrar->mwi, s->user, s->domain);
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
                                     SIPTAG_CONTENT_TYPE_STR(content_type), SIPTAG_PAYLOAD_STR(account ? account->body : body), TAG_END());
    if (!s->notify) s->ended = true;
}

static void subscription_free(struct mwi *mwi, struct subscription **at)
{
    struct subscription *s = *at;
    *at = s->next;
    if (s->notify) nta_outgoing_destroy(s->notify);
    if (s->leg) nta_leg_destroy(s->leg);
    free(s);
    mwi->subscription_count--;
}

static void subscriptions_reap(struct mwi *mwi)
{
    int64_t now_s = clock_utc_us() / 1000000;
    if (now_s == mwi->reaped_s) return;
    mwi->reaped_s = now_s;
    for (struct subscription **at = &mwi->subscriptions; *at;) {
        struct subscription *s = *at;
        if (!s->ended && s->expires_s <= now_s) notify_send(s);
        if (s->ended && !s->notify)
            subscription_free(mwi, at);
        else
            at = &s->next;
    }
}

/* --- NOTIFY unasked ------------------------------------------------------------------------------------------------- */

static void notify_unasked(struct broker *broker, const struct location *l, const char *body)
{
    struct outside_request request = { .method = sip_method_notify,
                                       .method_name = "NOTIFY",
                                       .to = l,
                                       .content_type = content_type,
                                       .body = body,
                                       .headers = "Event: message-summary\r\nSubscription-State: terminated;reason=noresource\r\n" };
    outside_send(broker, &request, NULL, NULL);
}

void mwi_registered(struct broker *broker, const struct location *l)
{
    const struct account *account = account_find(broker->registrar->mwi, l->mwi_user, l->mwi_domain);
    if (account) notify_unasked(broker, l, account->body);
}

/* --- MESSAGE_WAITING ------------------------------------------------------------------------------------------------ */

static const char *header(struct kv_view pairs, const char *name)
{
    struct kv_pair pair;
    size_t at = 0;
    while (kv_next(pairs, &at, &pair))
        if (!strcasecmp(pair.name, name)) return pair.value;
    return NULL;
}

/* Each MWI-X becomes a line X of the body (RFC 3842 §5.2), as FreeSWITCH writes them. */
static void body_write(struct kv_view pairs, struct buf *out)
{
    struct kv_pair pair;
    size_t at = 0;
    while (kv_next(pairs, &at, &pair)) {
        if (strncasecmp(pair.name, "mwi-", 4) || strpbrk(pair.value, "\r\n") || strpbrk(pair.name, "\r\n :")) continue;
        bool bare = !strcasecmp(pair.name, "mwi-message-account") && strncasecmp(pair.value, "sip:", 4);
        if (out->length + strlen(pair.value) < BODY_MAX) buf_printf(out, "%s: %s%s\r\n", pair.name + 4, bare ? "sip:" : "", pair.value);
    }
    buf_puts(out, "\r\n");
}

struct waiting {
    char user[64];
    const char *domain;                /* "" = any */
    const char *call_id, *sub_call_id; /* NULL = all telephones */
};

static bool domain_fits(const struct waiting *waiting, const char *domain)
{
    return !*waiting->domain || !strcasecmp(waiting->domain, domain);
}

static void subscriptions_tell(struct mwi *mwi, const struct waiting *waiting)
{
    for (struct subscription *s = mwi->subscriptions; s; s = s->next) {
        if (s->ended || strcasecmp(s->user, waiting->user) || !domain_fits(waiting, s->domain)) continue;
        if (waiting->sub_call_id ? strcmp(waiting->sub_call_id, s->call_id) == 0 : !waiting->call_id) notify_send(s);
    }
}

static void telephones_tell(struct mwi *mwi, const struct waiting *waiting, const char *body)
{
    const struct locations *locations = mwi->broker->registrar->locations;
    if (waiting->sub_call_id && !waiting->call_id) return;
    for (const struct location *l = locations_walk(locations, NULL); l; l = locations_walk(locations, l)) {
        bool meant = waiting->call_id ? !strcmp(waiting->call_id, l->call_id)
                                      : !strcasecmp(l->mwi_user, waiting->user) && domain_fits(waiting, l->mwi_domain);
        if (meant) notify_unasked(mwi->broker, l, body);
    }
}

/* An account without a domain is one of each domain that is known. */
static void accounts_remember(struct mwi *mwi, const struct waiting *waiting, const char *body)
{
    const struct locations *locations = mwi->broker->registrar->locations;
    if (*waiting->domain) return account_set(mwi, waiting->user, waiting->domain, body);
    for (const struct location *l = locations_walk(locations, NULL); l; l = locations_walk(locations, l))
        if (!strcasecmp(l->mwi_user, waiting->user)) account_set(mwi, l->mwi_user, l->mwi_domain, body);
    for (const struct subscription *s = mwi->subscriptions; s; s = s->next)
        if (!strcasecmp(s->user, waiting->user)) account_set(mwi, s->user, s->domain, body);
}

static void waiting_take(struct mwi *mwi, struct kv_view pairs)
{
    const char *account = header(pairs, "MWI-Message-Account");
    struct buf body = BUF_INIT;
    if (!account || !header(pairs, "MWI-Messages-Waiting")) {
        log_err(NULL, "MESSAGE_WAITING: Missing required Header '%s'", account ? "MWI-Messages-Waiting" : "MWI-Message-Account");
        return;
    }
    if (!strncasecmp(account, "sip:", 4)) account += 4;
    const char *at = strchr(account, '@');
    struct waiting waiting = { .domain = at ? at + 1 : "",
                               .call_id = header(pairs, "call-id"),
                               .sub_call_id = header(pairs, "sub-call-id") };
    snprintf(waiting.user, sizeof waiting.user, "%.*s", at ? (int)(at - account) : 63, account);
    body_write(pairs, &body);
    accounts_remember(mwi, &waiting, buf_text(&body));
    subscriptions_tell(mwi, &waiting);
    telephones_tell(mwi, &waiting, buf_text(&body));
    buf_free(&body);
}

static void log_read(struct mwi *mwi, uint32_t process)
{
    struct eventlog *log = segment_eventlog(mwi->broker->segment, process);
    struct event_head head;
    struct kv pairs = KV_INIT;
    uint64_t missed = 0;
    int got;
    while ((got = eventlog_read(log, &mwi->cursors[process], &head, &pairs, &missed)) != 0) {
        if (got > 0 && head.type == EVENT_MESSAGE_WAITING)
            waiting_take(mwi, kv_view(&pairs));
        else if (got == -EOVERFLOW)
            log_warning(NULL, "%llu events of process %u were overwritten unread; a MESSAGE_WAITING may be among them",
                        (unsigned long long)missed, process);
        else if (got < 0)
            break;
    }
    kv_free(&pairs);
}

static void logs_poll(struct loop_timer *timer)
{
    struct mwi *mwi = timer->context;
    for (uint32_t process = 0; process < segment_processes(mwi->broker->segment); process++) log_read(mwi, process);
    subscriptions_reap(mwi);
    loop_timer_set(mwi->broker->loop, timer, clock_mono_ns() + POLL_NS);
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
    notify_send(s);
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
    notify_send(s);
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

/* --- start and end -------------------------------------------------------------------------------------------------- */

int mwi_open(struct broker *broker)
{
    uint64_t wish[2] = { 1ull << EVENT_MESSAGE_WAITING, 0 };
    struct mwi *mwi = calloc(1, sizeof *mwi);
    if (!mwi) return -ENOMEM;
    mwi->broker = broker;
    mwi->poll = (struct loop_timer) { .fire = logs_poll, .context = mwi };
    broker->registrar->mwi = mwi;
    for (uint32_t process = 0; process < segment_processes(broker->segment); process++)
        eventlog_seek_end(segment_eventlog(broker->segment, process), &mwi->cursors[process]);
    event_wish(broker->segment, broker->args->process, wish);
    loop_timer_set(broker->loop, &mwi->poll, clock_mono_ns() + POLL_NS);
    return 0;
}

void mwi_close(struct broker *broker)
{
    struct mwi *mwi = broker->registrar->mwi;
    if (!mwi) return;
    loop_timer_clear(broker->loop, &mwi->poll);
    while (mwi->subscriptions) subscription_free(mwi, &mwi->subscriptions);
    for (unsigned b = 0; b < ACCOUNT_BUCKETS; b++)
        for (struct account *account = mwi->accounts[b], *next; account; account = next) {
            next = account->next;
            free(account->body);
            free(account);
        }
    free(mwi);
}
