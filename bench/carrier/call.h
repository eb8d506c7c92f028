/* A call: one dialog, its media, and everything the book says about it. Made by the first INVITE of a Call-ID and From tag (or by
 * --place), kept until its end is known, written to the book and freed. Transactions linger without it.
 *
 *   CHALLENGED → PROCEEDING → ANSWERED (200 sent, no ACK yet) → UP → BYE_SENT → (end)
 *                     └→ FINAL (3xx–6xx sent, ACK awaited) → (end)        placed calls: CALLING → UP …
 */
#ifndef CARRIER_CALL_H
#define CARRIER_CALL_H

#include "carrier.h"

#define CALL_MARKS_MAX   64
#define CALL_DIGITS_MAX  64
#define CALL_INVITES_MAX 8

enum call_state { CALL_CHALLENGED, CALL_PROCEEDING, CALL_FINAL, CALL_ANSWERED, CALL_UP, CALL_BYE_SENT, CALL_BYE_IGNORED, CALL_CALLING };

/* One message, with how often it was seen or sent again. */
struct mark {
	int64_t t_us;
	int16_t status;                  /* 0 = a request */
	uint8_t method;                  /* of the request, or of the CSeq */
	bool in;
	uint16_t again;
};

struct digit_mark {
	int64_t t_us;
	char digit;
	uint8_t how;                     /* enum press_how */
	bool in, ended;
	uint16_t duration_ms;
};

struct invite_mark {
	int64_t t_us;
	int listener;
	bool credentials;
	int status;                      /* final, 0 = none yet */
};

enum step_what { STEP_RING, STEP_EARLY, STEP_FINAL };

/* What happens between INVITE and the final code, in order of time since the INVITE. */
struct call_step {
	int64_t at_us;
	enum step_what what;
};

struct call {
	struct carrier *carrier;
	struct call *next;               /* in its bucket */
	struct call *list_next, *list_prev;
	bool placed;
	enum call_state state;
	char *call_id, *number, *from_user, *local_tag, *remote_tag;
	char *local_uri, *remote_uri;    /* From and To values of our own requests, tags included */
	char *remote_target, *route_set; /* whole Route lines, or empty */
	uint32_t cseq_out, cseq_in;
	struct peer peer;                /* where the INVITE came from */
	const struct rule *rule;
	uint64_t draw;
	uint32_t nth;
	struct stxn *invite, *stxns;     /* invite: the INVITE transaction being answered */
	struct ctxn *ctxns;
	struct ctxn *invite_out;         /* placed: the INVITE; else a re-INVITE under way */
	char *ack;                       /* last ACK to a 2xx, for its repetitions */
	size_t ack_n;
	struct peer ack_peer;
	bool has_sdp, early_sent, cancel_wanted, cancel_sent, challenged_once;
	struct sdp remote_sdp;
	enum sdp_direction direction;    /* ours */
	unsigned sdp_version;
	unsigned long sdp_id;
	struct media media;
	struct timer step, repeat, hangup, press, reinvite, limit;
	int64_t repeat_us, repeat_end_us;
	struct call_step steps[PLAN_RINGS_MAX + 2];
	unsigned step_count, step_next, pressed, reinvited;
	int64_t press_base_us;
	int64_t begun_us;                /* monotonic: INVITE; ranges count from it */
	int64_t up_us;                   /* monotonic: answered */
	/* the book's part, UTC µs, 0 = never */
	int64_t invite_us, provisional_us, answer_us, ack_us, cancel_us, bye_in_us, bye_out_us, final_us;
	int final_status, bye_status;
	char bye_reason[64];
	unsigned marks, marks_more, digits, invites;
	struct mark mark[CALL_MARKS_MAX];
	struct digit_mark *digit;        /* CALL_DIGITS_MAX, made at the first */
	struct invite_mark invite_list[CALL_INVITES_MAX];
};

/* Takes ownership of nothing. NULL when --max-calls is reached. */
struct call *call_create(struct carrier *c, struct str call_id, struct str remote_tag);
/* The call of that Call-ID whose own tag (local) or far tag (remote) matches; a NULL p means any. */
struct call *call_find(struct carrier *c, struct str call_id, struct str local_tag, struct str remote_tag);
/* Writes the book's line, tells transactions, frees. `end` is the book's word for it. */
void call_end(struct call *call, const char *end);
int call_mark(struct call *call, bool in, enum sip_method method, int status);
void call_mark_again(struct call *call, int mark);
void call_digit(struct call *call, bool in, char digit, enum press_how how, unsigned duration_ms, bool ended, int64_t t_us);
void call_timer(struct call *call, struct timer *t, int64_t in_us, void (*fire)(void *));
/* The call is answered and media flows: digits, hangup and re-INVITEs begin to count. */
void call_up(struct call *call);

/* uas.c: what the far end asks of us */
void uas_invite(struct carrier *c, const struct sip_message *m, const struct peer *from);
void uas_reinvite(struct call *call, struct stxn *t, const struct sip_message *m);
void uas_ack(struct call *call, const struct sip_message *m);
void uas_cancel(struct call *call);
void uas_bye(struct call *call, struct stxn *t, const struct sip_message *m);
void uas_info(struct call *call, struct stxn *t, const struct sip_message *m);
/* The three ways to answer an INVITE. extra: whole header lines or NULL. */
void uas_reject(struct call *call, int status, const char *extra);
void uas_answer(struct call *call);
/* t: the INVITE, re-INVITE or UPDATE; sdp may be NULL. Repeats a 200 to an INVITE until its ACK. */
void uas_respond_2xx(struct call *call, struct stxn *t, const char *sdp);
/* The INVITE's failure was acknowledged, or never will be. */
void uas_final_done(struct call *call);

/* uac.c: what we ask of the far end */
void uac_bye(struct call *call);
void uac_hangup_fire(void *call);
void uac_press_fire(void *call);
void uac_reinvite_fire(void *call);
/* A repeated 2xx to an INVITE of ours. */
void uac_repeat_ack(struct call *call);
void uac_provisional(struct call *call, const struct sip_message *m);
void uac_ack(struct call *call, uint32_t cseq);
/* Learns remote tag, target and routes from a 2xx. */
void uac_learn(struct call *call, const struct sip_message *m);
uint64_t uac_request(struct call *call, enum sip_method method, uint32_t cseq, const char *extra, const char *type, const char *body,
                     struct text *out, struct peer *to);
int uac_sdp(struct call *call, struct text *t, enum sdp_direction direction);

/* place.c: calls of our own */
int place_start(struct carrier *c, char *err, size_t err_size);
bool place_done(const struct carrier *c);

#endif
