/* dialler.h: making a call, for whoever runs in the broker process (campaigns, lane requests). One door: the permit, the
 * caps, the ledger and the INVITE stand behind it in this order.
 *
 * The contract stands here, on the campaign's side; src/broker implements it (broker may include campaign, never the other
 * way round), and tests of campaigns bring a fake. */
#ifndef CAMPAIGN_DIALLER_H
#define CAMPAIGN_DIALLER_H

#include <stdbool.h>
#include <stdint.h>

#include "campaign/ledger.h"
#include "core/kv.h"
#include "core/uuid.h"

struct dialler; /* the broker's dialling side */
struct call;    /* one attempt, from dial to over */

enum dial_early { DIAL_EARLY_IGNORE, DIAL_EARLY_LISTEN, DIAL_EARLY_ANSWER };

struct dial_request {
    const char *trunks;                      /* "acme,backup": tried in order on 5xx, timeout, 503 */
    const char *number;                      /* E.164 digits without +, or as given */
    const char *zone;                        /* where the called one lives; NULL = by the number */
    const char *caller_number, *caller_name; /* NULL = the trunk's */
    uint32_t ring_timeout_ms;                /* 0 = 60 s */
    uint32_t max_s;                          /* 0 = the engine's */
    enum dial_early early;
    const char *codecs;       /* NULL = the trunk's */
    struct uuid channel;      /* nil = made here */
    int64_t campaign, lead;   /* ledger ids, 0 = none */
    uint32_t lead_tries;      /* before this one */
    const char *lead_history; /* stands in the slot with the rest of the lead, for a broker that adopts the call */
    const char *campaign_name;
    /* For campaigns: what the worker runs when it is answered. NULL script: the watcher gets `answered` and decides. */
    const char *script, *arguments;
    const struct kv *variables; /* v.NAME without prefix: channel variables of the call */
    const struct kv *headers;   /* SIP headers for the INVITE */
};

/* What happened, in order; `over` comes exactly once and last. All on the broker's thread. */
struct call_outcome {
    struct uuid attempt, channel;
    int64_t claimed_us, invite_us, ring_us, answer_us, end_us;
    int sip_status;
    int cause; /* FreeSWITCH's number */
    const char *cause_name;
    const char *trunk;
    const char *refused; /* the permit's reason code, NULL if an INVITE left */
    bool answered;
    const char *script_result; /* NULL, "ok", "script_error" */
    const char *script_disposition, *digits, *error;
    int64_t billsec_ms, pdd_ms;
    uint64_t packets_sent, packets_received, packets_lost, packets_late;
    uint32_t jitter_us;
    uint16_t mos_x100;
};
struct dial_watch {
    void (*ringing)(void *context, struct call *call);  /* may be NULL */
    void (*answered)(void *context, struct call *call); /* may be NULL */
    /* Before the row is closed: the campaign decides disposition and the lead's next state (fills these fields of the row). */
    void (*over)(void *context, struct call *call, const struct call_outcome *outcome, struct attempt_end *row);
    void *context;
};

/* 0 and *out, or -EAGAIN (engine full or draining: try later), -EINVAL (no such trunk). Refusals by the permit are no errors here: they
 * come as `over` with outcome.refused. */
int dialler_call(struct dialler *dialler, const struct dial_request *request, const struct dial_watch *watch, struct call **out);
void dialler_hangup(struct dialler *dialler, struct call *call, int cause);
/* How many calls could begin within the next `ms` on these trunks, by cps and concurrency caps (never negative). */
uint32_t dialler_room(const struct dialler *dialler, const char *trunks, uint32_t ms);

#endif
