/* campaigns.h: the campaigns that run in this engine: on the broker's thread, never blocking it.
 *
 * Leads are claimed in batches on the ledger's thread (about one second of calls ahead); each tick hands the dialler no more than what the
 * trunks' caps let begin within the next 100 ms. A lead is in one of four states, in the database and nowhere else: pending (at next_us),
 * claimed (by a node; never dialled), dialling (has an open attempt), done. Only ledger statements move it on, so a death at any point
 * leaves it in a state from which ledger_recover leads back. */
#ifndef CAMPAIGN_CAMPAIGNS_H
#define CAMPAIGN_CAMPAIGNS_H

#include "campaign/dialler.h"
#include "campaign/ledger.h"
#include "core/buf.h"
#include "core/config.h"
#include "core/loop.h"

struct campaigns;

struct campaigns_params {
    struct dialler *dialler;
    struct ledger *ledger;       /* open, and recovered (ledger_recover) */
    const struct config *config; /* the engine's; NULL in tests */
    struct loop *loop;
    const char *node; /* as the ledger's */
};

/* Also goes on with the campaigns of this node that were running (or paused) when the last engine ended. 0 or -errno. */
int campaigns_start(struct campaigns **out, const struct campaigns_params *params);
/* Claimed leads that were not dialled go back. Before ledger_close, and after the last `over` was delivered or with no more to come. */
void campaigns_stop(struct campaigns *campaigns);

/* An operator's command, from MSG_ENGINE or the campaign command line. Answers at once; what takes time shows in `progress`.
 *   run       args: NAME /absolute/file.lua    begins, or goes on with a paused one; nothing changes for one that runs
 *   pause     args: NAME                       no new calls; running ones go on
 *   resume    args: NAME
 *   stop      args: NAME [now]                 no new calls and ends with the last running one; now: hangs them up
 *   progress  args: NAME, or empty for all     one JSON object, or a list of them
 * The reply is "+OK …\n", "-ERR …\n", or JSON and "\n". 0, or -EINVAL with the -ERR reply. */
int campaigns_command(struct campaigns *campaigns, const char *command, const char *args, struct buf *reply);

/* A call that an engine or broker before this one began for a campaign: fills the watch through which its end decides the lead, by the
 * rules of the campaign's file as it is now. The rows of calls that end before that file is loaded wait for it (attempt_end.kept). */
struct campaign_adopted {
    const char *campaign;      /* name */
    int64_t campaign_id, lead; /* ledger ids */
    uint32_t lead_tries;       /* before this one */
    const char *lead_history;
    bool answered;
};
void campaigns_adopt(struct campaigns *campaigns, const struct campaign_adopted *adopted, struct call *call, struct dial_watch *watch);

/* Campaigns that are loaded from now on are held against this one; it lives as long as the process. */
void campaigns_config_set(struct campaigns *campaigns, const struct config *config);
/* Calls in progress of all campaigns: a draining engine waits for 0. */
uint32_t campaigns_busy(const struct campaigns *campaigns);
/* No new calls from now on (drain); the campaigns stay `running` in the database, and go on with the next engine. */
void campaigns_drain(struct campaigns *campaigns);

#endif
