/* auth.c: see auth.h. */
#include "broker/auth.h"

#include <stdio.h>
#include <string.h>

static const char *user_of(const struct call *call) { return call->auth_user ? call->auth_user : call->trunk ? call->trunk->user : NULL; }

static const char *password_of(const struct call *call)
{
    return call->auth_password ? call->auth_password : call->trunk ? call->trunk->password : NULL;
}

/* The challenge's realm as the stack's client wants it: still quoted. */
static bool offer_password(struct call *call, const msg_auth_t *challenge)
{
    const char *realm = msg_params_find(challenge->au_params, "realm=");
    const char *wanted = call->trunk ? call->trunk->realm : NULL;
    if (!realm) return false;
    if (wanted && (strlen(realm) < 2 || strncmp(realm + 1, wanted, strlen(wanted)) || strcmp(realm + 1 + strlen(wanted), "\"")))
        return false;
    return auc_all_credentials(&call->credentials, "Digest", realm, user_of(call), password_of(call)) > 0;
}

static bool take(struct call *call, const msg_auth_t *challenge, msg_hclass_t *credentials)
{
    bool any = false;
    if (!challenge || auc_challenge(&call->credentials, call->home, challenge, credentials) < 0) return false;
    for (const msg_auth_t *c = challenge; c; c = c->au_next) any |= offer_password(call, c);
    return any;
}

bool auth_challenged(struct call *call, const sip_t *sip)
{
    if (!sip || !user_of(call) || !password_of(call)) return false;
    if (!call->home) call->home = su_home_new(sizeof *call->home);
    if (!call->home) return false;
    bool www = take(call, sip->sip_www_authenticate, sip_authorization_class);
    bool proxy = take(call, sip->sip_proxy_authenticate, sip_proxy_authorization_class);
    return www || proxy;
}

sip_header_t *auth_headers(struct call *call, const char *method, const char *request_uri)
{
    msg_header_t *headers = NULL;
    if (!call->credentials || !call->home) return NULL;
    url_t *url = url_make(call->home, request_uri);
    if (!url || auc_authorization_headers(&call->credentials, call->home, method, url, NULL, &headers) < 0) return NULL;
    return (sip_header_t *)headers;
}
