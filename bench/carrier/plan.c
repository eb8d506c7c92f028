#include "plan.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The numbers that tests dial: the tail says what happens. Kept as rules so that the reader has one grammar. */
static const char *const built_in[] = {
	"match=*99100 silent",
	"match=*99180 noanswer",
	"match=*99183 early 486 after=2s early-sound=busytone",
	"match=*99184 early answer after=2s early-sound=ringback",
	"match=*99200 answer after=100ms",
	"match=*99201 answer after=100ms sound=voicemail",
	"match=*99202 late200",
	"match=*99203 answer after=100ms sound=echo",
	"match=*99204 answer after=100ms sound=none",
	"match=*99205 answer after=100ms talk=2s",
	"match=*99206 answer after=100ms nobye",
	"match=*99207 answer after=100ms digits=1@1500ms",
	"match=*99208 answer after=100ms digits=1@1500ms digits-by=info",
	"match=*99209 answer after=100ms digits=1@1500ms digits-by=inband",
	"match=*99210 answer after=100ms reinvite=hold@1s,same@2s",
	"match=*99211 answer after=100ms reinvite=port@1s",
	"match=*99212 answer after=100ms reinvite=same@1s",
	"match=*99213 answer after=100ms digits=1234567890*#@1500ms",
	"match=*99440 answer after=100ms tone=440",
	"match=*99503 reject 503 retry-after=5",
	"match=*99486 busy reason=Q.850;cause=17",
	"match=*99404 reject 404 reason=Q.850;cause=1",
};

int64_t range_draw(struct range r, uint64_t *draw)
{
	return rng_between(draw, r.lo_us, r.hi_us);
}

/* `*` is any text, `?` one character. Linear: a star is only retried from its last match. */
static bool pattern_matches(const char *pattern, const char *s)
{
	const char *star = NULL, *back = NULL;

	while (*s) {
		if (*pattern == '*') {
			star = ++pattern;
			back = s;
		} else if (*pattern == '?' || *pattern == *s) {
			pattern++, s++;
		} else if (star) {
			pattern = star;
			s = ++back;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == 0;
}

static int rules_add(struct rule **rules, unsigned *count, const struct rule *r)
{
	if (*count == PLAN_RULES_MAX)
		return -ENOSPC;
	*rules = mem_grow(*rules, (*count + 1) * sizeof **rules);
	(*rules)[(*count)++] = *r;
	return 0;
}

int plan_add(struct plan *p, const char *line, const char *where, struct speech *speech, char *err, size_t err_size)
{
	struct rule r;
	int rc = plan_rule_parse(&r, line, where, speech, err, err_size);

	if (rc == 0) {
		rc = rules_add(&p->rules, &p->count, &r);
		if (rc)
			snprintf(err, err_size, "%s: more than %d rules; allowed are at most %d", where, PLAN_RULES_MAX, PLAN_RULES_MAX);
	}
	return rc;
}

int plan_load(struct plan *p, const char *path, struct speech *speech, char *err, size_t err_size)
{
	char line[2048], where[600];
	FILE *f = fopen(path, "r");
	int rc = 0;

	if (!f) {
		rc = -errno;
		snprintf(err, err_size, "%s: cannot be read: %s", path, strerror(errno));
		return rc;
	}
	for (int n = 1; rc == 0 && fgets(line, sizeof line, f); n++) {
		struct str s = str_trim(str_of(line));

		snprintf(where, sizeof where, "%s:%d", path, n);
		if (strlen(line) == sizeof line - 1 && line[sizeof line - 2] != '\n') {
			snprintf(err, err_size, "%s: line longer than %zu characters", where, sizeof line - 2);
			rc = -EINVAL;
		} else if (s.n && s.p[0] != '#') {
			rc = plan_add(p, line, where, speech, err, err_size);
		}
	}
	fclose(f);
	return rc;
}

void plan_finish(struct plan *p, struct speech *speech)
{
	char err[300];
	struct rule r;

	for (size_t i = 0; i < sizeof built_in / sizeof *built_in; i++) {
		ENSURE(plan_rule_parse(&r, built_in[i], "built-in", speech, err, sizeof err) == 0);
		ENSURE(rules_add(&p->built_in, &p->built_in_count, &r) == 0);
	}
	/* …993dd to …996dd: that final code. Made ready here, chosen by plan_choose. */
	for (int code = 300; code < 700; code++) {
		char line[64];

		snprintf(line, sizeof line, "match=*99%d reject %d", code, code);
		ENSURE(plan_rule_parse(&r, line, "built-in", speech, err, sizeof err) == 0);
		ENSURE(rules_add(&p->built_in, &p->built_in_count, &r) == 0);
	}
	ENSURE(plan_rule_parse(&r, "answer after=200..1200ms", "built-in", speech, err, sizeof err) == 0);
	/* Room for the default is kept beside the user's limit: without it a full plan would have no default. */
	p->rules = mem_grow(p->rules, (p->count + 1) * sizeof *p->rules);
	p->rules[p->count++] = r;
}

static const struct rule *rules_first(const struct rule *rules, unsigned count, const char *number)
{
	for (unsigned i = 0; i < count; i++)
		if (pattern_matches(rules[i].pattern, number))
			return &rules[i];
	return NULL;
}

/* Among the rules with the same pattern as the first match, one by weight. */
static const struct rule *rules_weighted(const struct plan *p, const struct rule *first, uint64_t *draw)
{
	uint64_t total = 0, pick;

	for (unsigned i = 0; i < p->count; i++)
		if (strcmp(p->rules[i].pattern, first->pattern) == 0 && !(i == p->count - 1 && first != &p->rules[i]))
			total += p->rules[i].weight;
	if (total == 0)
		return first;
	pick = rng_next(draw) % total;
	for (unsigned i = 0; i < p->count; i++) {
		if (strcmp(p->rules[i].pattern, first->pattern) != 0)
			continue;
		if (pick < p->rules[i].weight)
			return &p->rules[i];
		pick -= p->rules[i].weight;
	}
	return first;
}

const struct rule *plan_choose(const struct plan *p, const char *number, uint32_t nth, uint64_t *draw)
{
	const struct rule *r = NULL;
	size_t n = strlen(number);

	*draw = hash_bytes(number, n, p->seed + nth * 0x51ed270bull);
	if (p->tails && n >= 5 && number[n - 5] == '9' && number[n - 4] == '9')
		r = rules_first(p->built_in, p->built_in_count, number);
	if (r)
		return r;
	r = rules_first(p->rules, p->count, number);
	ENSURE(r);       /* the default matches everything */
	return rules_weighted(p, r, draw);
}
