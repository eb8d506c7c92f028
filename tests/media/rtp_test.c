/* rtp_test.c: RTP, RTCP, telephone events, statistics and jitter buffer. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "media/jitter.h"
#include "media/recorder.h"
#include "media/rtcp.h"
#include "media/rtp.h"
#include "media/rtp_event.h"
#include "media/rtp_stats.h"

#define MS 1000000LL

/* --- RTP ---------------------------------------------------------------------------------------------------------- */

static void a_packet_survives_building_and_parsing(void **state)
{
    uint8_t bytes[12 + 4] = { 0 };
    struct rtp_packet packet;
    rtp_header(bytes, 101, true, 0xFFFE, 0x80000001, 0xDEADBEEF);
    assert_int_equal(rtp_parse(&packet, bytes, sizeof bytes), 0);
    assert_int_equal(packet.payload_type, 101);
    assert_true(packet.marker);
    assert_int_equal(packet.sequence, 0xFFFE);
    assert_int_equal(packet.timestamp, 0x80000001);
    assert_int_equal(packet.ssrc, 0xDEADBEEF);
    assert_int_equal(packet.payload_bytes, 4);
}

static void extension_contributors_and_padding_are_taken_off(void **state)
{
    uint8_t bytes[40] = { 0 };
    struct rtp_packet packet;
    rtp_header(bytes, 0, false, 1, 2, 3);
    bytes[0] = 0x80 | 0x20 | 0x10 | 1; /* padding, extension, one CSRC */
    bytes[12 + 4 + 3] = 2;             /* extension of two words behind the CSRC */
    bytes[39] = 3;
    assert_int_equal(rtp_parse(&packet, bytes, 40), 0);
    assert_ptr_equal(packet.payload, bytes + 12 + 4 + 4 + 8);
    assert_int_equal(packet.payload_bytes, 40 - 28 - 3);
}

static void broken_packets_are_refused(void **state)
{
    uint8_t bytes[20] = { 0x80 };
    struct rtp_packet packet;
    assert_int_equal(rtp_parse(&packet, bytes, 11), -EBADMSG);
    bytes[0] = 0x40;
    assert_int_equal(rtp_parse(&packet, bytes, 20), -EBADMSG);
    bytes[0] = 0x8F; /* 15 CSRCs do not fit */
    assert_int_equal(rtp_parse(&packet, bytes, 20), -EBADMSG);
    bytes[0] = 0xA0;
    bytes[19] = 200; /* more padding than packet */
    assert_int_equal(rtp_parse(&packet, bytes, 20), -EBADMSG);
    bytes[19] = 0;
    assert_int_equal(rtp_parse(&packet, bytes, 20), -EBADMSG);
    bytes[0] = 0x90;
    bytes[14] = 0xFF; /* an extension beyond the end */
    assert_int_equal(rtp_parse(&packet, bytes, 20), -EBADMSG);
}

/* --- RTCP --------------------------------------------------------------------------------------------------------- */

static void reports_survive_building_and_parsing(void **state)
{
    uint8_t bytes[RTCP_BYTES_MAX];
    struct rtcp_report in = {
        .ssrc = 7,
        .is_sender = true,
        .ntp = 0x1122334455667788,
        .timestamp = 99,
        .packets = 1000,
        .octets = 160000,
        .has_block = true,
        .bye = true,
        .block = { .ssrc = 42, .fraction_lost = 12, .lost = -5, .highest = 70000, .jitter = 33, .last_sr = 0xABCD, .delay_last_sr = 65536 }
    };
    struct rtcp_report out;
    int length = rtcp_build(&in, "carillon-test", bytes, sizeof bytes);
    assert_true(length > 0 && length % 4 == 0);
    assert_true(rtp_is_rtcp(bytes, (size_t)length));
    assert_int_equal(rtcp_parse(&out, bytes, (size_t)length, 42), 0);
    assert_int_equal(out.ssrc, 7);
    assert_true(out.is_sender && out.has_block && out.bye);
    assert_true(out.ntp == in.ntp);
    assert_int_equal(out.packets, 1000);
    assert_int_equal(out.block.lost, -5);
    assert_int_equal(out.block.fraction_lost, 12);
    assert_int_equal(out.block.highest, 70000);
    in.is_sender = in.bye = false;
    length = rtcp_build(&in, "x", bytes, sizeof bytes);
    assert_int_equal(rtcp_parse(&out, bytes, (size_t)length, 42), 0);
    assert_false(out.is_sender);
    assert_int_equal(rtcp_build(&in, "x", bytes, 20), -ENOSPC);
    for (int cut = 1; cut < length; cut++) assert_int_equal(rtcp_parse(&out, bytes, (size_t)(length - cut), 42) == 0 && cut % 4, 0);
}

/* RFC 3550 §6.4.1, figure 2: the round trip of the RFC's own example is 6.125 s. */
static void the_round_trip_of_the_rfcs_example_is_right(void **state)
{
    struct rtcp_block block = { .last_sr = 0xB7052000, .delay_last_sr = 0x00054000 };
    uint64_t now = (uint64_t)0xB7108000 << 16;
    assert_int_equal(rtcp_rtt_us(&block, now), 6125000);
    block.last_sr = 0;
    assert_int_equal(rtcp_rtt_us(&block, now), 0);
}

static void ntp_time_counts_from_1900(void **state)
{
    assert_int_equal(rtcp_ntp(0) >> 32, 2208988800u);
    assert_int_equal((uint32_t)rtcp_ntp(500000), 0x80000000u);
}

/* --- telephone events --------------------------------------------------------------------------------------------- */

static struct rtp_event_in in_event;
static struct rtp_key keys[2];

static int event(uint32_t timestamp, unsigned number, bool end, unsigned duration, int64_t ms)
{
    uint8_t payload[4];
    struct rtp_packet packet = { .timestamp = timestamp, .payload = payload, .payload_bytes = 4 };
    rtp_event_payload(payload, number, end, 10, (uint16_t)duration);
    return rtp_event_packet(&in_event, &packet, 8000, ms * MS, keys);
}

static void a_key_with_three_ends_counts_once(void **state)
{
    memset(&in_event, 0, sizeof in_event);
    assert_int_equal(event(1000, 5, false, 160, 0), 0);
    assert_int_equal(event(1000, 5, false, 320, 20), 0);
    assert_int_equal(event(1000, 5, true, 480, 40), 1);
    assert_int_equal(keys[0].digit, '5');
    assert_int_equal(keys[0].duration, 480);
    assert_int_equal(event(1000, 5, true, 480, 60), 0);
    assert_int_equal(event(1000, 5, true, 480, 80), 0);
    assert_int_equal(event(1000, 5, false, 320, 90), 0); /* reordered straggler */
}

static void one_end_alone_is_a_key(void **state)
{
    memset(&in_event, 0, sizeof in_event);
    assert_int_equal(event(1000, 11, true, 800, 0), 1);
    assert_int_equal(keys[0].digit, '#');
    assert_int_equal(event(1000, 11, true, 800, 20), 0);
}

static void a_key_whose_ends_are_lost_counts_when_the_next_begins(void **state)
{
    memset(&in_event, 0, sizeof in_event);
    event(1000, 1, false, 160, 0);
    event(1000, 1, false, 320, 20);
    assert_int_equal(event(3000, 2, false, 160, 250), 1);
    assert_int_equal(keys[0].digit, '1');
    assert_int_equal(event(3000, 2, true, 320, 270), 1);
    assert_int_equal(keys[0].digit, '2');
}

static void a_key_whose_ends_are_lost_counts_after_100_ms(void **state)
{
    struct rtp_key key;
    memset(&in_event, 0, sizeof in_event);
    event(1000, 9, false, 160, 0);
    assert_int_equal(rtp_event_idle(&in_event, 8000, 50 * MS, &key), 0);
    assert_int_equal(rtp_event_idle(&in_event, 8000, 100 * MS, &key), 1);
    assert_int_equal(key.digit, '9');
    assert_int_equal(rtp_event_idle(&in_event, 8000, 300 * MS, &key), 0);
    assert_int_equal(event(1000, 9, true, 480, 320), 0); /* its end after all */
}

static void the_same_key_twice_counts_twice(void **state)
{
    memset(&in_event, 0, sizeof in_event);
    assert_int_equal(event(1000, 3, true, 480, 0), 1);
    assert_int_equal(event(2600, 3, true, 480, 200), 1);
    assert_int_equal(event(1000, 3, true, 480, 210), 0); /* a late end of the first */
}

static void a_long_key_in_segments_counts_once(void **state)
{
    memset(&in_event, 0, sizeof in_event);
    uint32_t timestamp = 0xFFFF0000; /* and wraps */
    for (unsigned at = 160; at <= 65440; at += 160) assert_int_equal(event(timestamp, 4, false, at, at / 8), 0);
    timestamp += 65440;
    for (unsigned at = 160; at <= 8000; at += 160) assert_int_equal(event(timestamp, 4, false, at, 8180 + at / 8), 0);
    assert_int_equal(event(timestamp, 4, true, 8160, 9300), 1);
    assert_int_equal(keys[0].duration, 65440 + 8160);
}

static void durations_of_other_clocks_are_told_at_8_khz(void **state)
{
    uint8_t payload[4];
    struct rtp_packet packet = { .timestamp = 5, .payload = payload, .payload_bytes = 4 };
    memset(&in_event, 0, sizeof in_event);
    rtp_event_payload(payload, 0, true, 10, 4800);
    assert_int_equal(rtp_event_packet(&in_event, &packet, 48000, 0, keys), 1);
    assert_int_equal(keys[0].duration, 800);
}

static void what_is_no_key_is_nothing(void **state)
{
    memset(&in_event, 0, sizeof in_event);
    assert_int_equal(event(1, 66, true, 100, 0), 0);
    assert_int_equal(rtp_event_number('x'), -1);
    assert_int_equal(rtp_event_number('d'), 15);
    assert_int_equal(rtp_event_digit(16), 'F');
}

static void what_we_send_is_what_we_understand(void **state)
{
    for (uint32_t duration = 160; duration < 200000; duration += 7777) {
        struct rtp_event_out out;
        uint8_t payload[4];
        bool marker;
        uint32_t offset, packets = 0;
        int found = 0;
        memset(&in_event, 0, sizeof in_event);
        rtp_event_begin(&out, 7, duration);
        while (rtp_event_next(&out, 160, payload, &marker, &offset)) {
            struct rtp_packet packet = { .timestamp = 1000 + offset, .payload = payload, .payload_bytes = 4 };
            assert_int_equal(marker, packets == 0);
            found += rtp_event_packet(&in_event, &packet, 8000, packets++ * 20 * MS, keys);
        }
        assert_int_equal(found, 1);
        assert_int_equal(keys[0].duration, (duration + 159) / 160 * 160);
        assert_int_equal(packets, (duration + 159) / 160 + 2);
    }
}

/* --- statistics --------------------------------------------------------------------------------------------------- */

static struct rtp_packet audio(uint16_t sequence, uint32_t timestamp, uint32_t ssrc)
{
    static const uint8_t payload[160];
    return (struct rtp_packet) { .sequence = sequence, .timestamp = timestamp, .ssrc = ssrc, .payload = payload, .payload_bytes = 160 };
}

static void loss_duplicates_and_reordering_are_counted_across_the_wrap(void **state)
{
    struct rtp_stats stats;
    rtp_stats_init(&stats, 8000);
    uint16_t sequence = 65000;
    uint64_t sent = 0, lost = 0;
    for (int i = 0; i < 3000; i++, sequence++) {
        struct rtp_packet packet = audio(sequence, (uint32_t)i * 160, 1);
        if (i % 10 == 7) {
            lost++;
            continue;
        }
        assert_int_equal(rtp_stats_packet(&stats, &packet, i * 20 * MS, true), i ? RTP_NEW : RTP_RESTARTED);
        sent++;
        if (i % 100 == 0) assert_int_equal(rtp_stats_packet(&stats, &packet, i * 20 * MS, true), RTP_DUPLICATE);
    }
    assert_int_equal(rtp_stats_expected(&stats), 3000);
    assert_int_equal(rtp_stats_lost(&stats), lost);
    assert_int_equal(stats.received, sent);
    assert_int_equal(stats.duplicates, 30);
    assert_int_equal(rtp_stats_fraction(&stats), (lost << 8) / 3001);
    assert_int_equal(rtp_stats_fraction(&stats), 0);
}

static void a_packet_that_comes_late_is_not_lost(void **state)
{
    struct rtp_stats stats;
    rtp_stats_init(&stats, 8000);
    static const uint16_t order[] = { 10, 12, 11, 13, 9 };
    for (int i = 0; i < 5; i++) {
        struct rtp_packet packet = audio(order[i], order[i] * 160u, 1);
        rtp_stats_packet(&stats, &packet, i * 20 * MS, true);
    }
    assert_int_equal(rtp_stats_expected(&stats), 5);
    assert_int_equal(rtp_stats_lost(&stats), 0);
    assert_int_equal(stats.reordered, 2);
}

static void another_ssrc_starts_anew_and_totals_go_on(void **state)
{
    struct rtp_stats stats;
    rtp_stats_init(&stats, 8000);
    for (int i = 0; i < 100; i++) {
        struct rtp_packet packet = audio((uint16_t)(i < 50 ? i : 40000 + i), (uint32_t)i * 160, i < 50 ? 1 : 2);
        rtp_stats_packet(&stats, &packet, i * 20 * MS, true);
    }
    assert_int_equal(rtp_stats_expected(&stats), 100);
    assert_int_equal(rtp_stats_lost(&stats), 0);
}

/* RFC 3550 A.8 in floating point. */
static void jitter_follows_the_rfc(void **state)
{
    struct rtp_stats stats;
    rtp_stats_init(&stats, 8000);
    double model = 0, before = 0;
    srand(3);
    for (int i = 0; i < 5000; i++) {
        int64_t arrival = i * 20 * MS + rand() % 30 * MS;
        struct rtp_packet packet = audio((uint16_t)i, (uint32_t)i * 160, 1);
        rtp_stats_packet(&stats, &packet, arrival, true);
        double transit = (double)arrival / 1e9 * 8000 - i * 160.0;
        if (i) model += (fabs(transit - before) - model) / 16;
        before = transit;
    }
    assert_true(fabs(rtp_stats_jitter_us(&stats) - model / 8000 * 1e6) < 250);
}

static void mos_falls_with_loss_and_delay(void **state)
{
    assert_in_range(emodel_mos_x100(0, 0), 435, 445);
    assert_in_range(emodel_mos_x100(50, 0), 430, 442);
    assert_true(emodel_mos_x100(50, 1) < emodel_mos_x100(50, 0));
    assert_true(emodel_mos_x100(50, 5) < 400);
    assert_true(emodel_mos_x100(400, 0) < 380);
    assert_int_equal(emodel_mos_x100(2000, 90), 100);
}

/* --- jitter buffer ------------------------------------------------------------------------------------------------ */

static int put(struct jitter *jitter, uint16_t sequence, int64_t ms, uint8_t mark)
{
    static uint8_t payload[160];
    struct rtp_packet packet = audio(sequence, sequence * 160u, 1);
    payload[0] = mark;
    packet.payload = payload;
    return jitter_put(jitter, &packet, ms * MS);
}

static int get(struct jitter *jitter)
{
    const uint8_t *payload;
    size_t length;
    uint8_t type;
    switch (jitter_get(jitter, &payload, &length, &type)) {
    case JITTER_PACKET:
        return payload[0];
    case JITTER_LOST:
        return -1;
    default:
        return -2;
    }
}

static void reordered_packets_come_out_in_order_and_duplicates_once(void **state)
{
    struct jitter *jitter = jitter_new(8000, 160);
    assert_int_equal(put(jitter, 65534, 0, 1), 0);
    assert_int_equal(put(jitter, 0, 20, 3), 0);
    assert_int_equal(put(jitter, 65535, 21, 2), 0);
    assert_int_equal(put(jitter, 65535, 22, 2), -EEXIST);
    assert_int_equal(put(jitter, 1, 60, 4), 0);
    for (int i = 1; i <= 4; i++) assert_int_equal(get(jitter), i);
    assert_int_equal(get(jitter), -2);
    jitter_free(jitter);
}

static void a_lost_packet_is_told_and_one_too_late_refused(void **state)
{
    struct jitter *jitter = jitter_new(8000, 160);
    put(jitter, 10, 0, 1);
    put(jitter, 12, 40, 3);
    put(jitter, 13, 60, 4);
    assert_int_equal(get(jitter), 1);
    assert_int_equal(get(jitter), -1);
    assert_int_equal(put(jitter, 11, 70, 2), -ESTALE);
    assert_int_equal(get(jitter), -1); /* it waits one packet's time, so that the next late one is in time */
    assert_int_equal(jitter_counts(jitter)->stretched, 1);
    assert_int_equal(get(jitter), 3);
    jitter_free(jitter);
}

/* --- a bad network under a virtual clock ------------------------------------------------------------------------------ */

/* A sender 200 ppm fast, bursts of four losses that make 2 %, up to 80 ms of jitter. Each packet carries its number as its samples. */
struct network {
    struct {
        double at;
        uint32_t number;
    } flying[64];
    unsigned count, sent, lost;
    double send_ms;
    int burst;
};

static void network_send(struct network *n, double now)
{
    for (; n->send_ms <= now; n->send_ms += 20 / 1.0002, n->sent++) {
        if (!n->burst && rand() % 200 == 0) n->burst = 4;
        if (n->burst) {
            n->burst--;
            n->lost++;
            continue;
        }
        assert_true(n->count < 64);
        n->flying[n->count].at = n->send_ms + rand() % 80;
        n->flying[n->count++].number = n->sent;
    }
}

static void network_arrive(struct network *n, struct jitter *jitter, double now)
{
    for (unsigned i = 0; i < n->count;) {
        if (n->flying[i].at > now) {
            i++;
            continue;
        }
        uint32_t number = n->flying[i].number;
        uint8_t payload[4] = { (uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number };
        struct rtp_packet packet = audio((uint16_t)number, number * 160u, 1);
        packet.payload = payload;
        packet.payload_bytes = sizeof payload;
        jitter_put(jitter, &packet, (int64_t)(n->flying[i].at * MS));
        n->flying[i] = n->flying[--n->count];
    }
}

/* Ten minutes are recorded by our own clock: the file is ten minutes long within a frame, what is heard in it lies where it was said (plus
 * the buffer's delay, at its end as at its beginning), and what the network delivered is nearly all there. */
static void ten_minutes_of_a_bad_network_keep_their_length(void **state)
{
    enum { TICKS = 30000 };
    char path[] = "/tmp/carillon-jitter-XXXXXX.wav";
    close(mkstemps(path, 4));
    struct recorder *recorder = recorder_new(&(struct recorder_params) { .path = path });
    struct jitter *jitter = jitter_new(8000, 160);
    struct network network = { 0 };
    unsigned played = 0, fillers = 0;
    double delay_least = 1e9, delay_most = 0, late_in_all = 0;
    srand(1);
    recorder_begin(recorder, 8000);
    for (int tick = 0; tick < TICKS; tick++) {
        double now = tick * 20.0;
        int16_t frame[160] = { 0 };
        const uint8_t *payload;
        size_t length;
        uint8_t type;
        network_send(&network, now);
        network_arrive(&network, jitter, now);
        if (jitter_get(jitter, &payload, &length, &type) == JITTER_PACKET) {
            uint32_t number = (uint32_t)payload[0] << 24 | (uint32_t)payload[1] << 16 | (uint32_t)payload[2] << 8 | payload[3];
            double delay = now - number * 20 / 1.0002;
            if (tick > 250) {
                delay_least = fmin(delay_least, delay);
                delay_most = fmax(delay_most, delay);
            }
            late_in_all += delay;
            for (int i = 0; i < 160; i++) frame[i] = (int16_t)(number & 0x7FFF);
            played++;
        } else {
            fillers++;
        }
        assert_true(recorder_push(recorder, frame, NULL, 160));
        if (tick % 10 == 0) recorder_work(recorder);
    }
    recorder_finish(recorder);
    while (!recorder_work(recorder)) {}
    double recorded_ms = (double)recorder_result(recorder)->samples / 8;
    print_message("sent %u, lost by the network %u, played %u, filled in %u; delay %.0f to %.0f ms, %.0f on average; recorded %.0f ms\n",
                  network.sent, network.lost, played, fillers, delay_least, delay_most, late_in_all / played, recorded_ms);
    unlink(path);
    recorder_free(recorder);
    jitter_free(jitter);
    assert_true(fabs(recorded_ms - TICKS * 20.0) <= 20);
    assert_true(network.lost > network.sent * 15 / 1000);
    assert_true(played >= (network.sent - network.lost) * 99 / 100);
    assert_true(delay_most <= 240);
    assert_true(late_in_all / played <= 160);
}

static void another_ssrc_or_a_jump_starts_the_buffer_anew(void **state)
{
    struct jitter *jitter = jitter_new(8000, 160);
    for (uint16_t i = 0; i < 5; i++) put(jitter, i, i * 20, 1);
    get(jitter);
    struct rtp_packet packet = audio(30000, 7, 2);
    jitter_put(jitter, &packet, 100 * MS);
    assert_int_equal(jitter_depth_ms(jitter), 20);
    put(jitter, 100, 120, 1); /* and back again */
    assert_int_equal(jitter_depth_ms(jitter), 20);
    assert_int_equal(jitter_counts(jitter)->resets, 3);
    packet.payload_bytes = 161;
    assert_int_equal(jitter_put(jitter, &packet, 0), -EMSGSIZE);
    jitter_free(jitter);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_survives_building_and_parsing),
        cmocka_unit_test(extension_contributors_and_padding_are_taken_off),
        cmocka_unit_test(broken_packets_are_refused),
        cmocka_unit_test(reports_survive_building_and_parsing),
        cmocka_unit_test(the_round_trip_of_the_rfcs_example_is_right),
        cmocka_unit_test(ntp_time_counts_from_1900),
        cmocka_unit_test(a_key_with_three_ends_counts_once),
        cmocka_unit_test(one_end_alone_is_a_key),
        cmocka_unit_test(a_key_whose_ends_are_lost_counts_when_the_next_begins),
        cmocka_unit_test(a_key_whose_ends_are_lost_counts_after_100_ms),
        cmocka_unit_test(the_same_key_twice_counts_twice),
        cmocka_unit_test(a_long_key_in_segments_counts_once),
        cmocka_unit_test(durations_of_other_clocks_are_told_at_8_khz),
        cmocka_unit_test(what_is_no_key_is_nothing),
        cmocka_unit_test(what_we_send_is_what_we_understand),
        cmocka_unit_test(loss_duplicates_and_reordering_are_counted_across_the_wrap),
        cmocka_unit_test(a_packet_that_comes_late_is_not_lost),
        cmocka_unit_test(another_ssrc_starts_anew_and_totals_go_on),
        cmocka_unit_test(jitter_follows_the_rfc),
        cmocka_unit_test(mos_falls_with_loss_and_delay),
        cmocka_unit_test(reordered_packets_come_out_in_order_and_duplicates_once),
        cmocka_unit_test(a_lost_packet_is_told_and_one_too_late_refused),
        cmocka_unit_test(ten_minutes_of_a_bad_network_keep_their_length),
        cmocka_unit_test(another_ssrc_or_a_jump_starts_the_buffer_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
