#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan.h"

static const char help[] =
"carillon-carrier: a telephone carrier to dial, for tests and measurements.\n"
"It answers SIP calls as a plan says, with media, and writes a book of everything it saw.\n"
"\n"
"  carillon-carrier --listen 127.0.0.1:5070 --book book.jsonl\n"
"  carillon-carrier --listen 127.0.0.1:5070 --plan plan.txt --status\n"
"  carillon-carrier --place sip:100@127.0.0.1:5060 --from 4711 --digits 1@1000ms --talk 5s\n"
"\n"
"Receiving\n"
"  --listen IP:PORT        where to take calls; repeatable; [IPv6]:PORT; port 0 = a free one (default 127.0.0.1:0)\n"
"  --tcp                   listen on TCP too, same ports\n"
"  --media IP:FIRST-LAST   ports for RTP and RTCP; repeatable; IP:0 = free ones (default: the listening addresses, free ports)\n"
"  --media-ports N         shared RTP ports for each media address (default 8)\n"
"  --port-per-call         a port of its own for each call\n"
"  --max-calls N           calls at once; more get 503 (default 50000)\n"
"  --auth USER:PASSWORD[:401|407]   ask for digest credentials (with --place: the credentials to give)\n"
"  --realm NAME            realm of that challenge (default carrier)\n"
"  --t1 MS, --t2 MS        SIP timers (default 500, 4000); give up after 64 times T1\n"
"\n"
"Behaviour\n"
"  --plan FILE             rules, one a line; the README next to the source has the grammar\n"
"  --rule 'RULE'           one rule, as in the file; repeatable; before those of --plan\n"
"  --tails, --no-tails     numbers ending in 99486, 99200 and so on have built-in behaviours (default: without --plan and --rule)\n"
"  --seed N                makes the same numbers behave the same (default 1)\n"
"  --vary                  a number's second call draws anew\n"
"\n"
"What is written\n"
"  --book FILE             JSON lines: one for each finished call\n"
"  --invites FILE          JSON lines: one for each INVITE transaction, at once\n"
"  --status                a line a second on stderr\n"
"  --ready-fd N            write 'ready HOST:PORT' there once listening (default: stdout)\n"
"  Totals go to stdout as one JSON object at the end.\n"
"\n"
"Ending\n"
"  --duration S            after so many seconds\n"
"  --calls N               after so many finished calls\n"
"  SIGTERM or SIGINT       at once; open calls are in the book with \"end\":\"open\"\n"
"\n"
"Placing calls\n"
"  --place sip:NUMBER@IP:PORT   call it ({n} in the number becomes 0, 1, 2 ...); --place-tcp over TCP\n"
"  --from NUMBER           who calls; {n} as above (default carrier)\n"
"  --count N, --rate R     so many calls, so many a second (default 1, 1)\n"
"  --ring TIME             CANCEL when there is no answer until then (default 60s)\n"
"  --talk RANGE            hang up so long after the answer (default: wait for the other side)\n"
"  --digits 1@1000ms,...   press; --digits-by rfc4733|info|info-dtmf|inband\n"
"  --sound NAME            hello, voicemail, ringback, busytone, sit, quiet, none, echo, tone:HZ, FILE.wav (default hello)\n";

enum {
	O_HELP = 1000, O_LISTEN, O_TCP, O_MEDIA, O_MEDIA_PORTS, O_PORT_PER_CALL, O_MAX_CALLS, O_AUTH, O_REALM, O_T1, O_T2, O_PLAN, O_RULE, O_TAILS,
	O_NO_TAILS, O_SEED, O_VARY, O_BOOK, O_INVITES, O_STATUS, O_READY_FD, O_DURATION, O_CALLS, O_PLACE, O_PLACE_TCP, O_FROM, O_COUNT, O_RATE,
	O_RING, O_TALK, O_DIGITS, O_DIGITS_BY, O_SOUND,
};

static const struct option table[] = {
	{"help", 0, 0, O_HELP}, {"listen", 1, 0, O_LISTEN}, {"tcp", 0, 0, O_TCP}, {"media", 1, 0, O_MEDIA}, {"media-ports", 1, 0, O_MEDIA_PORTS},
	{"port-per-call", 0, 0, O_PORT_PER_CALL}, {"max-calls", 1, 0, O_MAX_CALLS}, {"auth", 1, 0, O_AUTH}, {"realm", 1, 0, O_REALM},
	{"t1", 1, 0, O_T1}, {"t2", 1, 0, O_T2}, {"plan", 1, 0, O_PLAN}, {"rule", 1, 0, O_RULE}, {"tails", 0, 0, O_TAILS},
	{"no-tails", 0, 0, O_NO_TAILS}, {"seed", 1, 0, O_SEED}, {"vary", 0, 0, O_VARY}, {"book", 1, 0, O_BOOK}, {"invites", 1, 0, O_INVITES},
	{"status", 0, 0, O_STATUS}, {"ready-fd", 1, 0, O_READY_FD}, {"duration", 1, 0, O_DURATION}, {"calls", 1, 0, O_CALLS},
	{"place", 1, 0, O_PLACE}, {"place-tcp", 0, 0, O_PLACE_TCP}, {"from", 1, 0, O_FROM}, {"count", 1, 0, O_COUNT}, {"rate", 1, 0, O_RATE},
	{"ring", 1, 0, O_RING}, {"talk", 1, 0, O_TALK}, {"digits", 1, 0, O_DIGITS}, {"digits-by", 1, 0, O_DIGITS_BY}, {"sound", 1, 0, O_SOUND}, {0},
};

static int wrong(const char *option, const char *found, const char *allowed)
{
	fprintf(stderr, "carillon-carrier: --%s %s: allowed: %s\n", option, found, allowed);
	return -EINVAL;
}

static int number(const char *option, const char *arg, int64_t lo, int64_t hi, int64_t *out)
{
	char allowed[80];

	*out = str_number(str_of(arg));
	if (*out >= lo && *out <= hi)
		return 0;
	snprintf(allowed, sizeof allowed, "a whole number from %lld to %lld", (long long)lo, (long long)hi);
	return wrong(option, arg, allowed);
}

static int list_add(const char **list, unsigned *n, const char *option, const char *arg)
{
	if (*n == OPTION_LIST_MAX)
		return wrong(option, arg, "64 times at most");
	list[(*n)++] = arg;
	return 0;
}

static int auth_read(struct options *o, char *arg)
{
	char *colon = strchr(arg, ':'), *last = strrchr(arg, ':');

	o->auth_code = 401;
	if (!colon || colon == arg || !colon[1])
		return wrong("auth", arg, "USER:PASSWORD or USER:PASSWORD:401 or USER:PASSWORD:407");
	if (last != colon && (strcmp(last, ":401") == 0 || strcmp(last, ":407") == 0)) {
		o->auth_code = atoi(last + 1);
		*last = 0;
	}
	*colon = 0;
	o->auth_user = arg;
	o->auth_password = colon + 1;
	return 0;
}

static int rate_read(struct options *o, const char *arg)
{
	char *end;

	o->place_rate = strtod(arg, &end);
	return *end || !(o->place_rate > 0) || o->place_rate > 100000 ? wrong("rate", arg, "calls a second, above 0 and at most 100000") : 0;
}

/* One option; `name` as written. */
static int option_take(struct options *o, int id, const char *name, char *arg)
{
	struct range range;
	int64_t v = 0;
	int rc = 0;

	switch (id) {
	case O_LISTEN: return list_add(o->listen, &o->listens, name, arg);
	case O_MEDIA: return list_add(o->media, &o->medias, name, arg);
	case O_RULE: return list_add(o->rules, &o->rule_count, name, arg);
	case O_TCP: o->tcp = true; break;
	case O_PORT_PER_CALL: o->port_per_call = true; break;
	case O_STATUS: o->status = true; break;
	case O_VARY: o->vary = true; break;
	case O_PLACE_TCP: o->place_tcp = true; break;
	case O_TAILS:
	case O_NO_TAILS: o->tails = id == O_TAILS, o->tails_said = true; break;
	case O_REALM: o->realm = arg; break;
	case O_PLAN: o->plan = arg; break;
	case O_BOOK: o->book = arg; break;
	case O_INVITES: o->invites = arg; break;
	case O_PLACE: o->place = arg; break;
	case O_FROM: o->place_from = arg; break;
	case O_TALK: o->place_talk = arg; break;
	case O_DIGITS: o->place_digits = arg; break;
	case O_DIGITS_BY: o->place_digits_by = arg; break;
	case O_SOUND: o->place_sound = arg; break;
	case O_AUTH: return auth_read(o, arg);
	case O_RATE: return rate_read(o, arg);
	case O_MEDIA_PORTS: rc = number(name, arg, 1, 256, &v), o->media_ports = (unsigned)v; break;
	case O_MAX_CALLS: rc = number(name, arg, 1, 1000000, &v), o->calls_max = (unsigned)v; break;
	case O_T1: rc = number(name, arg, 1, 60000, &v), o->t1_us = v * 1000; break;
	case O_T2: rc = number(name, arg, 1, 600000, &v), o->t2_us = v * 1000; break;
	case O_SEED: rc = number(name, arg, 0, INT32_MAX, &v), o->seed = (uint64_t)v; break;
	case O_READY_FD: rc = number(name, arg, 0, 1 << 20, &v), o->ready_fd = (int)v; break;
	case O_DURATION: rc = number(name, arg, 1, 86400 * 7, &v), o->duration_us = v * 1000000; break;
	case O_CALLS: rc = number(name, arg, 1, 1000000000, &v), o->calls = (unsigned)v; break;
	case O_COUNT: rc = number(name, arg, 1, 1000000000, &v), o->place_count = (unsigned)v; break;
	case O_RING:
		if (!range_parse(str_of(arg), &range))
			return wrong(name, arg, "a time such as 15s or 500ms");
		o->place_ring_us = range.lo_us;
		break;
	default: return -EINVAL;
	}
	return rc;
}

int options_read(struct options *o, int argc, char **argv)
{
	int id, at = 0, rc;

	*o = (struct options){.seed = 1, .ready_fd = -1, .calls_max = 50000, .t1_us = 500000, .t2_us = 4000000, .realm = "carrier", .media_ports = 8,
			      .place_from = "carrier", .place_count = 1, .place_rate = 1, .place_ring_us = 60000000};
	opterr = 0;
	while ((id = getopt_long(argc, argv, ":", table, &at)) != -1) {
		if (id == O_HELP) {
			fputs(help, stdout);
			return 1;
		}
		if (id == '?' || id == ':') {
			fprintf(stderr, "carillon-carrier: %s: %s; --help lists the options\n", argv[optind - 1],
				id == ':' ? "a value is missing" : "no such option");
			return -EINVAL;
		}
		rc = option_take(o, id, table[at].name, optarg);
		if (rc)
			return rc;
	}
	if (optind < argc) {
		fprintf(stderr, "carillon-carrier: %s: not an option; --help lists them\n", argv[optind]);
		return -EINVAL;
	}
	if (o->listens == 0)
		o->listen[o->listens++] = "127.0.0.1:0";
	if (!o->tails_said)
		o->tails = !o->plan && !o->rule_count;
	return 0;
}
