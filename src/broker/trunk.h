/* trunk.h: the carriers: what the configuration says of each, and how it does. */
#ifndef BROKER_TRUNK_H
#define BROKER_TRUNK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "broker/address.h"
#include "broker/agent.h"
#include "broker/caps.h"
#include "broker/identity.h"
#include "broker/listener.h"
#include "broker/rates.h"
#include "broker/reliable.h"
#include "broker/sdp.h"
#include "broker/trunk_causes.h"
#include "broker/trunk_group.h"
#include "broker/trunk_quality.h"
#include "broker/trunk_watch.h"
#include "bus/limits.h"
#include "campaign/dialler.h"
#include "core/buf.h"
#include "core/config.h"
#include "core/loop.h"

#define TRUNK_SOURCES_MAX       32
#define TRUNK_FAILOVERS_MAX     8
#define TRUNK_RETRY_AFTER_MAX_S 3600 /* no carrier pauses itself for longer by one header */

struct trunk {
    struct broker *broker;
    char name[BUS_NAME_MAX];
    /* from the configuration */
    char host[128];
    uint16_t port; /* 0 = by DNS or the default */
    enum transport transport;
    struct listener *listener;
    bool any_transport;            /* DNS says which (NAPTR); `transport` is what Contact says then */
    char route[BUS_URI_MAX];       /* "sip:host:port;transport=udp": where its INVITEs go: the carrier or the proxy before it */
    char proxy[BUS_URI_MAX];       /* "<sip:host:port;lr>" as the Route header; "" = none */
    char domain[128];              /* host part of From, To and request URI */
    char *user, *password, *realm; /* digest; NULL = none */
    char *headers;                 /* "X-Account: 7\r\n…", NULL = none */
    char caller_id[64], caller_name[104];
    enum identity identity;
    char from_user[64], diversion[64];
    char strip[24], add[24];
    struct rates *rates; /* what its calls cost; NULL = nobody said */
    struct sdp_codecs codecs;
    enum dial_early early;
    bool nat;
    uint32_t media_mask; /* of media.addresses, a bit each; 0 = by its listener's family */
    uint32_t ring_timeout_ms;
    uint32_t session_timer_s; /* 0 = we ask for none */
    enum reliable reliable;
    bool redirect;                    /* 3xx are followed */
    char refer_context[BUS_NAME_MAX]; /* where transfers run that the far end asks for; "" = they are refused */
    char inbound_script[256], inbound_context[BUS_NAME_MAX];
    char failover_names[TRUNK_FAILOVERS_MAX][BUS_NAME_MAX];
    struct trunk *failover[TRUNK_FAILOVERS_MAX];
    unsigned failover_count;
    struct source sources[TRUNK_SOURCES_MAX];
    unsigned source_count;
    bool named; /* `host` is no IP address */
    /* how it does */
    struct trunk_watch *watch; /* NULL: neither registers nor is pinged */
    bool disabled;             /* by an operator */
    int64_t paused_until_ns;   /* by its own Retry-After */
    struct trunk_quality quality;
    struct trunk_causes causes;
    struct cap cap;
    struct pace pace;
    struct call *waiting, **waiting_end; /* INVITEs that wait for their turn */
    uint32_t waiting_count;
    uint32_t pending; /* calls that the ledger makes durable */
    struct loop_timer turn;
    uint64_t invites, answered, failed;
};

struct trunks {
    struct trunk *list;
    unsigned count;
    struct trunk_group *groups;
    unsigned group_count;
    struct pace pace; /* limits.cps: over all trunks */
};

/* Reads trunks.*; all of them are checked before. One clear line in `error`. */
int trunks_load(struct broker *broker, struct buf *error);
/* All of them, when the broker serves; and when it ends: unregisters. */
int trunks_watch(struct broker *broker);
void trunks_goodbye(struct broker *broker);
void trunks_free(struct broker *broker);
/* What may change while it carries calls: caps, codecs, identity, headers, prefix. From trunks.NAME of a checked configuration. */
void trunk_rules_take(struct trunk *trunk, const struct config_node *node);
struct trunk *trunk_named(const struct trunks *trunks, const char *name, size_t length);
/* Enabled, not paused, and reachable as far as we know. */
bool trunk_usable(const struct trunk *trunk, int64_t now_ns);
/* Whose address this is: by address and port first, then by address alone. NULL = nobody's. */
struct trunk *trunk_of_source(const struct trunks *trunks, const struct sockaddr *source);
/* A response came: where from is the carrier, too, if its address is a name (DNS may lead to many). `orq` as the stack's callback has it.
 */
void trunk_learn_source(struct trunk *trunk, nta_outgoing_t *orq);
/* Puts a call into the trunk's queue; trunk_turn is set to serve it when its time comes. */
void trunk_queue(struct trunk *trunk, struct call *call);
void trunk_unqueue(struct trunk *trunk, struct call *call);
/* After a change of caps: looks at the queue again. */
void trunk_serve(struct trunk *trunk);
/* A final response that is the trunk's doing: 5xx, or 408 while nothing rang (after ringing it is the callee's silence). */
bool trunk_is_to_blame(const struct call *call, int status);
/* What became of the call's INVITE on its trunk; and that progress came. For quality alone; calls that sent none do not count. */
void trunk_result(struct call *call, enum quality_result result);
void trunk_delay(struct call *call);
/* The call's INVITE on its trunk came to this end. */
void trunk_cause_count(struct call *call, int cause);
/* A 503 came with this Retry-After (seconds). */
void trunk_pause(struct trunk *trunk, uint32_t seconds);

#endif
