/* RTCP (RFC 3550 §6): a sender report with one reception block and a CNAME every five seconds; received ones are counted. */
#include <arpa/inet.h>
#include <string.h>

#include "call.h"
#include "media.h"

#define RTCP_EVERY_US 5000000
#define NTP_EPOCH     2208988800u

static uint8_t *put32(uint8_t *p, uint32_t v)
{
	v = htonl(v);
	memcpy(p, &v, 4);
	return p + 4;
}

static uint8_t *report_block(uint8_t *p, const struct rtp_received *rx)
{
	uint32_t lost = (uint32_t)rtp_missing(rx);

	p = put32(p, rx->ssrc);
	p = put32(p, lost & 0xffffff);
	p = put32(p, rx->cycles + rx->seq_max);
	p = put32(p, 0);         /* jitter: the book has lateness instead */
	p = put32(p, 0);
	return put32(p, 0);
}

void rtcp_tick(struct carrier *c, struct media *m, int64_t now_us)
{
	static const char cname[] = "carrier";
	uint8_t packet[128], *p = packet;
	int64_t utc = clock_utc_us();
	bool block = m->rx.begun;

	m->rtcp_next_us = now_us + RTCP_EVERY_US;
	p = put32(p, 0x80c80000u | (block ? 0x01000000u : 0) | (block ? 12u : 6u));
	p = put32(p, m->tx.ssrc);
	p = put32(p, (uint32_t)(utc / 1000000) + NTP_EPOCH);
	p = put32(p, (uint32_t)((double)(utc % 1000000) * 4294.967296));
	p = put32(p, m->tx.ts);
	p = put32(p, (uint32_t)m->tx.packets);
	p = put32(p, (uint32_t)m->tx.octets);
	if (block)
		p = report_block(p, &m->rx);
	p = put32(p, 0x81ca0004u);
	p = put32(p, m->tx.ssrc);
	*p++ = 1;
	*p++ = sizeof cname - 1;
	memcpy(p, cname, sizeof cname - 1);
	p += sizeof cname - 1;
	memset(p, 0, 3);         /* 9 bytes of item, then zeros to the word's end: 12 */
	p += 3;
	if (sendto(c->media.socks[m->sock].rtcp, packet, (size_t)(p - packet), MSG_DONTWAIT, &m->remote_rtcp.sa, net_addr_len(&m->remote_rtcp)) < 0)
		return;
	m->rtcp_out++;
	c->totals.rtcp_sent++;
}

void rtcp_received(struct carrier *c, unsigned sock, const union net_addr *from, const uint8_t *p, size_t n)
{
	struct media *m = NULL;
	union net_addr rtp = *from;

	c->totals.rtcp_received++;
	if (n < 8 || p[0] >> 6 != 2)
		return;
	if (net_addr_port(from) > 0)
		net_addr_port_set(&rtp, net_addr_port(from) - 1);
	m = media_by_ssrc(c, sock, (uint32_t)p[4] << 24 | (uint32_t)p[5] << 16 | (uint32_t)p[6] << 8 | p[7]);
	if (!m)
		m = media_by_packet(c, sock, &rtp, 0);
	while (m && n >= 4) {
		size_t length = 4 * ((size_t)(p[2] << 8 | p[3]) + 1);

		if (length > n || p[0] >> 6 != 2)
			break;
		if (p[1] == 200)
			m->rtcp_sr_in++;
		else if (p[1] == 201)
			m->rtcp_rr_in++;
		p += length;
		n -= length;
	}
}
