/* register.c: REGISTER (RFC 3261 §10.3): asked for a password, contacts come and go, and its 200 leaves when they are on disk. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "broker/event.h"
#include "broker/mwi.h"
#include "broker/user_auth.h"
#include "core/clock.h"
#include "core/log.h"
#include "registrar/contact.h"
#include "registrar/digest.h"

#define CONTACTS_MAX 10 /* in one REGISTER */

struct registering {
    struct broker *broker;
    struct listener *listener;
    nta_incoming_t *irq; /* holds the request and so `sip` */
    sip_t *sip;
    struct sockaddr_storage source;
    char ip[64];
    uint16_t port;
    enum transport transport;
    char domain[128];    /* of the address of record, and the realm */
    const char *user;    /* in the To of the request */
    struct kv directory; /* what the directory says, once it is the user */
};

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

/* --- events --------------------------------------------------------------------------------------------------------- */

static const char *agent_of(const struct registering *r)
{
    return r->sip->sip_user_agent && r->sip->sip_user_agent->g_string ? r->sip->sip_user_agent->g_string : "unknown";
}

static void event_begin(struct kv *out, const struct registering *r)
{
    kv_add(out, "profile-name", r->listener->name);
    kv_add(out, "from-user", r->user);
    kv_add(out, "from-host", r->domain);
}

static void event_network(struct kv *out, const struct registering *r)
{
    kv_add(out, "network-ip", r->ip);
    kv_add_int(out, "network-port", r->port);
}

static void tell_failure(struct registering *r)
{
    struct kv event = KV_INIT;
    kv_add(&event, "profile-name", r->listener->name);
    kv_add(&event, "to-user", r->user);
    kv_add(&event, "to-host", r->domain);
    kv_add(&event, "network-ip", r->ip);
    kv_add(&event, "user-agent", agent_of(r));
    kv_add(&event, "profile-name", r->listener->name);
    kv_add_int(&event, "network-port", r->port);
    kv_add(&event, "registration-type", "REGISTER");
    event_fire(r->broker, EVENT_CUSTOM, "CUSTOM", "sofia::register_failure", &event);
    kv_free(&event);
}

/* The user's variables, and its parameters that begin with sip-, are headers of the event as well. */
static void event_user(struct kv *out, const struct registering *r)
{
    struct kv_view user = kv_view(&r->directory);
    struct kv_pair pair;
    size_t at = 0;
    kv_add(out, "sip_number_alias", kv_get(user, "number_alias"));
    kv_add(out, "sip_auth_username", kv_get(user, "auth_username"));
    kv_add(out, "sip_auth_realm", kv_get(user, "auth_realm"));
    kv_add(out, "number_alias", kv_get(user, "number_alias"));
    kv_add(out, "user_name", kv_get(user, "auth_username"));
    kv_add(out, "domain_name", kv_get(user, "domain"));
    while (kv_next(user, &at, &pair))
        if (!strncmp(pair.name, "v.", 2) || !strncmp(pair.name, "p.sip-", 6)) kv_add(out, pair.name + 2, pair.value);
}

static void tell_registered(struct registering *r, const struct location *l, bool again, bool gone)
{
    struct kv event = KV_INIT;
    kv_add(&event, "profile-name", r->listener->name);
    if (gone) kv_add(&event, "username", l->auth_user);
    kv_add(&event, "from-user", l->user);
    kv_add(&event, "from-host", l->domain);
    if (!gone) kv_add(&event, "presence-hosts", "n/a");
    kv_add(&event, "contact", l->contact);
    kv_add(&event, "call-id", l->call_id);
    kv_add(&event, "rpid", "unknown");
    if (gone) {
        kv_add(&event, "realm", l->auth_realm);
        event_network(&event, r);
        kv_add(&event, "user-agent", agent_of(r));
        kv_add(&event, "expires", "0");
    } else {
        kv_add(&event, "status", l->status);
        kv_add_int(&event, "expires", l->expires_s - l->registered_s);
        kv_add(&event, "to-user", r->sip->sip_from->a_url->url_user);
        kv_add(&event, "to-host", r->sip->sip_from->a_url->url_host);
        event_network(&event, r);
        kv_add(&event, "username", l->auth_user);
        kv_add(&event, "realm", l->auth_realm);
        kv_add(&event, "user-agent", agent_of(r));
        if (again) kv_add(&event, "update-reg", "true");
    }
    event_user(&event, r);
    event_fire(r->broker, EVENT_CUSTOM, "CUSTOM", gone ? "sofia::unregister" : "sofia::register", &event);
    kv_free(&event);
}

/* The first telephone of a user asks for what waits. */
static void tell_query(struct registering *r, const struct location *l)
{
    struct kv event = KV_INIT;
    kv_addf(&event, "Message-Account", "sip:%s@%s", l->mwi_user, l->mwi_domain);
    kv_add(&event, "VM-Sofia-Profile", r->listener->name);
    kv_add(&event, "VM-Call-ID", l->call_id);
    event_fire(r->broker, EVENT_MESSAGE_QUERY, "MESSAGE_QUERY", NULL, &event);
    kv_free(&event);
}

/* --- contacts ------------------------------------------------------------------------------------------------------- */

/* How long a contact is to be kept: its own wish, the request's, or the longest; then what the user's parameters force. */
static int64_t expires_of(const struct registering *r, const sip_contact_t *contact)
{
    const struct listener_users *users = &r->listener->users;
    struct kv_view user = kv_view(&r->directory);
    uint64_t wish = users->expires_max_s;
    if (contact->m_expires)
        wish = strtoul(contact->m_expires, NULL, 10);
    else if (r->sip->sip_expires)
        wish = r->sip->sip_expires->ex_delta;
    if (wish == 0) return 0;
    int64_t least = kv_get_int(user, "p.sip-force-expires-min", 0), most = kv_get_int(user, "p.sip-force-expires-max", 0);
    int64_t forced = kv_get_int(user, "p.sip-force-expires", 0), s = wish > 86400 ? 86400 : (int64_t)wish;
    if (least > 0 && s < least) s = least;
    if (most > 0 && s > most) s = most;
    if (forced > 0) return forced < 86400 ? forced : 86400;
    return s > (int64_t)users->expires_max_s && most <= 0 ? (int64_t)users->expires_max_s : s;
}

static void copy(char *out, size_t size, const char *text)
{
    size_t n = 0;
    for (; text && *text && n + 1 < size; text++)
        if ((unsigned char)*text >= 0x20 && *text != 0x7f) out[n++] = *text;
    out[n] = 0;
}

static void account_take(struct location *l, struct kv_view user)
{
    const char *account = kv_get(user, "p.mwi-account"), *at = account ? strchr(account, '@') : NULL;
    snprintf(l->mwi_user, sizeof l->mwi_user, "%.*s", at ? (int)(at - account) : (int)strlen(l->user), at ? account : l->user);
    snprintf(l->mwi_domain, sizeof l->mwi_domain, "%s", at ? at + 1 : l->domain);
}

static int location_fill(const struct registering *r, const sip_contact_t *contact, struct location *l)
{
    struct kv_view user = kv_view(&r->directory);
    const url_t *url = contact->m_url;
    const sip_via_t *via = r->sip->sip_via;
    struct contact_parts parts = { contact->m_display, url->url_user, url->url_host, url->url_port, url->url_params };
    if (!parts.display || !*parts.display) parts.display = r->sip->sip_to->a_display;
    struct contact_source source = {
        .ip = r->ip, .port = r->port, .transport = transport_name(r->transport), .via_host = via ? via->v_host : NULL
    };
    memset(l, 0, sizeof *l);
    if (url->url_type != url_sip) return -EINVAL;
    int err = contact_take(l, &parts, &source);
    copy(l->user, sizeof l->user, kv_get(user, "id"));
    copy(l->domain, sizeof l->domain, r->domain);
    copy(l->profile, sizeof l->profile, r->listener->name);
    copy(l->call_id, sizeof l->call_id, r->sip->sip_call_id->i_id);
    copy(l->agent, sizeof l->agent, agent_of(r));
    copy(l->auth_user, sizeof l->auth_user, kv_get(user, "auth_username"));
    copy(l->auth_realm, sizeof l->auth_realm, kv_get(user, "auth_realm"));
    copy(l->ping_status, sizeof l->ping_status, "Reachable");
    account_take(l, user);
    l->cseq = r->sip->sip_cseq->cs_seq;
    l->registered_s = clock_utc_us() / 1000000;
    return err;
}

/* register_attempt (with its result), pre_register (before any credentials), register_failure. */
static void tell_attempt(struct registering *r, const char *subclass, const char *result)
{
    struct kv event = KV_INIT;
    const sip_from_t *from = r->sip->sip_from;
    struct digest_credentials credentials;
    struct location l;
    const sip_contact_t *contact = r->sip->sip_contact;
    if (contact && (contact->m_url->url_type == url_any || location_fill(r, contact, &l) < 0)) contact = NULL;
    bool read = r->sip->sip_authorization && digest_read(&credentials, (const char *const *)r->sip->sip_authorization->au_params) == 0;
    event_begin(&event, r);
    if (contact) kv_add(&event, "contact", l.contact);
    kv_add(&event, "call-id", r->sip->sip_call_id->i_id);
    kv_add(&event, "rpid", "unknown");
    kv_add(&event, "status", contact ? l.status : NULL);
    if (contact) kv_add_int(&event, "expires", expires_of(r, contact));
    kv_add(&event, "to-user", from->a_url->url_user);
    kv_add(&event, "to-host", from->a_url->url_host);
    event_network(&event, r);
    if (result) kv_add(&event, "username", read ? credentials.username : r->user);
    if (result) kv_add(&event, "realm", r->domain);
    kv_add(&event, "user-agent", agent_of(r));
    kv_add(&event, "auth-result", result);
    event_fire(r->broker, EVENT_CUSTOM, "CUSTOM", subclass, &event);
    kv_free(&event);
}

struct changes {
    struct location_change *list;
    size_t count;
};

/* Short of memory it stays in memory alone, as when the disk is full. */
static void change_add(struct changes *changes, const struct location *l, bool removed)
{
    struct location_change *list = realloc(changes->list, (changes->count + 1) * sizeof *list);
    if (!list) return;
    changes->list = list;
    list[changes->count++] = (struct location_change) { .removed = removed, .location = *l };
}

/* Step 7: a request that was overtaken by a later one of the same telephone changes nothing. */
static bool is_overtaken(const struct registering *r, const struct location *l)
{
    return !strcmp(l->call_id, r->sip->sip_call_id->i_id) && l->cseq >= (int64_t)r->sip->sip_cseq->cs_seq;
}

static void contact_remove(struct registering *r, struct location *there, struct changes *changes)
{
    tell_registered(r, there, true, true);
    log_info(NULL, "%s@%s is gone from %s", there->user, there->domain, there->uri);
    change_add(changes, there, true);
    location_drop(r->broker->registrar, there);
}

/* One telephone too many: the one that would be forgotten first is. */
static void make_room(struct registering *r, const struct location *l, struct changes *changes)
{
    struct locations *locations = r->broker->registrar->locations;
    int64_t most = kv_get_int(kv_view(&r->directory), "p.max-registrations-per-extension", 0);
    const char *several = kv_get_or(kv_view(&r->directory), "p.sip-allow-multiple-registrations", "true");
    uint32_t count = 0;
    struct location *first = NULL;
    if (!strcasecmp(several, "false") || !strcasecmp(several, "no")) most = 1;
    for (struct location *one = locations_of_user(locations, l->user, l->domain); one; one = location_next_of_user(one), count++)
        if (!first || one->expires_s < first->expires_s) first = one;
    if (first && count >= (most > 0 ? (uint32_t)most : r->listener->users.contacts_max)) contact_remove(r, first, changes);
}

/* 0 or the status that refuses the request. */
static int contact_put(struct registering *r, struct location *l, int64_t expires_s, struct changes *changes)
{
    struct registrar *registrar = r->broker->registrar;
    struct location *there = locations_find(registrar->locations, l->user, l->domain, l->uri);
    bool again = there != NULL;
    if (there && is_overtaken(r, there)) return 500;
    if (expires_s == 0) {
        if (there) contact_remove(r, there, changes);
        return 0;
    }
    if (!there) make_room(r, l, changes);
    bool first = !locations_of_user(registrar->locations, l->user, l->domain);
    l->expires_s = l->registered_s + expires_s;
    l->ping_due_s = l->registered_s + r->listener->users.ping_s;
    if (locations_put(registrar->locations, l, &there) < 0) return 503;
    location_schedule(registrar, there);
    if (!again) log_info(NULL, "%s@%s is at %s (%s)", l->user, l->domain, l->uri, l->status);
    change_add(changes, there, false);
    tell_registered(r, there, again, false);
    if (first) tell_query(r, there);
    if (!again) mwi_registered(r->broker, there);
    return 0;
}

static int contacts_remove_all(struct registering *r, const char *user, struct changes *changes)
{
    struct locations *locations = r->broker->registrar->locations;
    struct location *l;
    for (l = locations_of_user(locations, user, r->domain); l; l = location_next_of_user(l))
        if (is_overtaken(r, l)) return 500;
    while ((l = locations_of_user(locations, user, r->domain))) contact_remove(r, l, changes);
    return 0;
}

/* All of the request or nothing: sizes and times are looked at before anything changes. */
static int contacts_check(struct registering *r)
{
    struct location l;
    for (const sip_contact_t *c = r->sip->sip_contact; c; c = c->m_next) {
        int64_t expires_s = expires_of(r, c);
        if (location_fill(r, c, &l) < 0) return 400;
        if (expires_s && expires_s < (int64_t)r->listener->users.expires_min_s) return 423;
    }
    return 0;
}

static int contacts_take(struct registering *r, const char *user, struct changes *changes)
{
    struct location l;
    const sip_contact_t *contact = r->sip->sip_contact;
    if (contact && contact->m_url->url_type == url_any) return contacts_remove_all(r, user, changes);
    int refused = contacts_check(r);
    for (; contact && !refused; contact = contact->m_next)
        if (location_fill(r, contact, &l) == 0) refused = contact_put(r, &l, expires_of(r, contact), changes);
    return refused;
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
    int refused = contacts_take(r, id, &changes);
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
        tell_attempt(r, "sofia::pre_register", NULL);
    else if (verdict != AUTH_BUSY)
        tell_attempt(r, "sofia::register_attempt", results[verdict]);
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
    tell_failure(r);
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
