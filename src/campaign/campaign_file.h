/* campaign_file.h: a campaign as its file says: a Lua table, run as the configuration is (core/config.h): env() and include() only,
 * bounded. */
#ifndef CAMPAIGN_FILE_H
#define CAMPAIGN_FILE_H

#include "campaign/dialler.h"
#include "campaign/retry.h"
#include "campaign/zones.h"
#include "core/config.h"
#include "core/kv.h"

#define CAMPAIGN_CALLER_IDS_MAX 256

struct campaign_file {
    char *path; /* absolute */
    char *folder;
    char *leads_path;                      /* CSV, absolute; NULL = none or a table */
    const struct config_node *leads_table; /* list of tables, or NULL; lives in `source` */
    char *number_column, *zone_column, *default_country;
    char *trunks; /* "acme,backup" */
    char *caller_ids[CAMPAIGN_CALLER_IDS_MAX];
    size_t caller_id_count; /* 0 = the trunk's */
    char *caller_name;
    double cps;          /* 0 = the trunks' alone */
    uint32_t concurrent; /* 0 = the trunks' alone */
    uint32_t ring_timeout_ms, max_s, max_attempts;
    enum dial_early early;
    char *codecs, *script, *arguments;
    struct kv headers, variables;
    struct window window;
    bool has_engine_window;
    struct window engine_window; /* numbers.window: no campaign calls outside it */
    char *default_zone;          /* where neither column nor number tells */
    struct retry_rules retry;
    struct config *source; /* the checked tree's memory */
};

/* Loads and checks all of it. `engine` is the engine's configuration (its trunks, scripts.dir, numbers.default_country); NULL leaves out
 * what needs it. On failure -EINVAL and one line per mistake: FILE:LINE: key: what, what is allowed. */
int campaign_file_load(struct campaign_file **out, const char *path, const struct config *engine, struct buf *errors);
void campaign_file_free(struct campaign_file *file);

/* "25s", "10m", "1500ms", "2h", "1d" → ms; -EINVAL if it is none. */
int duration_parse(const char *text, int64_t *ms);
/* NAME → FOLDER/NAME.lua; a name with '/' or ".lua" is a path itself. The campaign's name (the stem) into name. -EINVAL: not a usable name.
 */
int campaign_file_path(const char *folder, const char *name_or_path, struct buf *path, char *name, size_t name_size);

#endif
