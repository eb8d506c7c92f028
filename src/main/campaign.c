/* campaign.c: `carillon campaign` and `carillon dnc`: gives src/campaign its configuration, its database, and a way to the running engine.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaign/do_not_call_import.h"
#include "campaign/import.h"
#include "control/client.h"
#include "main/command.h"
#include "main/rooms.h"
#include "supervisor/folder.h"

struct way {
    const struct config *config;
    const char *socket; /* NULL = the configuration's */
};

/* "campaign run demo /path" as command=campaign, a1=run, a2=demo, a3=/path. */
static void request_make(struct kv *request, const char *command)
{
    char name[16] = "command";
    kv_add(request, "verb", "engine");
    for (int i = 0; *command != 0; i++) {
        size_t length = strcspn(command, " ");
        if (i > 0) snprintf(name, sizeof name, "a%d", i);
        kv_add_bytes(request, name, command, length);
        command += length + (command[length] == ' ');
    }
}

static int way_ask(void *context, const char *command, struct buf *out)
{
    const struct way *way = context;
    struct control_client client = { -1 };
    struct kv request = KV_INIT, reply = KV_INIT;
    struct buf path = BUF_INIT;
    if (way->socket != NULL)
        buf_puts(&path, way->socket);
    else
        buf_printf(&path, "%s/control.sock", config_str(config_root(way->config), "run_dir", "run"));
    request_make(&request, command);
    int rc = control_connect(&client, buf_text(&path), out);
    if (rc == 0) rc = control_ask(&client, &request, &reply, out);
    if (rc == 0) {
        struct kv_view view = kv_view(&reply);
        const char *text = kv_get_or(view, "text", ""), *error = kv_get(view, "error");
        int status = (int)kv_get_int(view, "status", 0);
        /* A refusal comes with its own -ERR text, which the caller shows; without one nobody answered. */
        buf_puts(out, *text != 0 || error == NULL ? text : error);
        rc = status != 0 && *text == 0 ? -status : 0;
    }
    control_close(&client);
    kv_free(&request);
    kv_free(&reply);
    buf_free(&path);
    return rc;
}

/* "sqlite" is the configuration's word for data_dir/ledger.db. */
void database_resolve(const struct config *config, struct buf *out)
{
    const struct config_node *root = config_root(config);
    const char *database = config_str(root, "database", "sqlite");
    if (strcmp(database, "sqlite") == 0)
        buf_printf(out, "sqlite://%s/ledger.db", config_str(root, "data_dir", "data"));
    else
        buf_puts(out, database);
}

int command_campaign(int argc, char **argv)
{
    const char *given = NULL, *socket = NULL, *path;
    const struct option_row rows[] = {
        CONFIG_OPTION(given),
        { 's', "socket", "PATH", "the engine's control.sock (default: in the configuration's run_dir)", &socket, NULL },
    };
    const struct usage usage = {
        "campaign [OPTION…] import|run|status|pause|resume|stop|report|check NAME …",
        "A campaign is NAME.lua in the configuration's campaigns_dir.\n"
        "  import NAME [FILE.csv]    reads its leads into the ledger (works without a running engine; twice adds nothing)\n"
        "  run NAME [--no-import]    dials it in the running engine, shows progress, ends with the report\n"
        "  status [NAME] [--json]    how it stands\n"
        "  pause | resume | stop NAME [now]\n"
        "  report NAME [--json]      what came of it (works without a running engine)\n"
        "  leads NAME [KEY=VALUE…]   its leads, by state=, number=, after=ID, limit=N; --json for machines\n"
        "  add NAME number=N [COLUMN=VALUE…]   one more lead\n"
        "  check NAME                is the campaign's file in order?\n"
        "  demo-leads [COUNT]        a CSV of invented leads",
        rows, 2
    };
    int at = options_read(&usage, argc, argv);
    if (at < 0) return options_exit(at);
    if (at == argc) return usage_wrong("campaign", "what is to be done? import, run, status, pause, resume, stop, report or check");
    struct config *config = config_open(given, &path);
    if (config == NULL) return EXIT_FAILED;
    /* An import before the first start has no folder yet. If it cannot be made, opening the database says so. */
    (void)folder_make(config_str(config_root(config), "data_dir", "data"));
    struct way way = { config, socket };
    struct buf database = BUF_INIT;
    database_resolve(config, &database);
    struct campaign_command_params params = { .config = config, .database = buf_text(&database), .engine = way_ask, .context = &way };
    int rc = campaign_command(argc - at, argv + at, &params);
    buf_free(&database);
    config_free(config);
    return rc;
}

/* --- dnc ------------------------------------------------------------------------------------------------------------ */

/* The running engine looks at its table soon by itself; it is told so that it does at once. */
static void reload_tell(struct way *way)
{
    struct buf text = BUF_INIT;
    way_ask(way, "dnc reload", &text);
    buf_free(&text);
}

static int dnc_import(const struct config *config, struct way *way, const char *file, const char *campaign)
{
    struct buf database = BUF_INIT, error = BUF_INIT;
    struct db *db = NULL;
    struct do_not_call_import import = { .default_country = config_str(config_root(config), "numbers.default_country", NULL),
                                         .campaign = campaign,
                                         .bad_lines = stderr };
    database_resolve(config, &database);
    (void)folder_make(config_str(config_root(config), "data_dir", "data"));
    int rc = import_database(&db, buf_text(&database), &error);
    if (rc == 0) rc = do_not_call_import(&import, db, file, &error);
    db_close(db);
    if (rc == 0) {
        printf("%s: %llu numbers: %llu added, %llu already there, %llu bad lines\n", file, (unsigned long long)import.numbers,
               (unsigned long long)import.added, (unsigned long long)(import.numbers - import.added), (unsigned long long)import.bad);
        reload_tell(way);
    } else
        fprintf(stderr, "carillon dnc: %s\n", buf_text(&error));
    buf_free(&database);
    buf_free(&error);
    return rc == 0 ? EXIT_OK : EXIT_FAILED;
}

int command_dnc(int argc, char **argv)
{
    const char *given = NULL, *socket = NULL, *campaign = "", *path;
    const struct option_row rows[] = {
        CONFIG_OPTION(given),
        { 's', "socket", "PATH", "the engine's control.sock (default: in the configuration's run_dir)", &socket, NULL },
        { 'C', "campaign", "NAME", "for that campaign alone (default: for everybody)", &campaign, NULL },
    };
    const struct usage usage = {
        "dnc [OPTION…] import FILE | add NUMBER [REASON] | remove NUMBER | check NUMBER | status | reload",
        "Numbers that are never called: the ledger's table do_not_call, and the files of numbers.do_not_call.\n"
        "  import FILE              a number a line (of a CSV the first column) into the table; works without a running engine\n"
        "  add NUMBER [REASON]      in force at once\n"
        "  remove NUMBER\n"
        "  check NUMBER             is it listed?\n"
        "  status                   how many numbers, and from where\n"
        "  reload                   looks at files and table now; by itself the engine does every few seconds",
        rows, 3
    };
    int at = options_read(&usage, argc, argv);
    if (at < 0) return options_exit(at);
    if (at == argc) return usage_wrong("dnc", "what is to be done? import, add, remove, check, status or reload");
    argc -= at, argv += at;
    const char *word = argv[0];
    at = options_read(&usage, argc, argv) - 1; /* options may also stand behind the word */
    if (at < 0) return options_exit(at + 1);
    const char *number = at + 1 < argc ? argv[at + 1] : NULL;
    if (strcmp(word, "import") == 0) {
        if (number == NULL) return usage_wrong("dnc", "import needs a file");
        struct config *config = config_open(given, &path);
        if (config == NULL) return EXIT_FAILED;
        struct way way = { config, socket };
        int rc = dnc_import(config, &way, number, campaign);
        config_free(config);
        return rc;
    }
    char *words[] = { (char *)word, (char *)(number != NULL ? number : ""), (char *)(*campaign ? campaign : "-"),
                      at + 2 < argc ? argv[at + 2] : (char *)"" };
    return ask_command(given, socket, "dnc", 4, words);
}
