/* command.h: the subcommands of `carillon`, and what their files share. */
#ifndef MAIN_COMMAND_H
#define MAIN_COMMAND_H

#include <stdbool.h>

#include "core/buf.h"
#include "core/config.h"
#include "core/kv.h"

#define CARILLON_VERSION "0.1.0"

/* Exit codes of all subcommands. */
enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct command {
    const char *name;
    int (*run)(int argc, char **argv); /* argv[0] is the subcommand's name */
    const char *help;                  /* one line; NULL = not listed */
};

int command_start(int argc, char **argv);
int command_status(int argc, char **argv);
int command_top(int argc, char **argv);
int command_stop(int argc, char **argv);
int command_check(int argc, char **argv);
int command_api(int argc, char **argv);
int command_luarun(int argc, char **argv);
int command_campaign(int argc, char **argv);
int command_cli(int argc, char **argv);
int command_trace(int argc, char **argv);
int command_trunk(int argc, char **argv);
int command_dnc(int argc, char **argv);
int command_reload(int argc, char **argv);
int command_ledger(int argc, char **argv);
/* The ledger's URL: "sqlite" in the configuration is data_dir/ledger.db. */
void database_resolve(const struct config *config, struct buf *out);
int command_role(int argc, char **argv);

/* --- options.c --------------------------------------------------------------------------------------------- */

/* One option of a subcommand. `value` gets the text behind it; `flag` is set to true; one of the two is NULL. */
struct option_row {
    char letter;
    const char *word, *argument; /* "config", "FILE"; argument NULL for flags */
    const char *help;
    const char **value;
    bool *flag;
};
struct usage {
    const char *synopsis; /* "api [OPTION…] COMMAND [ARGUMENT…]" */
    const char *about;    /* what it does, a few lines */
    const struct option_row *rows;
    unsigned count;
};
/* Reads the options up to the first other word. Returns the index of that word, or -1 after --help (exit code 0), or -2
 * after saying what is wrong (EXIT_USAGE). */
int options_read(const struct usage *usage, int argc, char **argv);
/* The exit code for a negative result of options_read. */
int options_exit(int result);
/* "carillon NAME: text\nTry `carillon NAME --help`." */
int usage_wrong(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define CONFIG_OPTION(variable)                                                                                                            \
    {                                                                                                                                      \
        'c', "config", "FILE", "the configuration (default: $CARILLON_CONFIG, ./conf/carillon.lua, /etc/carillon/carillon.lua)",           \
            &(variable), 0                                                                                                                 \
    }

/* --- locate.c ---------------------------------------------------------------------------------------------- */

/* The configuration file to use: `given`, or the first of the defaults that exists; NULL after saying what is missing. */
const char *config_locate(const char *given);
/* Loads it, or says all that is wrong with it on stderr and returns NULL. *path = the file used. */
struct config *config_open(const char *given, const char **path);

/* --- ask.c ------------------------------------------------------------------------------------------------- */

/* One request to the running engine of this configuration (or of --socket); 0 with `reply`, or EXIT_FAILED after a
 * sentence on stderr, also when the engine answered with an error. */
int ask_engine(const char *config, const char *socket, const struct kv *request, struct kv *reply);
/* verb=engine with the words of argv as command, a1, a2 …; prints the reply's text. */
int ask_command(const char *config, const char *socket, const char *command, int argc, char **argv);
/* Prints text so that it ends with exactly the line breaks it has, or one if it has none. */
void print_text(const char *text, size_t length);

#endif
