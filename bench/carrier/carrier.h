/* The carrier's one root: everything that changes while it runs hangs here. One thread uses it; book.c has a second one that only
 * writes files.
 *
 * Reading order: sip_message.h, txn.h, call.h, plan.h, media.h, book.h; then uas.c is the story of a call.
 */
#ifndef CARRIER_H
#define CARRIER_H

#include "base.h"
#include "book.h"
#include "media.h"
#include "net.h"
#include "options.h"
#include "plan.h"
#include "sip_message.h"
#include "speech.h"
#include "timer.h"
#include "txn.h"

#define CALL_BUCKETS  65536
#define TXN_BUCKETS   131072
#define RETRY_BUCKETS 65536       /* --vary counts calls per number here */

struct call;

struct totals {
	uint64_t invites, calls, answered, rejected, cancelled, malformed, ignored, send_errors, tcp_refused, calls_refused;
	uint64_t retransmissions_in, retransmissions_out, stray_requests, stray_responses, challenged, forbidden, timeouts;
	uint64_t rtp_sent, rtp_received, rtp_missing, rtp_late, rtp_duplicate, rtp_stray, rtcp_received, rtcp_sent, slices_late, slices_skipped;
	uint64_t placed;
};

struct carrier {
	struct options options;
	int epoll, clock_fd, signal_fd;
	bool stopping;
	int64_t started_us;              /* monotonic */
	struct listener listeners[LISTENERS_MAX];
	unsigned listener_count;
	struct conn conns[CONNS_MAX];
	union net_addr host_asked;       /* net_host's memory */
	char host_answer[64];
	struct timers timers;
	struct speech speech;
	struct plan plan;
	struct rule place_rule;          /* --place: what our own calls do */
	struct book book;
	struct media_engine media;
	struct totals totals;
	uint64_t rng;                    /* tags, SSRCs, nonces: not the plan's draws */
	struct call *call_buckets[CALL_BUCKETS];
	struct call *calls;              /* all live ones */
	unsigned call_count, call_peak;
	struct stxn *stxn_buckets[TXN_BUCKETS];
	struct ctxn *ctxn_buckets[TXN_BUCKETS];
	uint64_t next_branch, secret;    /* secret: of our nonces */
	unsigned txn_count;
	uint8_t *retries;                /* RETRY_BUCKETS, or NULL without --vary */
	struct place_state {
		struct timer timer;
		unsigned begun;
		int64_t start_us;
		struct peer peer;
	} place;
	int64_t arrived_us;      /* of the message at hand; 0 = unknown */
	struct timer status_timer;
	struct totals status_last;
};

/* When the message at hand arrived, by the kernel's time stamp, so that a carrier that is late to read it says the truth; otherwise now. UTC, µs. */
static inline int64_t arrival_utc_us(const struct carrier *c)
{
	return c->arrived_us ? c->arrived_us : clock_utc_us();
}
/* dispatch.c: one received message of n bytes, changed while reading. */
void sip_input(struct carrier *c, char *data, size_t n, const struct peer *from);
/* status.c */
void status_start(struct carrier *c);
void status_totals(struct carrier *c, struct text *t);

#endif
