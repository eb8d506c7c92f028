/* register_tell.c: the events about a REGISTER, with FreeSWITCH's headers. */
#include <string.h>

#include "broker/event.h"
#include "broker/register_own.h"
#include "registrar/digest.h"

const char *register_agent(const struct registering *r)
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

void register_tell_failure(struct registering *r)
{
    struct kv event = KV_INIT;
    kv_add(&event, "profile-name", r->listener->name);
    kv_add(&event, "to-user", r->user);
    kv_add(&event, "to-host", r->domain);
    kv_add(&event, "network-ip", r->ip);
    kv_add(&event, "user-agent", register_agent(r));
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

void register_tell_contact(struct registering *r, const struct location *l, bool again, bool gone)
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
        kv_add(&event, "user-agent", register_agent(r));
        kv_add(&event, "expires", "0");
    } else {
        kv_add(&event, "status", l->status);
        kv_add_int(&event, "expires", l->expires_s - l->registered_s);
        kv_add(&event, "to-user", r->sip->sip_from->a_url->url_user);
        kv_add(&event, "to-host", r->sip->sip_from->a_url->url_host);
        event_network(&event, r);
        kv_add(&event, "username", l->auth_user);
        kv_add(&event, "realm", l->auth_realm);
        kv_add(&event, "user-agent", register_agent(r));
        if (again) kv_add(&event, "update-reg", "true");
    }
    event_user(&event, r);
    event_fire(r->broker, EVENT_CUSTOM, "CUSTOM", gone ? "sofia::unregister" : "sofia::register", &event);
    kv_free(&event);
}

/* The first telephone of a user asks for what waits. */
void register_tell_query(struct registering *r, const struct location *l)
{
    struct kv event = KV_INIT;
    kv_addf(&event, "Message-Account", "sip:%s@%s", l->mwi_user, l->mwi_domain);
    kv_add(&event, "VM-Sofia-Profile", r->listener->name);
    kv_add(&event, "VM-Call-ID", l->call_id);
    event_fire(r->broker, EVENT_MESSAGE_QUERY, "MESSAGE_QUERY", NULL, &event);
    kv_free(&event);
}

/* register_attempt (with its result), pre_register (before any credentials), register_failure. */
void register_tell_attempt(struct registering *r, const char *subclass, const char *result)
{
    struct kv event = KV_INIT;
    const sip_from_t *from = r->sip->sip_from;
    struct digest_credentials credentials;
    struct location l;
    const sip_contact_t *contact = r->sip->sip_contact;
    if (contact && (contact->m_url->url_type == url_any || register_location(r, contact, &l) < 0)) contact = NULL;
    bool read = r->sip->sip_authorization && digest_read(&credentials, (const char *const *)r->sip->sip_authorization->au_params) == 0;
    event_begin(&event, r);
    if (contact) kv_add(&event, "contact", l.contact);
    kv_add(&event, "call-id", r->sip->sip_call_id->i_id);
    kv_add(&event, "rpid", "unknown");
    kv_add(&event, "status", contact ? l.status : NULL);
    if (contact) kv_add_int(&event, "expires", register_expires(r, contact));
    kv_add(&event, "to-user", from->a_url->url_user);
    kv_add(&event, "to-host", from->a_url->url_host);
    event_network(&event, r);
    if (result) kv_add(&event, "username", read ? credentials.username : r->user);
    if (result) kv_add(&event, "realm", r->domain);
    kv_add(&event, "user-agent", register_agent(r));
    kv_add(&event, "auth-result", result);
    event_fire(r->broker, EVENT_CUSTOM, "CUSTOM", subclass, &event);
    kv_free(&event);
}
