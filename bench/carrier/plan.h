/* The plan: what the carrier does with a call. One rule a line; README.md has the grammar with examples.
 *
 * A rule is immutable after loading. What is random in it (ranges, weights) is drawn per call from hash(seed, number), so a run
 * with the same seed and numbers behaves the same.
 */
#ifndef CARRIER_PLAN_H
#define CARRIER_PLAN_H

#include "base.h"
#include "speech.h"

#define PLAN_RULES_MAX   1000
#define PLAN_RINGS_MAX   4
#define PLAN_PRESSES_MAX 32
#define PLAN_REINVITES_MAX 4
#define PLAN_PATTERN_MAX 64

struct range {
	int64_t lo_us, hi_us;
};

enum plan_kind {
	PLAN_ANSWER,
	PLAN_REJECT,     /* a final 3xx–6xx after `after` */
	PLAN_NOANSWER,   /* rings until CANCEL */
	PLAN_LATE200,    /* rings; CANCEL gets its 200, and so does the INVITE */
	PLAN_SILENT,     /* no answer at all to the INVITE */
};

enum press_how { PRESS_RFC4733, PRESS_INFO_RELAY, PRESS_INFO_DTMF, PRESS_INBAND };

struct press {
	char digit;
	bool first;              /* of a group such as 123@2s: draws `at`; the others follow by `extra_us` */
	struct range at;         /* after the answer */
	int64_t extra_us;
};

enum reinvite_what { REINVITE_HOLD, REINVITE_PORT, REINVITE_SAME };

struct reinvite {
	enum reinvite_what what;
	struct range at;         /* after the answer */
};

struct rule {
	char pattern[PLAN_PATTERN_MAX];
	char name[32];           /* how the book calls it, e.g. "reject 404" */
	unsigned weight;
	enum plan_kind kind;
	int code;                /* PLAN_REJECT */
	int retry_after_s;       /* 0 = no header */
	int cause;               /* Q.850 cause for Reason in the final code and our BYE; 0 = none */
	unsigned rings;          /* how many 180 */
	struct range ring[PLAN_RINGS_MAX];
	struct range after;      /* INVITE to final code or answer */
	bool early;              /* 183 with media */
	struct range early_at;
	bool hangs_up;
	struct range talk;       /* answer to our BYE */
	bool nobye;              /* BYE gets no answer */
	struct sound sound, early_sound;
	enum press_how how;
	unsigned presses;
	struct press press[PLAN_PRESSES_MAX];
	unsigned reinvites;
	struct reinvite reinvite[PLAN_REINVITES_MAX];
};

struct plan {
	struct rule *rules;
	unsigned count;
	bool tails;              /* the built-in numbers (…99486 is busy, and so on) come first */
	struct rule *built_in;
	unsigned built_in_count;
	uint64_t seed;
};

/* Reads one rule. `where` is "FILE:LINE" for the message. Returns 0, or -EINVAL with the message in err (err_size bytes). */
int plan_rule_parse(struct rule *r, const char *line, const char *where, struct speech *speech, char *err, size_t err_size);
/* Adds a rule, or all rules of a file. 0 or a negative errno with err filled. */
int plan_add(struct plan *p, const char *line, const char *where, struct speech *speech, char *err, size_t err_size);
int plan_load(struct plan *p, const char *path, struct speech *speech, char *err, size_t err_size);
/* Adds the default rule and the built-in ones. Call it after the user's rules. */
void plan_finish(struct plan *p, struct speech *speech);
/* The rule for a number. *draw receives the state from which the call draws its ranges; nth varies it (0 = always the same). */
const struct rule *plan_choose(const struct plan *p, const char *number, uint32_t nth, uint64_t *draw);
int64_t range_draw(struct range r, uint64_t *draw);
/* "300ms", "2s", "300..1500ms", "2s..1m". False when it is not one. */
bool range_parse(struct str s, struct range *r);
/* "1@1500ms" or "12#@2s,3@5..6s". */
bool presses_parse(struct rule *r, struct str s);

#endif
