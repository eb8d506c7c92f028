/* Transactions (RFC 3261 §17, with RFC 6026 for INVITE). A transaction outlives its call: it answers retransmissions while it lingers.
 *
 *  server: created by a new request; stxn_respond keeps the last response, which a retransmitted request gets again.
 *  client: our BYE, INFO, re-INVITE, INVITE, CANCEL; retransmitted until answered; `done` is told the outcome once.
 */
#ifndef CARRIER_TXN_H
#define CARRIER_TXN_H

#include "net.h"
#include "sip_message.h"
#include "timer.h"

struct call;
struct carrier;

struct stxn {
	struct carrier *carrier;
	struct stxn *next;               /* in its bucket */
	struct stxn *call_next;          /* in call->stxns */
	struct call *call;               /* NULL once the call is over */
	uint64_t hash;
	char *key;                       /* branch|host:port|METHOD */
	enum sip_method method;
	uint32_t cseq;
	struct peer peer;
	char *echo;                      /* Via, From, To, Call-ID, CSeq lines for the response */
	char *record_route;              /* whole lines, or empty */
	char *response;
	size_t response_n;
	int status;                      /* of the last response */
	bool acked;
	struct timer again, linger;
	int64_t again_us;
	int mark_in, mark_out;           /* places in the call's list of messages, or -1 */
	int invite;                      /* place in the call's list of INVITE transactions, or -1 */
};

struct stxn *stxn_find(struct carrier *c, const struct sip_message *m, enum sip_method method);
/* A new transaction; to_tag is added to To when the request had none. */
struct stxn *stxn_create(struct carrier *c, const struct sip_message *m, const struct peer *from, struct call *call, const char *to_tag);
/* extra: whole header lines or NULL; body may be NULL. */
void stxn_respond(struct stxn *t, int status, const char *extra, const char *type, const char *body);
/* Sends the last response once more, if there is one. */
void stxn_repeat(struct stxn *t);
void stxn_acked(struct stxn *t);
void stxn_forget_call(struct stxn *t);
void stxn_free_all(struct carrier *c);

struct ctxn;
/* m is the final response, or NULL after the timeout. */
typedef void ctxn_done(struct call *call, struct ctxn *t, const struct sip_message *m);

struct ctxn {
	struct carrier *carrier;
	struct ctxn *next, *call_next;
	struct call *call;
	uint64_t branch;
	enum sip_method method;
	uint32_t cseq;
	struct peer peer;
	char *request;
	size_t request_n;
	char *ack;                       /* INVITE answered by a failure: sent again for each repetition */
	size_t ack_n;
	bool provisional, final;
	struct timer again, limit;
	int64_t again_us;
	int mark_out;
	ctxn_done *done;
};

/* The number that the request's Via must carry as branch z9hG4bKcc%016llx. */
uint64_t ctxn_branch(struct carrier *c);
struct ctxn *ctxn_send(struct carrier *c, struct call *call, enum sip_method method, uint32_t cseq, uint64_t branch, const struct peer *to,
                       const struct text *request, ctxn_done *done);
/* The transaction that a response belongs to, or NULL. */
struct ctxn *ctxn_find(struct carrier *c, const struct sip_message *m);
void ctxn_response(struct ctxn *t, const struct sip_message *m);
void ctxn_forget_call(struct ctxn *t);
void ctxn_free_all(struct carrier *c);

#endif
