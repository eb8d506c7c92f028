/* command_own.h: between the files of the command line's side. */
#ifndef CAMPAIGN_COMMAND_OWN_H
#define CAMPAIGN_COMMAND_OWN_H

#include <stdbool.h>

#include "campaign/campaign_file.h"
#include "campaign/command.h"

#define COMMAND_FIELDS_MAX 64

struct command {
    const struct campaign_command_params *params;
    const char *word;
    const char *name_or_path, *extra; /* positional arguments */
    char *fields[COMMAND_FIELDS_MAX]; /* KEY=VALUE behind the name */
    size_t field_count;
    bool json, no_import;
    char name[64];   /* the campaign's */
    struct buf path; /* its file */
};

int command_fail(const char *format, ...) __attribute__((format(printf, 1, 2))); /* a line on stderr; returns 1 */
int command_import(struct command *c);
int command_import_leads(struct command *c, const struct campaign_file *file, bool quiet_if_none);
int command_run(struct command *c);
int command_report(struct command *c);
int command_leads(struct command *c);
int command_add(struct command *c);
int command_demo_leads(struct command *c);
/* The engine's answer to "campaign WORD NAME"; prints errors. */
int command_ask(struct command *c, const char *text, struct buf *reply);
struct campaign_file *command_load(struct command *c); /* NULL: said why */

#endif
