/* state.h: the broker's central structs: the process, and a call. */
#ifndef BROKER_STATE_H
#define BROKER_STATE_H

#include "broker/agent.h"
#include "broker/permit.h"
#include "broker/reliable.h"
#include "broker/session_timer.h"
#include "broker/slots.h"
#include "broker/sofia.h"
#include "broker/trunk.h"
#include "bus/counter.h"
#include "bus/post.h"
#include "bus/ring.h"
#include "bus/segment.h"
#include "campaign/dialler.h"
#include "campaign/ledger.h"
#include "core/config.h"
#include "core/jobs.h"
#include "core/kv.h"
#include "core/loop.h"
#include "core/process.h"
#include "core/uuid.h"

#define CALL_TRUNKS_MAX      8
#define CALL_HEADERS_MAX     4096            /* bytes of extra headers that one INVITE may carry */
#define CALL_SCRIPT_WAIT_NS  (30 * NS_PER_S) /* after the end, for the script's last word */
#define CALL_RELEASE_WAIT_NS (5 * NS_PER_S)  /* after MEDIA_STOP, for a worker that does not answer */

/* What a call is doing. Ending is a state: handlers go on to be called after it and are harmless. */
enum call_state {
    CALL_CLAIMED,   /* permitted; the ledger makes it durable */
    CALL_WAITING,   /* in its trunk's queue */
    CALL_INVITING,  /* INVITE out, nothing but perhaps 100 came */
    CALL_RINGING,   /* 18x */
    CALL_OFFERED,   /* inbound, not answered */
    CALL_ANSWERING, /* inbound, 200 sent, no ACK yet */
    CALL_TALKING,   /* answered */
    CALL_ENDING,    /* outcome decided; waits for the far end, the media and the script to be through */
    CALL_OVER       /* row written; waits for the last SIP transaction only */
};

struct call_times { /* UTC µs; 0 = never */
    int64_t claimed, invite, ring, answer, end;
};

struct call {
    struct broker *broker;
    enum call_state state;
    bool inbound, self;
    struct uuid channel, attempt;
    char channel_text[UUID_TEXT_SIZE];
    char call_id[BUS_CALL_ID_MAX]; /* outgoing: the attempt's text */

    /* SIP */
    nta_leg_t *leg;
    nta_outgoing_t *invite; /* our INVITE until its final response was dealt with */
    nta_outgoing_t *bye;
    nta_outgoing_t *request;       /* our re-INVITE or REFER: one at a time */
    uint64_t request_ticket;       /* who asked for it; 0 = answered */
    const char *request_direction; /* what our last offer in mid-call said; NULL = there was none */
    bool request_offers;           /* it has an SDP: others of theirs get 491 meanwhile */
    struct loop_timer glare;       /* after a 491 */
    unsigned glares;
    struct session_timer session;
    struct early_dialogs early_dialogs;
    bool offered_reliably;   /* inbound: our SDP went out with one of them */
    bool reliable;           /* our provisional responses want PRACK */
    bool agreed_reliably;    /* offer and answer are through before the 200 (RFC 3262 §5) */
    nta_incoming_t *offer;   /* their INVITE until it is answered and acknowledged */
    nta_incoming_t *reoffer; /* their re-INVITE, while it waits for its ACK */
    struct listener *listener;
    enum transport transport;
    char local_tag[BUS_TAG_MAX], remote_tag[BUS_TAG_MAX], branch[BUS_TAG_MAX];
    char local_uri[BUS_URI_MAX], remote_uri[BUS_URI_MAX], target[BUS_URI_MAX], route[BUS_ROUTE_MAX];
    uint32_t local_cseq, remote_cseq, invite_cseq;
    int64_t sent_ns;                 /* the last INVITE left; 0 = none, or its delay was counted */
    uint32_t tries;                  /* INVITE transactions so far */
    bool redirected;                 /* by a 3xx, to another host than the trunk's: its INVITE goes there by itself */
    unsigned hops;                   /* 3xx followed */
    bool cancelled;                  /* CANCEL sent, or due as soon as a 1xx comes */
    bool challenged, bye_challenged; /* credentials were sent once */
    auth_client_t *credentials;
    su_home_t *home;   /* of the credentials; NULL until challenged */
    char *headers;     /* extra headers of the INVITE, ready for the wire; NULL = none */
    char *end_headers; /* for BYE, CANCEL or the refusal */
    uint64_t sdp_session, sdp_version;
    struct sdp_codecs codecs;
    struct sdp_streams streams; /* of their offer */
    bool offerless;             /* their INVITE had no SDP: ours is in the 200, theirs in the ACK */
    bool reoffer_offerless;

    /* where to */
    struct trunk *trunks[CALL_TRUNKS_MAX];
    uint8_t trunk_count, trunk_at;
    struct trunk *trunk;             /* whose cap it counts for; NULL for URI calls */
    char *uri;                       /* a URI call's */
    char next_hop[BUS_URI_MAX];      /* of a URI call that goes another way than its URI says: a telephone behind a NAT */
    char number[PERMIT_NUMBER_MAX];  /* as asked for */
    char dialled[PERMIT_NUMBER_MAX]; /* as sent */
    char caller_number[64], caller_name[104];
    char from_user[64], from_domain[128], to_display[64];
    char *auth_user, *auth_password; /* of the request, before the trunk's */
    bool privacy;
    int identity; /* enum identity; -1 = as the trunk wants it */
    enum dial_early early;
    uint32_t ring_timeout_ms, progress_timeout_ms, max_s;
    uint32_t max_asked_s;
    bool nat;       /* the far end may be behind one: its RTP may come from anywhere */
    bool permitted; /* permit_check said yes; invite_send asserts it */
    bool capped;    /* counts in the engine's cap */
    bool charged;   /* counts in the day's spend, at `rate` */
    struct rate rate;
    char zone[80]; /* where the called one lives; "" = by the number */

    /* media and slot */
    uint32_t slot, generation, worker; /* slot SLOT_NONE = none */
    bool media_started, media_seen;    /* MEDIA_START was pushed; packets may have been invited by an SDP */
    struct slot_media media;
    bool media_agreed;
    bool media_released;   /* the worker gave the slot back; it stands until the script has spoken */
    char via[BUS_VIA_MAX]; /* of their INVITE until it is answered, see adopt_inbound.c */

    /* who asked */
    bool asked_by_worker; /* a DIAL; `ticket` until replied */
    bool replied, early_replied;
    bool told_worker; /* it has the call: it wants CALL_ENDED */
    uint64_t ticket;
    bool watched;
    struct dial_watch watch;
    char *script, *arguments; /* a campaign's */
    struct kv variables;      /* v.X for CALL_RUN */
    int64_t campaign, lead;
    uint32_t lead_tries; /* before this one */
    char lead_history[96];
    char campaign_name[BUS_NAME_MAX];
    bool script_running;
    char script_result[16], script_disposition[32], digits[64], error[160];

    /* how it went */
    struct call_times at;
    int sip_status;
    char sip_phrase[64];
    int cause;
    const char *refused; /* static text */
    bool answered, by_them;
    bool ringing_told, early_told; /* each once */
    bool ended_told;               /* CALL_ENDED or the reply went out */
    bool row_begun, row_pending;   /* the ledger knows it; it is not durable yet */
    bool bye_due;                  /* our BYE waits for the ACK of our 200 (RFC 3261 §15) */
    bool adopted;                  /* another broker began it */
    bool cancel_due;               /* adopted while it rang: the final response to our CANCEL is waited for */
    bool in_reap;                  /* in broker->dead */
    struct slot_totals totals;

    struct loop_timer timer;  /* ringing, then the longest duration, then the wait for the end */
    struct loop_timer second; /* progress timeout and failover from a silent trunk */
    struct call *next_waiting;
    struct call *next_by_channel, *next_by_attempt;
    struct call *previous, *next; /* all calls */
    struct call *next_dead;
};

struct calls {
    struct call **by_channel, **by_attempt; /* chains; size is a power of two */
    uint32_t mask;
    struct call *first;
    uint32_t count;
};

struct dialler {
    struct broker *broker;
};

/* What a callback holds that may outlive its call. */
struct call_ticket {
    struct broker *broker;
    char call_id[UUID_TEXT_SIZE];
};

struct worker_state {
    uint32_t epoch;
    bool ready;
};

#define LIMIT_BUCKETS 1024u

struct tables;    /* tables.c */
struct limit;     /* limits.c */
struct campaigns; /* src/campaign */
struct registrar; /* registrar.h */

struct broker {
    const struct process_args *args;
    const struct config_node *config;
    struct segment *segment;
    struct loop *loop;
    struct post *post;
    struct agent agent;
    struct trunks trunks;
    struct slots slots;
    struct calls calls;
    struct call *dead; /* freed before the next sleep: no handler still holds them then */
    struct permit_rules permit;
    bool permit_reading; /* permit_load.c: of the day, under way */
    struct loop_timer permit_timer;
    struct jobs *permit_jobs; /* reads do-not-call lists */
    struct spend spend;
    struct cap cap; /* limits.concurrent */
    struct ledger *ledger;
    char database[600]; /* its URL */
    struct dialler dialler;
    struct tables *tables;
    struct limit *limits[LIMIT_BUCKETS];
    uint32_t limit_count;
    struct kv globals; /* global variables, replicated to all workers */
    struct campaigns *campaigns;
    struct registrar *registrar; /* NULL: no listener has users */
    struct worker_state workers[BUS_WORKERS_MAX];
    uint32_t worker_count;
    char node[BUS_NAME_MAX];
    /* media addresses, for the SDP */
    char media_addresses[MEDIA_ADDRESSES_MAX][46];
    uint32_t media_families[2]; /* which of them are bound to IPv4, to IPv6: a bit each */
    uint32_t media_address_count;
    uint16_t port_first, port_last;
    struct process_signals signals;
    struct loop_timer beat;
    struct guard *guard;
    bool terminating;
    uint64_t *counters[COUNTER_COUNT];
};

#define COUNT(broker, name, by) counter_add((broker)->counters[COUNTER_##name], (by))

static inline bool call_is_ended(const struct call *call) { return call->state >= CALL_ENDING; }

#endif
