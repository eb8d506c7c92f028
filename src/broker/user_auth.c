/* user_auth.c: see user_auth.h. */
#include "broker/user_auth.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/clock.h"
#include "core/log.h"
#include "registrar/digest.h"

#define LOOKUPS_MAX 2000u
#define LOOKUP_NS   (5 * NS_PER_S)

struct lookup {
    struct broker *broker;
    struct listener *listener;
    struct digest_credentials credentials;
    char method[32], to_user[64], to_domain[128], ip[64];
    uint64_t failure_key;
    auth_done *done;
    void *context;
};

const char *user_realm(const struct listener *listener, const char *host)
{
    return *listener->users.domain ? listener->users.domain : host ? host : "";
}

/* --- the challenge -------------------------------------------------------------------------------------------------- */

static bool challenge_add(struct broker *broker, struct buf *out, const char *realm, bool proxy, bool stale,
                          enum digest_algorithm algorithm)
{
    char nonce[NONCE_TEXT_SIZE], value[512];
    nonce_make(broker->registrar->nonces, realm, clock_utc_us() / 1000000, nonce);
    if (!digest_challenge(value, sizeof value, realm, nonce, algorithm, stale)) return false;
    return buf_printf(out, "%s: %s\r\n", proxy ? "Proxy-Authenticate" : "WWW-Authenticate", value) == 0;
}

char *user_challenge(struct broker *broker, const struct listener *listener, const char *realm, bool proxy, bool stale)
{
    const struct listener_users *users = &listener->users;
    struct buf out = BUF_INIT;
    bool good = true;
    if (users->sha256 && users->sha256_first) good = challenge_add(broker, &out, realm, proxy, stale, DIGEST_SHA256);
    if (good && users->md5) good = challenge_add(broker, &out, realm, proxy, stale, DIGEST_MD5);
    if (good && users->sha256 && !users->sha256_first) good = challenge_add(broker, &out, realm, proxy, stale, DIGEST_SHA256);
    if (good && out.length) return buf_take(&out);
    buf_free(&out);
    return NULL;
}

/* --- the answer ----------------------------------------------------------------------------------------------------- */

/* FreeSWITCH's words, which its fail2ban filter knows. */
static void tell_failure(const struct lookup *lookup)
{
    log_warning(NULL, "SIP auth failure (%s) on sofia profile '%s' for [%s@%s] from ip %s", lookup->method, lookup->listener->name,
                lookup->to_user, lookup->to_domain, lookup->ip);
}

static bool is_true(const char *text)
{
    return text && (!strcasecmp(text, "true") || !strcasecmp(text, "yes") || !strcmp(text, "1") || !strcasecmp(text, "on"));
}

static bool password_right(const struct lookup *lookup, struct kv_view user)
{
    const char *password = kv_get(user, "p.password"), *a1_hash = kv_get(user, "p.a1-hash");
    if (a1_hash && *a1_hash) return digest_matches(&lookup->credentials, lookup->method, NULL, a1_hash);
    if (password && *password) return digest_matches(&lookup->credentials, lookup->method, password, NULL);
    return is_true(kv_get(user, "p.allow-empty-password"));
}

static enum auth_verdict judge(const struct lookup *lookup, int status, struct kv_view user)
{
    struct broker *broker = lookup->broker;
    if (status < 0) return AUTH_BUSY;
    bool right = kv_get(user, "id") && !is_true(kv_get(user, "forbidden")) && password_right(lookup, user);
    if (!right) {
        rate_take(&broker->registrar->failures, lookup->failure_key, clock_mono_ns());
        tell_failure(lookup);
        return AUTH_FORBIDDEN;
    }
    return nonce_use(broker->registrar->nonces, lookup->credentials.nonce, lookup->credentials.count) ? AUTH_OK : AUTH_STALE;
}

/* The reply's text is itself pairs (src/lua/fs/commands_directory.lua). */
static void answered(void *context, int status, struct kv_view pairs)
{
    struct lookup *lookup = context;
    size_t length = 0;
    const char *text = status == 0 ? kv_get_bytes(pairs, "text", &length) : NULL;
    struct kv_view user = { text ? text : "", length };
    lookup->broker->registrar->lookups--;
    if (!kv_valid(user)) user.length = 0, status = -1;
    lookup->done(lookup->context, judge(lookup, status, user), user);
    free(lookup);
}

/* --- the question --------------------------------------------------------------------------------------------------- */

/* As FreeSWITCH tells a directory that is made by a script. */
static void about_add(struct kv *pairs, const struct lookup *lookup)
{
    kv_add(pairs, "e.action", "sip_auth");
    kv_add(pairs, "e.sip_profile", lookup->listener->name);
    kv_add(pairs, "e.sip_auth_username", lookup->credentials.username);
    kv_add(pairs, "e.sip_auth_realm", lookup->credentials.realm);
    kv_add(pairs, "e.sip_auth_nonce", lookup->credentials.nonce);
    kv_add(pairs, "e.sip_auth_uri", lookup->credentials.uri);
    kv_add(pairs, "e.sip_auth_response", lookup->credentials.response);
    kv_add(pairs, "e.sip_auth_method", lookup->method);
    kv_add(pairs, "e.sip_to_user", lookup->to_user);
    kv_add(pairs, "e.sip_to_host", lookup->to_domain);
    kv_add(pairs, "e.ip", lookup->ip);
}

static int ask_worker(struct lookup *lookup)
{
    struct broker *broker = lookup->broker;
    struct registrar *registrar = broker->registrar;
    struct kv pairs = KV_INIT;
    char args[256];
    int err = -1;
    snprintf(args, sizeof args, "%.120s %.120s", lookup->credentials.username, lookup->credentials.realm);
    kv_add(&pairs, "command", "carillon_directory_user");
    kv_add(&pairs, "args", args);
    about_add(&pairs, lookup);
    for (uint32_t i = 0; i < broker->worker_count && err < 0; i++) {
        uint32_t worker = registrar->next_worker++ % broker->worker_count;
        if (broker->workers[worker].ready)
            err = post_request(broker->post, BUS_WORKER_0 + worker, MSG_API, &pairs, LOOKUP_NS, answered, lookup, NULL);
    }
    kv_free(&pairs);
    if (err == 0) registrar->lookups++;
    return err;
}

/* The credentials for our realm; others' are none of ours. */
static bool credentials_find(const struct auth_question *question, struct digest_credentials *out)
{
    for (const msg_auth_t *au = question->credentials; au; au = au->au_next) {
        if (!au->au_scheme || strcasecmp(au->au_scheme, "Digest")) continue;
        if (digest_read(out, (const char *const *)au->au_params) == 0 && !strcasecmp(out->realm, question->realm)) return true;
    }
    return false;
}

/* A name that the directory can hold: one word, since it is an argument of a command. */
static bool is_word(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= 0x20 || *text == 0x7f) return false;
    return true;
}

static bool algorithm_asked(const struct listener_users *users, const struct digest_credentials *credentials)
{
    return credentials->algorithm == DIGEST_SHA256 ? users->sha256 : users->md5;
}

static struct lookup *lookup_new(struct broker *broker, const struct auth_question *question, const struct digest_credentials *credentials)
{
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (!lookup) return NULL;
    *lookup = (struct lookup) { .broker = broker, .listener = question->listener, .credentials = *credentials };
    snprintf(lookup->method, sizeof lookup->method, "%s", question->method);
    snprintf(lookup->to_user, sizeof lookup->to_user, "%s", question->to_user ? question->to_user : "");
    snprintf(lookup->to_domain, sizeof lookup->to_domain, "%s", question->to_domain ? question->to_domain : "");
    su_inet_ntop(question->source->sa_family, SU_ADDR((su_sockaddr_t *)(uintptr_t)question->source), lookup->ip, sizeof lookup->ip);
    lookup->failure_key = rate_key(question->source, credentials->username);
    return lookup;
}

void user_auth(struct broker *broker, const struct auth_question *question, auth_done *done, void *context)
{
    struct registrar *registrar = broker->registrar;
    struct digest_credentials credentials;
    struct kv_view nobody = { "", 0 };
    const struct listener_users *users = &question->listener->users;
    if (!credentials_find(question, &credentials) || !algorithm_asked(users, &credentials)) return done(context, AUTH_CHALLENGE, nobody);
    if (!nonce_is_fresh(registrar->nonces, credentials.nonce, question->realm, clock_utc_us() / 1000000, users->nonce_s))
        return done(context, AUTH_STALE, nobody);
    if (!is_word(credentials.username) || !is_word(credentials.realm) ||
        !rate_has(&registrar->failures, rate_key(question->source, credentials.username), clock_mono_ns()))
        return done(context, AUTH_FORBIDDEN, nobody);
    struct lookup *lookup = registrar->lookups < LOOKUPS_MAX ? lookup_new(broker, question, &credentials) : NULL;
    if (!lookup) return done(context, AUTH_BUSY, nobody);
    lookup->done = done;
    lookup->context = context;
    if (ask_worker(lookup) == 0) return;
    free(lookup);
    done(context, AUTH_BUSY, nobody);
}
