/* RTP and RTCP for all calls: a few shared sockets (or one a call), a clock of 20 ms in ten slices.
 *
 *   slice 0 | slice 1 | … | slice 9 | slice 0 | …          each 2 ms; a stream is sent in its own slice
 *
 * Several calls share a port. An arriving packet finds its call by (socket, source address as the far end's SDP announced it);
 * where several calls announced the same address, by SSRC: the stream that has none yet takes a new one.
 */
#ifndef CARRIER_MEDIA_H
#define CARRIER_MEDIA_H

#include "net.h"
#include "plan.h"
#include "sdp.h"

#define MEDIA_SLICES     10
#define MEDIA_FRAME_US   20000
#define MEDIA_SLICE_US   (MEDIA_FRAME_US / MEDIA_SLICES)
#define MEDIA_RANGES_MAX 8
#define MEDIA_BUCKETS    65536
#define MEDIA_BATCH      64
#define LATE_BUCKETS     61      /* 0…10 ms by 250 µs, 10…50 ms by 2 ms, more */
#define ECHO_FRAMES      16
#define DIGIT_QUEUE      32

struct call;
struct carrier;
struct media;

/* What was received. Lateness: arrival − (the stream's first packet + its media time); arrival is the kernel's time stamp. */
struct rtp_received {
	uint64_t packets, bytes, missing_before, duplicates, reordered, gaps_40ms, late_5ms, sound_frames, others;
	uint32_t ssrc, ssrc_changes, rebases;
	int64_t first_us, last_us, late_max_us, early_max_us, gap_max_us;
	uint32_t late[LATE_BUCKETS];
	bool begun;
	uint16_t seq_first, seq_max;
	uint32_t cycles;
	uint64_t unique;                 /* of this SSRC */
	uint64_t window;                 /* the last 64 sequence numbers seen */
	int64_t base_us;                 /* arrival and RTP time that lateness counts from */
	uint32_t base_ts, last_ts;
	uint32_t event_ts;               /* RFC 4733 event under way or last seen */
	bool event_open, event_seen;
	char event_digit;
	uint16_t event_duration;
	int64_t event_us;
};

struct rtp_sending {
	uint64_t packets, octets;
	uint16_t seq;
	uint32_t ts, ssrc;
	bool marker;
	const struct clip *clip;         /* NULL: quiet */
	unsigned frame;
	char queue[DIGIT_QUEUE];         /* digits to press */
	unsigned queue_n;
	char digit;                      /* being pressed, or 0 */
	int digit_tick;
	uint32_t digit_ts;
	uint8_t *echo;                   /* ECHO_FRAMES × 160, only in echo mode */
	unsigned echo_head, echo_n;
};

struct media {
	struct call *call;
	int sock;                        /* -1 = no media */
	struct media *addr_next, *ssrc_next, *slice_next, *slice_prev;
	bool in_addr, in_ssrc, running, sends, may_send, echoes;
	int slice;
	union net_addr remote, remote_rtcp;
	int codec;                       /* 0 PCMU, 1 PCMA */
	int payload_type, event_type;    /* event_type -1 = the offer had none */
	bool in_band;                    /* digits as tones */
	struct rtp_sending tx;
	struct rtp_received rx;
	uint32_t rtcp_sr_in, rtcp_rr_in, rtcp_out;
	int64_t rtcp_next_us;
};

struct media_sock {
	int rtp, rtcp;                   /* -1 = free */
	int port;
	unsigned range;
	struct media *only;              /* --port-per-call */
	unsigned users;
	struct media_batch *batch;       /* shared ones */
};

struct media_range {
	union net_addr addr;
	char host[64];                   /* for SDP, no brackets */
	int first, last;                 /* 0 = the kernel picks */
	int next;
	unsigned turn;                   /* last shared socket used */
};

struct media_engine {
	struct media_range ranges[MEDIA_RANGES_MAX];
	unsigned range_count;
	struct media_sock *socks;
	unsigned sock_count, free_count;
	unsigned *free_socks;            /* places in socks to use again */
	struct media *by_addr[MEDIA_BUCKETS], *by_ssrc[MEDIA_BUCKETS];
	struct media *slices[MEDIA_SLICES];
	unsigned slice_sizes[MEDIA_SLICES];
	unsigned running;
	int64_t next_slice_us;           /* monotonic; 0 = the clock is stopped */
	unsigned slice;
};

/* "IP:FIRST-LAST". 0 or a negative errno with a message. */
int media_range_add(struct carrier *c, const char *spec, char *err, size_t err_size);
/* Opens the shared sockets. */
int media_init(struct carrier *c, char *err, size_t err_size);
/* A socket of the family for the call. 0 or a negative errno. media_address tells what to announce. */
int media_open(struct carrier *c, struct media *m, int family);
void media_address(struct carrier *c, const struct media *m, const char **host, int *port);
/* Another socket for the same call (re-INVITE to a new port). */
int media_move(struct carrier *c, struct media *m);
/* Takes over the far end's SDP: where to send, codec, telephone-event, direction. */
void media_remote(struct carrier *c, struct media *m, const struct sdp *sdp);
/* Begins to send `sound` (the draw picks its variant), or only to receive. */
void media_play(struct carrier *c, struct media *m, const struct sound *sound, uint64_t draw);
void media_press(struct media *m, char digit);
void media_close(struct carrier *c, struct media *m);
void media_clock(struct carrier *c);

/* media_find.c: which call a packet belongs to */
void media_index(struct carrier *c, struct media *m);
void media_unindex(struct carrier *c, struct media *m);
struct media *media_by_packet(struct carrier *c, unsigned sock, const union net_addr *from, uint32_t ssrc);
struct media *media_by_ssrc(struct carrier *c, unsigned sock, uint32_t ssrc);
/* rtp_receive.c */
void rtp_readable(struct carrier *c, unsigned sock, bool rtcp);
uint64_t rtp_missing(const struct rtp_received *rx);
uint64_t rtp_lost_now(const struct rtp_received *rx);
int64_t rtp_late_quantile(const struct rtp_received *rx, double q);
/* rtp_send.c */
struct media_batch *rtp_batch_new(void);
void rtp_tick(struct carrier *c, struct media *m);
void rtp_pause(struct media *m);
void rtp_flush(struct carrier *c);
/* rtcp.c */
void rtcp_tick(struct carrier *c, struct media *m, int64_t now_us);
void rtcp_received(struct carrier *c, unsigned sock, const union net_addr *from, const uint8_t *p, size_t n);

#endif
