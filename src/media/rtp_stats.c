#include "media/rtp_stats.h"

#include "media/rtp.h"

#define MAX_DROPOUT  3000
#define MAX_MISORDER 100

void rtp_stats_init(struct rtp_stats *stats, uint32_t clock_rate)
{
    *stats = (struct rtp_stats) { .clock_rate = clock_rate ? clock_rate : 8000 };
}

static void stats_begin(struct rtp_stats *stats, const struct rtp_packet *packet)
{
    if (stats->started) stats->expected_before += stats->highest - stats->base + 1;
    stats->started = true;
    stats->ssrc = packet->ssrc;
    /* One cycle up, so that a packet from before the first one cannot wrap below zero. */
    stats->base = stats->highest = 0x10000u + packet->sequence;
    stats->received_now = 1;
    stats->received++;
    stats->window = 1;
    stats->transit = 0;
}

/* RFC 3550 A.8. The first packet of a stream only sets the transit time. */
static void stats_jitter(struct rtp_stats *stats, uint32_t timestamp, int64_t arrival_ns)
{
    /* Split before scaling: nanoseconds × 48000 would overflow after two days of uptime. */
    uint64_t seconds = (uint64_t)arrival_ns / 1000000000u, rest = (uint64_t)arrival_ns % 1000000000u;
    uint32_t arrival = (uint32_t)(seconds * stats->clock_rate + rest * stats->clock_rate / 1000000000u);
    uint32_t transit = arrival - timestamp;
    if (stats->received_now > 1) {
        int32_t step = (int32_t)(transit - stats->transit);
        uint32_t d = (uint32_t)(step < 0 ? -step : step);
        if (d < stats->clock_rate * 2) /* beyond: the sender changed its timestamps, no jitter */
            stats->jitter_x16 += d - ((stats->jitter_x16 + 8) >> 4);
    }
    stats->transit = transit;
}

static enum rtp_arrival stats_sequence(struct rtp_stats *stats, const struct rtp_packet *packet)
{
    int16_t delta = (int16_t)(packet->sequence - (uint16_t)stats->highest);
    if (delta > 0 && delta < MAX_DROPOUT) {
        stats->highest += (uint32_t)delta;
        stats->window = delta < 64 ? stats->window << delta | 1 : 1;
        return RTP_NEW;
    }
    if (delta > -MAX_MISORDER && delta <= 0) {
        uint64_t bit = -delta < 64 ? 1ull << -delta : 0;
        if (!bit || stats->window & bit) {
            stats->duplicates++;
            return RTP_DUPLICATE;
        }
        stats->window |= bit;
        if (stats->highest + (uint32_t)(int32_t)delta < stats->base) stats->base = stats->highest + (uint32_t)(int32_t)delta;
        stats->reordered++;
        return RTP_REORDERED;
    }
    return RTP_RESTARTED;
}

enum rtp_arrival rtp_stats_packet(struct rtp_stats *stats, const struct rtp_packet *packet, int64_t arrival_ns, bool audio)
{
    enum rtp_arrival arrival = RTP_RESTARTED;
    if (stats->started && packet->ssrc == stats->ssrc) arrival = stats_sequence(stats, packet);
    if (arrival == RTP_DUPLICATE) return arrival;
    if (arrival == RTP_RESTARTED) {
        stats_begin(stats, packet);
    } else {
        stats->received++;
        stats->received_now++;
    }
    if (audio && arrival != RTP_REORDERED) stats_jitter(stats, packet->timestamp, arrival_ns);
    return arrival;
}

uint64_t rtp_stats_expected(const struct rtp_stats *stats)
{
    return stats->started ? stats->expected_before + (stats->highest - stats->base + 1) : 0;
}

uint64_t rtp_stats_lost(const struct rtp_stats *stats)
{
    uint64_t expected = rtp_stats_expected(stats);
    return expected > stats->received ? expected - stats->received : 0;
}

uint32_t rtp_stats_jitter_us(const struct rtp_stats *stats)
{
    return (uint32_t)((uint64_t)(stats->jitter_x16 >> 4) * 1000000u / (stats->clock_rate ? stats->clock_rate : 8000));
}

uint8_t rtp_stats_fraction(struct rtp_stats *stats)
{
    uint64_t expected = rtp_stats_expected(stats), received = stats->received;
    uint64_t expected_now = expected - stats->expected_prior, received_now = received - stats->received_prior;
    stats->expected_prior = expected;
    stats->received_prior = received;
    if (!expected_now || received_now >= expected_now) return 0;
    return (uint8_t)(((expected_now - received_now) << 8) / (expected_now + 1));
}

/* G.107 with default values: R = 93.2 − Id − Ie,eff. Id after Cole & Rosenbluth's fit; Ie,eff with Bpl = 25.1 (G.711 with
 * packet-loss concealment, G.113 appendix I, random loss). */
uint16_t emodel_mos_x100(double delay_ms, double loss_percent)
{
    double id = 0.024 * delay_ms + (delay_ms > 177.3 ? 0.11 * (delay_ms - 177.3) : 0);
    double ie = 95.0 * loss_percent / (loss_percent + 25.1);
    double r = 93.2 - id - ie;
    if (r <= 0) return 100;
    double mos = 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6;
    return mos < 1 ? 100 : (uint16_t)(mos * 100 + 0.5);
}

uint16_t rtp_stats_mos_x100(const struct rtp_stats *stats, uint32_t rtt_us)
{
    uint64_t expected = rtp_stats_expected(stats);
    if (!expected || !stats->received) return 0;
    /* One way: half the round trip, a frame to packetise, and a jitter buffer of twice the jitter (40 ms at least). */
    double buffer_ms = 2.0 * rtp_stats_jitter_us(stats) / 1000.0;
    double delay_ms = rtt_us / 2000.0 + 20 + (buffer_ms < 40 ? 40 : buffer_ms);
    return emodel_mos_x100(delay_ms, 100.0 * (double)rtp_stats_lost(stats) / (double)expected);
}
