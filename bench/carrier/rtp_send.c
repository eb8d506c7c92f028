/* Outgoing RTP: a frame of a clip, an echo, or a digit, every 20 ms. Shared sockets send in batches. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "media.h"

#define DIGIT_TICKS 5    /* 100 ms of tone */
#define PAUSE_TICKS 5    /* at least 100 ms between digits */

struct media_batch {
	unsigned n;
	struct mmsghdr msgs[MEDIA_BATCH];
	struct iovec iov[MEDIA_BATCH][2];
	uint8_t head[MEDIA_BATCH][16];   /* RTP header, and a digit's 4 bytes */
	union net_addr to[MEDIA_BATCH];
};

struct media_batch *rtp_batch_new(void)
{
	return mem_new(sizeof(struct media_batch));
}

static void batch_send(struct carrier *c, struct media_sock *s)
{
	struct media_batch *b = s->batch;
	unsigned done = 0;

	while (done < b->n) {
		int n = sendmmsg(s->rtp, b->msgs + done, b->n - done, MSG_DONTWAIT);

		if (n <= 0) {            /* the first one failed: count it and go on behind it */
			c->totals.send_errors++;
			n = 1;
		}
		done += (unsigned)n;
	}
	b->n = 0;
}

void rtp_flush(struct carrier *c)
{
	for (unsigned i = 0; i < c->media.sock_count && !c->options.port_per_call; i++)
		if (c->media.socks[i].batch && c->media.socks[i].batch->n)
			batch_send(c, &c->media.socks[i]);
}

static void header_write(struct media *m, uint8_t h[12], int type, bool marker, uint32_t ts)
{
	uint32_t ts_be = htonl(ts), ssrc_be = htonl(m->tx.ssrc);
	uint16_t seq_be = htons(m->tx.seq++);

	h[0] = 0x80;
	h[1] = (uint8_t)((marker ? 0x80 : 0) | type);
	memcpy(h + 2, &seq_be, 2);
	memcpy(h + 4, &ts_be, 4);
	memcpy(h + 8, &ssrc_be, 4);
}

/* payload stays the caller's until the flush at the end of the slice; 4 bytes of a digit are copied. */
static void packet_send(struct carrier *c, struct media *m, int type, bool marker, uint32_t ts, const uint8_t *payload, size_t n)
{
	struct media_sock *s = &c->media.socks[m->sock];

	m->tx.packets++;
	m->tx.octets += n;
	c->totals.rtp_sent++;
	if (s->batch) {
		struct media_batch *b = s->batch;
		unsigned i;

		if (b->n == MEDIA_BATCH)
			batch_send(c, s);
		i = b->n++;
		header_write(m, b->head[i], type, marker, ts);
		b->to[i] = m->remote;
		b->iov[i][0] = (struct iovec){b->head[i], 12};
		b->iov[i][1] = (struct iovec){(void *)(uintptr_t)payload, n};
		if (n == 4) {
			memcpy(b->head[i] + 12, payload, 4);
			b->iov[i][0].iov_len = 16;
		}
		b->msgs[i].msg_hdr = (struct msghdr){.msg_name = &b->to[i], .msg_namelen = net_addr_len(&m->remote), .msg_iov = b->iov[i],
						     .msg_iovlen = n == 4 ? 1 : 2};
	} else {
		uint8_t packet[12 + FRAME_SAMPLES];

		ENSURE(n <= FRAME_SAMPLES);
		header_write(m, packet, type, marker, ts);
		memcpy(packet + 12, payload, n);
		if (sendto(s->rtp, packet, 12 + n, MSG_DONTWAIT, &m->remote.sa, net_addr_len(&m->remote)) < 0)
			c->totals.send_errors++;
	}
}

/* Takes the next digit off the queue. */
static void digit_begin(struct media *m)
{
	struct rtp_sending *tx = &m->tx;

	tx->digit = tx->queue[0];
	memmove(tx->queue, tx->queue + 1, --tx->queue_n);
	tx->digit_tick = 0;
	tx->digit_ts = tx->ts;
	call_digit(m->call, false, tx->digit, m->in_band || m->event_type < 0 ? PRESS_INBAND : PRESS_RFC4733, DIGIT_TICKS * 20, true, clock_utc_us());
}

/* RFC 4733: growing durations, then the end three times. True while the digit takes the place of audio. */
static bool digit_event(struct carrier *c, struct media *m)
{
	struct rtp_sending *tx = &m->tx;
	int tick = tx->digit_tick++;
	unsigned duration = (unsigned)(tick < DIGIT_TICKS ? tick + 1 : DIGIT_TICKS) * FRAME_SAMPLES;
	uint8_t event[4] = {(uint8_t)digit_index(tx->digit), 10, (uint8_t)(duration >> 8), (uint8_t)duration};

	if (tick < DIGIT_TICKS) {
		packet_send(c, m, m->event_type, tick == 0, tx->digit_ts, event, 4);
		return true;
	}
	if (tick == DIGIT_TICKS) {
		event[1] |= 0x80;
		for (int i = 0; i < 3; i++)
			packet_send(c, m, m->event_type, false, tx->digit_ts, event, 4);
		return true;
	}
	if (tick == DIGIT_TICKS + PAUSE_TICKS)
		tx->digit = 0;
	return false;
}

/* A dual tone in place of the sound, then quiet. NULL when the pause is over. */
static const uint8_t *digit_tone(struct carrier *c, struct media *m)
{
	struct rtp_sending *tx = &m->tx;
	int tick = tx->digit_tick++;

	if (tick < DIGIT_TICKS)
		return c->speech.digit[digit_index(tx->digit)]->data[m->codec] + tick * FRAME_SAMPLES;
	if (tick == DIGIT_TICKS + PAUSE_TICKS)
		tx->digit = 0;
	return c->speech.quiet->data[m->codec];
}

static const uint8_t *audio_frame(struct carrier *c, struct media *m)
{
	struct rtp_sending *tx = &m->tx;
	const struct clip *clip = tx->clip;

	if (m->echoes && tx->echo_n) {
		const uint8_t *frame = tx->echo + (size_t)tx->echo_head * FRAME_SAMPLES;

		tx->echo_head = (tx->echo_head + 1) % ECHO_FRAMES;
		tx->echo_n--;
		return frame;
	}
	if (clip && tx->frame >= clip->frames) {
		if (clip->loops)
			tx->frame = 0;
		else
			clip = NULL;
	}
	if (!clip)
		return c->speech.quiet->data[m->codec];
	return clip->data[m->codec] + (size_t)tx->frame++ * FRAME_SAMPLES;
}

void rtp_tick(struct carrier *c, struct media *m)
{
	struct rtp_sending *tx = &m->tx;
	const uint8_t *frame = NULL;
	bool busy = false;

	if (!tx->digit && tx->queue_n)
		digit_begin(m);
	if (tx->digit && (m->in_band || m->event_type < 0))
		frame = digit_tone(c, m);
	else if (tx->digit)
		busy = digit_event(c, m);
	if (!busy) {
		if (!frame)
			frame = audio_frame(c, m);
		packet_send(c, m, m->payload_type, tx->marker, tx->ts, frame, FRAME_SAMPLES);
		tx->marker = false;
	}
	tx->ts += FRAME_SAMPLES;
}

/* On hold: time goes on, and the first packet afterwards says that there was a pause. */
void rtp_pause(struct media *m)
{
	m->tx.ts += FRAME_SAMPLES;
	m->tx.marker = true;
}
