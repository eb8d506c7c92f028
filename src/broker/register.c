/* register.c: REGISTER (RFC 3261 §10.3): asked for a password, contacts come and go, and its 200 leaves when they are on disk. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "broker/register_own.h"
#include "broker/user_auth.h"
#include "core/clock.h"
#include "core/log.h"

#define CONTACTS_MAX 10 /* in one REGISTER */

/* --- answers -------------------------------------------------------------------------------------------------------- */

static void over(struct registering *r)
{
    nta_incoming_destroy(r->irq);
    kv_free(&r->directory);
    free(r);
}

static void refuse(struct registering *r, int status, const char *phrase, const char *headers)
{
    nta_incoming_treply(r->irq, status, phrase, SIPTAG_USER_AGENT(r->broker->agent.user_agent), TAG_IF(headers, SIPTAG_HEADER_STR(headers)),
                        TAG_END());
    over(r);
}

static void put_date(struct buf *out)
{
    char text[64];
    struct tm gmt;
    time_t now = (time_t)(clock_utc_us() / 1000000);
    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &gmt));
    buf_printf(out, "Date: %s\r\n", text);
}

/* RFC 3261 §10.3 step 8: all of the user's contacts, and how long they are kept. */
static void accept_registration(struct registering *r, const char *user)
{
    struct buf headers = BUF_INIT;
    int64_t now_s = clock_utc_us() / 1000000;
    put_date(&headers);
    for (const struct location *l = locations_of_user(r->broker->registrar->locations, user, r->domain); l; l = location_next_of_user(l))
        if (l->expires_s > now_s) buf_printf(&headers, "Contact: <%s>;expires=%lld\r\n", l->uri, (long long)(l->expires_s - now_s));
    nta_incoming_treply(r->irq, SIP_200_OK, SIPTAG_USER_AGENT(r->broker->agent.user_agent), SIPTAG_ALLOW(r->broker->agent.allow),
                        SIPTAG_HEADER_STR(buf_text(&headers)), TAG_END());
    buf_free(&headers);
    over(r);
}

/* --- the course of a REGISTER --------------------------------------------------------------------------------------- */

static void written(void *context, int error)
{
    struct registering *r = context;
    static int64_t told_ns;
    int64_t now = clock_mono_ns();
    if (error < 0 && now - told_ns > 60 * NS_PER_S) {
        log_err(NULL, "registrations cannot be written: %s; they are forgotten when the broker is started again", strerror(-error));
        told_ns = now;
    }
    accept_registration(r, kv_get_or(kv_view(&r->directory), "id", r->user));
}

static void refuse_with(struct registering *r, int status)
{
    char text[64];
    snprintf(text, sizeof text, "Min-Expires: %u\r\n", r->listener->users.expires_min_s);
    if (status == 423)
        refuse(r, SIP_423_INTERVAL_TOO_BRIEF, text);
    else if (status == 503)
        refuse(r, SIP_503_SERVICE_UNAVAILABLE, "Retry-After: 30\r\n");
    else if (status == 400)
        refuse(r, 400, "Bad Contact", NULL);
    else
        refuse(r, 500, "Overtaken by a Later REGISTER", NULL);
}

static void take(struct registering *r)
{
    struct kv_view user = kv_view(&r->directory);
    const char *id = kv_get_or(user, "id", "");
    if (strcasecmp(r->user, id) && strcasecmp(r->user, kv_get_or(user, "number_alias", ""))) {
        log_warning(NULL, "user %s@%s may not register as %s", id, r->domain, r->user);
        return refuse(r, SIP_403_FORBIDDEN, NULL);
    }
    struct changes changes = { 0 };
    int refused = register_contacts(r, id, &changes);
    if (refused || !changes.count) {
        if (changes.count) location_store_write(r->broker->registrar->store, changes.list, changes.count, NULL, NULL);
        if (refused)
            refuse_with(r, refused);
        else
            accept_registration(r, id);
        return;
    }
    int err = location_store_write(r->broker->registrar->store, changes.list, changes.count, written, r);
    if (err < 0) written(r, err);
}

static void challenge(struct registering *r, bool stale)
{
    char *headers = user_challenge(r->broker, r->listener, r->domain, false, stale);
    if (headers)
        refuse(r, SIP_401_UNAUTHORIZED, headers);
    else
        refuse(r, SIP_400_BAD_REQUEST, NULL);
    free(headers);
}

static void authenticated(void *context, enum auth_verdict verdict, struct kv_view user)
{
    static const char *const results[] = { [AUTH_OK] = "SUCCESS", [AUTH_STALE] = "STALE", [AUTH_FORBIDDEN] = "FORBIDDEN" };
    struct registering *r = context;
    struct kv_pair pair;
    size_t at = 0;
    if (verdict == AUTH_CHALLENGE)
        register_tell_attempt(r, "sofia::pre_register", NULL);
    else if (verdict != AUTH_BUSY)
        register_tell_attempt(r, "sofia::register_attempt", results[verdict]);
    switch (verdict) {
    case AUTH_OK:
        while (kv_next(user, &at, &pair)) kv_add(&r->directory, pair.name, pair.value);
        return take(r);
    case AUTH_CHALLENGE:
        return challenge(r, false);
    case AUTH_STALE:
        return challenge(r, true);
    case AUTH_BUSY:
        return refuse(r, SIP_503_SERVICE_UNAVAILABLE, "Retry-After: 5\r\n");
    case AUTH_FORBIDDEN:
        break;
    }
    register_tell_failure(r);
    refuse(r, SIP_403_FORBIDDEN, NULL);
}

/* RFC 3261 §10.3 step 6, and what must be there at all. */
static bool is_sound(const sip_t *sip)
{
    unsigned count = 0;
    bool star = false;
    if (!sip->sip_to || !sip->sip_from || !sip->sip_call_id || !sip->sip_cseq) return false;
    if (!sip->sip_to->a_url->url_user || !sip->sip_to->a_url->url_host || strlen(sip->sip_to->a_url->url_user) >= 64) return false;
    if (strlen(sip->sip_to->a_url->url_host) >= 128 || strlen(sip->sip_call_id->i_id) >= 128) return false;
    for (const sip_contact_t *c = sip->sip_contact; c; c = c->m_next, count++) star |= c->m_url->url_type == url_any;
    if (star) return count == 1 && sip->sip_expires && sip->sip_expires->ex_delta == 0;
    return count <= CONTACTS_MAX;
}

void register_take(struct broker *broker, struct listener *listener, enum transport transport, msg_t *msg, sip_t *sip)
{
    struct registering *r = calloc(1, sizeof *r);
    const su_sockaddr_t *source = (const su_sockaddr_t *)(const void *)msg_addrinfo(msg)->ai_addr;
    nta_incoming_t *irq = r ? nta_incoming_create(broker->agent.nta, NULL, msg, sip, TAG_END()) : NULL;
    if (!irq) {
        if (!r) nta_msg_discard(broker->agent.nta, msg);
        free(r);
        return;
    }
    *r = (struct registering) {
        .broker = broker, .listener = listener, .transport = transport, .irq = irq, .sip = sip, .directory = KV_INIT
    };
    nta_incoming_tag(irq, NULL);
    memcpy(&r->source, source, msg_addrinfo(msg)->ai_addrlen <= sizeof r->source ? msg_addrinfo(msg)->ai_addrlen : sizeof r->source);
    su_inet_ntop(source->su_family, SU_ADDR(source), r->ip, sizeof r->ip);
    r->port = ntohs(source->su_port);
    if (!is_sound(sip)) return refuse(r, SIP_400_BAD_REQUEST, NULL);
    r->user = sip->sip_to->a_url->url_user;
    snprintf(r->domain, sizeof r->domain, "%s", user_realm(listener, sip->sip_to->a_url->url_host));
    struct auth_question question = { .listener = listener,
                                      .realm = r->domain,
                                      .credentials = sip->sip_authorization,
                                      .method = "REGISTER",
                                      .to_user = r->user,
                                      .to_domain = r->domain,
                                      .source = (struct sockaddr *)&r->source };
    user_auth(broker, &question, authenticated, r);
}
