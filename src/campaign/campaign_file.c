/* campaign_file.c: reading a campaign's file. The tree comes from the configuration's own reader, lines and bounds included; here each key
 * is held against what a campaign allows. */
#include "campaign/campaign_file.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/causes.h"
#include "core/config_tree.h"

struct check {
    struct campaign_file *file;
    const struct config *engine;
    struct buf *errors;
};

#define mistake(c, at, path, ...) config_mistake((c)->errors, (at), (path), __VA_ARGS__)

int duration_parse(const char *text, int64_t *ms)
{
    static const struct {
        const char *unit;
        double ms;
    } units[] = { { "ms", 1 }, { "s", 1e3 }, { "m", 6e4 }, { "min", 6e4 }, { "h", 3.6e6 }, { "d", 8.64e7 }, { "", 1e3 } };
    char *end;
    double value = strtod(text, &end);
    if (end == text || !(value >= 0) || value > 1e9) return -EINVAL;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(end, units[i].unit) == 0) {
            *ms = (int64_t)(value * units[i].ms);
            return 0;
        }
    return -EINVAL;
}

/* --- one key each ------------------------------------------------------------------------------------------------------ */

static const char *found(const struct config_node *n) { return n->type == NODE_TABLE ? "a table" : n->text; }

static char *take_text(struct check *c, const char *key, const char *allowed)
{
    struct config_node *n = node_find(c->file->source->root, key);
    if (!n) return NULL;
    n->seen = true;
    if ((n->type == NODE_TEXT || n->type == NODE_INT) && n->text_length > 0 && !memchr(n->text, 0, n->text_length) &&
        !strpbrk(n->text, "\r\n"))
        return strdup(n->text);
    mistake(c, n, key, "found %s; allowed is %s", found(n), allowed);
    return NULL;
}

static int64_t take_duration(struct check *c, const char *key, int64_t least_ms, int64_t otherwise_ms, const char *allowed)
{
    struct config_node *n = node_find(c->file->source->root, key);
    int64_t ms;
    if (!n) return otherwise_ms;
    n->seen = true;
    if (n->type != NODE_TABLE && duration_parse(n->text, &ms) == 0 && ms >= least_ms) return ms;
    mistake(c, n, key, "found %s; allowed is %s", found(n), allowed);
    return otherwise_ms;
}

static double take_number(struct check *c, struct config_node *table, const char *prefix, const char *key, double least, double most,
                          double otherwise)
{
    char path[80];
    struct config_node *n = node_find(table, key);
    if (!n) return otherwise;
    n->seen = true;
    double value = n->type == NODE_INT ? (double)n->integer : n->type == NODE_NUM ? n->number : -1;
    if ((n->type == NODE_INT || n->type == NODE_NUM) && value >= least && value <= most) return value;
    snprintf(path, sizeof path, "%s%s", prefix, key);
    mistake(c, n, path, "found %s; allowed is a number from %g to %g", found(n), least, most);
    return otherwise;
}

static bool take_bool(struct check *c, const char *key, bool otherwise)
{
    struct config_node *n = node_find(c->file->source->root, key);
    if (!n) return otherwise;
    n->seen = true;
    if (n->type != NODE_BOOL) mistake(c, n, key, "found %s; allowed is true or false", found(n));
    return n->type == NODE_BOOL ? n->integer != 0 : otherwise;
}

static struct config_node *take_table(struct check *c, const char *key, const char *allowed)
{
    struct config_node *n = node_find(c->file->source->root, key);
    if (!n) return NULL;
    n->seen = true;
    if (n->type == NODE_TABLE) return n;
    mistake(c, n, key, "found %s; allowed is %s", found(n), allowed);
    return NULL;
}

static void unknown_keys(struct check *c, const struct config_node *table, const char *prefix, const char *known)
{
    char path[300];
    for (size_t i = 0; i < table->count; i++) {
        const struct config_node *n = table->children[i];
        snprintf(path, sizeof path, "%s%s", prefix, n->name);
        if (!n->seen) mistake(c, n, path, "unknown key; there are: %s", known);
    }
}

/* --- groups of keys ----------------------------------------------------------------------------------------------------- */

static void read_trunks(struct check *c)
{
    struct config_node *n = node_find(c->file->source->root, "trunks"), *one = n;
    struct buf list = BUF_INIT;
    if (!n) {
        mistake(c, c->file->source->root, "trunks", "missing: name at least one trunk, e.g. trunks = { \"acme\" }");
        return;
    }
    n->seen = true;
    for (size_t i = 0; i < (n->type == NODE_TABLE ? n->count : 1); i++) {
        one = n->type == NODE_TABLE ? n->children[i] : n;
        char path[80], group[80];
        snprintf(path, sizeof path, "trunks.%s", one->text ? one->text : "");
        snprintf(group, sizeof group, "trunk_groups.%s", one->text ? one->text : "");
        if (one->type != NODE_TEXT || !one->text[0])
            mistake(c, one, "trunks", "found %s; allowed is a list of trunk names", found(one));
        else if (c->engine && !config_get(config_root(c->engine), path) && !config_get(config_root(c->engine), group))
            mistake(c, one, "trunks", "no trunk \"%s\" in the engine's configuration", one->text);
        else
            buf_printf(&list, "%s%s", list.length ? "," : "", one->text);
    }
    if (n->type == NODE_TABLE && n->count == 0) mistake(c, n, "trunks", "an empty list; name at least one trunk");
    c->file->trunks = buf_take(&list);
}

static void read_caller_ids(struct check *c)
{
    struct config_node *n = node_find(c->file->source->root, "caller_ids");
    if (!n) return;
    n->seen = true;
    for (size_t i = 0; i < (n->type == NODE_TABLE ? n->count : 1); i++) {
        const struct config_node *one = n->type == NODE_TABLE ? n->children[i] : n;
        if (i == CAMPAIGN_CALLER_IDS_MAX) mistake(c, one, "caller_ids", "more than %d", CAMPAIGN_CALLER_IDS_MAX);
        if ((one->type != NODE_TEXT && one->type != NODE_INT) || !one->text[0] || strlen(one->text) > 40 ||
            strspn(one->text, "+0123456789") != strlen(one->text))
            mistake(c, one, "caller_ids", "found %s; allowed is a number of digits, or a list of them", found(one));
        else if (i < CAMPAIGN_CALLER_IDS_MAX)
            c->file->caller_ids[c->file->caller_id_count++] = strdup(one->text);
    }
}

static void read_pacing(struct check *c)
{
    struct config_node *pacing = take_table(c, "pacing", "a table like { cps = 10, concurrent = 200 }");
    if (!pacing) return;
    c->file->cps = take_number(c, pacing, "pacing.", "cps", 0.01, 10000, 0);
    c->file->concurrent = (uint32_t)take_number(c, pacing, "pacing.", "concurrent", 1, 1000000, 0);
    unknown_keys(c, pacing, "pacing.", "cps, concurrent");
}

static void read_ring(struct check *c)
{
    bool short_ring = take_bool(c, "short_ring", false);
    c->file->ring_timeout_ms = (uint32_t)take_duration(
        c, "ring_timeout", short_ring ? 1000 : 15000, 30000,
        short_ring ? "a time of 1s at least, like \"10s\""
                   : "a time of 15s at least, like \"25s\" (rules against abandoned calls ask for it; short_ring = true allows less)");
}

static void read_days(struct check *c, struct config_node *days)
{
    static const char *const names[] = { "mon", "tue", "wed", "thu", "fri", "sat", "sun" };
    days->seen = true;
    for (size_t i = 0; i < days->count; i++) {
        size_t day = 0;
        while (day < 7 && (days->children[i]->type != NODE_TEXT || strcmp(names[day], days->children[i]->text) != 0)) day++;
        if (day == 7)
            mistake(c, days->children[i], "window.days", "found %s; allowed are mon, tue, wed, thu, fri, sat, sun",
                    found(days->children[i]));
        else
            c->file->window.weekdays |= (uint8_t)(1u << day);
    }
}

static void read_window(struct check *c)
{
    struct config_node *n = node_find(c->file->source->root, "window");
    c->file->window = (struct window) { .from = 8 * 60, .to = 21 * 60 };
    if (!n) return;
    n->seen = true;
    if (n->type == NODE_TEXT && strcmp(n->text, "always") == 0) {
        c->file->window = (struct window) { 0 };
        return;
    }
    if (n->type != NODE_TABLE) {
        mistake(c, n, "window", "found %s; allowed is { from = \"08:00\", to = \"21:00\" } or \"always\"", found(n));
        return;
    }
    struct config_node *from = node_find(n, "from"), *to = node_find(n, "to"), *days = node_find(n, "days");
    if (from && (from->seen = true) && (from->type != NODE_TEXT || time_of_day_parse(from->text, &c->file->window.from) < 0))
        mistake(c, from, "window.from", "found %s; allowed is a time of day like \"08:00\"", found(from));
    if (to && (to->seen = true) && (to->type != NODE_TEXT || time_of_day_parse(to->text, &c->file->window.to) < 0))
        mistake(c, to, "window.to", "found %s; allowed is a time of day like \"21:00\"", found(to));
    if (days) read_days(c, days);
    unknown_keys(c, n, "window.", "from, to, days");
}

static void read_retry_rule(struct check *c, struct config_node *n)
{
    char path[120];
    int64_t after_ms = 0;
    snprintf(path, sizeof path, "retry.%s", n->name);
    bool own_word = strcmp(n->name, "INTERRUPTED") == 0 || strcmp(n->name, "SCRIPT_ERROR") == 0;
    if (!own_word && cause_number_exact(n->name) == 0) {
        mistake(c, n, path, "no such hangup cause; write it like USER_BUSY, NO_ANSWER, or INTERRUPTED, SCRIPT_ERROR");
        return;
    }
    if (n->type == NODE_BOOL && !n->integer) {
        retry_rules_set(&c->file->retry, n->name, 0, 0);
        return;
    }
    struct config_node *after = n->type == NODE_TABLE ? node_find(n, "after") : NULL;
    if (!after || after->type == NODE_TABLE || duration_parse(after->text, &after_ms)) {
        mistake(c, after ? after : n, path, "found %s; allowed is { after = \"10m\", tries = 3 }, or false for no retry",
                found(after ? after : n));
        return;
    }
    after->seen = true;
    snprintf(path, sizeof path, "retry.%s.", n->name);
    uint32_t tries = (uint32_t)take_number(c, n, path, "tries", 1, 100, 3);
    unknown_keys(c, n, path, "after, tries");
    if (retry_rules_set(&c->file->retry, n->name, after_ms * 1000, tries)) mistake(c, n, "retry", "more than %d rules", RETRY_RULES_MAX);
}

static void read_retry(struct check *c)
{
    retry_rules_default(&c->file->retry);
    struct config_node *n = take_table(c, "retry", "a table like { USER_BUSY = { after = \"10m\", tries = 3 } }");
    for (size_t i = 0; n && i < n->count; i++) read_retry_rule(c, n->children[i]);
}

static void read_pairs(struct check *c, const char *key, struct kv *out)
{
    struct config_node *n = take_table(c, key, "a table of names and texts");
    for (size_t i = 0; n && i < n->count; i++) {
        const struct config_node *one = n->children[i];
        if (one->type == NODE_TABLE || one->type == NODE_OTHER || strpbrk(one->text, "\r\n"))
            mistake(c, one, key, "%s: found %s; allowed is a text of one line", one->name, found(one));
        else
            kv_add(out, one->name, one->text);
    }
}

static char *join_path(const char *folder, const char *name)
{
    char *path = NULL;
    if (name[0] == '/') return strdup(name);
    return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

static void read_leads(struct check *c)
{
    struct config_node *n = node_find(c->file->source->root, "leads");
    c->file->number_column = take_text(c, "number_column", "a column's name");
    c->file->zone_column = take_text(c, "zone_column", "a column's name");
    if (!n) return;
    n->seen = true;
    if (n->type == NODE_TEXT && n->text[0])
        c->file->leads_path = join_path(c->file->folder, n->text);
    else if (n->type == NODE_TABLE)
        c->file->leads_table = n;
    else
        mistake(c, n, "leads", "found %s; allowed is a CSV file's name, or a list like { { number = \"15552010001\", name = \"Ann\" } }",
                found(n));
}

static void read_script(struct check *c)
{
    const struct config_node *n = node_find(c->file->source->root, "script");
    char *name = take_text(c, "script", "a Lua file's name"), *first = NULL;
    const char *folder = c->engine ? config_str(config_root(c->engine), "scripts.dir", NULL) : NULL;
    if (!n) mistake(c, c->file->source->root, "script", "missing: the Lua file that each answered call runs");
    if (!name) return;
    if (folder) first = join_path(folder, name);
    if (first && access(first, R_OK) == 0) {
        c->file->script = first;
        free(name);
        return;
    }
    c->file->script = join_path(c->file->folder, name);
    if (access(c->file->script, R_OK) != 0)
        mistake(c, n, "script", "cannot read \"%s\"; looked at %s%s%s", name, first ? first : "", first ? " and " : "", c->file->script);
    free(first);
    free(name);
}

static void read_early(struct check *c)
{
    const struct config_node *n = node_find(c->file->source->root, "early");
    char *early = take_text(c, "early", "\"ignore\", \"listen\" or \"answer\"");
    if (!early || strcmp(early, "ignore") == 0)
        c->file->early = DIAL_EARLY_IGNORE;
    else if (strcmp(early, "listen") == 0)
        c->file->early = DIAL_EARLY_LISTEN;
    else if (strcmp(early, "answer") == 0)
        c->file->early = DIAL_EARLY_ANSWER;
    else
        mistake(c, n, "early", "found %s; allowed is \"ignore\", \"listen\" or \"answer\"", early);
    free(early);
}

static void read_zone(struct check *c)
{
    const struct config_node *n = node_find(c->file->source->root, "zone");
    c->file->default_zone = take_text(c, "zone", "a time zone like \"America/New_York\"");
    if (c->file->default_zone && !zone_known(c->file->default_zone))
        mistake(c, n, "zone", "found %s; allowed is a time zone of the system like \"America/New_York\"", c->file->default_zone);
    if (!c->file->default_zone) c->file->default_zone = strdup("UTC");
}

static void read_all(struct check *c)
{
    struct campaign_file *f = c->file;
    const char *country = c->engine ? config_str(config_root(c->engine), "numbers.default_country", NULL) : NULL;
    if (c->engine) f->has_engine_window = window_of_config(config_get(config_root(c->engine), "numbers.window"), &f->engine_window);
    read_trunks(c);
    read_caller_ids(c);
    read_pacing(c);
    read_ring(c);
    read_window(c);
    read_zone(c);
    read_retry(c);
    read_leads(c);
    read_script(c);
    read_early(c);
    read_pairs(c, "headers", &f->headers);
    read_pairs(c, "variables", &f->variables);
    f->caller_name = take_text(c, "caller_name", "a text");
    f->codecs = take_text(c, "codecs", "names with commas, like \"PCMU,PCMA\"");
    f->arguments = take_text(c, "arguments", "a text: the script's argv");
    f->default_country = take_text(c, "country", "an E.164 country code like \"1\" or \"49\"");
    if (!f->default_country && country) f->default_country = strdup(country);
    f->max_s = (uint32_t)(take_duration(c, "max_call", 1000, 0, "a time like \"10m\"") / 1000);
    f->max_attempts = (uint32_t)take_number(c, f->source->root, "", "max_attempts", 1, 100, 5);
    unknown_keys(c, f->source->root, "",
                 "leads, trunks, script, caller_ids, caller_name, pacing, ring_timeout, short_ring, window, zone, retry, max_attempts, "
                 "max_call, early, "
                 "codecs, headers, variables, arguments, country, number_column, zone_column");
}

int campaign_file_load(struct campaign_file **out, const char *path, const struct config *engine, struct buf *errors)
{
    char absolute[PATH_MAX];
    if (!realpath(path, absolute)) {
        buf_printf(errors, "%s: cannot read this campaign: %s\n", path, strerror(errno));
        return -EINVAL;
    }
    struct campaign_file *file = calloc(1, sizeof *file);
    struct config *source = calloc(1, sizeof *source);
    if (!file || !source) {
        free(file);
        free(source);
        return -ENOMEM;
    }
    size_t before = errors->length;
    file->source = source;
    file->path = strdup(absolute);
    int e = config_read(source, absolute, errors);
    if (e == 0) {
        struct check check = { file, engine, errors };
        file->folder = strdup(source->folder);
        read_all(&check);
        e = errors->length > before ? -EINVAL : 0;
    }
    if (e) {
        campaign_file_free(file);
        return e;
    }
    *out = file;
    return 0;
}

void campaign_file_free(struct campaign_file *file)
{
    if (!file) return;
    char *texts[] = { file->path,   file->folder,      file->leads_path, file->number_column, file->zone_column, file->default_country,
                      file->trunks, file->caller_name, file->codecs,     file->script,        file->arguments,   file->default_zone };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) free(texts[i]);
    for (size_t i = 0; i < file->caller_id_count; i++) free(file->caller_ids[i]);
    kv_free(&file->headers);
    kv_free(&file->variables);
    config_free(file->source);
    free(file);
}

int campaign_file_path(const char *folder, const char *name_or_path, struct buf *path, char *name, size_t name_size)
{
    const char *slash = strrchr(name_or_path, '/'), *stem = slash ? slash + 1 : name_or_path;
    size_t length = strlen(stem);
    bool has_suffix = length > 4 && strcmp(stem + length - 4, ".lua") == 0;
    if (has_suffix) length -= 4;
    if (length == 0 || length >= name_size || stem[0] == '.') return -EINVAL;
    for (size_t i = 0; i < length; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-", stem[i])) return -EINVAL;
    snprintf(name, name_size, "%.*s", (int)length, stem);
    if (slash || has_suffix) return buf_printf(path, "%s%s", name_or_path, has_suffix ? "" : ".lua");
    return buf_printf(path, "%s/%s.lua", folder, name);
}
