/* cli_show.c: what comes from the engine, as people like to read it. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "main/cli.h"
#include "main/command.h"

/* As fs_cli: console, alert, critical, error in red, warning purple, notice cyan, info green, debug yellow. */
static const char *const level_colours[] = {
    "\033[0m", "\033[31m", "\033[31m", "\033[31m", "\033[35m", "\033[36m", "\033[32m", "\033[33m"
};

static void colour(const struct cli *cli, const char *sequence)
{
    if (cli->colour) fputs(sequence, stdout);
}

void cli_say(const struct cli *cli, const char *text)
{
    colour(cli, "\033[1m");
    fputs(text, stdout);
    colour(cli, "\033[0m");
    putchar('\n');
}

/* Control characters of a log line or an event could steer the terminal; nobody but us may. */
static void print_safely(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        putchar(c == '\n' || c == '\t' || c == '\r' || (c >= 0x20 && c != 0x7f) ? c : '?');
    }
    if (length == 0 || text[length - 1] != '\n') putchar('\n');
}

static void show_log(struct cli *cli)
{
    const char *level = esl_link_header(&cli->link, "Log-Level"), *call = esl_link_header(&cli->link, "User-Data");
    if (cli->call[0] != 0 && strcmp(cli->call, call) != 0) return;
    colour(cli, *level >= '0' && *level <= '7' ? level_colours[*level - '0'] : "\033[0m");
    print_safely(buf_text(&cli->link.message.body), cli->link.message.body.length);
    colour(cli, "\033[0m");
}

static int hex(char c) { return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? (c | 32) - 'a' + 10 : -1; }

/* A plain event's values are percent-encoded; shown decoded. */
static void show_event(struct cli *cli)
{
    const struct buf *body = &cli->link.message.body;
    struct buf out = BUF_INIT;
    bool plain = strstr(esl_link_header(&cli->link, "Content-Type"), "plain") != NULL;
    for (size_t i = 0; i < body->length; i++) {
        const char *at = body->data + i;
        if (plain && *at == '%' && i + 2 < body->length && hex(at[1]) >= 0 && hex(at[2]) >= 0) {
            buf_putc(&out, (char)(hex(at[1]) * 16 + hex(at[2])));
            i += 2;
        } else {
            buf_putc(&out, *at);
        }
    }
    colour(cli, "\033[36m");
    print_safely(buf_text(&out), out.length);
    colour(cli, "\033[0m");
    buf_free(&out);
}

void cli_show_reply(struct cli *cli)
{
    const struct buf *body = &cli->link.message.body;
    const char *text = esl_link_header(&cli->link, "Reply-Text");
    bool wrong = strncmp(cli->link.message.has_body ? buf_text(body) : text, "-ERR", 4) == 0;
    if (wrong) colour(cli, "\033[31m");
    if (cli->link.message.has_body)
        print_text(buf_text(body), body->length);
    else
        cli_say(cli, text);
    if (wrong) colour(cli, "\033[0m");
    fflush(stdout);
}

void cli_show(struct cli *cli)
{
    const char *type = esl_link_header(&cli->link, "Content-Type");
    cli_edit_above(cli);
    if (strcmp(type, "log/data") == 0)
        show_log(cli);
    else if (strncmp(type, "text/event-", 11) == 0)
        show_event(cli);
    else if (strcmp(type, "command/reply") == 0 || strcmp(type, "api/response") == 0)
        cli_show_reply(cli);
    cli_edit_again(cli);
    fflush(stdout);
}
