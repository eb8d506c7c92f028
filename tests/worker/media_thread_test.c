/* media_thread_test.c: the media thread through its own doors: a segment with a fake broker (this test writes the slot's half and
 * pushes records), the port, and a far end on loopback UDP. */
#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <sndfile.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "bus/counter.h"
#include "bus/ring.h"
#include "bus/slot.h"
#include "core/clock.h"
#include "core/loop.h"
#include "media/g711.h"
#include "media/rtp.h"
#include "media/rtp_event.h"
#include "worker/media_port.h"

#define SLOTS       32u
#define PORT        46000
#define EVENTS_KEPT 512

static struct segment *segment;
static struct loop *loop;
static struct media_port *port;
static struct media_event kept[EVENTS_KEPT];
static unsigned kept_count;
static char directory[64], sine[96];
static char near[32]; /* an address of this process alone, so that two of these tests do not meet */
static uint32_t generations[SLOTS];

static void on_event(void *context, const struct media_event *event)
{
    if (kept_count < EVENTS_KEPT) kept[kept_count++] = *event;
}

static struct {
    pthread_t thread;
    _Atomic bool stop;
    _Atomic uint64_t starved; /* slices of 2 ms that passed while it was more than 100 ms late */
} idle;

/* --- far end ------------------------------------------------------------------------------------------------------ */

struct far {
    int fd, rtcp;
    uint16_t port;
    uint32_t slot, ssrc, timestamp;
    uint16_t sequence;
    unsigned received, events;
    struct rtp_packet last, first;
    int16_t heard[8000 * 20];
    unsigned heard_count, gaps, odd_steps;
    int64_t first_ns, last_ns;
};

static int far_socket(uint16_t *number)
{
    struct sockaddr_in name = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t length = sizeof name;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof name), 0);
    getsockname(fd, (struct sockaddr *)&name, &length);
    *number = ntohs(name.sin_port);
    return fd;
}

static struct far *far_new(uint32_t slot)
{
    struct far *far = calloc(1, sizeof *far);
    far->fd = far_socket(&far->port);
    far->slot = slot;
    far->ssrc = 0x1000 + slot;
    return far;
}

static void far_free(struct far *far)
{
    close(far->fd);
    free(far);
}

static void far_send(struct far *far, uint8_t type, bool marker, uint32_t timestamp, const void *payload, size_t length)
{
    uint8_t packet[1500];
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons((uint16_t)(PORT + 2 * far->slot)),
                              .sin_addr.s_addr = inet_addr(near) };
    rtp_header(packet, type, marker, far->sequence++, timestamp, far->ssrc);
    memcpy(packet + 12, payload, length);
    assert_int_equal(sendto(far->fd, packet, 12 + length, 0, (struct sockaddr *)&to, sizeof to), (ssize_t)(12 + length));
}

static void far_take(struct far *far)
{
    uint8_t packet[1500];
    struct rtp_packet rtp;
    ssize_t length;
    while ((length = recv(far->fd, packet, sizeof packet, 0)) > 0) {
        assert_int_equal(rtp_parse(&rtp, packet, (size_t)length), 0);
        if (far->received) {
            far->gaps += (uint16_t)(rtp.sequence - far->last.sequence) != 1;
            if (rtp.payload_type == 0 && far->last.payload_type == 0) far->odd_steps += rtp.timestamp - far->last.timestamp != 160;
        } else {
            far->first = rtp;
            far->first_ns = clock_mono_ns();
        }
        far->received++;
        far->last = rtp;
        far->last_ns = clock_mono_ns();
        far->events += rtp.payload_type == 101;
        for (size_t i = 0; rtp.payload_type == 0 && i < rtp.payload_bytes && far->heard_count < 8000 * 20; i++)
            far->heard[far->heard_count++] = g711_ulaw_decode(rtp.payload[i]);
    }
}

/* --- the broker's side -------------------------------------------------------------------------------------------- */

static void broker_push(uint32_t slot, enum ring_kind kind)
{
    struct ring_record record = { .slot = slot, .generation = generations[slot], .kind = (uint16_t)kind };
    assert_int_equal(ring_push(segment_ring_down(segment, 0), &record), 0);
    bell_ring(segment, BUS_WORKER_0, BELL_MEDIA);
}

static void broker_media(uint32_t slot, uint16_t far_port, const char *codec, uint8_t type, bool nat, uint8_t event_type)
{
    struct slot *at = segment_slot(segment, slot);
    slot_call_write_begin(at);
    at->call.generation = generations[slot];
    at->call.state = SLOT_MEDIA;
    at->call.media = (struct slot_media) { .payload_type = type,
                                           .receive_payload_type = type,
                                           .event_payload_type = event_type,
                                           .ptime_ms = 20,
                                           .clock_rate = 8000,
                                           .channels = 1,
                                           .send = true,
                                           .receive = true,
                                           .nat = nat };
    strcpy(at->call.media.codec, codec);
    struct sockaddr_in *remote = (struct sockaddr_in *)&at->call.media.remote;
    remote->sin_family = AF_INET;
    remote->sin_port = htons(far_port);
    remote->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    slot_call_write_end(at);
}

static struct media_leg call_start(uint32_t slot, const struct far *far)
{
    generations[slot]++;
    broker_media(slot, far->port, "PCMU", 0, false, 101);
    broker_push(slot, RING_MEDIA_START);
    return (struct media_leg) { slot, generations[slot] };
}

static void step(int64_t ns) { loop_step(loop, ns); }

static const struct media_event *event_find(enum media_event_kind kind, uint64_t operation, uint32_t leg)
{
    for (unsigned i = 0; i < kept_count; i++)
        if (kept[i].kind == kind && (!operation || kept[i].operation == operation) && (leg == UINT32_MAX || kept[i].leg.number == leg))
            return &kept[i];
    return NULL;
}

/* Runs the loop and the far ends until the event is there. */
static const struct media_event *event_wait(enum media_event_kind kind, uint64_t operation, uint32_t leg, int ms, struct far *a,
                                            struct far *b)
{
    int64_t until = clock_mono_ns() + ms * NS_PER_MS;
    const struct media_event *event;
    while (!(event = event_find(kind, operation, leg)) && clock_mono_ns() < until) {
        step(2 * NS_PER_MS);
        if (a) far_take(a);
        if (b) far_take(b);
    }
    return event;
}

static void run_ms(int ms, struct far *a, struct far *b)
{
    int64_t until = clock_mono_ns() + ms * NS_PER_MS;
    while (clock_mono_ns() < until) {
        step(2 * NS_PER_MS);
        if (a) far_take(a);
        if (b) far_take(b);
    }
}

/* Takes the broker's next record off, whatever it says. */
static void ring_taken(void)
{
    struct ring_record record;
    int64_t until = clock_mono_ns() + 2 * NS_PER_S;
    while (!ring_peek(segment_ring_up(segment, 0), &record) && clock_mono_ns() < until) usleep(500);
    ring_pop(segment_ring_up(segment, 0));
}

static void call_stop(struct media_leg leg, struct slot_totals *totals)
{
    struct ring_record record = { 0 };
    int64_t until = clock_mono_ns() + 2 * NS_PER_S;
    broker_push(leg.number, RING_MEDIA_STOP);
    assert_non_null(event_wait(MEDIA_ENDED, 0, leg.number, 2000, NULL, NULL));
    while (!ring_peek(segment_ring_up(segment, 0), &record) && clock_mono_ns() < until) usleep(500);
    assert_int_equal(record.kind, RING_RELEASED);
    assert_int_equal(record.slot, leg.number);
    assert_int_equal(record.generation, leg.generation);
    ring_pop(segment_ring_up(segment, 0));
    assert_true(slot_totals_read(segment_slot(segment, leg.number), totals));
    assert_int_equal(totals->generation, leg.generation);
    assert_int_equal(totals->released, 1);
    kept_count = 0;
}

#define HZ_OFF_MAX 2.0

static int by_length(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* From the lengths of single waves, the shortest and the longest tenth left out: a gap, which a busy machine leaves, is one odd wave. */
static double frequency(const int16_t *pcm, unsigned count)
{
    double *waves = calloc(count, sizeof *waves), last = -1, sum = 0;
    unsigned n = 0;
    for (unsigned i = 1; i < count; i++) {
        if (pcm[i - 1] >= 0 || pcm[i] < 0) continue;
        double at = i - (double)pcm[i] / (pcm[i] - pcm[i - 1]); /* where between the two it crossed */
        if (last >= 0) waves[n++] = at - last;
        last = at;
    }
    qsort(waves, n, sizeof *waves, by_length);
    unsigned cut = n / 10;
    for (unsigned i = cut; i < n - cut; i++) sum += waves[i];
    free(waves);
    return n ? 8000.0 * (n - 2 * cut) / sum : 0;
}

static void sine_write(const char *path, double hz, double seconds, int rate)
{
    SF_INFO info = { .samplerate = rate, .channels = 1, .format = SF_FORMAT_WAV | SF_FORMAT_PCM_16 };
    SNDFILE *file = sf_open(path, SFM_WRITE, &info);
    assert_non_null(file);
    for (int i = 0; i < (int)(seconds * rate); i++) {
        int16_t sample = (int16_t)(8000 * sin(2 * M_PI * hz * i / rate));
        sf_write_short(file, &sample, 1);
    }
    sf_close(file);
}

/* --- tests -------------------------------------------------------------------------------------------------------- */

static void a_leg_sends_silence_each_20_ms(void **state)
{
    struct far *far = far_new(1);
    struct slot_totals totals;
    struct media_leg leg = call_start(1, far);
    assert_non_null(event_wait(MEDIA_STARTED, 0, 1, 1000, far, NULL));
    run_ms(1000, far, NULL);
    assert_in_range(far->received, 47, 53);
    assert_int_equal(far->gaps, 0);
    assert_int_equal(far->odd_steps, 0);
    assert_true(far->first.marker);
    assert_int_equal(far->heard[500], 0);
    call_stop(leg, &totals);
    assert_in_range(totals.packets_sent, far->received, far->received + 3);
    far_free(far);
}

static void a_played_sine_arrives_with_its_frequency_and_reports_its_length(void **state)
{
    struct far *far = far_new(2);
    struct slot_totals totals;
    struct media_leg leg = call_start(2, far);
    int64_t begun = clock_mono_ns();
    assert_int_equal(media_play(port, leg, 77, sine, 0, 0), 0);
    const struct media_event *done = event_wait(MEDIA_DONE, 77, 2, 3000, far, NULL);
    assert_non_null(done);
    assert_int_equal(done->reason, MEDIA_FINISHED);
    assert_int_equal(done->samples, 8000);
    assert_int_equal(done->rate, 8000);
    assert_int_equal(done->ms, 1000);
    assert_int_equal(done->position, 8000);
    assert_in_range((clock_mono_ns() - begun) / NS_PER_MS, 990, 1200);
    assert_int_equal(far->gaps, 0);
    assert_int_equal(far->odd_steps, 0);
    unsigned from = 0;
    while (from < far->heard_count && far->heard[from] == 0) from++;
    assert_true(far->heard_count - from > 7500);
    assert_true(fabs(frequency(far->heard + from, 7500) - 440) < HZ_OFF_MAX);
    call_stop(leg, &totals);
    far_free(far);
}

static void agreed_comfort_noise_describes_silence_and_talk_begins_with_a_marker(void **state)
{
    struct far *far = far_new(13);
    struct slot_totals totals;
    generations[13]++;
    broker_media(13, far->port, "PCMU", 0, false, 101);
    segment_slot(segment, 13)->call.media.comfort_noise_payload_type = 13;
    segment_slot(segment, 13)->call.media.send_comfort_noise = true;
    broker_push(13, RING_MEDIA_START);
    struct media_leg leg = { 13, generations[13] };
    assert_non_null(event_wait(MEDIA_STARTED, 0, 13, 1000, far, NULL));
    run_ms(1200, far, NULL);
    assert_in_range(far->received, 2, 4); /* one at once, then each half second */
    assert_int_equal(far->last.payload_type, 13);
    assert_int_equal(far->heard_count, 0);
    uint32_t quiet = far->last.timestamp;
    unsigned before = far->received;
    far->first = far->last;
    media_play(port, leg, 79, sine, 0, 0);
    while (far->received == before) run_ms(2, far, NULL);
    assert_int_equal(far->last.payload_type, 0);
    assert_true(far->last.marker);
    assert_true(far->last.timestamp - quiet > 0 && far->last.timestamp - quiet <= 8000);
    assert_non_null(event_wait(MEDIA_DONE, 79, 13, 3000, far, NULL));
    run_ms(100, far, NULL);
    assert_int_equal(far->last.payload_type, 13);
    assert_in_range(far->heard_count, 7840, 8160);
    assert_int_equal(far->gaps, 0);
    call_stop(leg, &totals);
    far_free(far);
}

static void a_missing_file_is_done_at_once(void **state)
{
    struct far *far = far_new(3);
    struct slot_totals totals;
    struct media_leg leg = call_start(3, far);
    int64_t begun = clock_mono_ns();
    media_play(port, leg, 78, "/nowhere/at/all.wav", 0, 0);
    media_play(port, leg, 79, "tone_stream://%(nonsense", 0, 0);
    const struct media_event *done = event_wait(MEDIA_DONE, 79, 3, 1000, far, NULL);
    assert_non_null(done);
    assert_int_equal(done->reason, MEDIA_BAD_SOURCE);
    done = event_find(MEDIA_DONE, 78, 3);
    assert_non_null(done);
    assert_true(done->reason == MEDIA_NOT_FOUND || done->reason == MEDIA_REPLACED);
    assert_true(clock_mono_ns() - begun < 300 * NS_PER_MS);
    media_play(port, leg, 80, "/nowhere/at/all.wav", 0, 0);
    done = event_wait(MEDIA_DONE, 80, 3, 1000, far, NULL);
    assert_int_equal(done->reason, MEDIA_NOT_FOUND);
    call_stop(leg, &totals);
    far_free(far);
}

static void digits_come_in_once_and_go_out_with_three_ends(void **state)
{
    struct far *far = far_new(4);
    struct slot_totals totals;
    struct media_leg leg = call_start(4, far);
    assert_non_null(event_wait(MEDIA_STARTED, 0, 4, 1000, far, NULL));
    uint8_t payload[4];
    for (int i = 1; i <= 5; i++) {
        rtp_event_payload(payload, 5, i >= 3, 10, (uint16_t)(i < 3 ? 160 * i : 480));
        far_send(far, 101, i == 1, 8000, payload, 4);
    }
    const struct media_event *digit = event_wait(MEDIA_DIGIT, 0, 4, 1000, far, NULL);
    assert_non_null(digit);
    assert_int_equal(digit->digit, '5');
    assert_int_equal(digit->duration, 480);
    run_ms(100, far, NULL);
    unsigned digits = 0;
    for (unsigned i = 0; i < kept_count; i++) digits += kept[i].kind == MEDIA_DIGIT;
    assert_int_equal(digits, 1);

    media_send_digits(port, leg, 90, "1#", 100);
    const struct media_event *done = event_wait(MEDIA_DONE, 90, 4, 2000, far, NULL);
    assert_non_null(done);
    assert_int_equal(done->reason, MEDIA_FINISHED);
    assert_in_range(far->events, 14, 16); /* each 5 packets, the last of them an end, and 2 more ends */
    assert_int_equal(far->gaps, 0);
    call_stop(leg, &totals);
    assert_int_equal(totals.packets_received, 5);
    far_free(far);
}

/* The far end talks a 700 Hz sine for two seconds at its own pace. */
static void far_talks(struct far *far, struct far *other, int frames, double hz)
{
    int64_t next = clock_mono_ns();
    uint8_t payload[160];
    for (int frame = 0; frame < frames; frame++, next += 20 * NS_PER_MS) {
        for (int i = 0; i < 160; i++) payload[i] = g711_ulaw_encode((int16_t)(9000 * sin(2 * M_PI * hz * (frame * 160 + i) / 8000)));
        far_send(far, 0, frame == 0, far->timestamp += 160, payload, 160);
        while (clock_mono_ns() < next + 20 * NS_PER_MS) {
            step(2 * NS_PER_MS);
            far_take(far);
            if (other) far_take(other);
        }
    }
}

static unsigned recording_read(const char *path, int16_t *pcm, unsigned size, int *channels)
{
    SF_INFO info = { 0 };
    SNDFILE *file = sf_open(path, SFM_READ, &info);
    assert_non_null(file);
    unsigned count = (unsigned)sf_readf_short(file, pcm, size);
    *channels = info.channels;
    sf_close(file);
    return count;
}

static void a_recording_holds_what_the_far_end_said(void **state)
{
    static int16_t pcm[8000 * 10];
    struct far *far = far_new(5);
    struct slot_totals totals;
    char path[96];
    int channels;
    struct media_leg leg = call_start(5, far);
    snprintf(path, sizeof path, "%s/record.wav", directory);
    media_record(port, leg, 91, &(struct record_params) { .path = path, .read = true });
    far_talks(far, NULL, 100, 700);
    media_stop(port, 91);
    const struct media_event *done = event_wait(MEDIA_DONE, 91, 5, 2000, far, NULL);
    assert_non_null(done);
    assert_int_equal(done->reason, MEDIA_STOPPED);
    assert_in_range(done->ms, 1960, 2100);
    unsigned count = recording_read(path, pcm, 8000 * 10, &channels);
    assert_int_equal(channels, 1);
    assert_int_equal(count, done->samples);
    assert_int_equal(done->bytes, 44 + 2 * count);
    assert_true(fabs(frequency(pcm + 2000, count - 4000) - 700) < HZ_OFF_MAX);
    call_stop(leg, &totals);
    assert_int_equal(totals.packets_received, 100);
    assert_int_equal(totals.packets_lost, 0);
    assert_true(totals.mos_x100 > 400);
    far_free(far);
}

static void a_recording_ends_at_its_limit_and_on_silence(void **state)
{
    struct far *far = far_new(6);
    struct slot_totals totals;
    char path[96];
    struct media_leg leg = call_start(6, far);
    snprintf(path, sizeof path, "%s/limit.wav", directory);
    media_record(port, leg, 92, &(struct record_params) { .path = path, .read = true, .limit_ms = 500 });
    const struct media_event *done = event_wait(MEDIA_DONE, 92, 6, 2000, far, NULL);
    assert_non_null(done);
    assert_int_equal(done->reason, MEDIA_LIMIT);
    assert_int_equal(done->ms, 500);
    snprintf(path, sizeof path, "%s/silence.wav", directory);
    media_record(port, leg, 93, &(struct record_params) { .path = path, .read = true, .silence_threshold = 200, .silence_ms = 600 });
    done = event_wait(MEDIA_DONE, 93, 6, 2000, far, NULL);
    assert_non_null(done);
    assert_int_equal(done->reason, MEDIA_SILENCE);
    assert_in_range(done->ms, 580, 640);
    media_record(port, leg, 94, &(struct record_params) { .path = "/nowhere/x.wav", .read = true });
    done = event_wait(MEDIA_DONE, 94, 6, 2000, far, NULL);
    assert_non_null(done);
    assert_int_equal(done->reason, MEDIA_CANNOT_OPEN);
    call_stop(leg, &totals);
    far_free(far);
}

static void a_bridge_relays_both_ways_and_ends_for_both(void **state)
{
    struct far *a = far_new(7), *b = far_new(18);
    struct slot_totals totals;
    struct media_leg left = call_start(7, a), right = call_start(18, b);
    assert_non_null(event_wait(MEDIA_STARTED, 0, 18, 1000, a, b));
    media_bridge(port, left, right);
    run_ms(100, a, b);
    b->heard_count = b->received = b->gaps = 0;
    far_talks(a, b, 60, 500);
    assert_in_range(b->received, 58, 60);
    assert_int_equal(b->gaps, 0);
    assert_true(fabs(frequency(b->heard, b->heard_count) - 500) < HZ_OFF_MAX);
    uint8_t payload[4];
    for (int i = 0; i < 3; i++) {
        rtp_event_payload(payload, 7, true, 10, 800);
        far_send(a, 101, i == 0, 90000, payload, 4);
    }
    assert_non_null(event_wait(MEDIA_DIGIT, 0, 7, 1000, a, b));
    run_ms(400, a, b);
    assert_int_equal(b->events, 0); /* the key is an event; passing it on is for whoever made the bridge */
    media_unbridge(port, left);
    assert_non_null(event_wait(MEDIA_UNBRIDGED, 0, 7, 1000, a, b));
    assert_non_null(event_wait(MEDIA_UNBRIDGED, 0, 18, 1000, a, b));
    call_stop(left, &totals);
    call_stop(right, &totals);
    far_free(a);
    far_free(b);
}

static void a_relay_has_each_sides_payload_type_and_packets_of_another_length_are_cut_anew(void **state)
{
    struct far *a = far_new(7), *b = far_new(18);
    struct slot_totals totals;
    struct media_leg right = call_start(18, b), left;
    generations[7]++;
    broker_media(7, a->port, "PCMU", 110, false, 101); /* the same codec by another number */
    broker_push(7, RING_MEDIA_START);
    left = (struct media_leg) { 7, generations[7] };
    assert_non_null(event_wait(MEDIA_STARTED, 0, 7, 1000, a, b));
    media_bridge(port, left, right);
    run_ms(100, a, b);
    for (int ms = 20; ms <= 30; ms += 10) { /* as agreed, then 30 ms each, which nobody asked for */
        uint8_t payload[240];
        int64_t next = clock_mono_ns();
        b->received = b->heard_count = 0;
        for (int frame = 0; frame < 50; frame++, next += ms * NS_PER_MS) {
            for (int i = 0; i < ms * 8; i++)
                payload[i] = g711_ulaw_encode((int16_t)(9000 * sin(2 * M_PI * 500 * (frame * ms * 8 + i) / 8000)));
            far_send(a, 110, frame == 0, a->timestamp += (uint32_t)ms * 8, payload, (size_t)ms * 8);
            while (clock_mono_ns() < next + ms * NS_PER_MS) {
                step(2 * NS_PER_MS);
                far_take(a);
                far_take(b);
            }
        }
        assert_int_equal(b->last.payload_type, 0);
        assert_int_equal(b->last.payload_bytes, 160);
        assert_true(fabs(frequency(b->heard + 3200, 4000) - 500) < HZ_OFF_MAX);
    }
    call_stop(left, &totals);
    call_stop(right, &totals);
    far_free(a);
    far_free(b);
}

static void a_bridge_that_is_recorded_still_passes_audio_and_keeps_both_sides(void **state)
{
    static int16_t pcm[2 * 8000 * 10];
    struct far *a = far_new(8), *b = far_new(19);
    struct slot_totals totals;
    char path[96];
    int channels;
    struct media_leg left = call_start(8, a), right = call_start(19, b);
    snprintf(path, sizeof path, "%s/stereo.wav", directory);
    assert_non_null(event_wait(MEDIA_STARTED, 0, 19, 1000, a, b));
    media_bridge(port, left, right);
    media_record(port, left, 95, &(struct record_params) { .path = path, .read = true, .write = true, .stereo = true });
    run_ms(60, a, b);
    b->heard_count = 0;
    far_talks(a, b, 75, 600);
    media_stop(port, 95);
    assert_non_null(event_wait(MEDIA_DONE, 95, 8, 2000, a, b));
    assert_true(fabs(frequency(b->heard + 1600, 8000) - 600) < HZ_OFF_MAX);
    unsigned count = recording_read(path, pcm, 8000 * 10, &channels);
    assert_int_equal(channels, 2);
    int loud_left = 0, loud_right = 0;
    for (unsigned i = 4000; i < count; i++) {
        loud_left += abs(pcm[2 * i]) > 1000;
        loud_right += abs(pcm[2 * i + 1]) > 1000;
    }
    assert_true(loud_left > 4000);
    assert_int_equal(loud_right, 0);
    broker_push(8, RING_MEDIA_STOP); /* one leg ends: its partner hears of it */
    assert_non_null(event_wait(MEDIA_UNBRIDGED, 0, 19, 1000, a, b));
    ring_taken();
    call_stop(right, &totals);
    far_free(a);
    far_free(b);
}

static void an_operation_of_an_old_generation_is_gone(void **state)
{
    struct media_leg old = { 9, 12345 };
    media_play(port, old, 96, sine, 0, 0);
    const struct media_event *done = event_wait(MEDIA_DONE, 96, 9, 1000, NULL, NULL);
    assert_non_null(done);
    assert_int_equal(done->reason, MEDIA_GONE);
    kept_count = 0;
}

static void a_leg_that_ends_ends_its_operations_first(void **state)
{
    struct far *far = far_new(10);
    struct slot_totals totals;
    char path[96];
    struct media_leg leg = call_start(10, far);
    snprintf(path, sizeof path, "%s/cut.wav", directory);
    media_play(port, leg, 97, "silence_stream://-1", 0, 0);
    media_record(port, leg, 98, &(struct record_params) { .path = path, .read = true });
    run_ms(300, far, NULL);
    broker_push(10, RING_MEDIA_STOP);
    assert_non_null(event_wait(MEDIA_ENDED, 0, 10, 2000, far, NULL));
    unsigned play = 999, record = 999, ended = 0;
    for (unsigned i = 0; i < kept_count; i++) {
        play = kept[i].operation == 97 && kept[i].kind == MEDIA_DONE ? i : play;
        record = kept[i].operation == 98 && kept[i].kind == MEDIA_DONE ? i : record;
        ended = kept[i].kind == MEDIA_ENDED ? i : ended;
    }
    assert_true(play < ended && record < ended);
    assert_int_equal(kept[play].reason, MEDIA_GONE);
    assert_int_equal(kept[record].reason, MEDIA_GONE);
    assert_in_range(kept[record].ms, 240, 340);
    struct ring_record up;
    assert_true(ring_peek(segment_ring_up(segment, 0), &up));
    ring_pop(segment_ring_up(segment, 0));
    (void)totals;
    kept_count = 0;
    far_free(far);
}

static void a_null_leg_takes_real_time(void **state)
{
    uint32_t number;
    assert_int_equal(media_leg_open(port, &number), 0);
    struct media_leg leg = { number, 1 };
    int64_t begun = clock_mono_ns();
    media_play(port, leg, 99, sine, 4000, 0);
    const struct media_event *done = event_wait(MEDIA_DONE, 99, number, 3000, NULL, NULL);
    assert_non_null(done);
    assert_int_equal(done->reason, MEDIA_FINISHED);
    assert_int_equal(done->samples, 4000);
    assert_in_range((clock_mono_ns() - begun) / NS_PER_MS, 490, 650);
    media_leg_close(port, leg);
    assert_non_null(event_wait(MEDIA_ENDED, 0, number, 1000, NULL, NULL));
    kept_count = 0;
}

static void loopback_legs_hear_each_other_and_pass_digits(void **state)
{
    static int16_t pcm[8000 * 10];
    uint32_t a, b;
    int channels;
    char path[96];
    snprintf(path, sizeof path, "%s/loop.wav", directory);
    media_leg_open(port, &a);
    media_leg_open(port, &b);
    struct media_leg left = { a, 1 }, right = { b, 1 };
    media_leg_join(port, left, right);
    media_record(port, right, 100, &(struct record_params) { .path = path, .read = true });
    media_play(port, left, 101, sine, 0, 0);
    assert_non_null(event_wait(MEDIA_DONE, 101, a, 3000, NULL, NULL));
    media_send_digits(port, left, 102, "42", 100);
    assert_non_null(event_wait(MEDIA_DONE, 102, a, 3000, NULL, NULL));
    const struct media_event *digit = event_wait(MEDIA_DIGIT, 0, b, 1000, NULL, NULL);
    assert_non_null(digit);
    assert_int_equal(digit->digit, '4');
    media_stop(port, 100);
    assert_non_null(event_wait(MEDIA_DONE, 100, b, 2000, NULL, NULL));
    unsigned count = recording_read(path, pcm, 8000 * 10, &channels), from = 0;
    while (from < count && abs(pcm[from]) < 500) from++;
    assert_true(fabs(frequency(pcm + from, 7000) - 440) < HZ_OFF_MAX);
    media_leg_close(port, left);
    media_leg_close(port, right);
    assert_non_null(event_wait(MEDIA_ENDED, 0, b, 1000, NULL, NULL));
    kept_count = 0;
}

static void only_nat_media_latches_and_never_to_the_last_call(void **state)
{
    struct far *named = far_new(11), *other = far_new(11);
    struct slot_totals totals;
    uint8_t payload[160];
    memset(payload, 0xFF, sizeof payload);
    struct media_leg leg = call_start(11, named);
    assert_non_null(event_wait(MEDIA_STARTED, 0, 11, 1000, named, other));
    far_send(other, 0, true, 0, payload, 160);
    run_ms(100, named, other);
    assert_int_equal(other->received, 0);
    call_stop(leg, &totals);
    assert_int_equal(totals.packets_received, 0);
    assert_int_equal(totals.packets_dropped, 1);

    generations[11]++;
    broker_media(11, named->port, "PCMU", 0, true, 101);
    broker_push(11, RING_MEDIA_START);
    leg.generation = generations[11];
    assert_non_null(event_wait(MEDIA_STARTED, 0, 11, 1000, named, other));
    far_send(other, 0, true, 0, payload, 160);
    run_ms(200, named, other);
    assert_true(other->received > 5);
    call_stop(leg, &totals);
    assert_int_equal(totals.packets_received, 1);

    /* The next call of the slot must not fall for the last one's late packets. */
    generations[11]++;
    broker_media(11, named->port, "PCMU", 0, true, 101);
    broker_push(11, RING_MEDIA_START);
    leg.generation = generations[11];
    assert_non_null(event_wait(MEDIA_STARTED, 0, 11, 1000, named, other));
    run_ms(40, named, other);
    unsigned before = other->received;
    far_send(other, 0, true, 0, payload, 160);
    run_ms(200, named, other);
    assert_int_equal(other->received, before);
    call_stop(leg, &totals);
    far_free(named);
    far_free(other);
}

static void a_stop_for_an_unknown_call_is_answered_and_a_stale_one_dropped(void **state)
{
    struct ring_record up = { 0 };
    generations[12] = 50;
    broker_media(12, 9, "PCMU", 0, false, 0);
    broker_push(12, RING_MEDIA_STOP);
    run_ms(100, NULL, NULL);
    assert_true(ring_peek(segment_ring_up(segment, 0), &up));
    assert_int_equal(up.generation, 50);
    ring_pop(segment_ring_up(segment, 0));
    uint64_t stale = counter_read(segment, BUS_WORKER_0, COUNTER_ring_stale);
    generations[12] = 49;
    broker_push(12, RING_MEDIA_STOP);
    run_ms(100, NULL, NULL);
    assert_false(ring_peek(segment_ring_up(segment, 0), &up));
    assert_int_equal(counter_read(segment, BUS_WORKER_0, COUNTER_ring_stale), stale + 1);
}

static void a_room_mixes_everybody_but_oneself(void **state)
{
    struct far *a = far_new(13), *b = far_new(14);
    struct slot_totals totals;
    struct media_leg left = call_start(13, a), right = call_start(14, b);
    assert_non_null(event_wait(MEDIA_STARTED, 0, 14, 1000, a, b));
    media_room_join(port, 5, left, &(struct room_member) { 0 });
    media_room_join(port, 5, right, &(struct room_member) { 0 });
    run_ms(100, a, b);
    a->heard_count = b->heard_count = 0;
    far_talks(a, b, 60, 500);
    assert_true(fabs(frequency(b->heard + 1600, 6000) - 500) < HZ_OFF_MAX);
    int loud = 0;
    for (unsigned i = 0; i < a->heard_count; i++) loud += abs(a->heard[i]) > 200;
    assert_int_equal(loud, 0);
    call_stop(left, &totals);
    call_stop(right, &totals);
    far_free(a);
    far_free(b);
}

static void a_room_of_any_rate_is_heard_as_it_is_spoken_and_a_voice_plays_into_it(void **state)
{
    const uint32_t rates[] = { 16000, 48000 };
    for (int i = 0; i < 2; i++) {
        struct far *a = far_new(13), *b = far_new(14);
        struct slot_totals totals;
        struct media_leg left = call_start(13, a), right = call_start(14, b), voice = { 0, 1 };
        assert_non_null(event_wait(MEDIA_STARTED, 0, 14, 1000, a, b));
        media_room_join(port, 6, left, &(struct room_member) { .rate = rates[i], .energy = 100 });
        media_room_join(port, 6, right, &(struct room_member) { .rate = 8000, .energy = 100 }); /* the first one's counts */
        run_ms(60, a, b);
        far_talks(a, b, 30, 500);
        b->heard_count = 0;
        far_talks(a, b, 50, 500);
        assert_true(fabs(frequency(b->heard + 1600, 6000) - 500) < HZ_OFF_MAX);
        run_ms(1200, a, b); /* it falls silent: the gate closes */
        assert_int_equal(media_leg_open_rate(port, &voice.number, rates[i]), 0);
        media_room_join(port, 6, voice, &(struct room_member) { .voice = true });
        media_play(port, voice, 130 + (uint64_t)i, "tone_stream://%(2000,0,700)", 0, 0);
        run_ms(300, a, b);
        a->heard_count = b->heard_count = 0;
        run_ms(1000, a, b);
        assert_true(fabs(frequency(a->heard + 800, 6000) - 700) < HZ_OFF_MAX);
        assert_true(fabs(frequency(b->heard + 800, 6000) - 700) < HZ_OFF_MAX);
        media_stop(port, 130 + (uint64_t)i);
        assert_non_null(event_wait(MEDIA_DONE, 130 + (uint64_t)i, voice.number, 2000, a, b));
        int talks = 0, quiet = 0, floors = 0;
        for (unsigned e = 0; e < kept_count; e++) {
            if (kept[e].kind != MEDIA_ROOM) continue;
            talks += kept[e].value == ROOM_TALKS && kept[e].leg.number == 13;
            quiet += kept[e].value == ROOM_QUIET && kept[e].leg.number == 13;
            floors += kept[e].value == ROOM_FLOOR;
        }
        assert_int_equal(talks, 1);
        assert_int_equal(quiet, 1);
        assert_in_range(floors, 1, 2);
        media_leg_close(port, voice);
        call_stop(left, &totals);
        call_stop(right, &totals);
        kept_count = 0;
        far_free(a);
        far_free(b);
    }
}

static void pause_speed_and_seek_change_what_is_played(void **state)
{
    struct far *far = far_new(15);
    struct slot_totals totals;
    struct media_leg leg = call_start(15, far);
    int64_t begun = clock_mono_ns();
    media_play(port, leg, 110, sine, 0, 0);
    run_ms(100, far, NULL);
    media_control(port, 110, CONTROL_PAUSE_TOGGLE, 0);
    run_ms(500, far, NULL);
    assert_null(event_find(MEDIA_DONE, 110, 15));
    media_control(port, 110, CONTROL_PAUSE_TOGGLE, 0);
    assert_non_null(event_wait(MEDIA_DONE, 110, 15, 3000, far, NULL));
    assert_in_range((clock_mono_ns() - begun) / NS_PER_MS, 1450, 1750);

    begun = clock_mono_ns();
    media_play(port, leg, 111, sine, 0, 0);
    media_control(port, 111, CONTROL_SPEED, 2);
    const struct media_event *done = event_wait(MEDIA_DONE, 111, 15, 3000, far, NULL);
    assert_non_null(done);
    assert_in_range((clock_mono_ns() - begun) / NS_PER_MS, 480, 650);

    begun = clock_mono_ns();
    media_play(port, leg, 112, sine, 0, 0);
    run_ms(60, far, NULL);
    media_control(port, 112, CONTROL_SEEK_MS, 800);
    assert_non_null(event_wait(MEDIA_DONE, 112, 15, 3000, far, NULL));
    assert_in_range((clock_mono_ns() - begun) / NS_PER_MS, 220, 400);
    call_stop(leg, &totals);
    far_free(far);
}

static void in_band_digits_are_sent_and_detected(void **state)
{
    uint32_t a, b;
    media_leg_open(port, &a);
    media_leg_open(port, &b);
    struct media_leg left = { a, 1 }, right = { b, 1 };
    media_leg_join(port, left, right);
    media_detect(port, right, 120, &(struct detect_params) { .what = DETECT_INBAND_DIGITS });
    media_detect(port, right, 121, &(struct detect_params) { .what = DETECT_TONE, .hz = { 1004 }, .hits = 3 });
    media_play(port, left, 122, "tone_stream://8;%(500,200,1004)", 0, 0);
    assert_non_null(event_wait(MEDIA_DONE, 122, a, 3000, NULL, NULL));
    run_ms(100, NULL, NULL);
    const struct media_event *digit = event_find(MEDIA_DIGIT, 0, b);
    assert_non_null(digit);
    assert_int_equal(digit->digit, '8');
    assert_non_null(event_find(MEDIA_DETECTED, 121, b));
    media_leg_close(port, left);
    media_leg_close(port, right);
    assert_non_null(event_wait(MEDIA_ENDED, 0, b, 1000, NULL, NULL));
    assert_int_equal(event_find(MEDIA_DONE, 120, b)->reason, MEDIA_GONE);
    kept_count = 0;
}

static void the_counters_tell_of_all_this(void **state)
{
    run_ms(200, NULL, NULL);
    assert_int_equal(counter_read(segment, BUS_WORKER_0, COUNTER_media_legs), 0);
    assert_true(counter_read(segment, BUS_WORKER_0, COUNTER_packets_sent) > 500);
    assert_true(counter_read(segment, BUS_WORKER_0, COUNTER_slices_run) > 1000);
    /* None is skipped but while the machine let an idle thread starve, too. */
    uint64_t skipped = counter_read(segment, BUS_WORKER_0, COUNTER_slices_skipped), starved = atomic_load(&idle.starved);
    print_message("%llu slices skipped, an idle timer starved for %llu\n", (unsigned long long)skipped, (unsigned long long)starved);
    assert_true(skipped <= starved);
}

/* --- an idle timer beside, whose lateness is the machine's ---------------------------------------------------------- */

static void *idle_run(void *context)
{
    for (int64_t at = clock_mono_ns(); !atomic_load(&idle.stop); at += 2 * NS_PER_MS) {
        struct timespec until = { at / NS_PER_S, at % NS_PER_S };
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        int64_t late = clock_mono_ns() - at;
        if (late < 100 * NS_PER_MS) continue;
        atomic_fetch_add(&idle.starved, (uint64_t)(late / (2 * NS_PER_MS)));
        at += late;
    }
    return NULL;
}

static int setup(void **state)
{
    pthread_create(&idle.thread, NULL, idle_run, NULL);
    struct buf error = BUF_INIT;
    char name[32];
    static const char *addresses[] = { near, NULL };
    snprintf(near, sizeof near, "127.%d.%d.77", 1 + (getpid() >> 8) % 250, getpid() & 0xFF);
    snprintf(name, sizeof name, "mediatest%d", getpid());
    snprintf(directory, sizeof directory, "/tmp/carillon-media-%d", getpid());
    mkdir(directory, 0700);
    snprintf(sine, sizeof sine, "%s/sine.wav", directory);
    sine_write(sine, 440, 1.0, 8000);
    struct segment_params params = { .name = name, .workers = 1, .slots_each = SLOTS };
    if (segment_create(&segment, &params, &error)) {
        fprintf(stderr, "%s\n", buf_text(&error));
        return -1;
    }
    if (loop_new(&loop)) return -1;
    struct media_params media = { .segment = segment,
                                  .worker = 0,
                                  .sounds_dir = directory,
                                  .addresses = addresses,
                                  .port_first = PORT,
                                  .port_last = PORT + 2 * SLOTS - 1,
                                  .cpu = -1,
                                  .realtime = true };
    return media_port_start(&port, &media, loop, on_event, NULL);
}

static int teardown(void **state)
{
    atomic_store(&idle.stop, true);
    pthread_join(idle.thread, NULL);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", directory);
    media_port_stop(port);
    loop_free(loop);
    segment_remove(segment_name(segment));
    segment_unmap(segment);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leg_sends_silence_each_20_ms),
        cmocka_unit_test(a_played_sine_arrives_with_its_frequency_and_reports_its_length),
        cmocka_unit_test(agreed_comfort_noise_describes_silence_and_talk_begins_with_a_marker),
        cmocka_unit_test(a_missing_file_is_done_at_once),
        cmocka_unit_test(digits_come_in_once_and_go_out_with_three_ends),
        cmocka_unit_test(a_recording_holds_what_the_far_end_said),
        cmocka_unit_test(a_recording_ends_at_its_limit_and_on_silence),
        cmocka_unit_test(a_bridge_relays_both_ways_and_ends_for_both),
        cmocka_unit_test(a_relay_has_each_sides_payload_type_and_packets_of_another_length_are_cut_anew),
        cmocka_unit_test(a_bridge_that_is_recorded_still_passes_audio_and_keeps_both_sides),
        cmocka_unit_test(an_operation_of_an_old_generation_is_gone),
        cmocka_unit_test(a_leg_that_ends_ends_its_operations_first),
        cmocka_unit_test(a_null_leg_takes_real_time),
        cmocka_unit_test(loopback_legs_hear_each_other_and_pass_digits),
        cmocka_unit_test(only_nat_media_latches_and_never_to_the_last_call),
        cmocka_unit_test(a_stop_for_an_unknown_call_is_answered_and_a_stale_one_dropped),
        cmocka_unit_test(a_room_mixes_everybody_but_oneself),
        cmocka_unit_test(a_room_of_any_rate_is_heard_as_it_is_spoken_and_a_voice_plays_into_it),
        cmocka_unit_test(pause_speed_and_seek_change_what_is_played),
        cmocka_unit_test(in_band_digits_are_sent_and_detected),
        cmocka_unit_test(the_counters_tell_of_all_this),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
