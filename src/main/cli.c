/* cli.c: `carillon cli`. */
#include "main/cli.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "main/command.h"

#define RECONNECT_S 1

static void interrupted(int number) {}

void cli_lost(struct cli *cli)
{
    if (!cli->lost) {
        cli_edit_above(cli);
        fprintf(stderr, "carillon: the engine closed the connection\n");
    }
    cli->ended = cli->lost = true;
}

static bool is_reply(const struct cli *cli)
{
    const char *type = esl_link_header(&cli->link, "Content-Type");
    return strcmp(type, "command/reply") == 0 || strcmp(type, "api/response") == 0;
}

static bool is_goodbye(const struct cli *cli) { return strcmp(esl_link_header(&cli->link, "Content-Type"), "text/disconnect-notice") == 0; }

void cli_take(struct cli *cli)
{
    int rc;
    while ((rc = esl_link_take(&cli->link, 0)) == 1 && !is_goodbye(cli)) {
        if (is_reply(cli) && cli->owed > 0) cli->owed--;
        cli_show(cli);
    }
    if (rc == 1 || (rc < 0 && rc != -EINTR)) cli_lost(cli);
}

int cli_ask(struct cli *cli, const char *request)
{
    int rc = esl_link_send(&cli->link, request);
    while (rc == 0 && (rc = esl_link_take(&cli->link, -1)) == 1) {
        if (is_goodbye(cli)) {
            rc = -EPIPE;
        } else if (!is_reply(cli) || cli->owed > 0) {
            cli->owed -= is_reply(cli);
            cli_show(cli);
            rc = 0;
        } else {
            return 0;
        }
    }
    if (rc == -EINTR)
        cli->owed++;
    else
        cli_lost(cli);
    return rc;
}

/* Connected, authenticated, and what a terminal wants is asked for. 0 or -errno after saying why not. */
static int cli_open(struct cli *cli, bool terminal)
{
    struct buf error = BUF_INIT;
    int rc = esl_link_open(&cli->link, cli->host, cli->port, &error);
    if (rc == 0) rc = esl_link_auth(&cli->link, cli->user, cli->password, &error);
    if (rc < 0) fprintf(stderr, "carillon: %s\n", buf_text(&error));
    buf_free(&error);
    cli->ended = cli->lost = false;
    cli->owed = 0;
    if (rc < 0 || !terminal) return rc;
    snprintf(cli->name, sizeof cli->name, "%s", cli->host);
    if (cli_ask(cli, "api switchname") == 0 && cli->link.message.has_body)
        snprintf(cli->name, sizeof cli->name, "%.*s", (int)strcspn(buf_text(&cli->link.message.body), "\r\n"),
                 buf_text(&cli->link.message.body));
    if (!cli->quiet && cli->lost == false) {
        struct buf log = BUF_INIT;
        buf_printf(&log, "log %s", cli->log_level);
        if (cli_ask(cli, buf_text(&log)) == 0 && strncmp(esl_link_header(&cli->link, "Reply-Text"), "-ERR", 4) == 0) cli_show_reply(cli);
        buf_free(&log);
    }
    return cli->lost ? -EPIPE : 0;
}

static int terminal_run(struct cli *cli)
{
    const char *line;
    if (cli_edit_open(cli) < 0) {
        fprintf(stderr, "carillon: this terminal cannot be used for editing; give a command with -x, or lines by a pipe\n");
        return EXIT_FAILED;
    }
    printf("Connected to %s port %s. /help says what this terminal can do, /quit leaves it.\n", cli->host, cli->port);
    while (!cli->ended && (line = cli_edit_line(cli)) != NULL) cli_line(cli, line);
    cli_edit_close(cli);
    return cli->lost ? EXIT_FAILED : EXIT_OK;
}

/* Lines from a pipe: the exit code tells whether all of them did. */
static int pipe_run(struct cli *cli)
{
    char *line = NULL;
    size_t size = 0;
    int rc = EXIT_OK;
    while (!cli->ended && getline(&line, &size, stdin) >= 0) {
        line[strcspn(line, "\r\n")] = 0;
        if (cli_line(cli, line) != EXIT_OK) rc = EXIT_FAILED;
    }
    free(line);
    return rc;
}

static int command_run(struct cli *cli, const char *text)
{
    if (strpbrk(text, "\r\n") != NULL) return usage_wrong("cli", "a command is one line");
    return cli_line(cli, text);
}

/* Where the engine listens, from its configuration, for what the command line did not say. */
static int where(struct cli *cli, const char *given, struct config **config)
{
    const char *path;
    if (cli->host == NULL || cli->port == NULL || cli->password == NULL) {
        bool elsewhere = cli->host != NULL && given == NULL; /* another machine: no configuration of it need be here */
        *config = elsewhere ? NULL : config_open(given, &path);
        if (*config == NULL && !elsewhere) return EXIT_FAILED;
    }
    const struct config_node *root = *config != NULL ? config_root(*config) : NULL;
    const char *address = root != NULL ? config_str(root, "event_socket.address", "127.0.0.1") : "127.0.0.1";
    if (cli->host == NULL) cli->host = strcmp(address, "0.0.0.0") == 0 ? "127.0.0.1" : strcmp(address, "::") == 0 ? "::1" : address;
    const struct config_node *port = root != NULL ? config_get(root, "event_socket.port") : NULL;
    if (cli->port == NULL) cli->port = port != NULL ? config_text(port) : "8021";
    if (cli->password == NULL) cli->password = root != NULL ? config_str(root, "event_socket.password", "ClueCon") : "ClueCon";
    if (strcmp(cli->port, "0") == 0) {
        fprintf(stderr, "carillon: this engine has no event socket (event_socket.port = 0); `carillon api` does without\n");
        return EXIT_FAILED;
    }
    return 0;
}

int command_cli(int argc, char **argv)
{
    struct cli cli = { .link = ESL_LINK_INIT, .log_level = "debug" };
    const char *given = NULL, *execute = NULL;
    bool reconnect = false, plain = false;
    const struct option_row rows[] = {
        CONFIG_OPTION(given),
        { 'H', "host", "HOST", "where the engine is (default: event_socket.address)", &cli.host, NULL },
        { 'P', "port", "PORT", "its event socket (default: event_socket.port)", &cli.port, NULL },
        { 'p', "password", "WORD", "(default: event_socket.password)", &cli.password, NULL },
        { 'u', "user", "USER@DOMAIN", "a user of the directory instead", &cli.user, NULL },
        { 'x', "execute", "COMMAND", "runs one command, prints its reply, and ends", &execute, NULL },
        { 'l', "loglevel", "LEVEL", "log lines from this level on (default: debug)", &cli.log_level, NULL },
        { 'q', "quiet", NULL, "no log lines", NULL, &cli.quiet },
        { 'r', "reconnect", NULL, "connects again when the engine goes", NULL, &reconnect },
        { 'n', "no-colour", NULL, "no colours", NULL, &plain },
    };
    const struct usage usage = {
        "cli [OPTION…]",
        "A terminal on the engine's event socket, like fs_cli: commands with history and completion, log lines, events.\n"
        "Lines may also come by a pipe. Exit code 1 if there is no engine, it refuses the password, or a reply begins with -ERR.",
        rows, sizeof rows / sizeof rows[0]
    };
    int at = options_read(&usage, argc, argv);
    if (at < 0) return options_exit(at);
    if (at < argc) return usage_wrong("cli", "unknown word %s; a command goes behind -x", argv[at]);
    struct config *config = NULL;
    int rc = where(&cli, given, &config);
    bool terminal = execute == NULL && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    setlocale(LC_ALL, "");
    cli.colour = isatty(STDOUT_FILENO) && !plain && getenv("NO_COLOR") == NULL;
    if (terminal) sigaction(SIGINT, &(struct sigaction) { .sa_handler = interrupted }, NULL);
    while (rc == 0) {
        rc = cli_open(&cli, terminal) < 0 ? EXIT_FAILED
             : execute != NULL            ? command_run(&cli, execute)
             : terminal                   ? terminal_run(&cli)
                                          : pipe_run(&cli);
        bool again = reconnect && terminal && (cli.lost || cli.link.fd < 0);
        esl_link_close(&cli.link);
        if (!again) break;
        rc = 0;
        sleep(RECONNECT_S);
    }
    config_free(config);
    return rc;
}
