/* http_auth.c: who asks: by token, by password (basic or digest), or by the page's cookie.
 *
 * A wrong password costs time, more with each one from the same address, and one line in the log:
 *   http: authentication failure from 192.0.2.7 (attempt 3)
 * whose words are promised to fail2ban (docs/http.md). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/http_own.h"
#include "core/log.h"

#define FAILURES_MAX        256u
#define FAILURES_FORGET_NS  (600 * NS_PER_S)
#define DELAY_FIRST_NS      NS_PER_S
#define DELAY_DOUBLINGS_MAX 4u /* 1, 2, 4, 8, 16 s */
#define WAITING_MAX         4u /* refusals that one address may be waiting for */

struct http_failures {
    struct failure {
        char address[INET6_ADDRSTRLEN];
        unsigned count;
        int64_t last_ns;
    } list[FAILURES_MAX];
};

/* In a time that says nothing about how much of it was right. */
bool http_same_secret(const char *a, const char *b)
{
    size_t length = strlen(a), other = strlen(b);
    unsigned different = length != other;
    for (size_t i = 0; i < length; i++) different |= (unsigned)(unsigned char)a[i] ^ (unsigned)(unsigned char)(i < other ? b[i] : 0);
    return different == 0;
}

int http_users_read(struct http *http)
{
    const struct config_node *users = config_get(config_root(http->control->args->config), "http.users");
    size_t count = config_count(users);
    bool loopback = strncmp(http->address, "127.", 4) == 0 || strcmp(http->address, "::1") == 0;
    if (count == 0) {
        log_crit(NULL, "`http.port` is given and nobody may come in: give `http.users` at least one user with a password or a token");
        return -EINVAL;
    }
    http->users = calloc(count, sizeof *http->users);
    if (http->users == NULL) return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const struct config_node *node = config_child(users, i);
        struct http_user *user = &http->users[http->user_count++];
        *user = (struct http_user) { .name = config_name(node),
                                     .password = config_str(node, "password", NULL),
                                     .token = config_str(node, "token", NULL) };
        user->role = strcmp(config_str(node, "role", "viewer"), "operator") == 0 ? HTTP_OPERATOR : HTTP_VIEWER;
        if (user->password == NULL && user->token == NULL) {
            log_crit(NULL, "`http.users.%s` has neither a password nor a token", user->name);
            return -EINVAL;
        }
    }
    if (!loopback)
        log_warning(NULL, "http: %s is not loopback: passwords and tokens cross the network in the clear unless a TLS proxy stands between",
                    http->address);
    return 0;
}

/* --- wrong ones -------------------------------------------------------------------------------------------------------- */

static struct failure *failure_of(struct http_failures *failures, const char *address)
{
    struct failure *oldest = &failures->list[0];
    int64_t now = clock_mono_ns();
    for (unsigned i = 0; i < FAILURES_MAX; i++) {
        struct failure *row = &failures->list[i];
        if (strcmp(row->address, address) == 0) {
            if (now - row->last_ns > FAILURES_FORGET_NS) row->count = 0;
            return row;
        }
        if (row->last_ns < oldest->last_ns) oldest = row;
    }
    *oldest = (struct failure) { 0 };
    strcpy(oldest->address, address);
    return oldest;
}

void http_auth_ask(struct http_request *request, bool stale)
{
    /* The page has a form of its own: no window of the browser's. */
    request->challenge = http_request_header(request, "X-Carillon") == NULL;
    request->stale = stale;
    http_reply_error(request, 401, "who are you? (a token, a password, or log in)");
}

static void refuse(struct http_request *request) { http_auth_ask(request, false); }

static void fail(struct http_request *request)
{
    struct http *http = request->http;
    unsigned count = 1;
    if (http->failures == NULL) http->failures = calloc(1, sizeof *http->failures);
    if (http->failures != NULL) {
        struct failure *row = failure_of(http->failures, request->address);
        count = ++row->count;
        row->last_ns = clock_mono_ns();
    }
    log_warning(NULL, "http: authentication failure from %s (attempt %u)", request->address, count);
    unsigned doublings = count - 1 < DELAY_DOUBLINGS_MAX ? count - 1 : DELAY_DOUBLINGS_MAX;
    http_later(request, DELAY_FIRST_NS << doublings, refuse);
}

/* Who waits for several refusals at a time guesses no more meanwhile. */
static bool guessing(struct http_request *request)
{
    unsigned waiting = 0;
    for (const struct http_request *other = request->http->requests; other != NULL; other = other->next)
        waiting += other->suspended && other->later_run == refuse && other->later.heap_index != 0 &&
                   strcmp(other->address, request->address) == 0;
    if (waiting < WAITING_MAX) return false;
    http_reply_error(request, 429, "too many wrong passwords; wait a while");
    return true;
}

/* --- credentials --------------------------------------------------------------------------------------------------------- */

static const struct http_user *user_named(const struct http *http, const char *name)
{
    for (size_t i = 0; i < http->user_count; i++)
        if (strcmp(http->users[i].name, name) == 0) return &http->users[i];
    return NULL;
}

static const struct http_user *password_user(const struct http *http, const char *name, const char *password)
{
    const struct http_user *user = user_named(http, name);
    bool ok = http_same_secret(password, user != NULL && user->password != NULL ? user->password : "");
    return ok && user != NULL && user->password != NULL ? user : NULL;
}

const struct http_user *http_auth_password(struct http_request *request, const char *name, const char *password)
{
    if (guessing(request)) return NULL;
    const struct http_user *user = password_user(request->http, name, password);
    if (user == NULL) fail(request);
    return user;
}

static const struct http_user *token_user(const struct http *http, const char *token)
{
    const struct http_user *found = NULL;
    for (size_t i = 0; i < http->user_count; i++)
        if (http->users[i].token != NULL && http_same_secret(token, http->users[i].token)) found = &http->users[i];
    return found;
}

static const struct http_user *basic_user(struct http_request *request)
{
    char *password = NULL, *name = MHD_basic_auth_get_username_password(request->connection, &password);
    const struct http_user *user = name != NULL && password != NULL ? password_user(request->http, name, password) : NULL;
    MHD_free(name);
    MHD_free(password);
    return user;
}

static const struct http_user *digest_user(struct http_request *request, bool *stale)
{
    char *name = MHD_digest_auth_get_username(request->connection);
    const struct http_user *user = name != NULL ? user_named(request->http, name) : NULL;
    int result = MHD_NO;
    if (user != NULL && user->password != NULL)
        result = MHD_digest_auth_check2(request->connection, request->http->realm, user->name, user->password, 300, MHD_DIGEST_ALG_MD5);
    *stale = result == MHD_INVALID_NONCE;
    MHD_free(name);
    return result == MHD_YES ? user : NULL;
}

bool http_auth(struct http_request *request)
{
    const char *header = http_request_header(request, "Authorization");
    bool stale = false;
    if (header == NULL) {
        request->user = http_session_user(request->http, http_request_header(request, "Cookie"));
        request->by_cookie = request->user != NULL;
        return true;
    }
    if (guessing(request)) return false;
    if (strncasecmp(header, "Bearer ", 7) == 0)
        request->user = token_user(request->http, header + 7 + strspn(header + 7, " "));
    else if (strncasecmp(header, "Basic ", 6) == 0)
        request->user = basic_user(request);
    else if (strncasecmp(header, "Digest ", 7) == 0)
        request->user = digest_user(request, &stale);
    if (request->user != NULL) return true;
    if (stale)
        http_auth_ask(request, true);
    else
        fail(request);
    return false;
}
