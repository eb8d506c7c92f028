/* esl_command.c: the table of commands. Their words are matched by prefix and in any case, as FreeSWITCH does. */
#include <string.h>
#include <strings.h>

#include "control/esl_own.h"
#include "core/log.h"

#define NOT_FOUND "-ERR command not found"

static void run_exit(struct esl_client *client, char *words)
{
    esl_reply(client, "+OK bye");
    esl_client_goodbye(client);
}

static void run_api(struct esl_client *client, char *words)
{
    if (esl_api_allowed(client, words))
        esl_api(client, words);
    else
        esl_reply(client, "-ERR permission denied");
}

static void run_bgapi(struct esl_client *client, char *words)
{
    if (*words == 0)
        esl_reply(client, NOT_FOUND);
    else if (esl_api_allowed(client, words))
        esl_bgapi(client, words);
    else
        esl_reply(client, "-ERR permission denied");
}

static void run_event(struct esl_client *client, char *words) { esl_event_command(client, words); }

static void run_noevents(struct esl_client *client, char *words) { esl_noevents(client); }

static void run_linger(struct esl_client *client, char *words)
{
    if (!client->attached) {
        esl_reply(client, "-ERR not controlling a session");
        return;
    }
    unsigned seconds = 0;
    for (const char *p = words; *p >= '0' && *p <= '9' && seconds < 100000; p++) seconds = seconds * 10 + (unsigned)(*p - '0');
    client->linger = *words != 0 ? ESL_LINGER_SECONDS : ESL_LINGER_FOR_EVER;
    client->linger_s = seconds;
    if (*words != 0)
        esl_reply(client, "+OK will linger %u seconds", seconds);
    else
        esl_reply(client, "+OK will linger");
}

static void run_nolinger(struct esl_client *client, char *words)
{
    if (!client->attached) {
        esl_reply(client, "-ERR not controlling a session");
        return;
    }
    client->linger = ESL_LINGER_NONE;
    esl_reply(client, "+OK will not linger");
    if (client->call_over) esl_client_goodbye(client);
}

static void run_sendmsg(struct esl_client *client, char *words) { esl_sendmsg(client, words); }
static void run_sendevent(struct esl_client *client, char *words) { esl_sendevent(client, words); }
static void run_getvar(struct esl_client *client, char *words) { esl_getvar(client, words); }
static void run_divert(struct esl_client *client, char *words) { esl_divert(client, words); }
static void run_connect(struct esl_client *client, char *words) { esl_connect(client); }
static void run_resume(struct esl_client *client, char *words) { esl_socket_resume(client); }
static void run_log(struct esl_client *client, char *words) { esl_log_command(client, words); }
static void run_nolog(struct esl_client *client, char *words) { esl_nolog(client); }

/* `call`: only on a connection that is about a call. `basic`: also on an outbound one without `full`. */
static const struct {
    const char *prefix;
    bool call, basic;
    void (*run)(struct esl_client *client, char *words);
} commands[] = {
    { "exit", false, true, run_exit },
    { "...", false, true, run_exit },
    { "connect", true, true, run_connect },
    { "getvar", true, true, run_getvar },
    { "resume", true, true, run_resume },
    { "myevents", false, true, esl_myevents },
    { "filter ", false, true, esl_filter_command },
    { "divert_events", false, true, run_divert },
    { "sendmsg", false, true, run_sendmsg },
    { "sendevent", false, false, run_sendevent },
    { "api ", false, false, run_api },
    { "bgapi", false, false, run_bgapi },
    { "linger", false, false, run_linger },
    { "nolinger", false, false, run_nolinger },
    { "nolog", false, false, run_nolog },
    { "noevents", false, false, run_noevents },
    { "nixevent", false, false, esl_nixevent },
    { "event", false, false, run_event },
    { "log", false, false, run_log },
};

/* What follows the command's own word: "events plain all" and "exitfoo" are meant so. */
static char *after_word(char *line, const char *prefix)
{
    char *at = line + strlen(prefix);
    if (prefix[strlen(prefix) - 1] != ' ') at += strcspn(at, " \t");
    return at + strspn(at, " \t");
}

static void run_authenticated(struct esl_client *client, char *line)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strncasecmp(line, commands[i].prefix, strlen(commands[i].prefix)) != 0) continue;
        if ((commands[i].call && !client->attached) || (client->outbound && !client->full && !commands[i].basic)) break;
        commands[i].run(client, after_word(line, commands[i].prefix));
        return;
    }
    esl_reply(client, NOT_FOUND);
}

void esl_command(struct esl_client *client)
{
    char *line = client->request.line.data;
    if (client->outbound && client->timer_for == ESL_TIMER_AUTH) esl_client_timer(client, ESL_TIMER_NONE, 0); /* it speaks */
    if (client->request.line.length == 0) {
        esl_reply(client, NOT_FOUND);
    } else if (client->authenticated) {
        run_authenticated(client, line);
    } else if (strncasecmp(line, "exit", 4) == 0 || strncmp(line, "...", 3) == 0) {
        run_exit(client, line);
    } else if (strncasecmp(line, "auth ", 5) == 0 || strncasecmp(line, "userauth ", 9) == 0) {
        esl_auth(client, line);
    } else {
        esl_reply(client, NOT_FOUND);
        if (++client->commands_before_auth >= ESL_AUTH_COMMANDS_MAX) esl_client_goodbye(client);
    }
}
