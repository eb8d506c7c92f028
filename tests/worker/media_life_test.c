/* media_life_test.c: the media thread's beginnings and ends: a predecessor that died, ports in use, changes in mid-call. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "bus/ring.h"
#include "bus/slot.h"
#include "core/clock.h"
#include "core/loop.h"
#include "media/rtcp.h"
#include "media/rtp.h"
#include "media/secure.h"
#include "worker/media_port.h"

#define SLOTS 8u
#define PORT  47000

static struct segment *segment;
static struct loop *loop;
static char near[32]; /* an address of this process alone, so that two of these tests do not meet */
static unsigned ended, done;
static enum media_reason reason;

static void on_event(void *context, const struct media_event *event)
{
    ended += event->kind == MEDIA_ENDED;
    if (event->kind == MEDIA_DONE) {
        done++;
        reason = event->reason;
    }
}

static int port_start(struct media_port **port)
{
    static const char *addresses[] = { near, NULL };
    struct media_params params = { .segment = segment,
                                   .sounds_dir = "/tmp",
                                   .addresses = addresses,
                                   .port_first = PORT,
                                   .port_last = PORT + 2 * SLOTS - 1,
                                   .cpu = -1,
                                   .rtp_timeout_ms = 600 };
    return media_port_start(port, &params, loop, on_event, NULL);
}

static void run_ms(int ms)
{
    for (int64_t until = clock_mono_ns() + ms * NS_PER_MS; clock_mono_ns() < until;) loop_step(loop, 5 * NS_PER_MS);
}

static int socket_at(const char *address, uint16_t port, uint16_t *got)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr(address) };
    socklen_t length = sizeof name;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    int tries = 0; /* the ring of the test before may still be going */
    while (bind(fd, (struct sockaddr *)&name, sizeof name) && tries++ < 1000) usleep(2000);
    getsockname(fd, (struct sockaddr *)&name, &length);
    if (got) *got = ntohs(name.sin_port);
    return fd;
}

static void slot_set(uint32_t slot, uint32_t generation, enum slot_state state, const struct slot_media *media, uint16_t far_port)
{
    struct slot *at = segment_slot(segment, slot);
    slot_call_write_begin(at);
    at->call.generation = generation;
    at->call.state = (uint8_t)state;
    at->call.media = *media;
    *(struct sockaddr_in *)&at->call.media.remote = (struct sockaddr_in) { .sin_family = AF_INET,
                                                                           .sin_port = htons(far_port),
                                                                           .sin_addr.s_addr = inet_addr("127.98.0.2") };
    slot_call_write_end(at);
}

static void push(uint32_t slot, uint32_t generation, enum ring_kind kind)
{
    struct ring_record record = { .slot = slot, .generation = generation, .kind = (uint16_t)kind };
    ring_push(segment_ring_down(segment, 0), &record);
    bell_ring(segment, BUS_WORKER_0, BELL_MEDIA);
}

static bool taken(enum ring_kind kind, uint32_t slot, uint32_t generation)
{
    struct ring_record record;
    if (!ring_peek(segment_ring_up(segment, 0), &record)) return false;
    ring_pop(segment_ring_up(segment, 0));
    return record.kind == kind && record.slot == slot && record.generation == generation;
}

/* Packets at the far end: how many, and of what size and timestamp step the last two were. */
struct heard {
    unsigned rtp, rtcp;
    size_t payload;
    uint32_t step, timestamp;
    uint8_t type;
};

static struct heard hear(int fd)
{
    struct heard heard = { 0 };
    uint8_t bytes[2000];
    ssize_t length;
    while ((length = recv(fd, bytes, sizeof bytes, 0)) > 0) {
        struct rtp_packet packet;
        if (rtp_is_rtcp(bytes, (size_t)length)) {
            heard.rtcp++;
            continue;
        }
        assert_int_equal(rtp_parse(&packet, bytes, (size_t)length), 0);
        heard.step = heard.rtp ? packet.timestamp - heard.timestamp : 0;
        heard.timestamp = packet.timestamp;
        heard.payload = packet.payload_bytes;
        heard.type = packet.payload_type;
        heard.rtp++;
    }
    return heard;
}

static const struct slot_media pcmu = { .codec = "PCMU", .ptime_ms = 20, .clock_rate = 8000, .send = true, .receive = true };

static void a_successor_answers_for_calls_that_were_ending(void **state)
{
    struct media_port *port;
    slot_set(3, 7, SLOT_ENDING, &pcmu, 9);
    slot_set(4, 8, SLOT_MEDIA, &pcmu, 9);
    segment_slot(segment, 3)->totals_sequence = 5; /* killed while writing totals */
    assert_int_equal(port_start(&port), 0);
    run_ms(100);
    assert_true(taken(RING_RELEASED, 3, 7));
    assert_false(taken(RING_RELEASED, 4, 8)); /* the broker ends it; then its STOP is answered */
    struct slot_totals totals;
    assert_true(slot_totals_read(segment_slot(segment, 3), &totals));
    assert_int_equal(totals.generation, 7);
    push(4, 8, RING_MEDIA_STOP);
    run_ms(100);
    assert_true(taken(RING_RELEASED, 4, 8));
    slot_set(3, 7, SLOT_FREE, &pcmu, 9);
    slot_set(4, 8, SLOT_FREE, &pcmu, 9);
    media_port_stop(port);
}

static void a_port_in_use_is_an_error_and_all_is_given_back(void **state)
{
    struct media_port *port;
    int taken_fd = socket_at(near, PORT + 6, NULL);
    assert_int_equal(port_start(&port), -EADDRINUSE);
    close(taken_fd);
    assert_int_equal(port_start(&port), 0);
    media_port_stop(port);
}

static void too_few_ports_are_refused(void **state)
{
    static const char *addresses[] = { near, NULL };
    struct media_port *port;
    struct media_params params = {
        .segment = segment, .sounds_dir = "/tmp", .addresses = addresses, .port_first = PORT, .port_last = PORT + 5, .cpu = -1
    };
    assert_int_equal(media_port_start(&port, &params, loop, on_event, NULL), -EINVAL);
}

static void stopping_with_calls_and_recordings_under_way_leaves_nothing_behind(void **state)
{
    struct media_port *port;
    assert_int_equal(port_start(&port), 0);
    slot_set(1, 1, SLOT_MEDIA, &pcmu, 9);
    push(1, 1, RING_MEDIA_START);
    run_ms(40);
    media_record(port, (struct media_leg) { 1, 1 }, 5, &(struct record_params) { .path = "/tmp/carillon-life.wav", .read = true });
    media_play(port, (struct media_leg) { 1, 1 }, 6, "tone_stream://%(100,100,440);loops=-1", 0, 0);
    run_ms(100);
    media_port_stop(port);
    unlink("/tmp/carillon-life.wav");
}

/* ptime 30 and 60 with G.711, then G.722 and Opus: sizes and timestamps. */
static void updates_change_codec_and_packet_length_in_mid_call(void **state)
{
    static const struct {
        struct slot_media media;
        size_t payload;
        uint32_t step;
        unsigned packets;
    } cases[] = {
        { { .codec = "PCMU", .payload_type = 0, .ptime_ms = 30, .clock_rate = 8000, .send = true, .receive = true }, 240, 240, 20 },
        { { .codec = "PCMA", .payload_type = 8, .ptime_ms = 60, .clock_rate = 8000, .send = true, .receive = true }, 480, 480, 10 },
        { { .codec = "PCMA", .payload_type = 8, .ptime_ms = 10, .clock_rate = 8000, .send = true, .receive = true }, 80, 80, 60 },
        { { .codec = "G722", .payload_type = 9, .ptime_ms = 20, .clock_rate = 8000, .send = true, .receive = true }, 160, 160, 30 },
        { { .codec = "opus", .payload_type = 96, .ptime_ms = 20, .clock_rate = 48000, .channels = 2, .send = true, .receive = true },
          0,
          960,
          30 },
        { { .codec = "opus", .payload_type = 96, .ptime_ms = 60, .clock_rate = 48000, .channels = 2, .send = true, .receive = true },
          0,
          2880,
          10 },
        { { .codec = "L16", .payload_type = 97, .ptime_ms = 20, .clock_rate = 16000, .send = true, .receive = true }, 640, 320, 30 },
    };
    struct media_port *port;
    uint16_t far_port;
    int far = socket_at("127.98.0.2", 0, &far_port);
    assert_int_equal(port_start(&port), 0);
    slot_set(2, 1, SLOT_MEDIA, &pcmu, far_port);
    push(2, 1, RING_MEDIA_START);
    media_play(port, (struct media_leg) { 2, 1 }, 7, "tone_stream://%(100,100,440);loops=-1", 0, 0);
    run_ms(100);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        slot_set(2, 1, SLOT_MEDIA, &cases[i].media, far_port);
        push(2, 1, RING_MEDIA_UPDATE);
        run_ms(100);
        hear(far);
        run_ms(600);
        struct heard heard = hear(far);
        assert_in_range(heard.rtp, cases[i].packets - cases[i].packets / 5 - 2, cases[i].packets + cases[i].packets / 5 + 2);
        assert_int_equal(heard.type, cases[i].media.payload_type);
        assert_int_equal(heard.step, cases[i].step);
        if (cases[i].payload) assert_int_equal(heard.payload, cases[i].payload);
    }
    assert_int_equal(done, 0); /* the play went on through all of them */
    struct slot_media held = pcmu;
    held.send = false;
    slot_set(2, 1, SLOT_MEDIA, &held, far_port);
    push(2, 1, RING_MEDIA_UPDATE);
    run_ms(60);
    hear(far);
    run_ms(200);
    assert_int_equal(hear(far).rtp, 0);
    while (taken(RING_MEDIA_TIMEOUT, 2, 1))
        ; /* nobody spoke for 600 ms: told once */
    push(2, 1, RING_MEDIA_STOP);
    run_ms(100);
    assert_int_equal(done, 1);
    assert_int_equal(reason, MEDIA_GONE);
    assert_true(taken(RING_RELEASED, 2, 1));
    media_port_stop(port);
    close(far);
}

/* --- SRTP ----------------------------------------------------------------------------------------------------------- */

#define KEY_1 "AES_CM_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5QUJDREUwMTIzNDU2Nzg5QUJjZGVm"
#define KEY_2 "AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR"
#define KEY_3 "AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj"

/* Packets that `in` opens, of those that came. */
static unsigned opened(int fd, struct secure *in, unsigned *all)
{
    _Alignas(8) uint8_t bytes[2000];
    ssize_t length;
    unsigned good = 0;
    *all = 0;
    while ((length = recv(fd, bytes, sizeof bytes, 0)) > 0) {
        uint32_t size = (uint32_t)length;
        if (rtp_is_rtcp(bytes, size)) continue;
        (*all)++;
        good += !secure_unprotect(in, bytes, &size, false);
    }
    return good;
}

static void say(int fd, struct secure *out, uint16_t sequence, uint32_t slot)
{
    _Alignas(8) uint8_t packet[12 + 160 + SECURE_TRAILER_MAX] = { 0 };
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)(PORT + 2 * slot)), .sin_addr.s_addr = inet_addr(near) };
    uint32_t length = 172;
    rtp_header(packet, 0, false, sequence, sequence * 160u, 99);
    assert_int_equal(secure_protect(out, packet, &length, false), 0);
    sendto(fd, packet, length, 0, (struct sockaddr *)&to, sizeof to);
}

static struct slot_totals totals_of(uint32_t slot)
{
    struct slot_totals totals;
    run_ms(1100); /* they are written once a second */
    assert_true(slot_totals_read(segment_slot(segment, slot), &totals));
    return totals;
}

/* A re-INVITE with other keys changes over at once, both ways; packets under the old keys are dropped and counted; a re-INVITE with the
 * same keys counts on, so that replayed packets stay replayed. */
static void a_re_invite_changes_the_keys_of_srtp(void **state)
{
    struct media_port *port;
    struct secure *hears_1, *hears_2, *says_2, *says_3;
    struct slot_media media = pcmu;
    uint16_t far_port;
    unsigned all;
    int far = socket_at("127.98.0.2", 0, &far_port);
    assert_int_equal(port_start(&port), 0);
    assert_int_equal(secure_new(&hears_1, KEY_1, false), 0);
    assert_int_equal(secure_new(&hears_2, KEY_2, false), 0);
    assert_int_equal(secure_new(&says_2, KEY_2, true), 0);
    assert_int_equal(secure_new(&says_3, KEY_3, true), 0);
    snprintf(media.crypto_local, sizeof media.crypto_local, KEY_1);
    snprintf(media.crypto_remote, sizeof media.crypto_remote, KEY_2);
    slot_set(6, 1, SLOT_MEDIA, &media, far_port);
    push(6, 1, RING_MEDIA_START);
    run_ms(300);
    assert_in_range(opened(far, hears_1, &all), 10, 18);
    assert_true(all <= 18);
    for (uint16_t i = 0; i < 5; i++) say(far, says_2, i, 6);
    struct slot_totals totals = totals_of(6);
    assert_int_equal(totals.packets_received, 5);
    assert_int_equal(totals.packets_dropped, 0);
    push(6, 1, RING_MEDIA_UPDATE); /* the same keys */
    run_ms(50);
    opened(far, hears_1, &all);
    run_ms(200);
    assert_true(opened(far, hears_1, &all) >= 7);
    snprintf(media.crypto_local, sizeof media.crypto_local, KEY_2);
    snprintf(media.crypto_remote, sizeof media.crypto_remote, KEY_3);
    slot_set(6, 1, SLOT_MEDIA, &media, far_port);
    push(6, 1, RING_MEDIA_UPDATE);
    run_ms(50);
    while (recv(far, &(char[2000]) { 0 }, 2000, 0) > 0) {}
    run_ms(200);
    unsigned new_ones = opened(far, hears_2, &all);
    assert_true(new_ones >= 7 && new_ones == all);
    for (uint16_t i = 10; i < 15; i++) say(far, says_2, i, 6); /* the old key */
    for (uint16_t i = 20; i < 23; i++) say(far, says_3, i, 6);
    totals = totals_of(6);
    assert_int_equal(totals.packets_received, 8);
    assert_int_equal(totals.packets_dropped, 5);
    push(6, 1, RING_MEDIA_STOP);
    run_ms(100);
    while (!taken(RING_RELEASED, 6, 1)) {} /* behind what was told of its silences */
    media_port_stop(port);
    close(far);
    secure_free(hears_1);
    secure_free(hears_2);
    secure_free(says_2);
    secure_free(says_3);
}

static void silence_of_the_far_end_is_told_once(void **state)
{
    struct media_port *port;
    assert_int_equal(port_start(&port), 0);
    slot_set(5, 3, SLOT_MEDIA, &pcmu, 9);
    push(5, 3, RING_MEDIA_START);
    run_ms(400);
    assert_false(taken(RING_MEDIA_TIMEOUT, 5, 3));
    run_ms(1200);
    assert_true(taken(RING_MEDIA_TIMEOUT, 5, 3));
    assert_false(taken(RING_MEDIA_TIMEOUT, 5, 3));
    media_port_stop(port);
}

static int setup(void **state)
{
    struct buf error = BUF_INIT;
    char name[32];
    snprintf(name, sizeof name, "medialife%d", getpid());
    snprintf(near, sizeof near, "127.%d.%d.78", 1 + (getpid() >> 8) % 250, getpid() & 0xFF);
    struct segment_params params = { .name = name, .workers = 1, .slots_each = SLOTS };
    if (segment_create(&segment, &params, &error)) {
        fprintf(stderr, "%s\n", buf_text(&error));
        return -1;
    }
    return loop_new(&loop);
}

static int teardown(void **state)
{
    loop_free(loop);
    segment_remove(segment_name(segment));
    segment_unmap(segment);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_successor_answers_for_calls_that_were_ending),
        cmocka_unit_test(a_port_in_use_is_an_error_and_all_is_given_back),
        cmocka_unit_test(too_few_ports_are_refused),
        cmocka_unit_test(stopping_with_calls_and_recordings_under_way_leaves_nothing_behind),
        cmocka_unit_test(updates_change_codec_and_packet_length_in_mid_call),
        cmocka_unit_test(a_re_invite_changes_the_keys_of_srtp),
        cmocka_unit_test(silence_of_the_far_end_is_told_once),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
