/* main.c: `carillon`: one binary, a table of subcommands. */
#include <stdio.h>
#include <string.h>

#include "main/command.h"

static int command_help(int argc, char **argv);
static int command_version(int argc, char **argv);

static const struct command commands[] = {
    { "start", command_start, "runs the engine in the foreground" },
    { "stop", command_stop, "ends it: lets calls finish, or --now" },
    { "status", command_status, "processes, calls, counters of an engine, running or not" },
    { "top", command_top, "the same, live" },
    { "reload", command_reload, "the running engine takes over what may change live in its configuration" },
    { "check", command_check, "checks a configuration" },
    { "api", command_api, "runs an API command in the engine: `carillon api status`" },
    { "cli", command_cli, "a terminal on the engine, like fs_cli" },
    { "luarun", command_luarun, "starts a Lua script in the engine and returns at once" },
    { "campaign", command_campaign, "imports, runs, pauses, reports campaigns" },
    { "trace", command_trace, "a call's SIP messages, and its audio's quality" },
    { "trunk", command_trunk, "shows and changes trunks" },
    { "ledger", command_ledger, "deletes old rows of the ledger, makes copies of it" },
    { "dnc", command_dnc, "numbers that are never called: imports, adds, removes, checks" },
    { "version", command_version, "the version" },
    { "help", command_help, "this text, or `help COMMAND`" },
    { "role", command_role, NULL }, /* what the supervisor starts */
};

static const struct command *command_find(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(commands[i].name, name) == 0) return &commands[i];
    return NULL;
}

static int command_version(int argc, char **argv)
{
    printf("Carillon %s\n", CARILLON_VERSION);
    return EXIT_OK;
}

static int command_help(int argc, char **argv)
{
    const struct command *about = argc > 1 ? command_find(argv[1]) : NULL;
    if (about != NULL && about->run != command_help && about->help != NULL) {
        char *arguments[] = { (char *)about->name, (char *)"--help", NULL };
        return about->run(2, arguments);
    }
    printf("usage: carillon COMMAND [OPTION…] [ARGUMENT…]\n\nAn outbound dialler and its engine, scripted with FreeSWITCH's Lua "
           "API.\n\ncommands:\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (commands[i].help != NULL) printf("  %-10s %s\n", commands[i].name, commands[i].help);
    printf("\n`carillon COMMAND --help` says more. README.md begins at the beginning; docs/configuration.md lists every key.\n");
    return EXIT_OK;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        command_help(1, argv);
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "-h") == 0 || strcmp(name, "--help") == 0)
        name = "help";
    else if (strcmp(name, "-v") == 0 || strcmp(name, "--version") == 0)
        name = "version";
    const struct command *command = command_find(name);
    if (command == NULL) {
        fprintf(stderr, "carillon: there is no command `%s`; `carillon help` lists them\n", name);
        return EXIT_USAGE;
    }
    return command->run(argc - 1, argv + 1);
}
