/* redirect.c: 3xx to our INVITE, followed where the trunk says so (RFC 3261 §8.1.3.4).
 *
 * A carrier must not send us where it likes: only its own host and sip.uri_hosts are followed, the new number passes the permit like any
 * other, and after five hops it is enough. The INVITE goes out again with the same Call-ID, in the trunk's own turn. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "broker/call.h"
#include "broker/headers.h"
#include "broker/invite.h"
#include "core/clock.h"
#include "core/log.h"

#define HOPS_MAX     5
#define CONTACTS_MAX 16

static bool host_is(const char *host, const char *domain)
{
    char name[128];
    uint16_t port;
    return host_port_parse(domain, name, sizeof name, &port) == 0 && !strcasecmp(host, name);
}

static bool host_listed(const struct permit_rules *rules, const char *host)
{
    for (size_t i = 0; i < rules->uri_host_count; i++)
        if (!strcasecmp(rules->uri_hosts[i], host)) return true;
    return false;
}

/* The contact's number is permitted, and in the very spelling that would leave: false if not, and why stands in the log. */
static bool number_take(struct call *call, const char *number)
{
    struct permit_verdict verdict;
    struct permit_request request = { .number = number,
                                      .max_s = call->max_asked_s,
                                      .campaign = call->campaign_name,
                                      .zone = call->zone,
                                      .rates = call->trunk->rates,
                                      .now_us = clock_utc_us(),
                                      .draining = call->broker->terminating,
                                      .ledger_accepting = true,
                                      .trunk_usable = true,
                                      .engine_free = true,
                                      .trunk_free = true,
                                      .campaign_free = true };
    permit_check(&call->broker->permit, &request, &verdict);
    const char *why = verdict.refused                   ? verdict.refused
                      : strcmp(verdict.dialled, number) ? "without + or a country that may be called it is ambiguous"
                                                        : NULL;
    if (why) {
        log_info(call->channel_text, "the redirection to %s is not followed: %s", number, why);
        return false;
    }
    permit_note(&call->broker->permit, &verdict, clock_utc_us());
    snprintf(call->number, sizeof call->number, "%s", number); /* what it costs goes by this one */
    return true;
}

static bool contact_follow(struct call *call, const sip_contact_t *contact)
{
    const url_t *url = contact->m_url;
    char text[BUS_URI_MAX], user[PERMIT_NUMBER_MAX];
    if (url->url_type != url_sip || !url->url_user || !url->url_host) return false;
    url_t bare = *url;
    bare.url_headers = NULL; /* headers that a stranger wants in our INVITE */
    uri_part_clean(url->url_user, user, sizeof user);
    bool own = host_is(url->url_host, call->trunk->domain) || !strcasecmp(url->url_host, call->trunk->host);
    if (!own && !host_listed(&call->broker->permit, url->url_host)) {
        log_info(call->channel_text, "the redirection to host %s is not followed: it is neither the trunk's nor in sip.uri_hosts",
                 url->url_host);
        return false;
    }
    if (url_e(text, sizeof text, &bare) < 0 || strnlen(text, sizeof text) >= sizeof text || strcmp(user, url->url_user)) return false;
    if (!number_take(call, user)) return false;
    call->redirected = !own;
    snprintf(call->target, sizeof call->target, "%s", text);
    snprintf(call->dialled, sizeof call->dialled, "%s", user);
    return true;
}

static int by_q(const void *a, const void *b)
{
    const sip_contact_t *x = *(const sip_contact_t *const *)a, *y = *(const sip_contact_t *const *)b;
    double p = x->m_q ? strtod(x->m_q, NULL) : 1, q = y->m_q ? strtod(y->m_q, NULL) : 1;
    return (p < q) - (p > q);
}

bool redirect_follow(struct call *call, int status, const sip_t *sip)
{
    const sip_contact_t *list[CONTACTS_MAX];
    size_t count = 0;
    if (status < 300 || status > 399 || !sip || !call->trunk || !call->trunk->redirect || call->hops >= HOPS_MAX) return false;
    for (const sip_contact_t *m = sip->sip_contact; m && count < CONTACTS_MAX; m = m->m_next) list[count++] = m;
    qsort(list, count, sizeof list[0], by_q);
    for (size_t i = 0; i < count; i++) {
        if (!contact_follow(call, list[i])) continue;
        call->hops++;
        log_info(call->channel_text, "redirected to %s", call->target);
        invite_queue(call);
        return true;
    }
    return false;
}
