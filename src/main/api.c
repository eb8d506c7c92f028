/* api.c: `carillon api`, `luarun`, `trunk`: a request to the running engine, and its reply on stdout. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "main/command.h"

#define SOCKET_OPTION(variable)                                                                                                            \
    {                                                                                                                                      \
        's', "socket", "PATH", "the engine's control.sock (default: in the configuration's run_dir)", &(variable), 0                       \
    }

static void join(struct buf *out, int argc, char **argv)
{
    for (int i = 0; i < argc; i++) buf_printf(out, "%s%s", i ? " " : "", argv[i]);
}

/* Runs an API command; prints exactly its reply. Exit code 1 if that begins with -ERR. */
static int api_run(const char *config, const char *socket, const char *command, const char *args)
{
    struct kv request = KV_INIT, reply = KV_INIT;
    kv_add(&request, "verb", "api");
    kv_add(&request, "command", command);
    kv_add(&request, "args", args);
    int rc = ask_engine(config, socket, &request, &reply);
    if (rc == 0) {
        size_t length = 0;
        const char *text = kv_get_bytes(kv_view(&reply), "text", &length);
        if (text != NULL) {
            print_text(text, length);
            if (length >= 4 && memcmp(text, "-ERR", 4) == 0) rc = EXIT_FAILED;
        }
    }
    kv_free(&request);
    kv_free(&reply);
    return rc;
}

int command_api(int argc, char **argv)
{
    const char *config = NULL, *socket = NULL;
    const struct option_row rows[] = { CONFIG_OPTION(config), SOCKET_OPTION(socket) };
    const struct usage usage = { "api [OPTION…] COMMAND [ARGUMENT…]",
                                 "Runs an API command, as FreeSWITCH's `fs_cli -x` does, and prints its reply.\n"
                                 "Exit code 0, or 1 if the reply begins with -ERR. For instance:\n"
                                 "  carillon api status\n  carillon api originate sofia/gateway/acme/15550123 '&playback(hello.wav)'\n"
                                 "  carillon api lua /absolute/path/script.lua ARGUMENT…",
                                 rows, 2 };
    int at = options_read(&usage, argc, argv);
    if (at < 0) return options_exit(at);
    if (at == argc) return usage_wrong("api", "which command?");
    struct buf args = BUF_INIT;
    join(&args, argc - at - 1, argv + at + 1);
    int rc = api_run(config, socket, argv[at], buf_text(&args));
    buf_free(&args);
    return rc;
}

/* A file of this folder by its absolute path; anything else as it is, for the engine's scripts.dir. */
static const char *script_path(const char *given, char out[PATH_MAX])
{
    return access(given, R_OK) == 0 && realpath(given, out) != NULL ? out : given;
}

int command_luarun(int argc, char **argv)
{
    const char *config = NULL, *socket = NULL;
    char path[PATH_MAX];
    const struct option_row rows[] = { CONFIG_OPTION(config), SOCKET_OPTION(socket) };
    const struct usage usage = {
        "luarun [OPTION…] FILE [ARGUMENT…]",
        "Starts a Lua script in the engine and returns at once; it may dial by itself with freeswitch.Session.\n"
        "FILE is looked up here first, then in the configuration's scripts.dir. What it prints and its errors stand in the log.\n"
        "To wait for a script's end and see what it writes: carillon api lua /absolute/path/script.lua",
        rows, 2
    };
    int at = options_read(&usage, argc, argv);
    if (at < 0) return options_exit(at);
    if (at == argc) return usage_wrong("luarun", "which file?");
    const char *script = script_path(argv[at], path);
    if (script[0] == '/' && access(script, R_OK) < 0) {
        fprintf(stderr, "carillon: cannot read the script %s\n", script);
        return EXIT_FAILED;
    }
    struct buf args = BUF_INIT;
    buf_puts(&args, script);
    if (argc - at > 1) buf_putc(&args, ' ');
    join(&args, argc - at - 1, argv + at + 1);
    int rc = api_run(config, socket, "luarun", buf_text(&args));
    buf_free(&args);
    return rc;
}

int command_trunk(int argc, char **argv)
{
    const char *config = NULL, *socket = NULL;
    const struct option_row rows[] = { CONFIG_OPTION(config), SOCKET_OPTION(socket) };
    const struct usage usage = { "trunk [OPTION…] [list | show NAME | cap NAME cps=N concurrent=N | disable NAME | enable NAME]",
                                 "Shows the trunks with their calls and caps, one of them with the causes that its calls ended by (in five "
                                 "minutes, since the start), or changes a cap of the running engine (until it ends).",
                                 rows, 2 };
    int at = options_read(&usage, argc, argv);
    if (at < 0) return options_exit(at);
    char *list[] = { (char *)"list" };
    return at == argc ? ask_command(config, socket, "trunk", 1, list) : ask_command(config, socket, "trunk", argc - at, argv + at);
}
