/* Sockets and the clock. */
#include "media.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "call.h"

#define SHARED_RECEIVE_BYTES (16 << 20)
#define CATCH_UP_US          200000

int media_range_add(struct carrier *c, const char *spec, char *err, size_t err_size)
{
	struct media_engine *e = &c->media;
	struct media_range *r = &e->ranges[e->range_count];
	struct str host, ports, first;
	int64_t a, b;

	if (e->range_count == MEDIA_RANGES_MAX || !net_split(spec, &host, &ports) || !net_addr_parse(host, 0, &r->addr)) {
		snprintf(err, err_size, "--media %s: allowed: IP:FIRST-LAST or IP:0 for free ports (%d times at most)", spec, MEDIA_RANGES_MAX);
		return -EINVAL;
	}
	str_cut(&ports, '-', &first);
	a = str_number(first);
	b = ports.n ? str_number(ports) : 0;
	if (!(a == 0 && b == 0) && (a < 1 || b > 65535 || b < a + 1)) {
		snprintf(err, err_size, "--media %s: the ports must be FIRST-LAST from 1 to 65535, with at least two of them", spec);
		return -EINVAL;
	}
	r->first = (int)(a + (a & 1));
	r->last = (int)b;
	r->next = r->first;
	net_addr_text(&r->addr, false, r->host, sizeof r->host);
	if (r->host[0] == '[') {
		memmove(r->host, r->host + 1, strlen(r->host));
		r->host[strlen(r->host) - 1] = 0;
	}
	e->range_count++;
	return 0;
}

static int bind_port(const union net_addr *addr, int port, int bytes)
{
	union net_addr a = *addr;
	int one = 1, fd = socket(a.sa.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	net_addr_port_set(&a, port);
	if (bind(fd, &a.sa, net_addr_len(&a)) != 0) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
	net_buffers(fd, bytes);
	return fd;
}

/* An even port and the odd one after it. */
static int pair_try(const struct media_range *r, struct media_sock *s, int port, int bytes)
{
	union net_addr a;
	socklen_t len = sizeof a;

	s->rtp = bind_port(&r->addr, port, bytes);
	if (s->rtp < 0)
		return s->rtp;
	getsockname(s->rtp, &a.sa, &len);
	s->port = net_addr_port(&a);
	s->rtcp = (s->port & 1) || s->port > 65534 ? -EADDRINUSE : bind_port(&r->addr, s->port + 1, bytes);
	if (s->rtcp >= 0)
		return 0;
	close(s->rtp);
	s->rtp = -1;
	return s->rtcp;
}

static int pair_open(struct media_range *r, struct media_sock *s, int bytes)
{
	int rc = -EADDRINUSE, tries = r->first ? (r->last - r->first + 1) / 2 : 200;

	while (tries-- > 0 && (rc == -EADDRINUSE || rc == -EACCES)) {
		int port = r->next;

		if (r->first) {
			r->next += 2;
			if (r->next + 1 > r->last)
				r->next = r->first;
		}
		rc = pair_try(r, s, port, bytes);
	}
	return rc;
}

static unsigned sock_slot(struct media_engine *e)
{
	if (e->free_count)
		return e->free_socks[--e->free_count];
	e->socks = mem_grow(e->socks, (e->sock_count + 1) * sizeof *e->socks);
	e->free_socks = mem_grow(e->free_socks, (e->sock_count + 1) * sizeof *e->free_socks);
	return e->sock_count++;
}

static int sock_open(struct carrier *c, unsigned range, bool shared)
{
	struct media_engine *e = &c->media;
	struct media_sock s = {.rtp = -1, .rtcp = -1, .range = range};
	int rc = pair_open(&e->ranges[range], &s, shared ? SHARED_RECEIVE_BYTES : 256 << 10);
	unsigned at;

	if (rc)
		return rc;
	at = sock_slot(e);
	if (shared)
		s.batch = rtp_batch_new();
	e->socks[at] = s;
	net_watch(c, EPOLL_CTL_ADD, s.rtp, WATCH_RTP, at, EPOLLIN);
	net_watch(c, EPOLL_CTL_ADD, s.rtcp, WATCH_RTCP, at, EPOLLIN);
	return (int)at;
}

int media_init(struct carrier *c, char *err, size_t err_size)
{
	struct media_engine *e = &c->media;

	for (unsigned r = 0; r < e->range_count && !c->options.port_per_call; r++) {
		unsigned want = c->options.media_ports, have = 0;

		if (e->ranges[r].first && (int)want > (e->ranges[r].last - e->ranges[r].first + 1) / 2)
			want = (unsigned)(e->ranges[r].last - e->ranges[r].first + 1) / 2;
		while (have < want) {
			int rc = sock_open(c, r, true);

			if (rc < 0 && have == 0) {
				snprintf(err, err_size, "--media %s:%d-%d: no port can be used: %s", e->ranges[r].host, e->ranges[r].first, e->ranges[r].last,
					 strerror(-rc));
				return rc;
			}
			if (rc < 0)
				break;
			have++;
		}
	}
	return 0;
}

static int sock_choose(struct carrier *c, unsigned range)
{
	struct media_engine *e = &c->media;
	struct media_range *r = &e->ranges[range];

	if (c->options.port_per_call)
		return sock_open(c, range, false);
	for (unsigned i = 0; i < e->sock_count; i++) {
		r->turn = (r->turn + 1) % e->sock_count;
		if (e->socks[r->turn].range == range)
			return (int)r->turn;
	}
	return -ENOENT;
}

int media_open(struct carrier *c, struct media *m, int family)
{
	struct media_engine *e = &c->media;
	int rc = -EAFNOSUPPORT;

	if (m->sock >= 0)
		return 0;
	for (unsigned r = 0; r < e->range_count && rc < 0; r++)
		if (e->ranges[r].addr.sa.sa_family == family)
			rc = sock_choose(c, r);
	if (rc < 0) {
		c->totals.send_errors++;
		return rc;
	}
	m->sock = rc;
	m->slice = -1;
	m->event_type = 101;     /* what our own offers name */
	e->socks[rc].users++;
	if (c->options.port_per_call)
		e->socks[rc].only = m;
	m->tx.ssrc = (uint32_t)rng_next(&c->rng);
	m->tx.seq = (uint16_t)(rng_next(&c->rng) & 0x7fff);
	m->tx.ts = (uint32_t)rng_next(&c->rng);
	m->tx.marker = true;
	return 0;
}

void media_address(struct carrier *c, const struct media *m, const char **host, int *port)
{
	const struct media_sock *s = &c->media.socks[m->sock];

	*host = c->media.ranges[s->range].host;
	*port = s->port;
}

static void sock_leave(struct carrier *c, struct media *m)
{
	struct media_sock *s = &c->media.socks[m->sock];

	media_unindex(c, m);
	s->users--;
	if (s->only == m) {
		close(s->rtp);
		close(s->rtcp);
		s->rtp = s->rtcp = -1;
		s->only = NULL;
		c->media.free_socks[c->media.free_count++] = (unsigned)m->sock;
	}
	m->sock = -1;
}

int media_move(struct carrier *c, struct media *m)
{
	int at;

	if (m->sock < 0)
		return -ENOENT;
	at = sock_choose(c, c->media.socks[m->sock].range);
	if (at < 0)
		return at;
	sock_leave(c, m);
	m->sock = at;
	c->media.socks[at].users++;
	if (c->options.port_per_call)
		c->media.socks[at].only = m;
	media_index(c, m);
	return 0;
}

void media_remote(struct carrier *c, struct media *m, const struct sdp *sdp)
{
	if (m->sock < 0)
		return;
	media_unindex(c, m);
	m->remote = sdp->rtp;
	m->remote_rtcp = sdp->rtcp;
	m->codec = sdp->codec;
	m->payload_type = sdp->payload_type;
	m->event_type = sdp->event_type;
	m->may_send = sdp->direction == SDP_SENDRECV || sdp->direction == SDP_RECVONLY;
	media_index(c, m);
}

static void clock_start(struct carrier *c)
{
	struct media_engine *e = &c->media;
	struct itimerspec every = {.it_interval = {0, MEDIA_SLICE_US * 1000}, .it_value = {0, MEDIA_SLICE_US * 1000}};

	e->next_slice_us = clock_mono_us() + MEDIA_SLICE_US;
	timerfd_settime(c->clock_fd, 0, &every, NULL);
}

static void slice_join(struct carrier *c, struct media *m)
{
	struct media_engine *e = &c->media;
	int best = 0;

	if (m->running)
		return;
	for (int i = 1; i < MEDIA_SLICES; i++)
		if (e->slice_sizes[i] < e->slice_sizes[best])
			best = i;
	m->slice = best;
	m->slice_prev = NULL;
	m->slice_next = e->slices[best];
	if (m->slice_next)
		m->slice_next->slice_prev = m;
	e->slices[best] = m;
	e->slice_sizes[best]++;
	m->running = true;
	m->rtcp_next_us = clock_mono_us() + 5000000;
	if (e->running++ == 0)
		clock_start(c);
}

static void slice_leave(struct carrier *c, struct media *m)
{
	struct media_engine *e = &c->media;
	struct itimerspec never = {0};

	if (!m->running)
		return;
	if (m->slice_next)
		m->slice_next->slice_prev = m->slice_prev;
	if (m->slice_prev)
		m->slice_prev->slice_next = m->slice_next;
	else
		e->slices[m->slice] = m->slice_next;
	e->slice_sizes[m->slice]--;
	m->running = false;
	if (--e->running == 0) {
		e->next_slice_us = 0;
		timerfd_settime(c->clock_fd, 0, &never, NULL);
	}
}

void media_play(struct carrier *c, struct media *m, const struct sound *sound, uint64_t draw)
{
	if (m->sock < 0)
		return;
	m->sends = sound->kind != SOUND_NONE;
	m->echoes = sound->kind == SOUND_ECHO;
	m->tx.clip = sound->variants ? sound->clip[draw % sound->variants] : NULL;
	m->tx.frame = 0;
	m->in_band = m->call->rule && m->call->rule->how == PRESS_INBAND;
	if (m->echoes && !m->tx.echo)
		m->tx.echo = mem_new((size_t)ECHO_FRAMES * FRAME_SAMPLES);
	if (m->sends)
		slice_join(c, m);
	else
		slice_leave(c, m);
}

void media_press(struct media *m, char digit)
{
	if (m->tx.queue_n < DIGIT_QUEUE)
		m->tx.queue[m->tx.queue_n++] = digit;
}

void media_close(struct carrier *c, struct media *m)
{
	if (m->sock < 0)
		return;
	if (m->rx.event_open)
		call_digit(m->call, true, m->rx.event_digit, PRESS_RFC4733, m->rx.event_duration / 8u, false, m->rx.event_us);
	m->rx.event_open = false;
	slice_leave(c, m);
	sock_leave(c, m);
}

void media_clock(struct carrier *c)
{
	struct media_engine *e = &c->media;
	int64_t now = clock_mono_us();
	uint64_t ticks;

	if (read(c->clock_fd, &ticks, sizeof ticks) < 0 && errno != EAGAIN)
		return;
	if (e->next_slice_us && now - e->next_slice_us > CATCH_UP_US) {
		int64_t skipped = (now - e->next_slice_us) / MEDIA_FRAME_US * MEDIA_SLICES;

		c->totals.slices_skipped += (uint64_t)skipped;
		e->next_slice_us += skipped * MEDIA_SLICE_US;
	}
	while (e->next_slice_us && e->next_slice_us <= now) {
		if (now - e->next_slice_us > 5000)
			c->totals.slices_late++;
		for (struct media *m = e->slices[e->slice], *next; m; m = next) {
			next = m->slice_next;
			if (m->sends && m->may_send)
				rtp_tick(c, m);
			else if (m->sends)
				rtp_pause(m);
			if (now >= m->rtcp_next_us)
				rtcp_tick(c, m, now);
		}
		rtp_flush(c);
		e->slice = (e->slice + 1) % MEDIA_SLICES;
		e->next_slice_us += MEDIA_SLICE_US;
	}
}
