/* cli_edit.c: typing, by libedit. Its function that waits for a key is ours: it watches the engine's connection, too. */
#include <errno.h>
#include <histedit.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wchar.h>

#include "main/cli.h"

#define HISTORY_LINES 1000
#define COMPLETE_MS   3000

struct cli_edit {
    EditLine *el;
    History *history;
    char path[PATH_MAX]; /* of the kept history; "" = none */
    char prompt[200];
    struct buf line;
    mbstate_t half; /* of a character that takes several bytes */
};

/* F1 to F12, as most terminals send them, and what they stand for. */
static const char *const keys[][2] = {
    { "\033OP", "help\n" },           { "\033OQ", "status\n" },         { "\033OR", "show channels\n" },
    { "\033OS", "show calls\n" },     { "\033[15~", "sofia status\n" }, { "\033[17~", "reloadxml\n" },
    { "\033[18~", "/log console\n" }, { "\033[19~", "/log debug\n" },   { "\033[20~", "sofia status gateway\n" },
    { "\033[21~", "fsctl pause\n" },  { "\033[23~", "fsctl resume\n" }, { "\033[24~", "version\n" },
};

static struct cli *of(EditLine *el)
{
    void *data = NULL;
    el_get(el, EL_CLIENTDATA, &data);
    return data;
}

static char *prompt(EditLine *el) { return of(el)->edit->prompt; }

void cli_edit_above(struct cli *cli)
{
    if (cli->edit != NULL && cli->edited) fputs("\r\033[J", stdout);
}

void cli_edit_again(struct cli *cli)
{
    if (cli->edit == NULL || !cli->edited) return;
    fflush(stdout);
    el_set(cli->edit->el, EL_REFRESH);
}

/* One character; what the engine says meanwhile is shown. 0 at the end, -1 when interrupted. */
static int key_wait(EditLine *el, wchar_t *out)
{
    struct cli *cli = of(el);
    for (;;) {
        struct pollfd watch[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = cli->link.fd, .events = POLLIN } };
        cli->edited = true;
        cli_take(cli); /* what came together with an answer lies here already */
        if (cli->ended) return cli->edited = false, 0;
        int rc = poll(watch, 2, -1);
        if (rc < 0) return cli->edited = false, -1;
        if (watch[0].revents == 0) continue;
        char byte;
        if (read(STDIN_FILENO, &byte, 1) <= 0) return cli->edited = false, 0;
        size_t n = mbrtowc(out, &byte, 1, &cli->edit->half);
        if (n == (size_t)-2) continue;
        if (n == (size_t)-1) {
            memset(&cli->edit->half, 0, sizeof cli->edit->half);
            continue;
        }
        cli->edited = false; /* libedit draws until it asks for the next one */
        return 1;
    }
}

/* TAB: the engine says what may follow. */
static unsigned char complete(EditLine *el, int key)
{
    struct cli *cli = of(el);
    const LineInfo *line = el_line(el);
    int typed = (int)(line->cursor - line->buffer);
    struct buf request = BUF_INIT;
    if (typed > 0 && line->buffer[0] == '/') return CC_ERROR;
    buf_printf(&request, "api console_complete c=%d;%.*s", typed, typed, line->buffer);
    int rc = cli_ask(cli, buf_text(&request));
    buf_free(&request);
    if (rc < 0) return cli->ended ? CC_EOF : CC_ERROR;
    char *text = cli->link.message.body.data, *write = text != NULL ? strstr(text, "\n\nwrite=") : NULL, *colon;
    if (write == NULL || (colon = strchr(write, ':')) == NULL) return CC_ERROR;
    *write = 0;
    long gone = strtol(write + 8, NULL, 10);
    bool several = strlen(colon + 1) == 0 || colon[strlen(colon)] != ' ';
    if (several && strchr(text + strspn(text, "\n"), '\t') != strrchr(text, '\t')) printf("\n%s\n", text + strspn(text, "\n"));
    el_deletestr(el, (int)gone);
    el_insertstr(el, colon + 1);
    return CC_REDISPLAY;
}

static void history_open(struct cli_edit *edit)
{
    HistEvent event;
    const char *home = getenv("HOME");
    edit->history = history_init();
    history(edit->history, &event, H_SETSIZE, HISTORY_LINES);
    history(edit->history, &event, H_SETUNIQUE, 1);
    if (home == NULL || snprintf(edit->path, sizeof edit->path, "%s/.carillon_history", home) >= (int)sizeof edit->path) edit->path[0] = 0;
    if (edit->path[0] != 0) history(edit->history, &event, H_LOAD, edit->path);
}

int cli_edit_open(struct cli *cli)
{
    struct cli_edit *edit = calloc(1, sizeof *edit);
    if (edit == NULL) return -ENOMEM;
    edit->el = el_init("carillon", stdin, stdout, stderr);
    if (edit->el == NULL) {
        free(edit);
        return -ENOTTY;
    }
    cli->edit = edit;
    snprintf(edit->prompt, sizeof edit->prompt, cli->colour ? "\001\033[1m\001carillon@%s>\001\033[0m\001 " : "carillon@%s> ", cli->name);
    history_open(edit);
    el_set(edit->el, EL_CLIENTDATA, cli);
    el_set(edit->el, EL_EDITOR, "emacs");
    el_set(edit->el, EL_PROMPT_ESC, prompt, '\001');
    el_set(edit->el, EL_HIST, history, edit->history);
    el_set(edit->el, EL_GETCFN, key_wait);
    el_set(edit->el, EL_ADDFN, "carillon-complete", "What may follow", complete);
    el_set(edit->el, EL_BIND, "\t", "carillon-complete", NULL);
    el_set(edit->el, EL_BIND, "^R", "em-inc-search-prev", NULL);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) el_set(edit->el, EL_BIND, "-s", keys[i][0], keys[i][1], NULL);
    el_source(edit->el, NULL); /* ~/.editrc */
    return 0;
}

const char *cli_edit_line(struct cli *cli)
{
    struct cli_edit *edit = cli->edit;
    HistEvent event;
    int count = 0;
    for (;;) {
        const char *text = el_gets(edit->el, &count);
        if (cli->ended || (text == NULL && count >= 0)) return NULL;
        if (text == NULL) { /* Ctrl-C: a new line */
            putchar('\n');
            el_reset(edit->el);
            continue;
        }
        buf_clear(&edit->line);
        buf_put(&edit->line, text, strcspn(text, "\r\n"));
        if (strspn(buf_text(&edit->line), " \t") < edit->line.length) history(edit->history, &event, H_ENTER, buf_text(&edit->line));
        return buf_text(&edit->line);
    }
}

void cli_edit_close(struct cli *cli)
{
    struct cli_edit *edit = cli->edit;
    HistEvent event;
    if (edit == NULL) return;
    mode_t mask = umask(077); /* what was typed may hold passwords */
    if (edit->path[0] != 0) history(edit->history, &event, H_SAVE, edit->path);
    umask(mask);
    history_end(edit->history);
    el_end(edit->el);
    buf_free(&edit->line);
    free(edit);
    cli->edit = NULL;
}
