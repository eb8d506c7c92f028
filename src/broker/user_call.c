/* user_call.c: see user_call.h. */
#include "broker/user_call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "broker/user_auth.h"
#include "core/log.h"

struct inviting {
    struct broker *broker;
    struct source_found found;
    msg_t *msg;
    sip_t *sip;
    char realm[128];
    struct inviting *next;
};

static void reply(struct inviting *i, int status, const char *phrase, const char *headers)
{
    struct agent *agent = &i->broker->agent;
    nta_msg_treply(agent->nta, i->msg, status, phrase, SIPTAG_USER_AGENT(agent->user_agent), TAG_IF(headers, SIPTAG_HEADER_STR(headers)),
                   TAG_END());
    i->msg = NULL;
}

static void challenge(struct inviting *i, bool stale)
{
    char *headers = user_challenge(i->broker, i->found.listener, i->realm, true, stale);
    if (headers)
        reply(i, SIP_407_PROXY_AUTH_REQUIRED, headers);
    else
        reply(i, SIP_400_BAD_REQUEST, NULL);
    free(headers);
}

static void forget(struct inviting *i)
{
    struct inviting **at = &i->broker->registrar->inviting;
    while (*at && *at != i) at = &(*at)->next;
    if (*at) *at = i->next;
    free(i);
}

static void authenticated(void *context, enum auth_verdict verdict, struct kv_view user)
{
    struct inviting *i = context;
    switch (verdict) {
    case AUTH_OK:
        i->found.user = user;
        inbound_call_take(i->broker, &i->found, i->msg, i->sip);
        break;
    case AUTH_CHALLENGE:
        challenge(i, false);
        break;
    case AUTH_STALE:
        challenge(i, true);
        break;
    case AUTH_BUSY:
        reply(i, SIP_503_SERVICE_UNAVAILABLE, "Retry-After: 5\r\n");
        break;
    case AUTH_FORBIDDEN:
        reply(i, SIP_403_FORBIDDEN, NULL);
        break;
    }
    forget(i);
}

/* The same INVITE, sent again while the directory is asked: no transaction knows it yet. */
static bool is_under_way(const struct registrar *registrar, const sip_t *sip)
{
    for (const struct inviting *i = registrar->inviting; i; i = i->next)
        if (i->sip->sip_cseq->cs_seq == sip->sip_cseq->cs_seq && !strcmp(i->sip->sip_call_id->i_id, sip->sip_call_id->i_id)) return true;
    return false;
}

void user_call_take(struct broker *broker, const struct source_found *found, msg_t *msg, sip_t *sip)
{
    struct registrar *registrar = broker->registrar;
    struct inviting *i = is_under_way(registrar, sip) ? NULL : calloc(1, sizeof *i);
    if (!i) return nta_msg_discard(broker->agent.nta, msg);
    *i = (struct inviting) { .broker = broker, .found = *found, .msg = msg, .sip = sip, .next = registrar->inviting };
    registrar->inviting = i;
    snprintf(i->realm, sizeof i->realm, "%s", user_realm(found->listener, sip->sip_from->a_url->url_host));
    struct auth_question question = { .listener = found->listener,
                                      .realm = i->realm,
                                      .credentials = sip->sip_proxy_authorization,
                                      .method = "INVITE",
                                      .to_user = sip->sip_from->a_url->url_user,
                                      .to_domain = i->realm,
                                      .source = (const struct sockaddr *)msg_addrinfo(msg)->ai_addr };
    user_auth(broker, &question, authenticated, i);
}
