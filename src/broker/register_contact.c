/* register_contact.c: the contacts of a REGISTER: checked, put, removed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "broker/mwi.h"
#include "broker/register_own.h"
#include "core/clock.h"
#include "core/log.h"
#include "registrar/contact.h"

/* How long a contact is to be kept: its own wish, the request's, or the longest; then what the user's parameters force. */
int64_t register_expires(const struct registering *r, const sip_contact_t *contact)
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

int register_location(const struct registering *r, const sip_contact_t *contact, struct location *l)
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
    copy(l->agent, sizeof l->agent, register_agent(r));
    copy(l->auth_user, sizeof l->auth_user, kv_get(user, "auth_username"));
    copy(l->auth_realm, sizeof l->auth_realm, kv_get(user, "auth_realm"));
    copy(l->ping_status, sizeof l->ping_status, "Reachable");
    account_take(l, user);
    l->cseq = r->sip->sip_cseq->cs_seq;
    l->registered_s = clock_utc_us() / 1000000;
    return err;
}

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
    register_tell_contact(r, there, true, true);
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
    register_tell_contact(r, there, again, false);
    if (first) register_tell_query(r, there);
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
        int64_t expires_s = register_expires(r, c);
        if (register_location(r, c, &l) < 0) return 400;
        if (expires_s && expires_s < (int64_t)r->listener->users.expires_min_s) return 423;
    }
    return 0;
}

int register_contacts(struct registering *r, const char *user, struct changes *changes)
{
    struct location l;
    const sip_contact_t *contact = r->sip->sip_contact;
    if (contact && contact->m_url->url_type == url_any) return contacts_remove_all(r, user, changes);
    int refused = contacts_check(r);
    for (; contact && !refused; contact = contact->m_next)
        if (register_location(r, contact, &l) == 0) refused = contact_put(r, &l, register_expires(r, contact), changes);
    return refused;
}
