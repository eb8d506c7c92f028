#include "net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "carrier.h"
#include "sip_message.h"

#define BATCH      32
#define ROUNDS_MAX 8     /* per wake-up, so that media gets its turn */

bool net_addr_parse(struct str host, int port, union net_addr *a)
{
	char text[64];

	if (host.n == 0 || host.n >= sizeof text)
		return false;
	memcpy(text, host.p, host.n);
	text[host.n] = 0;
	memset(a, 0, sizeof *a);
	if (strcmp(text, "localhost") == 0)
		strcpy(text, "127.0.0.1");
	if (inet_pton(AF_INET, text, &a->in.sin_addr) == 1)
		a->in.sin_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &a->in6.sin6_addr) == 1)
		a->in6.sin6_family = AF_INET6;
	else
		return false;
	net_addr_port_set(a, port);
	return true;
}

void net_addr_text(const union net_addr *a, bool with_port, char *out, size_t size)
{
	char ip[INET6_ADDRSTRLEN] = "?";
	bool six = a->sa.sa_family == AF_INET6;

	inet_ntop(a->sa.sa_family, six ? (const void *)&a->in6.sin6_addr : (const void *)&a->in.sin_addr, ip, sizeof ip);
	if (with_port)
		snprintf(out, size, six ? "[%s]:%d" : "%s:%d", ip, net_addr_port(a));
	else
		snprintf(out, size, six ? "[%s]" : "%s", ip);
}

int net_addr_port(const union net_addr *a)
{
	return ntohs(a->sa.sa_family == AF_INET6 ? a->in6.sin6_port : a->in.sin_port);
}

void net_addr_port_set(union net_addr *a, int port)
{
	if (a->sa.sa_family == AF_INET6)
		a->in6.sin6_port = htons((uint16_t)port);
	else
		a->in.sin_port = htons((uint16_t)port);
}

bool net_addr_same(const union net_addr *a, const union net_addr *b, bool with_port)
{
	if (a->sa.sa_family != b->sa.sa_family || (with_port && net_addr_port(a) != net_addr_port(b)))
		return false;
	if (a->sa.sa_family == AF_INET6)
		return memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, 16) == 0;
	return a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
}

socklen_t net_addr_len(const union net_addr *a)
{
	return a->sa.sa_family == AF_INET6 ? sizeof a->in6 : sizeof a->in;
}

uint64_t net_addr_hash(const union net_addr *a, uint64_t seed)
{
	seed += (uint64_t)net_addr_port(a) << 20;
	if (a->sa.sa_family == AF_INET6)
		return hash_bytes(&a->in6.sin6_addr, 16, seed);
	return hash_bytes(&a->in.sin_addr, 4, seed);
}

bool net_split(const char *where, struct str *host, struct str *rest)
{
	const char *colon = strrchr(where, ':');

	if (!colon || colon == where)
		return false;
	*host = (struct str){where, (size_t)(colon - where)};
	*rest = str_of(colon + 1);
	if (host->n > 2 && host->p[0] == '[' && host->p[host->n - 1] == ']')
		host->p++, host->n -= 2;
	return true;
}

/* As large as allowed: SO_RCVBUFFORCE passes net.core.rmem_max where the process may. */
void net_buffers(int fd, int bytes)
{
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) != 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

int net_watch(struct carrier *c, int op, int fd, enum watch kind, unsigned index, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.u64 = (uint64_t)kind << 32 | index};

	return epoll_ctl(c->epoll, op, fd, &ev) == 0 ? 0 : -errno;
}

static int bind_one(int type, const union net_addr *addr, int *fd)
{
	int one = 1, s = socket(addr->sa.sa_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (s < 0)
		return -errno;
	if (type == SOCK_STREAM)
		setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (addr->sa.sa_family == AF_INET6)
		setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	if (bind(s, &addr->sa, net_addr_len(addr)) != 0 || (type == SOCK_STREAM && listen(s, 512) != 0)) {
		int rc = -errno;

		close(s);
		return rc;
	}
	*fd = s;
	return 0;
}

/* UDP, and TCP on the same port. With port 0 a port that only UDP could have is given back and another one tried. */
static int listener_bind(struct listener *l, bool tcp)
{
	bool pick = net_addr_port(&l->addr) == 0;

	for (int tries = 0;; tries++) {
		socklen_t len = sizeof l->addr;
		int rc = bind_one(SOCK_DGRAM, &l->addr, &l->udp);

		if (rc)
			return rc;
		getsockname(l->udp, &l->addr.sa, &len);
		l->tcp = -1;
		if (!tcp || (rc = bind_one(SOCK_STREAM, &l->addr, &l->tcp)) == 0)
			return 0;
		close(l->udp);
		if (!pick || tries > 20)
			return rc;
		net_addr_port_set(&l->addr, 0);
	}
}

int net_listen(struct carrier *c, const char *where, bool tcp, char *err, size_t err_size)
{
	struct listener *l = &c->listeners[c->listener_count];
	struct str host, port;
	int64_t n;
	int rc;

	if (c->listener_count == LISTENERS_MAX) {
		snprintf(err, err_size, "--listen %s: at most %d addresses", where, LISTENERS_MAX);
		return -ENOSPC;
	}
	n = net_split(where, &host, &port) ? str_number(port) : -1;
	if (n < 0 || n > 65535 || !net_addr_parse(host, (int)n, &l->addr)) {
		snprintf(err, err_size, "--listen %s: allowed: IP:PORT or [IPv6]:PORT, with port 0 for a free one", where);
		return -EINVAL;
	}
	rc = listener_bind(l, tcp);
	if (rc) {
		snprintf(err, err_size, "--listen %s: %s%s", where, strerror(-rc), rc == -EADDRINUSE ? "; choose another port, or 0 for a free one" : "");
		return rc;
	}
	net_buffers(l->udp, 8 << 20);
	setsockopt(l->udp, SOL_SOCKET, SO_TIMESTAMPNS, &(int){1}, sizeof(int));
	l->port = net_addr_port(&l->addr);
	net_addr_text(&l->addr, false, l->host, sizeof l->host);
	l->any = l->addr.sa.sa_family == AF_INET ? l->addr.in.sin_addr.s_addr == 0 : IN6_IS_ADDR_UNSPECIFIED(&l->addr.in6.sin6_addr);
	net_watch(c, EPOLL_CTL_ADD, l->udp, WATCH_UDP, c->listener_count, EPOLLIN);
	if (l->tcp >= 0)
		net_watch(c, EPOLL_CTL_ADD, l->tcp, WATCH_ACCEPT, c->listener_count, EPOLLIN);
	c->listener_count++;
	return 0;
}

int64_t net_arrival_us(struct msghdr *h)
{
	for (struct cmsghdr *k = CMSG_FIRSTHDR(h); k; k = CMSG_NXTHDR(h, k))
		if (k->cmsg_level == SOL_SOCKET && k->cmsg_type == SCM_TIMESTAMPNS) {
			struct timespec ts;

			memcpy(&ts, CMSG_DATA(k), sizeof ts);
			return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
		}
	return clock_utc_us();
}

/* One batch. Returns how many messages there were. */
static int udp_batch(struct carrier *c, unsigned index)
{
	static char data[BATCH][SIP_SIZE_MAX + 1];     /* scratch: nothing outlives this call */
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	struct peer peers[BATCH];
	_Alignas(struct cmsghdr) char control[BATCH][64];
	int n;

	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){data[i], SIP_SIZE_MAX + 1};
		msgs[i].msg_hdr = (struct msghdr){
			.msg_name = &peers[i].addr, .msg_namelen = sizeof peers[i].addr, .msg_iov = &iov[i], .msg_iovlen = 1,
			.msg_control = control[i], .msg_controllen = sizeof control[i]};
		peers[i].listener = (int)index;
		peers[i].conn = -1;
		peers[i].conn_gen = 0;
	}
	n = recvmmsg(c->listeners[index].udp, msgs, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		c->arrived_us = net_arrival_us(&msgs[i].msg_hdr);
		sip_input(c, data[i], msgs[i].msg_len, &peers[i]);
	}
	c->arrived_us = 0;
	return n;
}

static void udp_readable(struct carrier *c, unsigned index)
{
	for (int round = 0; round < ROUNDS_MAX && udp_batch(c, index) == BATCH; round++)
		;
}

void net_event(struct carrier *c, enum watch kind, unsigned index, uint32_t events)
{
	if (kind == WATCH_UDP)
		udp_readable(c, index);
	else if (kind == WATCH_ACCEPT)
		tcp_accept(c, index);
	else if (kind == WATCH_CONN)
		tcp_event(c, index, events);
}

void net_send(struct carrier *c, const struct peer *p, const void *data, size_t n)
{
	if (p->conn >= 0) {
		tcp_send(c, p, data, n);
		return;
	}
	if (sendto(c->listeners[p->listener].udp, data, n, MSG_DONTWAIT | MSG_NOSIGNAL, &p->addr.sa, net_addr_len(&p->addr)) < 0)
		c->totals.send_errors++;
}

int net_peer(struct carrier *c, const union net_addr *addr, bool tcp, struct peer *p)
{
	int listener = -1;

	for (unsigned i = 0; i < c->listener_count && listener < 0; i++)
		if (c->listeners[i].addr.sa.sa_family == addr->sa.sa_family)
			listener = (int)i;
	if (listener < 0)
		return -EAFNOSUPPORT;
	*p = (struct peer){.addr = *addr, .listener = listener, .conn = -1};
	if (!tcp)
		return 0;
	for (int i = 0; i < CONNS_MAX && p->conn < 0; i++)
		if (c->conns[i].fd >= 0 && net_addr_same(&c->conns[i].addr, addr, true))
			p->conn = i;
	if (p->conn < 0)
		p->conn = tcp_open(c, addr, listener);
	if (p->conn < 0)
		return p->conn;
	p->conn_gen = c->conns[p->conn].gen;
	return 0;
}

/* For a listener on all addresses: asks the routing table by connecting a socket, and remembers the last answer. */
static const char *host_towards(struct carrier *c, const union net_addr *to)
{
	union net_addr mine;
	socklen_t len = sizeof mine;
	int fd;

	if (c->host_asked.sa.sa_family && net_addr_same(&c->host_asked, to, false))
		return c->host_answer;
	fd = socket(to->sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return "127.0.0.1";
	if (connect(fd, &to->sa, net_addr_len(to)) == 0 && getsockname(fd, &mine.sa, &len) == 0) {
		c->host_asked = *to;
		net_addr_text(&mine, false, c->host_answer, sizeof c->host_answer);
	}
	close(fd);
	return c->host_answer;
}

const char *net_host(struct carrier *c, const struct peer *p)
{
	const struct listener *l = &c->listeners[p->listener];

	return l->any ? host_towards(c, &p->addr) : l->host;
}
