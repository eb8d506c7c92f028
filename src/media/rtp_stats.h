/* rtp_stats.h: what a receiver learns about a stream: RFC 3550 appendix A.1 (sequence numbers), A.3 (loss), A.8 (jitter),
 * and a MOS by the E-model (ITU-T G.107, G.113 for the loss robustness of G.711 with concealment). */
#ifndef MEDIA_RTP_STATS_H
#define MEDIA_RTP_STATS_H

#include <stdbool.h>
#include <stdint.h>

struct rtp_packet;

struct rtp_stats {
    uint32_t ssrc;
    uint32_t base;            /* extended sequence number of the first packet of this SSRC */
    uint32_t highest;         /* extended: cycles in the upper half */
    uint64_t received;        /* all packets, also of earlier SSRCs, duplicates not */
    uint64_t received_now;    /* of this SSRC */
    uint64_t expected_before; /* of earlier SSRCs */
    uint64_t duplicates, reordered;
    uint64_t window;     /* the last 64 sequence numbers seen, for duplicates; bit 0 = highest */
    uint32_t jitter_x16; /* in timestamp units × 16 (A.8) */
    uint32_t transit;
    uint64_t expected_prior, received_prior; /* since the last report */
    uint32_t clock_rate;
    bool started;
};

enum rtp_arrival { RTP_NEW, RTP_DUPLICATE, RTP_REORDERED, RTP_RESTARTED };

void rtp_stats_init(struct rtp_stats *stats, uint32_t clock_rate);
/* One packet; `arrival_ns` monotonic. Says how it stands to those before. RTP_RESTARTED: another SSRC, or a jump of
 * more than 3000 packets (a new stream as far as sequence numbers go). `audio` false leaves jitter alone (telephone
 * events repeat a timestamp). */
enum rtp_arrival rtp_stats_packet(struct rtp_stats *stats, const struct rtp_packet *packet, int64_t arrival_ns, bool audio);

uint64_t rtp_stats_expected(const struct rtp_stats *stats);
uint64_t rtp_stats_lost(const struct rtp_stats *stats); /* never negative: duplicates are not counted as received */
uint32_t rtp_stats_jitter_us(const struct rtp_stats *stats);
/* Fraction lost since the last call, in 1/256 (RFC 3550 §6.4.1). */
uint8_t rtp_stats_fraction(struct rtp_stats *stats);

/* MOS × 100 (100..441) for G.711: one-way delay, loss in percent of packets expected. 0 if nothing was expected. */
uint16_t emodel_mos_x100(double delay_ms, double loss_percent);
uint16_t rtp_stats_mos_x100(const struct rtp_stats *stats, uint32_t rtt_us);

#endif
