/* SIP transport: UDP and TCP listeners, IPv4 and IPv6. A peer says where a message came from and so where answers go. */
#ifndef CARRIER_NET_H
#define CARRIER_NET_H

#include <netinet/in.h>
#include <sys/epoll.h>

#include "base.h"

#define LISTENERS_MAX 16
#define CONNS_MAX     1024
#define CONN_OUT_MAX  (4 << 20)   /* bytes waiting on one slow TCP peer before it is dropped */

struct carrier;

union net_addr {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

struct listener {
	int udp, tcp;            /* tcp is -1 without --tcp */
	union net_addr addr;
	bool any;                /* bound to 0.0.0.0 or :: */
	char host[64];           /* as written in Via and Contact; IPv6 in brackets */
	int port;
};

struct peer {
	union net_addr addr;
	int listener;
	int conn;                /* index of a TCP connection, or -1 for UDP */
	uint32_t conn_gen;       /* which connection of that index */
};

struct conn {
	int fd;                  /* -1 = free */
	uint32_t gen;
	int listener;
	union net_addr addr;
	char *in;                /* SIP_SIZE_MAX + 1 bytes */
	size_t in_n;
	struct text out;
	bool wants_out;
};

/* What an epoll event belongs to. */
enum watch { WATCH_UDP, WATCH_ACCEPT, WATCH_CONN, WATCH_RTP, WATCH_RTCP, WATCH_CLOCK, WATCH_SIGNAL };

int net_watch(struct carrier *c, int op, int fd, enum watch kind, unsigned index, uint32_t events);
/* "IP:PORT", "[IPv6]:PORT"; port 0 picks a free one. 0, or a negative errno with a message in err. */
int net_listen(struct carrier *c, const char *where, bool tcp, char *err, size_t err_size);
void net_event(struct carrier *c, enum watch kind, unsigned index, uint32_t events);
/* Sends one message; failures are counted, retransmission mends them. */
void net_send(struct carrier *c, const struct peer *p, const void *data, size_t n);
/* A peer for an address; with tcp an open connection to it is used, or a new one begun. */
int net_peer(struct carrier *c, const union net_addr *addr, bool tcp, struct peer *p);
/* Our own address as that peer sees it, brackets included for IPv6. */
const char *net_host(struct carrier *c, const struct peer *p);

/* tcp.c */
void tcp_accept(struct carrier *c, unsigned listener);
void tcp_event(struct carrier *c, unsigned index, uint32_t events);
void tcp_send(struct carrier *c, const struct peer *p, const void *data, size_t n);
int tcp_open(struct carrier *c, const union net_addr *addr, int listener);
void tcp_close(struct carrier *c, unsigned index);

bool net_addr_parse(struct str host, int port, union net_addr *a);
void net_addr_text(const union net_addr *a, bool with_port, char *out, size_t size);
int net_addr_port(const union net_addr *a);
void net_addr_port_set(union net_addr *a, int port);
bool net_addr_same(const union net_addr *a, const union net_addr *b, bool with_port);
socklen_t net_addr_len(const union net_addr *a);
uint64_t net_addr_hash(const union net_addr *a, uint64_t seed);
/* "IP:REST" or "[IPv6]:REST" into its halves. */
bool net_split(const char *where, struct str *host, struct str *rest);
void net_buffers(int fd, int bytes);
/* The kernel's time stamp of a received datagram (SO_TIMESTAMPNS), or now. UTC, µs. */
int64_t net_arrival_us(struct msghdr *h);

#endif
