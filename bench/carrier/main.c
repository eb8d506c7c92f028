/* carillon-carrier: start, one loop, end. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "call.h"

#define EVENTS 64

static int fail(const char *err)
{
	fprintf(stderr, "carillon-carrier: %s\n", err);
	return 1;
}

static int signals_open(struct carrier *c)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	c->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	return c->signal_fd < 0 ? -errno : net_watch(c, EPOLL_CTL_ADD, c->signal_fd, WATCH_SIGNAL, 0, EPOLLIN);
}

static void files_raise(void)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max;
		setrlimit(RLIMIT_NOFILE, &r);
	}
}

static int plan_make(struct carrier *c, char *err, size_t size)
{
	const struct options *o = &c->options;
	struct text t = {0};
	int rc = 0;

	c->plan.seed = o->seed;
	c->plan.tails = o->tails;
	for (unsigned i = 0; i < o->rule_count && rc == 0; i++) {
		char where[32];

		snprintf(where, sizeof where, "--rule:%u", i + 1);
		rc = plan_add(&c->plan, o->rules[i], where, &c->speech, err, size);
	}
	if (rc == 0 && o->plan)
		rc = plan_load(&c->plan, o->plan, &c->speech, err, size);
	if (rc)
		return rc;
	plan_finish(&c->plan, &c->speech);
	/* Our own calls follow a rule too. */
	text_add(&t, "answer%s%s%s%s%s%s%s%s", o->place_digits ? " digits=" : "", o->place_digits ? o->place_digits : "",
		 o->place_digits_by ? " digits-by=" : "", o->place_digits_by ? o->place_digits_by : "", o->place_sound ? " sound=" : "",
		 o->place_sound ? o->place_sound : "", o->place_talk ? " talk=" : "", o->place_talk ? o->place_talk : "");
	rc = plan_rule_parse(&c->place_rule, t.p, "--place", &c->speech, err, size);
	text_free(&t);
	return rc;
}

/* Without --media: each listening address, free ports; 0.0.0.0 announces 127.0.0.1's. */
static int media_make(struct carrier *c, char *err, size_t size)
{
	int rc = 0;

	for (unsigned i = 0; i < c->options.medias && rc == 0; i++)
		rc = media_range_add(c, c->options.media[i], err, size);
	for (unsigned i = 0; i < c->listener_count && rc == 0 && !c->options.medias; i++) {
		char spec[80];
		bool seen = false;

		for (unsigned j = 0; j < i; j++)
			seen = seen || net_addr_same(&c->listeners[i].addr, &c->listeners[j].addr, false);
		if (seen)
			continue;
		if (c->listeners[i].any) {
			snprintf(err, size, "--listen %s takes calls on every address, so say which one is for media: --media IP:FIRST-LAST", c->listeners[i].host);
			return -EINVAL;
		}
		snprintf(spec, sizeof spec, "%s:0", c->listeners[i].host);
		rc = media_range_add(c, spec, err, size);
	}
	return rc ? rc : media_init(c, err, size);
}

static int start(struct carrier *c, char *err, size_t size)
{
	int rc;

	for (int i = 0; i < CONNS_MAX; i++)
		c->conns[i].fd = -1;
	c->book.calls.fd = c->book.invites.fd = -1;
	files_raise();
	c->rng = (uint64_t)clock_utc_us() ^ (uint64_t)getpid() << 48;
	c->secret = rng_next(&c->rng);
	c->next_branch = rng_next(&c->rng) >> 8;
	c->started_us = clock_mono_us();
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	c->clock_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (c->epoll < 0 || c->clock_fd < 0 || signals_open(c) != 0 || net_watch(c, EPOLL_CTL_ADD, c->clock_fd, WATCH_CLOCK, 0, EPOLLIN) != 0) {
		snprintf(err, size, "cannot start: %s", strerror(errno));
		return -errno;
	}
	if (c->options.vary)
		c->retries = mem_new(RETRY_BUCKETS);
	speech_init(&c->speech);
	rc = plan_make(c, err, size);
	for (unsigned i = 0; i < c->options.listens && rc == 0; i++)
		rc = net_listen(c, c->options.listen[i], c->options.tcp, err, size);
	if (rc == 0)
		rc = media_make(c, err, size);
	if (rc == 0)
		rc = book_open(c, err, size);
	if (rc == 0 && c->options.place)
		rc = place_start(c, err, size);
	return rc;
}

static void ready(struct carrier *c)
{
	struct text t = {0};
	int fd = c->options.ready_fd >= 0 ? c->options.ready_fd : STDOUT_FILENO;

	for (unsigned i = 0; i < c->listener_count; i++)
		text_add(&t, "ready %s:%d\n", c->listeners[i].host, c->listeners[i].port);
	if (write(fd, t.p, t.n) < 0)
		fprintf(stderr, "carillon-carrier: --ready-fd %d: %s\n", fd, strerror(errno));
	text_free(&t);
}

static void event(struct carrier *c, const struct epoll_event *e)
{
	enum watch kind = (enum watch)(e->data.u64 >> 32);
	unsigned index = (unsigned)e->data.u64;
	struct signalfd_siginfo info;

	if (kind == WATCH_RTP || kind == WATCH_RTCP)
		rtp_readable(c, index, kind == WATCH_RTCP);
	else if (kind == WATCH_CLOCK)
		media_clock(c);
	else if (kind == WATCH_SIGNAL)
		c->stopping = read(c->signal_fd, &info, sizeof info) == sizeof info || c->stopping;
	else
		net_event(c, kind, index, e->events);
}

static bool is_media(const struct epoll_event *e)
{
	enum watch kind = (enum watch)(e->data.u64 >> 32);

	return kind == WATCH_RTP || kind == WATCH_RTCP;
}

static bool over(const struct carrier *c)
{
	const struct options *o = &c->options;

	if (c->stopping || place_done(c))
		return true;
	if (o->duration_us && clock_mono_us() - c->started_us >= o->duration_us)
		return true;
	return o->calls && c->totals.calls - c->call_count >= o->calls && c->call_count == 0;
}

static void loop(struct carrier *c)
{
	struct epoll_event events[EVENTS];

	while (!over(c)) {
		int64_t next = timers_run(&c->timers, clock_mono_us());
		int wait = next < 0 || next > 100000 ? 100 : (int)((next + 999) / 1000);
		int n = epoll_wait(c->epoll, events, EVENTS, wait);

		/* Signalling and the clock first: a flood of media must not delay them into retransmissions. */
		for (int i = 0; i < n; i++)
			if (!is_media(&events[i]))
				event(c, &events[i]);
		for (int i = 0; i < n; i++)
			if (is_media(&events[i]))
				event(c, &events[i]);
	}
}

static int finish(struct carrier *c)
{
	struct text t = {0};
	int rc;

	c->stopping = true;
	while (c->calls)
		call_end(c->calls, "open");
	rc = book_close(c);
	status_totals(c, &t);
	if (fwrite(t.p, 1, t.n, stdout) != t.n || fflush(stdout) != 0)
		rc = rc ? rc : -EIO;
	text_free(&t);
	if (rc) {
		fprintf(stderr, "carillon-carrier: the book is not complete: %s\n", strerror(-rc));
		return 1;
	}
	return 0;
}

/* So that a leak in a run shows as one. */
static void carrier_free(struct carrier *c)
{
	stxn_free_all(c);
	ctxn_free_all(c);
	for (unsigned i = 0; i < CONNS_MAX; i++)
		tcp_close(c, i);
	for (unsigned i = 0; i < c->media.sock_count; i++)
		free(c->media.socks[i].batch);
	free(c->media.socks);
	free(c->media.free_socks);
	free(c->timers.v);
	free(c->plan.rules);
	free(c->plan.built_in);
	free(c->retries);
	speech_free(&c->speech);
	text_free(&c->book.line);
	text_free(&c->book.calls.pending);
	text_free(&c->book.invites.pending);
	free(c);
}

int main(int argc, char **argv)
{
	struct carrier *c = mem_new(sizeof *c);
	char err[1024] = "";
	int rc = options_read(&c->options, argc, argv);

	if (rc) {
		free(c);
		return rc < 0 ? 2 : 0;
	}
	if (start(c, err, sizeof err) != 0) {
		rc = fail(err);
		book_close(c);
	} else {
		ready(c);
		status_start(c);
		loop(c);
		rc = finish(c);
	}
	carrier_free(c);
	return rc;
}
