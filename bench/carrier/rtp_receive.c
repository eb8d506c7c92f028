/* Incoming RTP: the numbers by which the engine is judged. */
#include <arpa/inet.h>
#include <string.h>
#include <time.h>

#include "call.h"
#include "media.h"

#define BATCH        64
#define ROUNDS_MAX   4           /* per wake-up, so that other sockets and the clock get their turn */
#define PACKET_MAX   1500
#define JUMP_MAX     3000        /* a sequence step beyond this is a new beginning */
#define REBASE_US    100000      /* with the marker bit: a pause, not lateness */
#define BROKEN_US    2000000     /* without it: a new time base all the same */

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

uint64_t rtp_lost_now(const struct rtp_received *rx)
{
	uint64_t expected = rx->begun ? (uint64_t)rx->cycles + rx->seq_max - rx->seq_first + 1 : 0;

	return expected > rx->unique ? expected - rx->unique : 0;
}

uint64_t rtp_missing(const struct rtp_received *rx)
{
	return rx->missing_before + rtp_lost_now(rx);
}

int64_t rtp_late_quantile(const struct rtp_received *rx, double q)
{
	uint64_t total = 0, want, seen = 0;

	for (int i = 0; i < LATE_BUCKETS; i++)
		total += rx->late[i];
	want = (uint64_t)((double)total * q);
	for (int i = 0; i < LATE_BUCKETS; i++) {
		seen += rx->late[i];
		if (seen > want) {
			int64_t upper = i < 40 ? (i + 1) * 250 : i < 60 ? 10000 + (i - 39) * 2000 : rx->late_max_us;

			return upper < rx->late_max_us || rx->late_max_us <= 0 ? upper : rx->late_max_us;
		}
	}
	return 0;
}

static void stream_begin(struct rtp_received *rx, uint32_t ssrc, uint16_t seq)
{
	rx->missing_before += rtp_lost_now(rx);
	rx->begun = true;
	rx->ssrc = ssrc;
	rx->seq_first = rx->seq_max = seq;
	rx->cycles = 0;
	rx->unique = 1;
	rx->window = 1;
	rx->base_us = 0;
}

/* False for a packet that was here before. */
static bool sequence_take(struct rtp_received *rx, uint32_t ssrc, uint16_t seq)
{
	int delta = (int16_t)(uint16_t)(seq - rx->seq_max);

	if (delta > JUMP_MAX || delta < -JUMP_MAX) {
		rx->rebases++;
		stream_begin(rx, ssrc, seq);
		return true;
	}
	if (delta > 0) {
		rx->window = delta < 64 ? rx->window << delta | 1 : 1;
		if (seq < rx->seq_max)
			rx->cycles += 65536;
		rx->seq_max = seq;
		rx->unique++;
		return true;
	}
	if (-delta < 64 && rx->window >> -delta & 1) {
		rx->duplicates++;
		return false;
	}
	if (-delta < 64)
		rx->window |= 1ull << -delta;
	if (rx->cycles + rx->seq_max - (uint32_t)-delta < rx->seq_first)
		return true;             /* from before the first one we saw: neither missing nor expected */
	rx->reordered++;
	rx->unique++;
	return true;
}

static void late_take(struct rtp_received *rx, uint32_t ts, bool marker, int64_t at_us)
{
	int64_t late = at_us - rx->base_us - (int64_t)(int32_t)(ts - rx->base_ts) * 125;
	int bucket;

	if (!rx->base_us || (marker && (late > REBASE_US || late < -REBASE_US)) || late > BROKEN_US || late < -BROKEN_US) {
		if (rx->base_us)
			rx->rebases++;
		rx->base_us = at_us;
		rx->base_ts = ts;
		late = 0;
	}
	bucket = late < 0 ? 0 : late < 10000 ? (int)(late / 250) : late < 50000 ? 40 + (int)((late - 10000) / 2000) : 60;
	if (rx->late[bucket] < UINT32_MAX)
		rx->late[bucket]++;
	if (late > 5000)
		rx->late_5ms++;
	if (late > rx->late_max_us)
		rx->late_max_us = late;
	if (-late > rx->early_max_us)
		rx->early_max_us = -late;
}

static void event_take(struct media *m, const uint8_t *p, size_t n, uint32_t ts, int64_t at_us)
{
	struct rtp_received *rx = &m->rx;

	if (n < 4 || p[0] > 15)
		return;
	if (!rx->event_seen || ts != rx->event_ts) {
		if (rx->event_open)
			call_digit(m->call, true, rx->event_digit, PRESS_RFC4733, rx->event_duration / 8u, false, rx->event_us);
		rx->event_seen = rx->event_open = true;
		rx->event_ts = ts;
		rx->event_us = at_us;
		rx->event_digit = "0123456789*#ABCD"[p[0]];
	}
	rx->event_duration = (uint16_t)(p[2] << 8 | p[3]);
	if (!(p[1] & 0x80) || !rx->event_open)
		return;
	rx->event_open = false;
	call_digit(m->call, true, rx->event_digit, PRESS_RFC4733, rx->event_duration / 8u, true, rx->event_us);
}

/* Is there sound in it? Every eighth sample is enough to tell a voice from a quiet line. */
static bool frame_sounds(const uint8_t *p, size_t n, int codec)
{
	int sum = 0, count = 0;

	for (size_t i = 0; i < n; i += 8, count++) {
		int v = codec ? g711_from_alaw(p[i]) : g711_from_ulaw(p[i]);

		sum += v < 0 ? -v : v;
	}
	return count && sum / count > 200;
}

static void echo_take(struct media *m, const uint8_t *p, size_t n)
{
	struct rtp_sending *tx = &m->tx;

	for (; n >= FRAME_SAMPLES && tx->echo_n < ECHO_FRAMES - 1; n -= FRAME_SAMPLES, p += FRAME_SAMPLES)
		memcpy(tx->echo + (size_t)((tx->echo_head + tx->echo_n++) % ECHO_FRAMES) * FRAME_SAMPLES, p, FRAME_SAMPLES);
}

static void packet_take(struct carrier *c, struct media *m, const uint8_t *p, size_t n, int64_t at_us)
{
	struct rtp_received *rx = &m->rx;
	uint16_t seq = (uint16_t)(p[2] << 8 | p[3]);
	uint32_t ts = get32(p + 4), ssrc = get32(p + 8);
	size_t head = 12 + 4u * (p[0] & 15);
	int type = p[1] & 127;

	if (p[0] & 0x10 && n >= head + 4)
		head += 4 + 4u * (size_t)(p[head + 2] << 8 | p[head + 3]);
	if (n < head)
		return;
	if (p[0] & 0x20 && p[n - 1] <= n - head)
		n -= p[n - 1];
	rx->packets++;
	rx->bytes += n;
	c->totals.rtp_received++;
	if (!rx->begun || rx->ssrc != ssrc) {
		if (rx->begun)
			rx->ssrc_changes++;
		media_unindex(c, m);
		stream_begin(rx, ssrc, seq);
		media_index(c, m);
	} else if (!sequence_take(rx, ssrc, seq)) {
		return;
	}
	if (!rx->first_us)
		rx->first_us = at_us;
	if (rx->last_us && at_us - rx->last_us >= 40000)
		rx->gaps_40ms++;
	if (rx->last_us && at_us - rx->last_us > rx->gap_max_us)
		rx->gap_max_us = at_us - rx->last_us;
	rx->last_us = at_us;
	if (type == m->event_type && m->event_type >= 0) {
		event_take(m, p + head, n - head, ts, at_us);
	} else if (type == m->payload_type) {
		late_take(rx, ts, p[1] & 0x80, at_us);
		if (frame_sounds(p + head, n - head, m->codec))
			rx->sound_frames++;
		if (m->echoes)
			echo_take(m, p + head, n - head);
	} else {
		rx->others++;
	}
}

static void take(struct carrier *c, unsigned sock, const union net_addr *from, const uint8_t *p, size_t n, int64_t at_us)
{
	struct media *m;

	if (n < 12 || p[0] >> 6 != 2) {
		c->totals.rtp_stray++;
		return;
	}
	if (p[1] >= 200 && p[1] <= 207) {        /* rtcp-mux */
		rtcp_received(c, sock, from, p, n);
		return;
	}
	m = media_by_packet(c, sock, from, get32(p + 8));
	if (m)
		packet_take(c, m, p, n, at_us);
	else
		c->totals.rtp_stray++;
}

void rtp_readable(struct carrier *c, unsigned sock, bool rtcp)
{
	static uint8_t data[BATCH][PACKET_MAX];                  /* scratch */
	static _Alignas(struct cmsghdr) uint8_t control[BATCH][64];
	struct mmsghdr msgs[BATCH];
	struct iovec iov[BATCH];
	union net_addr from[BATCH];
	int n = BATCH, fd = rtcp ? c->media.socks[sock].rtcp : c->media.socks[sock].rtp;

	for (int round = 0; round < ROUNDS_MAX && n == BATCH && fd >= 0; round++) {
		for (int i = 0; i < BATCH; i++) {
			iov[i] = (struct iovec){data[i], PACKET_MAX};
			msgs[i].msg_hdr = (struct msghdr){.msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &iov[i], .msg_iovlen = 1,
							  .msg_control = control[i], .msg_controllen = sizeof control[i]};
		}
		n = recvmmsg(fd, msgs, BATCH, MSG_DONTWAIT, NULL);
		for (int i = 0; i < n; i++) {
			if (rtcp)
				rtcp_received(c, sock, &from[i], data[i], msgs[i].msg_len);
			else
				take(c, sock, &from[i], data[i], msgs[i].msg_len, net_arrival_us(&msgs[i].msg_hdr));
		}
	}
}
