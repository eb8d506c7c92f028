/* cli.h: `carillon cli`: a terminal on the event socket, as comfortable as fs_cli.
 *
 *   cli.c        options, connecting, one command (-x), lines from a pipe
 *   cli_line.c   what a line means: a command of the engine, or one of ours that begins with a slash
 *   cli_show.c   what came, for people: replies, events, log lines in colours
 *   cli_edit.c   line editing: history, completion, function keys (libedit)
 *
 * One thread: while a line is typed, what comes is shown above it. */
#ifndef MAIN_CLI_H
#define MAIN_CLI_H

#include <stdbool.h>

#include "control/esl_link.h"

struct cli {
    struct esl_link link;
    const char *host, *port, *user, *password, *log_level;
    bool colour;    /* escape sequences may be written */
    bool quiet;     /* no log lines */
    bool ended;     /* /quit, or the connection is gone */
    bool lost;      /* … it is gone */
    bool edited;    /* a prompt stands on the screen */
    unsigned owed;  /* replies to commands that nobody waited for to the end */
    char call[64];  /* /uuid: log lines of this call only; "" = all */
    char name[128]; /* the engine's, for the prompt */
    struct cli_edit *edit;
};

/* --- cli.c --- */
/* Sends a request and waits for its reply, which is then cli->link.message; other messages are shown meanwhile. 0; -EINTR when interrupted
 * (the reply is shown when it comes); -EPIPE and the like after saying so. */
int cli_ask(struct cli *cli, const char *request);
/* One message that came and nobody asked for, or asked long ago. */
void cli_take(struct cli *cli);
/* The connection is gone: says so, once. */
void cli_lost(struct cli *cli);

/* --- cli_line.c --- */
/* Does what a line says. The exit code of it alone: 1 if its reply begins with -ERR. */
int cli_line(struct cli *cli, const char *line);

/* --- cli_show.c --- */
void cli_show(struct cli *cli);                        /* cli->link.message */
void cli_show_reply(struct cli *cli);                  /* the same as a reply to a command */
void cli_say(const struct cli *cli, const char *text); /* a word of our own */

/* --- cli_edit.c --- */
int cli_edit_open(struct cli *cli);
/* The next line, without its newline; NULL at the end. Valid until the next call. */
const char *cli_edit_line(struct cli *cli);
void cli_edit_close(struct cli *cli);
/* What is printed now goes above the line that is typed; afterwards the line is drawn again. */
void cli_edit_above(struct cli *cli);
void cli_edit_again(struct cli *cli);

#endif
