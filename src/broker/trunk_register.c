/* trunk_register.c: REGISTER to a trunk's carrier (RFC 3261 §10.2). */
#include "broker/trunk_watch_own.h"

#include <stdlib.h>
#include <strings.h>

#include "core/clock.h"
#include "core/log.h"

#define RETRY_MAX_S   600
#define EXPIRES_MAX_S 86400

static void register_send(struct trunk_watch *watch, uint32_t expires_s);

static void refresh_due(struct loop_timer *timer)
{
    struct trunk_watch *watch = timer->context;
    watch->challenges = 0;
    if (watch->health.registration == REGISTRATION_UP && clock_mono_ns() >= watch->health.registered_until_ns) {
        watch->health.registration = REGISTRATION_TRYING;
        watch_changed(watch, "expired");
    }
    register_send(watch, watch->wish_s);
}

static void again_in(struct trunk_watch *watch, int64_t seconds)
{
    loop_timer_set(watch->trunk->broker->loop, &watch->refresh, clock_mono_ns() + seconds * NS_PER_S);
}

/* --- the answers ---------------------------------------------------------------------------------------------------- */

/* What the registrar granted us: on our own contact, else in Expires, else what we asked for (RFC 3261 §10.2.4). */
static uint32_t granted(const struct trunk_watch *watch, const sip_t *sip)
{
    char url[BUS_URI_MAX];
    for (const sip_contact_t *m = sip->sip_contact; m; m = m->m_next) {
        if (!m->m_expires || url_e(url, sizeof url, m->m_url) < 0 || strcasecmp(url, watch->contact)) continue;
        return (uint32_t)strtoul(m->m_expires, NULL, 10);
    }
    return sip->sip_expires ? (uint32_t)sip->sip_expires->ex_delta : watch->wish_s;
}

static void registered(struct trunk_watch *watch, const sip_t *sip)
{
    bool was = watch->health.registration == REGISTRATION_UP;
    uint32_t s = granted(watch, sip);
    if (s > EXPIRES_MAX_S) s = EXPIRES_MAX_S;
    if (s < 2) s = 2;
    watch->expires_s = s;
    watch->failures = 0;
    watch->health.registration = REGISTRATION_UP;
    watch->health.registered_until_ns = clock_mono_ns() + (int64_t)s * NS_PER_S;
    again_in(watch, s > 60 ? s - 30 : s / 2);
    if (was) return;
    log_notice(NULL, "trunk %s is registered for %u s", watch->trunk->name, s);
    watch_changed(watch, "OK");
}

static bool challenged(struct trunk_watch *watch, const sip_t *sip)
{
    const struct trunk *trunk = watch->trunk;
    bool any = false;
    const msg_auth_t *challenge = sip->sip_www_authenticate ? sip->sip_www_authenticate : sip->sip_proxy_authenticate;
    msg_hclass_t *class = sip->sip_www_authenticate ? sip_authorization_class : sip_proxy_authorization_class;
    if (!challenge || !trunk->user || !trunk->password || watch->challenges++ >= 2) return false;
    if (!watch->home) watch->home = su_home_new(sizeof *watch->home);
    if (!watch->home || auc_challenge(&watch->credentials, watch->home, challenge, class) < 0) return false;
    for (const msg_auth_t *c = challenge; c; c = c->au_next) {
        const char *realm = msg_params_find(c->au_params, "realm=");
        if (realm) any |= auc_all_credentials(&watch->credentials, "Digest", realm, trunk->user, trunk->password) > 0;
    }
    return any;
}

/* The next registrar at once; when all have failed, all again later, and each time later than before. */
static void failed(struct trunk_watch *watch, const sip_t *sip, const char *phrase)
{
    bool was = watch->health.registration == REGISTRATION_FAILED;
    uint32_t s = watch->retry_s;
    watch->challenges = 0;
    watch->registrar_at = (watch->registrar_at + 1) % watch->registrar_count;
    for (unsigned i = 0; i < watch->failures / watch->registrar_count && s < RETRY_MAX_S; i++) s *= 2;
    if (sip && sip->sip_retry_after && sip->sip_retry_after->af_delta > s) s = (uint32_t)sip->sip_retry_after->af_delta;
    watch->failures++;
    again_in(watch, watch->registrar_at ? 0 : s > RETRY_MAX_S ? RETRY_MAX_S : s);
    /* What was granted holds until it expires, whatever became of the refresh. */
    if (watch->health.registration == REGISTRATION_UP && clock_mono_ns() < watch->health.registered_until_ns) return;
    watch->health.registration = REGISTRATION_FAILED;
    if (was) return;
    log_warning(NULL, "trunk %s cannot register: %d %s; no calls go out by it until it can", watch->trunk->name, watch->health.status,
                phrase);
    watch_changed(watch, phrase);
}

static int register_response(struct trunk_watch *watch, nta_outgoing_t *orq, const sip_t *sip)
{
    int status = sip && sip->sip_status ? sip->sip_status->st_status : nta_outgoing_status(orq);
    if (status < 200 || watch->request != orq) return 0;
    const char *phrase = sip && sip->sip_status && sip->sip_status->st_phrase ? sip->sip_status->st_phrase : "no answer";
    if (sip) trunk_learn_source(watch->trunk, orq);
    watch->health.status = status;
    watch->request = NULL;
    if (status < 300 && sip)
        registered(watch, sip);
    else if ((status == 401 || status == 407) && sip && challenged(watch, sip))
        register_send(watch, watch->wish_s);
    else if (status == 423 && sip && sip->sip_min_expires && sip->sip_min_expires->me_delta > watch->wish_s &&
             sip->sip_min_expires->me_delta <= EXPIRES_MAX_S) {
        watch->wish_s = (uint32_t)sip->sip_min_expires->me_delta;
        register_send(watch, watch->wish_s);
    } else
        failed(watch, sip, phrase);
    nta_outgoing_destroy(orq);
    return 0;
}

/* --- sending -------------------------------------------------------------------------------------------------------- */

static sip_header_t *credentials_of(struct trunk_watch *watch, const char *uri)
{
    msg_header_t *headers = NULL;
    if (!watch->credentials || !watch->home) return NULL;
    url_t *url = url_make(watch->home, uri);
    if (!url || auc_authorization_headers(&watch->credentials, watch->home, "REGISTER", url, NULL, &headers) < 0) return NULL;
    return (sip_header_t *)headers;
}

static void register_send(struct trunk_watch *watch, uint32_t expires_s)
{
    struct trunk *trunk = watch->trunk;
    char uri[BUS_URI_MAX], contact[BUS_URI_MAX + 2], expires[16];
    snprintf(uri, sizeof uri, "sip:%s", trunk->domain);
    snprintf(contact, sizeof contact, "<%s>", watch->contact);
    snprintf(expires, sizeof expires, "%u", expires_s);
    if (watch->request) nta_outgoing_destroy(watch->request);
    if (!watch->leg) watch->leg = watch_leg(watch, trunk->user ? trunk->user : "");
    sip_header_t *credentials = credentials_of(watch, uri);
    watch->request = nta_outgoing_tcreate(
        watch->leg, register_response, watch, URL_STRING_MAKE(watch->registrars[watch->registrar_at].route), SIP_METHOD_REGISTER,
        URL_STRING_MAKE(uri), TPTAG_IDENT(trunk->listener->name), SIPTAG_CONTACT_STR(contact), SIPTAG_EXPIRES_STR(expires),
        SIPTAG_USER_AGENT(trunk->broker->agent.user_agent), TAG_IF(*trunk->proxy, SIPTAG_ROUTE_STR(trunk->proxy)),
        TAG_IF(credentials, SIPTAG_HEADER(credentials)), TAG_END());
    if (watch->request) return;
    log_err(NULL, "trunk %s: REGISTER could not be made", trunk->name);
    failed(watch, NULL, "REGISTER could not be made");
}

/* The listener's own contact with the account in it, so that the carrier's calls name it. */
static void contact_write(struct trunk_watch *watch)
{
    const struct trunk *trunk = watch->trunk;
    const char *listener = trunk->listener->contact_text[trunk->transport], *host = strchr(listener, '@');
    snprintf(watch->contact, sizeof watch->contact, "sip:%s%s", trunk->user ? trunk->user : trunk->name, host ? host : "");
}

static void registrars_read(struct trunk_watch *watch, const struct config_node *node)
{
    const struct trunk *trunk = watch->trunk;
    const struct config_node *list = config_get(node, "registrars");
    const char *transport = trunk->any_transport ? "" : transport_name(trunk->transport);
    for (size_t i = 0; i < config_count(list) && watch->registrar_count < REGISTRARS_MAX; i++)
        snprintf(watch->registrars[watch->registrar_count++].route, BUS_URI_MAX, "sip:%s%s%s", config_text(config_child(list, i)),
                 *transport ? ";transport=" : "", transport);
    if (!watch->registrar_count) snprintf(watch->registrars[watch->registrar_count++].route, BUS_URI_MAX, "%s", trunk->route);
}

void register_start(struct trunk_watch *watch, const struct config_node *node)
{
    watch->wish_s = (uint32_t)config_int(node, "expires_s", 600);
    watch->retry_s = (uint32_t)config_int(node, "retry_s", 30);
    watch->health.registration = REGISTRATION_TRYING;
    watch->refresh = (struct loop_timer) { .fire = refresh_due, .context = watch };
    contact_write(watch);
    registrars_read(watch, node);
    again_in(watch, 0);
}

/* Its answer is not waited for. */
void register_goodbye(struct trunk_watch *watch)
{
    if (watch->health.registration != REGISTRATION_UP) return;
    watch->health.registration = REGISTRATION_NONE;
    register_send(watch, 0);
    if (watch->request) nta_outgoing_destroy(watch->request);
    watch->request = NULL;
}
