/* media_rtcp.c: reports each 5 s, and what the far end reports of us. */
#include "media/rtcp.h"

#include "worker/media_internal.h"

static bool same_host(const struct sockaddr_in6 *a, const struct sockaddr_in6 *b)
{
    struct sockaddr_in6 other = *b;
    other.sin6_port = a->sin6_port;
    return address_equal(a, &other);
}

void leg_rtcp_receive(struct media *m, struct leg *leg, const struct sockaddr_in6 *from, uint8_t *bytes, size_t length)
{
    if (leg_secure_open(m, leg, bytes, &length, true)) {
        leg_rtcp_read(m, leg, from, bytes, length);
        return;
    }
    leg->packets_dropped++;
    COUNT(m, packets_dropped, 1);
}

void leg_rtcp_read(struct media *m, struct leg *leg, const struct sockaddr_in6 *from, const uint8_t *bytes, size_t length)
{
    struct rtcp_report report;
    if (!same_host(from, &leg->remote) || rtcp_parse(&report, bytes, length, leg->ssrc)) {
        leg->packets_dropped++;
        COUNT(m, packets_dropped, 1);
        return;
    }
    if (report.is_sender) {
        leg->sr_middle = rtcp_ntp_middle(report.ntp);
        leg->sr_ns = m->now_ns;
    }
    if (report.has_block && report.block.ssrc == leg->ssrc) {
        uint32_t rtt = rtcp_rtt_us(&report.block, rtcp_ntp(clock_utc_us()));
        if (rtt) leg->rtt_us = rtt;
    }
}

static void report_block(struct media *m, struct leg *leg, struct rtcp_report *report)
{
    uint64_t lost = rtp_stats_lost(&leg->stats);
    uint64_t delay = leg->sr_middle ? (uint64_t)(m->now_ns - leg->sr_ns) * 65536 / NS_PER_S : 0;
    report->has_block = true;
    report->block = (struct rtcp_block) {
        .ssrc = leg->stats.ssrc,
        .fraction_lost = rtp_stats_fraction(&leg->stats),
        .lost = lost > 0x7FFFFF ? 0x7FFFFF : (int32_t)lost,
        .highest = leg->stats.highest - 0x10000u, /* the statistics begin one cycle up */
        .jitter = leg->stats.jitter_x16 >> 4,
        .last_sr = leg->sr_middle,
        .delay_last_sr = (uint32_t)delay,
    };
}

void leg_rtcp_send(struct media *m, struct leg *leg, bool bye)
{
    if (leg->is_virtual || !leg->remote.sin6_port || (!leg->packets_sent && !leg->stats.started)) return;
    struct rtcp_report report = { .ssrc = leg->ssrc, .is_sender = leg->packets_sent > 0, .bye = bye };
    if (report.is_sender) {
        report.ntp = rtcp_ntp(clock_utc_us());
        report.timestamp = leg->timestamp;
        report.packets = (uint32_t)leg->packets_sent;
        report.octets = (uint32_t)leg->bytes_sent;
    }
    if (leg->stats.started) report_block(m, leg, &report);
    char cname[32];
    snprintf(cname, sizeof cname, "%s-%08x", m->cname, leg->ssrc);
    uint8_t *bytes = uring_packet(m, leg_secure_room(leg, RTCP_BYTES_MAX));
    int length = rtcp_build(&report, cname, bytes, RTCP_BYTES_MAX);
    uint32_t sealed = (uint32_t)length;
    if (length <= 0 || !leg_secure_seal(leg, bytes, &sealed, true)) return;
    uring_send(m, 2 * leg->number + (leg->media.rtcp_mux ? 0 : 1), bytes, sealed, &leg->remote_rtcp, leg->socket_bytes);
    if (bye) uring_flush(m); /* the leg's address must outlive the submit */
}
