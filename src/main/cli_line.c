/* cli_line.c: what a typed line means. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "main/cli.h"
#include "main/command.h"

static const char help[] =
    "A line is an API command of the engine (`help` lists them; TAB completes). Lines that begin with a slash are for this terminal:\n"
    "  /help                       this text\n"
    "  /log LEVEL | /nolog         log lines from this level on (console alert crit err warning notice info debug), or none\n"
    "  /uuid [UUID]                log lines of one call only; without a UUID of all\n"
    "  /event [plain|xml|json] NAME … [CUSTOM SUBCLASS …]   shows these events; /event plain all\n"
    "  /noevents | /nixevent NAME …\n"
    "  /filter HEADER VALUE | /filter delete HEADER|all     which of them\n"
    "  /bgapi COMMAND              starts a command; its result is the event BACKGROUND_JOB\n"
    "  /quit (/exit, /bye, ..., Ctrl-D)\n"
    "Keys: F1 help, F2 status, F3 show channels, F4 show calls, F5 sofia status, F6 reloadxml, F7 /log console, F8 /log debug,\n"
    "F9 sofia status gateway, F10 fsctl pause, F11 fsctl resume, F12 version. Ctrl-C leaves a command that takes long to itself.";

/* What goes to the event socket as it is. */
static const char *const raw[] = { "event", "events", "noevents", "nixevent", "log", "nolog", "filter", "bgapi" };

static bool word_is(const char *line, const char *word)
{
    size_t length = strlen(word);
    return strncasecmp(line, word, length) == 0 && (line[length] == 0 || isspace((unsigned char)line[length]));
}

static int ask(struct cli *cli, const char *request)
{
    int rc = cli_ask(cli, request);
    if (rc == -EINTR) cli_say(cli, "(it goes on; its reply is shown when it comes)");
    if (rc < 0) return EXIT_FAILED;
    cli_show_reply(cli);
    const char *text = cli->link.message.has_body ? buf_text(&cli->link.message.body) : esl_link_header(&cli->link, "Reply-Text");
    return strncmp(text, "-ERR", 4) == 0 ? EXIT_FAILED : EXIT_OK;
}

static int slash(struct cli *cli, const char *line)
{
    const char *rest = line + strcspn(line, " \t");
    rest += strspn(rest, " \t");
    if (word_is(line, "quit") || word_is(line, "exit") || word_is(line, "bye")) {
        cli->ended = true;
    } else if (word_is(line, "help")) {
        cli_say(cli, help);
    } else if (word_is(line, "uuid")) {
        snprintf(cli->call, sizeof cli->call, "%s", rest);
        cli_say(cli, *rest != 0 ? "log lines of this call only" : "log lines of all calls");
    } else {
        for (size_t i = 0; i < sizeof raw / sizeof raw[0]; i++)
            if (word_is(line, raw[i])) return ask(cli, line);
        cli_say(cli, "there is no such command here; /help lists them");
        return EXIT_FAILED;
    }
    return EXIT_OK;
}

int cli_line(struct cli *cli, const char *line)
{
    line += strspn(line, " \t");
    if (*line == 0) return EXIT_OK;
    if (*line == '/') return slash(cli, line + 1);
    if (strncmp(line, "...", 3) == 0) return slash(cli, "quit");
    struct buf request = BUF_INIT;
    int rc = EXIT_OK;
    if (strncasecmp(line, "console loglevel ", 17) == 0) {
        buf_printf(&request, "log %s", line + 17);
        rc = ask(cli, buf_text(&request));
        buf_clear(&request);
    }
    if (rc == EXIT_OK) {
        buf_printf(&request, "api %s\nconsole_execute: true", line);
        rc = ask(cli, buf_text(&request));
    }
    buf_free(&request);
    return rc;
}
