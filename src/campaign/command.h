/* command.h: `carillon campaign …`, the command line's side.
 *
 *   import NAME [FILE.csv]        leads into the database; without FILE what the campaign's file names
 *   run NAME [--no-import]        imports (again: adds nothing), begins, shows a live line, ends with the report
 *   status [NAME] [--json]        live figures if the engine runs it, else what the database knows
 *   pause | resume | stop NAME    stop NAME now hangs up running calls
 *   report NAME [--json]
 *   leads NAME [KEY=VALUE…]       its leads, by state=, number=, after= (an id), limit=
 *   add NAME number=N [COL=VAL…]  one more lead
 *   check NAME                    is the campaign's file in order?
 *   demo-leads [COUNT]            a CSV of invented leads on standard output
 *
 * NAME is campaigns_dir/NAME.lua of the configuration, or a path. */
#ifndef CAMPAIGN_COMMAND_H
#define CAMPAIGN_COMMAND_H

#include "core/buf.h"
#include "core/config.h"

struct campaign_command_params {
    const struct config *config;
    const char *database; /* resolved: "sqlite:///…" or "postgresql://…" */
    /* Asks the running engine: `command` is "campaign WORD ARGS" (the broker splits off "campaign" and hands the rest to
     * campaigns_command). 0 and its reply (text as campaigns_command gives it), or a negative errno with a line in reply if no engine
     * answers. */
    int (*engine)(void *context, const char *command, struct buf *reply);
    void *context;
};

/* argv[0] is the word after "campaign". Exit code: 0 good; 1 failed, with one clear line on stderr; 2 wrong usage. SIGINT during run leaves
 * the campaign running in the engine and says so. */
int campaign_command(int argc, char **argv, const struct campaign_command_params *params);

#endif
