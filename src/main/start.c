/* start.c: `carillon start`, `carillon check`. */
#include <stdio.h>
#include <string.h>

#include "core/config_document.h"
#include "main/command.h"
#include "supervisor/supervisor.h"

int command_start(int argc, char **argv)
{
    const char *given = NULL, *path;
    const struct option_row rows[] = { CONFIG_OPTION(given) };
    const struct usage usage = { "start [-c FILE]",
                                 "Runs the engine in the foreground: supervisor, broker, workers, control.\n"
                                 "SIGTERM or Ctrl-C: no new calls, the running ones may finish; once more: at once.\n"
                                 "SIGHUP: log files are opened again.",
                                 rows, 1 };
    int at = options_read(&usage, argc, argv);
    if (at < 0) return options_exit(at);
    if (at < argc) return usage_wrong("start", "too many arguments: %s", argv[at]);
    struct config *config = config_open(given, &path);
    if (config == NULL) return EXIT_FAILED;
    int rc = supervisor_run(config, path);
    config_free(config);
    return rc;
}

int command_check(int argc, char **argv)
{
    const char *given = NULL, *path;
    bool document = false, dump = false;
    const struct option_row rows[] = {
        CONFIG_OPTION(given),
        { 0, "dump", NULL, "prints the whole configuration with all defaults (passwords, too)", NULL, &dump },
        { 0, "document", NULL, "prints docs/configuration.md: every key there is", NULL, &document },
    };
    const struct usage usage = { "check [OPTION…] [FILE]",
                                 "Says all that is wrong with a configuration, by line and key; exit code 0 if nothing is.", rows, 3 };
    int at = options_read(&usage, argc, argv);
    if (at < 0) return options_exit(at);
    if (argc - at > 1) return usage_wrong("check", "too many arguments: %s", argv[at + 1]);
    if (at < argc) given = argv[at];
    struct buf text = BUF_INIT;
    int rc = EXIT_OK;
    if (document) {
        rc = config_document(&text) < 0 ? EXIT_FAILED : EXIT_OK;
        fputs(buf_text(&text), stdout);
    } else {
        struct config *config = config_open(given, &path);
        rc = config == NULL ? EXIT_FAILED : EXIT_OK;
        if (config != NULL && dump) rc = config_dump(config, &text) < 0 ? EXIT_FAILED : EXIT_OK;
        if (rc == EXIT_OK && dump)
            fputs(buf_text(&text), stdout);
        else if (rc == EXIT_OK)
            printf("%s: nothing wrong\n", path);
        config_free(config);
    }
    buf_free(&text);
    return rc;
}
