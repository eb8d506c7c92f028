/* esl_auth.c: who a client is, and what it may do.
 *
 * A wrong password costs time, more with each one from the same address, and one line in the log:
 *   event socket: authentication failure from 192.0.2.7 (attempt 3)
 * whose words are promised to fail2ban (docs/event-socket.md). */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "control/esl_own.h"
#include "core/log.h"

#define FAILURES_MAX        256u /* addresses remembered */
#define FAILURES_FORGET_NS  (600 * NS_PER_S)
#define DELAY_FIRST_NS      NS_PER_S
#define DELAY_DOUBLINGS_MAX 4u /* 1, 2, 4, 8, 16 s */

struct esl_failures {
    struct failure {
        char address[INET6_ADDRSTRLEN];
        unsigned count;
        int64_t last_ns;
    } list[FAILURES_MAX];
};

void esl_failures_free(struct esl_failures *failures) { free(failures); }

/* Its row, or the one that is to be overwritten: the oldest. */
static struct failure *failure_of(struct esl_failures *failures, const char *address)
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

/* Answers later: guessing costs time, and the client may not even begin to guess again meanwhile. */
static void fail(struct esl_client *client)
{
    struct esl *esl = client->esl;
    unsigned count = 1;
    if (esl->failures == NULL) esl->failures = calloc(1, sizeof *esl->failures);
    if (esl->failures != NULL) {
        struct failure *row = failure_of(esl->failures, client->address);
        count = ++row->count;
        row->last_ns = clock_mono_ns();
    }
    log_warning(NULL, "event socket: authentication failure from %s (attempt %u)", client->address, count);
    client->busy = true;
    unsigned doublings = count - 1 < DELAY_DOUBLINGS_MAX ? count - 1 : DELAY_DOUBLINGS_MAX;
    esl_client_timer(client, ESL_TIMER_REFUSE, DELAY_FIRST_NS << doublings);
}

void esl_auth_refuse(struct esl_client *client)
{
    client->busy = false;
    esl_reply(client, "-ERR invalid");
    esl_client_goodbye(client);
}

/* In a time that says nothing about how much of it was right. */
static bool same_secret(const char *a, const char *b)
{
    size_t length = strlen(a), other = strlen(b);
    unsigned different = length != other;
    for (size_t i = 0; i < length; i++) different |= (unsigned)(unsigned char)a[i] ^ (unsigned)(unsigned char)(i < other ? b[i] : 0);
    return different == 0;
}

static void accept_client(struct esl_client *client)
{
    client->authenticated = true;
    client->input.head_max = 0;
    esl_client_timer(client, ESL_TIMER_NONE, 0);
    log_info(NULL, "event socket: %s authenticated", client->address);
}

/* --- userauth ------------------------------------------------------------------------------------------------------ */

/* "name: value\n" of a worker's answer, decoded; "" if it is not there. */
static int answer_value(const char *text, const char *name, struct buf *out)
{
    size_t length = strlen(name);
    buf_clear(out);
    for (const char *line = text; *line != 0; line += strcspn(line, "\n"), line += *line == '\n')
        if (strncmp(line, name, length) == 0 && line[length] == ':' && line[length + 1] == ' ')
            return esl_url_decode(out, line + length + 2, strcspn(line + length + 2, "\n"));
    return 0;
}

static char *list_of(const char *text) { return *text == 0 || strcasecmp(text, "all") == 0 ? NULL : strdup(text); }

static void user_accepted(struct esl_client *client, const char *text)
{
    struct buf events = BUF_INIT, api = BUF_INIT, log = BUF_INIT;
    answer_value(text, "esl-allowed-events", &events);
    answer_value(text, "esl-allowed-api", &api);
    answer_value(text, "esl-allowed-log", &log);
    client->allowed_events = list_of(buf_text(&events));
    client->allowed_api = list_of(buf_text(&api));
    client->log_forbidden = log.length > 0 && strcasecmp(log.data, "true") != 0 && strcasecmp(log.data, "all") != 0 &&
                            strcmp(log.data, "1") != 0;
    accept_client(client);
    esl_reply(client, "+OK accepted\nAllowed-Events: %s\nAllowed-API: %s\nAllowed-LOG: %s",
              client->allowed_events != NULL ? client->allowed_events : "all", client->allowed_api != NULL ? client->allowed_api : "all",
              client->log_forbidden ? "false" : "true");
    buf_free(&events);
    buf_free(&api);
    buf_free(&log);
}

static void user_looked_up(void *context, int status, const char *text, size_t length)
{
    struct esl_client *client = context;
    struct buf password = BUF_INIT;
    client->asked = NULL;
    if (status == 0) answer_value(text, "esl-password", &password);
    /* A user without a password, or one that is none: nobody gets in by it. */
    bool ok = password.length > 0 && same_secret(client->secret, password.data);
    explicit_bzero(client->secret, strlen(client->secret));
    free(client->secret);
    client->secret = NULL;
    if (ok) {
        user_accepted(client, text);
        esl_client_done(client);
    } else {
        fail(client);
    }
    buf_free(&password);
}

/* user@domain:password, or user:password@domain. */
static void userauth(struct esl_client *client, const char *text)
{
    char *copy = strdup(text), *colon = copy != NULL ? strchr(copy, ':') : NULL, *at = NULL;
    struct buf who = BUF_INIT;
    if (colon != NULL) {
        *colon = 0;
        at = strchr(copy, '@');
        if (at == NULL && (at = strrchr(colon + 1, '@')) != NULL)
            *at++ = 0;
        else if (at != NULL)
            *at++ = 0;
        buf_printf(&who, "%s%s%s", copy, at != NULL ? "@" : "", at != NULL ? at : "");
        client->secret = strdup(colon + 1);
    }
    if (client->secret != NULL && who.length > 0 && who.data[0] != '@')
        client->asked = esl_ask(client->esl, "", "esl_user", who.data, user_looked_up, client);
    client->busy = true;
    if (client->asked == NULL) fail(client);
    buf_free(&who);
    free(copy);
}

void esl_auth(struct esl_client *client, const char *line)
{
    if (strncasecmp(line, "userauth ", 9) == 0) {
        userauth(client, line + 9 + strspn(line + 9, " "));
    } else if (same_secret(line + 5, client->esl->password)) {
        accept_client(client);
        esl_reply(client, "+OK accepted");
    } else {
        fail(client);
    }
}

/* --- what a user may do -------------------------------------------------------------------------------------------- */

static bool listed(const char *list, const char *name, size_t length)
{
    if (list == NULL) return true;
    for (const char *at = list + strspn(list, ", "); *at != 0; at += strspn(at, ", ")) {
        size_t n = strcspn(at, ", ");
        if (n == length && strncasecmp(at, name, n) == 0) return true;
        at += n;
    }
    return false;
}

bool esl_event_allowed(const struct esl_client *client, const char *name) { return listed(client->allowed_events, name, strlen(name)); }

/* `text` is a command and what follows it. Some run another command: both are needed. */
bool esl_api_allowed(const struct esl_client *client, const char *text)
{
    static const char *const wrappers[] = { "bgapi", "sched_api", "eval", "expand", "xml_wrap" };
    if (client->allowed_api == NULL) return true;
    size_t length = strcspn(text, " ");
    if (!listed(client->allowed_api, text, length)) return false;
    for (size_t i = 0; i < sizeof wrappers / sizeof wrappers[0]; i++)
        if (strlen(wrappers[i]) == length && strncasecmp(wrappers[i], text, length) == 0) {
            const char *inner = text + length + strspn(text + length, " ");
            if (strcmp(wrappers[i], "sched_api") == 0) /* time, group, command */
                for (int skip = 0; skip < 2; skip++) inner += strcspn(inner, " "), inner += strspn(inner, " ");
            /* eval runs ${command(…)}: its text is no command, and what it calls is not known. */
            return strcmp(wrappers[i], "eval") != 0 && *inner != 0 && esl_api_allowed(client, inner);
        }
    /* ${…} in arguments is expanded by few commands, but those could run anything. */
    return true;
}
