/* command.c: `carillon campaign WORD …`: arguments, and the short commands. */
#include "campaign/command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "campaign/command_own.h"
#include "campaign/import.h"
#include "campaign/report.h"

int command_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("carillon campaign: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return 1;
}

static int usage(void)
{
    fputs("usage: carillon campaign import NAME [FILE.csv]\n"
          "       carillon campaign run NAME [--no-import]\n"
          "       carillon campaign status [NAME] [--json]\n"
          "       carillon campaign pause|resume NAME\n"
          "       carillon campaign stop NAME [now]\n"
          "       carillon campaign report NAME [--json]\n"
          "       carillon campaign leads NAME [state=STATE] [number=NUMBER] [after=ID] [limit=N] [--json]\n"
          "       carillon campaign add NAME number=NUMBER [zone=ZONE] [COLUMN=VALUE...]\n"
          "       carillon campaign check NAME\n"
          "       carillon campaign demo-leads [COUNT]\n",
          stderr);
    return 2;
}

struct campaign_file *command_load(struct command *c)
{
    struct campaign_file *file = NULL;
    struct buf errors = BUF_INIT;
    if (campaign_file_load(&file, buf_text(&c->path), c->params->config, &errors)) fputs(buf_text(&errors), stderr);
    buf_free(&errors);
    return file;
}

int command_ask(struct command *c, const char *text, struct buf *reply)
{
    int e = c->params->engine ? c->params->engine(c->params->context, text, reply) : -ENOSYS;
    if (e) return command_fail("%s", reply->length ? buf_text(reply) : "no engine runs; start it: carillon start");
    if (strncmp(buf_text(reply), "-ERR", 4) != 0) return 0;
    return command_fail("%.*s", (int)strcspn(buf_text(reply) + 5, "\n"), buf_text(reply) + 5);
}

/* pause, resume, stop: to the engine as they are. */
static int pass_on(struct command *c)
{
    struct buf text = BUF_INIT, reply = BUF_INIT;
    buf_printf(&text, "campaign %s %s%s%s", c->word, c->name, c->extra ? " " : "", c->extra ? c->extra : "");
    int e = command_ask(c, buf_text(&text), &reply);
    if (e == 0) fputs(buf_text(&reply) + (strncmp(buf_text(&reply), "+OK ", 4) == 0 ? 4 : 0), stdout);
    buf_free(&text);
    buf_free(&reply);
    return e;
}

static struct db *open_for_reading(struct command *c)
{
    struct buf error = BUF_INIT;
    struct db *db = NULL;
    if (import_database(&db, c->params->database, &error)) command_fail("%s", buf_text(&error));
    buf_free(&error);
    return db;
}

int command_report(struct command *c)
{
    struct buf out = BUF_INIT, error = BUF_INIT;
    struct report *report = calloc(1, sizeof *report);
    struct db *db = report ? open_for_reading(c) : NULL;
    int e = db ? report_make(db, c->name, report, &error) : -ENOTCONN;
    db_close(db);
    if (e && error.length) command_fail("%s", buf_text(&error));
    if (e == 0) {
        (c->json ? report_json : report_text)(report, &out);
        fputs(buf_text(&out), stdout);
    }
    free(report);
    buf_free(&out);
    buf_free(&error);
    return e ? 1 : 0;
}

/* What the database knows of all campaigns. */
static int list_campaigns(struct command *c)
{
    struct db *db = open_for_reading(c);
    struct db_statement *s = NULL;
    if (!db) return 1;
    int e = db_prepare(db, &s,
                       "SELECT c.name, c.state, COUNT(l.id), SUM(CASE WHEN l.state = 'done' THEN 1 ELSE 0 END) FROM campaign c"
                       " LEFT JOIN lead l ON l.campaign = c.id GROUP BY c.id, c.name, c.state ORDER BY c.id");
    printf("%-24s %-10s %12s %12s\n", "campaign", "state", "leads", "done");
    while (e == 0 && (e = db_step(s)) == 1) {
        printf("%-24s %-10s %12" PRId64 " %12" PRId64 "\n", db_text(s, 0), db_text(s, 1), db_int(s, 2), db_int(s, 3));
        e = 0;
    }
    if (e) command_fail("the database fails: %s", db_error(db));
    db_finalize(s);
    db_close(db);
    return e ? 1 : 0;
}

static int status(struct command *c)
{
    struct buf text = BUF_INIT, reply = BUF_INIT;
    buf_printf(&text, "campaign progress %s", c->name);
    int e = c->params->engine ? c->params->engine(c->params->context, buf_text(&text), &reply) : -ENOSYS;
    bool live = e == 0 && (buf_text(&reply)[0] == '{' || strncmp(buf_text(&reply), "[{", 2) == 0);
    if (live) fputs(buf_text(&reply), stdout);
    buf_free(&text);
    buf_free(&reply);
    return live ? 0 : c->name_or_path ? command_report(c) : list_campaigns(c);
}

static int check(struct command *c)
{
    struct campaign_file *file = command_load(c);
    if (!file) return 1;
    printf("%s: good\n", file->path);
    campaign_file_free(file);
    return 0;
}

int command_demo_leads(struct command *c)
{
    static const char *const names[] = { "Ann", "Ben", "Cleo", "Dora", "Emil", "Fay", "Gus", "Hana", "Ivo", "Jana" };
    long count = c->name_or_path ? strtol(c->name_or_path, NULL, 10) : 1000;
    if (count < 1 || count > 6000000) return command_fail("demo-leads: a count from 1 to 6000000");
    puts("number,name,amount"); /* +1 555 2xx xxxx: no area code 555 is in service */
    for (long i = 0; i < count; i++)
        printf("1%03ld%03ld%04ld,%s %ld,%ld.%02ld\n", 555 + i / 8000000, 200 + i / 10000 % 800, i % 10000, names[i % 10], i, 10 + i % 90,
               i % 100);
    return 0;
}

static bool takes_fields(const char *word) { return strcmp(word, "leads") == 0 || strcmp(word, "add") == 0; }

static int parse(struct command *c, int argc, char **argv)
{
    c->word = argc > 0 ? argv[0] : "";
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0)
            c->json = true;
        else if (strcmp(argv[i], "--no-import") == 0)
            c->no_import = true;
        else if (argv[i][0] == '-' && argv[i][1])
            return -EINVAL;
        else if (!c->name_or_path)
            c->name_or_path = argv[i];
        else if (strchr(argv[i], '=') && c->field_count < COMMAND_FIELDS_MAX && takes_fields(c->word))
            c->fields[c->field_count++] = argv[i];
        else if (!c->extra)
            c->extra = argv[i];
        else
            return -EINVAL;
    }
    return 0;
}

static const struct {
    const char *word;
    int (*run)(struct command *c);
    bool needs_name;
} words[] = {
    { "import", command_import, true },
    { "run", command_run, true },
    { "status", status, false },
    { "pause", pass_on, true },
    { "resume", pass_on, true },
    { "stop", pass_on, true },
    { "report", command_report, true },
    { "leads", command_leads, true },
    { "add", command_add, true },
    { "check", check, true },
    { "demo-leads", command_demo_leads, false },
};

int campaign_command(int argc, char **argv, const struct campaign_command_params *params)
{
    struct command c = { .params = params };
    const char *folder = config_str(config_root(params->config), "campaigns_dir", "campaigns");
    int result = 2;
    if (parse(&c, argc, argv)) return usage();
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(words[i].word, c.word) != 0) continue;
        if (words[i].needs_name && !c.name_or_path) return usage();
        if (words[i].run != command_demo_leads && c.name_or_path &&
            campaign_file_path(folder, c.name_or_path, &c.path, c.name, sizeof c.name))
            result = command_fail("\"%s\" is no campaign's name: letters, digits, _ . - (at most 63), or a path to a .lua file",
                                  c.name_or_path);
        else
            result = words[i].run(&c);
        buf_free(&c.path);
        return result;
    }
    return usage();
}
