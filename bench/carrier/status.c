/* The live line and the totals. */
#include <stdio.h>
#include <sys/resource.h>

#include "carrier.h"

static void status_fire(void *owner)
{
	struct carrier *c = owner;
	const struct totals *now = &c->totals, *last = &c->status_last;

	fprintf(stderr, "%4llds calls %u up, %llu INVITE/s, %llu placed/s, RTP %llu in/s %llu out/s, errors: %llu malformed %llu send %llu refused %llu timeouts\n",
		(long long)((clock_mono_us() - c->started_us) / 1000000), c->call_count, (unsigned long long)(now->invites - last->invites),
		(unsigned long long)(now->placed - last->placed), (unsigned long long)(now->rtp_received - last->rtp_received),
		(unsigned long long)(now->rtp_sent - last->rtp_sent), (unsigned long long)now->malformed, (unsigned long long)now->send_errors,
		(unsigned long long)now->calls_refused, (unsigned long long)now->timeouts);
	c->status_last = *now;
	timer_set(&c->timers, &c->status_timer, c->status_timer.at_us + 1000000, status_fire, c);
}

void status_start(struct carrier *c)
{
	if (c->options.status)
		timer_set(&c->timers, &c->status_timer, clock_mono_us() + 1000000, status_fire, c);
}

void status_totals(struct carrier *c, struct text *t)
{
	const struct totals *n = &c->totals;
	struct rusage use;
	double seconds = (double)(clock_mono_us() - c->started_us) / 1e6, cpu;
	const struct {
		const char *name;
		uint64_t value;
	} fields[] = {
		{"calls", n->calls}, {"invites", n->invites}, {"placed", n->placed}, {"answered", n->answered}, {"rejected", n->rejected},
		{"cancelled", n->cancelled}, {"challenged", n->challenged}, {"forbidden", n->forbidden}, {"timeouts", n->timeouts},
		{"malformed", n->malformed}, {"ignored", n->ignored}, {"send_errors", n->send_errors}, {"calls_refused", n->calls_refused}, {"tcp_refused", n->tcp_refused},
		{"retransmissions_in", n->retransmissions_in}, {"retransmissions_out", n->retransmissions_out},
		{"stray_requests", n->stray_requests}, {"stray_responses", n->stray_responses}, {"rtp_sent", n->rtp_sent},
		{"rtp_received", n->rtp_received}, {"rtp_missing", n->rtp_missing}, {"rtp_duplicates", n->rtp_duplicate},
		{"rtp_late_5ms", n->rtp_late}, {"rtp_stray", n->rtp_stray}, {"rtcp_received", n->rtcp_received}, {"rtcp_sent", n->rtcp_sent},
		{"slices_late", n->slices_late}, {"slices_skipped", n->slices_skipped}, {"calls_peak", c->call_peak},
	};

	getrusage(RUSAGE_SELF, &use);
	cpu = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) + (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
	text_add(t, "{\"seconds\":%.3f,\"cpu_seconds\":%.3f,\"memory_max_kb\":%ld", seconds, cpu, use.ru_maxrss);
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		text_add(t, ",\"%s\":%llu", fields[i].name, (unsigned long long)fields[i].value);
	text_add(t, "}\n");
}
