/* Which call a packet belongs to. */
#include "call.h"
#include "media.h"

static uint64_t addr_bucket(unsigned sock, const union net_addr *addr)
{
	return net_addr_hash(addr, sock) % MEDIA_BUCKETS;
}

static uint64_t ssrc_bucket(unsigned sock, uint32_t ssrc)
{
	return (ssrc * 0x9e3779b97f4a7c15ull + sock * 0x51ed270bull) >> 32 & (MEDIA_BUCKETS - 1);
}

void media_index(struct carrier *c, struct media *m)
{
	uint64_t at;

	if (m->sock < 0 || c->media.socks[m->sock].only)
		return;
	if (!m->in_addr && m->remote.sa.sa_family) {
		at = addr_bucket((unsigned)m->sock, &m->remote);
		m->addr_next = c->media.by_addr[at];
		c->media.by_addr[at] = m;
		m->in_addr = true;
	}
	if (!m->in_ssrc && m->rx.begun) {
		at = ssrc_bucket((unsigned)m->sock, m->rx.ssrc);
		m->ssrc_next = c->media.by_ssrc[at];
		c->media.by_ssrc[at] = m;
		m->in_ssrc = true;
	}
}

void media_unindex(struct carrier *c, struct media *m)
{
	struct media **at;

	if (m->in_addr) {
		for (at = &c->media.by_addr[addr_bucket((unsigned)m->sock, &m->remote)]; *at != m; at = &(*at)->addr_next)
			ENSURE(*at);
		*at = m->addr_next;
	}
	if (m->in_ssrc) {
		for (at = &c->media.by_ssrc[ssrc_bucket((unsigned)m->sock, m->rx.ssrc)]; *at != m; at = &(*at)->ssrc_next)
			ENSURE(*at);
		*at = m->ssrc_next;
	}
	m->in_addr = m->in_ssrc = false;
}

struct media *media_by_ssrc(struct carrier *c, unsigned sock, uint32_t ssrc)
{
	struct media *m;

	if (c->media.socks[sock].only)
		return c->media.socks[sock].only;
	for (m = c->media.by_ssrc[ssrc_bucket(sock, ssrc)]; m; m = m->ssrc_next)
		if (m->sock == (int)sock && m->rx.ssrc == ssrc)
			return m;
	return NULL;
}

struct media *media_by_packet(struct carrier *c, unsigned sock, const union net_addr *from, uint32_t ssrc)
{
	struct media *fresh = NULL, *begun = NULL;
	unsigned count = 0;

	if (c->media.socks[sock].only)
		return c->media.socks[sock].only;
	/* Nearly every packet: a known stream from where it should come. The chain by address may be long, this one is not. */
	for (struct media *m = c->media.by_ssrc[ssrc_bucket(sock, ssrc)]; m; m = m->ssrc_next)
		if (m->sock == (int)sock && m->rx.ssrc == ssrc && net_addr_same(&m->remote, from, true))
			return m;
	for (struct media *m = c->media.by_addr[addr_bucket(sock, from)]; m; m = m->addr_next) {
		if (m->sock != (int)sock || !net_addr_same(&m->remote, from, true))
			continue;
		if (m->rx.begun)
			begun = m, count++;
		else
			fresh = m;       /* the last one found is the oldest */
	}
	if (fresh)
		return fresh;
	if (count == 1)
		return begun;            /* its source changed */
	return media_by_ssrc(c, sock, ssrc);
}
