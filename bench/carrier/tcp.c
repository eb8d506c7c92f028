/* SIP over TCP: framing by Content-Length, keep-alives, bounded buffers both ways. */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "carrier.h"
#include "net.h"
#include "sip_message.h"

static int conn_add(struct carrier *c, int fd, const union net_addr *addr, int listener, uint32_t events)
{
	int one = 1;

	for (int i = 0; i < CONNS_MAX; i++) {
		struct conn *k = &c->conns[i];

		if (k->fd >= 0)
			continue;
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		k->fd = fd;
		k->gen++;
		k->addr = *addr;
		k->listener = listener;
		k->in = mem_new(SIP_SIZE_MAX + 1);
		k->in_n = 0;
		k->wants_out = (events & EPOLLOUT) != 0;
		net_watch(c, EPOLL_CTL_ADD, fd, WATCH_CONN, (unsigned)i, events);
		return i;
	}
	close(fd);
	c->totals.tcp_refused++;
	return -EMFILE;
}

void tcp_accept(struct carrier *c, unsigned listener)
{
	for (int i = 0; i < 64; i++) {
		union net_addr addr;
		socklen_t len = sizeof addr;
		int fd = accept4(c->listeners[listener].tcp, &addr.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return;
		conn_add(c, fd, &addr, (int)listener, EPOLLIN);
	}
}

int tcp_open(struct carrier *c, const union net_addr *addr, int listener)
{
	int fd = socket(addr->sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, &addr->sa, net_addr_len(addr)) != 0 && errno != EINPROGRESS) {
		int rc = -errno;

		close(fd);
		return rc;
	}
	return conn_add(c, fd, addr, listener, EPOLLIN | EPOLLOUT);
}

void tcp_close(struct carrier *c, unsigned index)
{
	struct conn *k = &c->conns[index];

	if (k->fd < 0)
		return;
	close(k->fd);
	k->fd = -1;
	free(k->in);
	k->in = NULL;
	text_free(&k->out);
}

static void conn_flush(struct carrier *c, unsigned index)
{
	struct conn *k = &c->conns[index];
	bool wants;

	while (k->out.n) {
		ssize_t n = send(k->fd, k->out.p, k->out.n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && (errno == EAGAIN || errno == ENOTCONN || errno == EINPROGRESS))
			break;
		if (n <= 0) {
			c->totals.send_errors++;
			tcp_close(c, index);
			return;
		}
		memmove(k->out.p, k->out.p + n, k->out.n - (size_t)n);
		k->out.n -= (size_t)n;
	}
	wants = k->out.n > 0;
	if (wants != k->wants_out)
		net_watch(c, EPOLL_CTL_MOD, k->fd, WATCH_CONN, index, EPOLLIN | (wants ? EPOLLOUT : 0));
	k->wants_out = wants;
}

void tcp_send(struct carrier *c, const struct peer *p, const void *data, size_t n)
{
	struct conn *k = &c->conns[p->conn];

	if (k->fd < 0 || k->gen != p->conn_gen) {
		c->totals.send_errors++;
		return;
	}
	if (k->out.n + n > CONN_OUT_MAX) {
		c->totals.send_errors++;
		tcp_close(c, (unsigned)p->conn);
		return;
	}
	text_bytes(&k->out, data, n);
	if (!k->wants_out)
		conn_flush(c, (unsigned)p->conn);
}

/* Takes whole messages off the front of the buffer. False when the stream is not SIP. */
static bool conn_messages(struct carrier *c, unsigned index)
{
	struct conn *k = &c->conns[index];
	struct peer p = {.addr = k->addr, .listener = k->listener, .conn = (int)index, .conn_gen = k->gen};
	size_t used = 0;
	bool good = true;

	while (used < k->in_n) {
		char message[SIP_SIZE_MAX + 1];
		long n;

		if (k->in[used] == '\r' || k->in[used] == '\n') {
			if (k->in_n - used >= 4 && memcmp(k->in + used, "\r\n\r\n", 4) == 0) {
				tcp_send(c, &p, "\r\n", 2);          /* keep-alive, RFC 5626 §4.4.1 */
				used += 4;
			} else {
				used++;
			}
			if (k->fd < 0 || k->gen != p.conn_gen)
				return true;
			continue;
		}
		n = sip_frame(k->in + used, k->in_n - used);
		if (n <= 0) {
			good = n == 0 && k->in_n - used <= SIP_SIZE_MAX;
			break;
		}
		memcpy(message, k->in + used, (size_t)n);
		used += (size_t)n;
		sip_input(c, message, (size_t)n, &p);
		if (k->fd < 0 || k->gen != p.conn_gen)
			return true;             /* the answer could not be sent: already closed */
	}
	memmove(k->in, k->in + used, k->in_n - used);
	k->in_n -= used;
	return good;
}

void tcp_event(struct carrier *c, unsigned index, uint32_t events)
{
	struct conn *k = &c->conns[index];
	ssize_t n;

	if (k->fd < 0)
		return;
	if (events & EPOLLOUT) {
		conn_flush(c, index);
		if (k->fd < 0)
			return;
	}
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
		return;
	n = recv(k->fd, k->in + k->in_n, SIP_SIZE_MAX + 1 - k->in_n, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		tcp_close(c, index);
		return;
	}
	k->in_n += (size_t)n;
	if (!conn_messages(c, index)) {
		c->totals.malformed++;
		tcp_close(c, index);
	}
}
