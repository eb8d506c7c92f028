/* campaign.c: `carillon campaign`: what concerns the ledger alone (import, report) is done here, without an engine;
 * what concerns a running campaign is asked of the engine. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "main/command.h"
#include "main/progress.h"
#include "main/rooms.h"

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    interrupted = 1;
}

static int ask_campaign(const char *config, const char *socket, const char *action, const char *name, const char *file, struct kv *reply)
{
    struct kv request = KV_INIT;
    kv_add(&request, "verb", "engine");
    kv_add(&request, "command", "campaign");
    kv_add(&request, "a1", action);
    kv_add(&request, "a2", name);
    kv_add(&request, "a3", file);
    kv_clear(reply);
    int rc = ask_engine(config, socket, &request, reply);
    const char *text = rc == 0 ? kv_get_or(kv_view(reply), "text", "") : "";
    if (strncmp(text, "-ERR", 4) == 0) {
        fprintf(stderr, "carillon: %s", text + 4 + (text[4] == ' '));
        rc = EXIT_FAILED;
    }
    kv_free(&request);
    return rc;
}

/* Shows progress until the campaign is over. */
static int follow(const char *config, const char *socket, const char *name)
{
    struct kv reply = KV_INIT;
    struct buf line = BUF_INIT, last = BUF_INIT;
    bool terminal = isatty(1);
    enum progress_state state = PROGRESS_RUNNING;
    int rc = 0;
    signal(SIGINT, on_interrupt);
    while (state == PROGRESS_RUNNING && !interrupted) {
        rc = ask_campaign(config, socket, "progress", name, NULL, &reply);
        if (rc != 0)
            break;
        buf_clear(&line);
        state = progress_line(kv_get_or(kv_view(&reply), "text", ""), &line);
        /* On a terminal one line that changes; in a file only what is new. */
        if (terminal)
            printf("\r\033[K%s", buf_text(&line));
        else if (strcmp(buf_text(&line), buf_text(&last)) != 0)
            printf("%s\n", buf_text(&line));
        fflush(stdout);
        buf_clear(&last);
        buf_puts(&last, buf_text(&line));
        if (state == PROGRESS_RUNNING && !interrupted)
            usleep(terminal ? 500000 : 1000000);
    }
    if (terminal)
        putchar('\n');
    if (interrupted) {
        printf("The campaign goes on in the engine; `carillon campaign pause %s` holds it, `carillon campaign stop %s` ends it.\n", name, name);
        rc = EXIT_FAILED;
    } else if (rc == 0 && state == PROGRESS_FAILED) {
        rc = EXIT_FAILED;
    }
    signal(SIGINT, SIG_DFL);
    kv_free(&reply);
    buf_free(&line);
    buf_free(&last);
    return rc;
}

/* How all campaigns stand, or one. */
static int campaign_status(const char *config, const char *socket, const char *name)
{
    struct kv reply = KV_INIT;
    struct buf lines = BUF_INIT;
    int rc = ask_campaign(config, socket, "progress", name, NULL, &reply);
    if (rc == 0) {
        progress_lines(kv_get_or(kv_view(&reply), "text", ""), &lines);
        fputs(lines.length > 0 ? buf_text(&lines) : "no campaign is running\n", stdout);
    }
    kv_free(&reply);
    buf_free(&lines);
    return rc;
}

static int campaign_local(const char *given, int argc, char **argv)
{
    const char *path;
    struct config *config = config_open(given, &path);
    if (config == NULL)
        return EXIT_FAILED;
    int rc = campaign_command(argc, argv, config);
    config_free(config);
    return rc;
}

/* The campaign's file, absolute: the engine's folder is not ours. */
static int campaign_file_path(const char *given, const char *name, struct buf *out)
{
    const char *path;
    struct config *config = config_open(given, &path);
    if (config == NULL)
        return EXIT_FAILED;
    buf_printf(out, "%s/%s.lua", config_str(config_root(config), "campaigns_dir", ""), name);
    config_free(config);
    if (access(buf_text(out), R_OK) == 0)
        return 0;
    fprintf(stderr, "carillon: there is no campaign `%s`: %s cannot be read\n", name, buf_text(out));
    return EXIT_FAILED;
}

static int campaign_run(const char *config, const char *socket, const char *name, bool detach)
{
    struct kv reply = KV_INIT;
    struct buf file = BUF_INIT;
    int rc = campaign_file_path(config, name, &file);
    if (rc == 0)
        rc = ask_campaign(config, socket, "run", name, buf_text(&file), &reply);
    kv_free(&reply);
    buf_free(&file);
    if (rc != 0 || detach)
        return rc;
    rc = follow(config, socket, name);
    char *arguments[] = { (char *)"report", (char *)name, NULL };
    return rc == 0 ? campaign_local(config, 2, arguments) : rc;
}

int command_campaign(int argc, char **argv)
{
    const char *config = NULL, *socket = NULL;
    bool detach = false;
    const struct option_row rows[] = {
        CONFIG_OPTION(config),
        { 's', "socket", "PATH", "the engine's control.sock (default: in the configuration's run_dir)", &socket, NULL },
        { 'd', "detach", NULL, "run: return at once instead of showing progress", NULL, &detach },
    };
    const struct usage usage = {
        "campaign [OPTION…] import|run|status|pause|resume|stop|report NAME …",
        "A campaign is NAME.lua in the configuration's campaigns_dir.\n"
        "  import NAME [FILE.csv]    reads its leads into the ledger (works without a running engine; twice adds nothing)\n"
        "  run NAME                  dials it in the running engine, shows progress, ends with the report\n"
        "  status [NAME]             how it stands\n"
        "  pause | resume | stop NAME\n"
        "  report NAME [--json]      what came of it (works without a running engine)",
        rows, 3
    };
    int at = options_read(&usage, argc, argv);
    if (at < 0)
        return options_exit(at);
    if (at == argc)
        return usage_wrong("campaign", "what is to be done? import, run, status, pause, resume, stop or report");
    const char *action = argv[at];
    if (strcmp(action, "import") == 0 || strcmp(action, "report") == 0)
        return campaign_local(config, argc - at, argv + at);
    /* Options may stand behind the name, too. */
    const char *name = NULL;
    for (int i = at + 1; i < argc; i++) {
        if (strcmp(argv[i], "-d") == 0 || strcmp(argv[i], "--detach") == 0)
            detach = true;
        else if (argv[i][0] == '-' || name != NULL)
            return usage_wrong("campaign", "unknown argument %s", argv[i]);
        else
            name = argv[i];
    }
    static const char *const actions[] = { "run", "status", "pause", "resume", "stop" };
    bool known = false;
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++)
        known = known || strcmp(actions[i], action) == 0;
    if (!known)
        return usage_wrong("campaign", "there is no `%s`; there are import, run, status, pause, resume, stop and report", action);
    if (name == NULL && strcmp(action, "status") != 0)
        return usage_wrong("campaign", "%s which campaign?", action);
    if (strcmp(action, "run") == 0)
        return campaign_run(config, socket, name, detach);
    if (strcmp(action, "status") == 0)
        return campaign_status(config, socket, name);
    char *arguments[] = { (char *)action, (char *)name };
    return ask_command(config, socket, "campaign", 2, arguments);
}
