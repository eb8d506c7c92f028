/* Reading one rule of the plan: words and key=value pairs, each with a message that says what is allowed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

#define KINDS "answer, busy, noanswer, reject CODE, early CODE, early answer, late200, silent"
#define KEYS                                                                                                                       \
	"match=, weight=, after=, ring=, early=, early-sound=, talk=, hangup=, digits=, digits-by=, sound=, tone=, reinvite=, "         \
	"reason=, retry-after=, nobye, silence, echo"

static bool time_parse(struct str s, int64_t *us, int64_t unit)
{
	char copy[32], *end;
	double v;

	if (s.n == 0 || s.n >= sizeof copy || !strchr("0123456789.", s.p[0]))
		return false;
	memcpy(copy, s.p, s.n);
	copy[s.n] = 0;
	v = strtod(copy, &end);
	if (end == copy)
		return false;
	if (strcmp(end, "ms") == 0)
		unit = 1000;
	else if (strcmp(end, "s") == 0)
		unit = 1000000;
	else if (strcmp(end, "m") == 0)
		unit = 60000000;
	else if (*end)
		return false;
	else if (v != 0 && !unit)
		return false;
	if (!(v >= 0) || v * (double)unit > 86400e6)
		return false;
	*us = (int64_t)(v * (double)unit);
	return true;
}

static int64_t unit_of(struct str s)
{
	if (s.n > 2 && memcmp(s.p + s.n - 2, "ms", 2) == 0)
		return 1000;
	if (s.n > 1 && s.p[s.n - 1] == 's')
		return 1000000;
	return s.n > 1 && s.p[s.n - 1] == 'm' ? 60000000 : 0;
}

bool range_parse(struct str s, struct range *r)
{
	const char *dots = s.n > 2 ? memmem(s.p, s.n, "..", 2) : NULL;
	struct str lo = s, hi = s;

	if (dots) {
		lo.n = (size_t)(dots - s.p);
		hi = (struct str){dots + 2, s.n - lo.n - 2};
	}
	/* In 300..1500ms the first number has the unit of the second. */
	return time_parse(hi, &r->hi_us, 0) && time_parse(lo, &r->lo_us, unit_of(hi)) && r->lo_us <= r->hi_us;
}

bool presses_parse(struct rule *r, struct str s)
{
	struct str group, keys;

	while (str_cut(&s, ',', &group)) {
		struct range at;

		if (!str_cut(&group, '@', &keys) || keys.n == 0 || !range_parse(group, &at))
			return false;
		for (size_t i = 0; i < keys.n; i++) {
			if (!memchr("0123456789*#ABCD", keys.p[i], 16) || r->presses == PLAN_PRESSES_MAX)
				return false;
			r->press[r->presses++] = (struct press){keys.p[i], i == 0, at, (int64_t)i * 250000};
		}
	}
	return r->presses > 0;
}

static bool reinvites_parse(struct rule *r, struct str s)
{
	static const char *const names[] = {"hold", "port", "same"};
	struct str one, what;

	while (str_cut(&s, ',', &one)) {
		struct reinvite *ri = &r->reinvite[r->reinvites];
		int i = 0;

		if (r->reinvites == PLAN_REINVITES_MAX || !str_cut(&one, '@', &what) || !range_parse(one, &ri->at))
			return false;
		while (i < 3 && !str_is(what, names[i]))
			i++;
		if (i == 3)
			return false;
		ri->what = (enum reinvite_what)i;
		r->reinvites++;
	}
	return r->reinvites > 0;
}

static bool rings_parse(struct rule *r, struct str s)
{
	struct str one;

	r->rings = 0;
	if (str_is(s, "none"))
		return true;
	while (str_cut(&s, ',', &one))
		if (r->rings == PLAN_RINGS_MAX || !range_parse(one, &r->ring[r->rings++]))
			return false;
	return r->rings > 0;
}

static bool int_parse(struct str s, int lo, int hi, int *out)
{
	int64_t v = str_number(s);

	*out = (int)v;
	return v >= lo && v <= hi;
}

static bool reason_parse(struct rule *r, struct str s)
{
	struct str proto, cause;

	return str_cut(&s, ';', &proto) && str_is_nocase(proto, "Q.850") && str_cut(&s, '=', &cause) && str_is(cause, "cause") &&
	       int_parse(s, 1, 127, &r->cause);
}

static bool how_parse(struct rule *r, struct str s)
{
	static const char *const names[] = {"rfc4733", "info", "info-dtmf", "inband"};

	for (int i = 0; i < 4; i++)
		if (str_is(s, names[i])) {
			r->how = (enum press_how)i;
			return true;
		}
	return false;
}

/* One key=value. Returns NULL when it is fine, else what is allowed; `detail` may hold a message of its own. */
static const char *key_parse(struct rule *r, struct str key, struct str v, struct speech *speech, char *detail, size_t size)
{
	int n;

	if (str_is(key, "match")) {
		if (v.n == 0 || v.n >= sizeof r->pattern)
			return "a number of 1 to 63 characters, with * for any text and ? for one character";
		memcpy(r->pattern, v.p, v.n);
		r->pattern[v.n] = 0;
		return NULL;
	}
	if (str_is(key, "weight")) {
		if (!int_parse(v, 0, 1000000, &n))
			return "a whole number from 0 to 1000000";
		r->weight = (unsigned)n;
		return NULL;
	}
	if (str_is(key, "after"))
		return range_parse(v, &r->after) ? NULL : "a time such as 300ms, 2s, 300..1500ms";
	if (str_is(key, "ring"))
		return rings_parse(r, v) ? NULL : "none, or up to 4 times with commas, such as 200ms or 100ms,2s..3s";
	if (str_is(key, "early")) {
		r->early = true;
		return range_parse(v, &r->early_at) ? NULL : "a time such as 300ms or 1..2s";
	}
	if (str_is(key, "talk") || str_is(key, "hangup")) {
		r->hangs_up = true;
		return range_parse(v, &r->talk) ? NULL : "a time such as 2s or 2..6s";
	}
	if (str_is(key, "digits"))
		return presses_parse(r, v) ? NULL : "digits and times such as 1@1500ms or 12#@2s,3@5..6s (32 digits at most)";
	if (str_is(key, "digits-by"))
		return how_parse(r, v) ? NULL : "rfc4733, info, info-dtmf, inband";
	if (str_is(key, "reinvite"))
		return reinvites_parse(r, v) ? NULL : "up to 4 of hold@TIME, port@TIME, same@TIME, with commas";
	if (str_is(key, "reason"))
		return reason_parse(r, v) ? NULL : "Q.850;cause=N with N from 1 to 127";
	if (str_is(key, "retry-after"))
		return int_parse(v, 1, 3600, &r->retry_after_s) ? NULL : "seconds from 1 to 3600";
	if (str_is(key, "sound"))
		return speech_sound(speech, v, &r->sound, detail, size) ? NULL : "hello, voicemail, ringback, busytone, sit, quiet, none, echo, tone:HZ, FILE.wav";
	if (str_is(key, "early-sound"))
		return speech_sound(speech, v, &r->early_sound, detail, size) ? NULL : "hello, voicemail, ringback, busytone, sit, quiet, none, tone:HZ, FILE.wav";
	if (str_is(key, "tone")) {
		char name[32];

		snprintf(name, sizeof name, "tone:%.*s", (int)(v.n > 16 ? 16 : v.n), v.p);
		return speech_sound(speech, str_of(name), &r->sound, detail, size) ? NULL : "a frequency from 50 to 3900 Hz";
	}
	return KEYS;
}

struct word_state {
	struct rule *r;
	bool kind_seen, wants_code, code_optional_answer;
};

static bool kind_set(struct word_state *w, enum plan_kind kind)
{
	if (w->kind_seen)
		return false;
	w->kind_seen = true;
	w->r->kind = kind;
	return true;
}

/* A word without '='. Returns NULL when it is fine, else what is allowed. */
static const char *word_parse(struct word_state *w, struct str s, struct speech *speech)
{
	struct rule *r = w->r;
	char detail[8];

	if (w->wants_code) {
		w->wants_code = false;
		if (w->code_optional_answer && str_is(s, "answer")) {
			r->kind = PLAN_ANSWER;
			return NULL;
		}
		return int_parse(s, 300, 699, &r->code) ? NULL : w->code_optional_answer ? "answer, or a code from 300 to 699" : "a code from 300 to 699";
	}
	if (str_is(s, "nobye")) {
		r->nobye = true;
		return NULL;
	}
	if (str_is(s, "silence"))
		return speech_sound(speech, str_of("none"), &r->sound, detail, sizeof detail) ? NULL : KEYS;
	if (str_is(s, "echo"))
		return speech_sound(speech, str_of("echo"), &r->sound, detail, sizeof detail) ? NULL : KEYS;
	if (str_is(s, "answer"))
		return kind_set(w, PLAN_ANSWER) ? NULL : "one kind only: " KINDS;
	if (str_is(s, "noanswer"))
		return kind_set(w, PLAN_NOANSWER) ? NULL : "one kind only: " KINDS;
	if (str_is(s, "late200"))
		return kind_set(w, PLAN_LATE200) ? NULL : "one kind only: " KINDS;
	if (str_is(s, "silent"))
		return kind_set(w, PLAN_SILENT) ? NULL : "one kind only: " KINDS;
	if (str_is(s, "busy")) {
		r->code = 486;
		return kind_set(w, PLAN_REJECT) ? NULL : "one kind only: " KINDS;
	}
	if (str_is(s, "reject") || str_is(s, "early")) {
		w->wants_code = true;
		w->code_optional_answer = r->early = str_is(s, "early");
		return kind_set(w, PLAN_REJECT) ? NULL : "one kind only: " KINDS;
	}
	return w->kind_seen ? KEYS : KINDS "; or " KEYS;
}

static void rule_defaults(struct rule *r, struct speech *speech)
{
	char detail[8];

	memset(r, 0, sizeof *r);
	r->pattern[0] = '*';
	r->weight = 100;
	r->rings = 1;
	r->ring[0] = (struct range){50000, 50000};
	r->after = (struct range){-1, -1};
	r->early_at = (struct range){100000, 100000};
	speech_sound(speech, str_of("hello"), &r->sound, detail, sizeof detail);
	speech_sound(speech, str_of("ringback"), &r->early_sound, detail, sizeof detail);
}

/* What was not said: delays that suit the kind, and the name in the book. */
static void rule_complete(struct rule *r)
{
	static const char *const kinds[] = {"answer", "reject", "noanswer", "late200", "silent"};

	if (r->after.lo_us < 0) {
		int64_t us = r->early ? 2000000 : r->kind == PLAN_REJECT ? 100000 : 500000;

		r->after = (struct range){us, us};
	}
	if (r->kind == PLAN_REJECT)
		snprintf(r->name, sizeof r->name, "%s %d", r->early ? "early" : "reject", r->code);
	else
		snprintf(r->name, sizeof r->name, "%s%s", r->early ? "early " : "", kinds[r->kind]);
}

int plan_rule_parse(struct rule *r, const char *line, const char *where, struct speech *speech, char *err, size_t err_size)
{
	struct word_state w = {r, false, false, false};
	struct str rest = str_trim(str_of(line));
	char detail[200] = "";

	rule_defaults(r, speech);
	while (rest.n) {
		size_t n = 0;
		struct str token, key, value;
		const char *allowed, *eq;

		while (n < rest.n && !strchr(" \t", rest.p[n]))
			n++;
		token = (struct str){rest.p, n};
		rest = str_trim((struct str){rest.p + n, rest.n - n});
		if (token.p[0] == '#')
			break;
		eq = memchr(token.p, '=', token.n);
		if (eq) {
			key = (struct str){token.p, (size_t)(eq - token.p)};
			value = (struct str){eq + 1, token.n - key.n - 1};
			allowed = w.wants_code ? "a code from 300 to 699 before it" : key_parse(r, key, value, speech, detail, sizeof detail);
		} else {
			allowed = word_parse(&w, token, speech);
		}
		if (allowed) {
			snprintf(err, err_size, "%s: found '%.*s'%s%s; allowed: %s", where, (int)token.n, token.p, detail[0] ? ": " : "", detail, allowed);
			return -EINVAL;
		}
	}
	if (!w.kind_seen || w.wants_code) {
		snprintf(err, err_size, "%s: found no %s; allowed: %s", where, w.wants_code ? "code after reject or early" : "kind of behaviour", KINDS);
		return -EINVAL;
	}
	rule_complete(r);
	return 0;
}
