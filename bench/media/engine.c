/* engine.c: the media thread under the same traffic, doing what the scenario says. */
#include <arpa/inet.h>
#include <math.h>
#include <sndfile.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "bus/counter.h"
#include "bus/ring.h"
#include "bus/slot.h"
#include "core/clock.h"
#include "core/loop.h"
#include "worker/media_port.h"

struct engine {
    const struct scenario *scenario;
    struct segment *segment;
    struct loop *loop;
    struct media_port *port;
    uint32_t legs, started, ended;
    char prompt[64];
};

static void on_event(void *context, const struct media_event *event)
{
    struct engine *engine = context;
    engine->started += event->kind == MEDIA_STARTED;
    engine->ended += event->kind == MEDIA_ENDED;
}

static void prompt_write(const char *path)
{
    SF_INFO info = { .samplerate = 8000, .channels = 1, .format = SF_FORMAT_WAV | SF_FORMAT_PCM_16 };
    SNDFILE *file = sf_open(path, SFM_WRITE, &info);
    for (int i = 0; file && i < 8 * 8000; i++) {
        int16_t sample = (int16_t)(9000 * sin(i * 0.3));
        sf_write_short(file, &sample, 1);
    }
    sf_close(file);
}

static struct slot_media leg_media(const struct scenario *scenario, uint32_t slot)
{
    const char *codec = slot % 2 ? scenario->other : scenario->codec;
    bool opus = !strcmp(codec, "opus");
    struct slot_media media = { .payload_type = opus ? 96 : 0,
                                .receive_payload_type = opus ? 96 : 0,
                                .ptime_ms = 20,
                                .clock_rate = opus ? 48000 : 8000,
                                .send = true,
                                .receive = true,
                                .event_payload_type = 101 };
    snprintf(media.codec, sizeof media.codec, "%s", codec);
    if (scenario->secure) {
        snprintf(media.crypto_local, sizeof media.crypto_local, BENCH_KEY);
        snprintf(media.crypto_remote, sizeof media.crypto_remote, BENCH_KEY);
    }
    *(struct sockaddr_in *)&media.remote = (struct sockaddr_in) { .sin_family = AF_INET,
                                                                  .sin_port = htons(PORT_FAR),
                                                                  .sin_addr.s_addr = inet_addr(ADDRESS_FAR) };
    return media;
}

static void leg_begin(struct engine *e, uint32_t i)
{
    const struct scenario *scenario = e->scenario;
    struct media_leg leg = { i, 1 };
    if (scenario->play) media_play(e->port, leg, i + 1, e->prompt, 0, PLAY_LOOP);
    if (scenario->echo) media_echo(e->port, leg, true, 0);
    if (scenario->bridge && i % 2) media_bridge(e->port, (struct media_leg) { i - 1, 1 }, leg);
    if (scenario->room) media_room_join(e->port, 1 + i / scenario->room, leg, &(struct room_member) { .rate = 8000 });
    if (scenario->record) {
        char path[96];
        snprintf(path, sizeof path, "/dev/shm/carillon-bench-%d-%u.sln", getpid(), i);
        media_record(e->port, leg, LEGS_MAX + i + 1, &(struct record_params) { .path = path, .read = true });
    }
}

static void records_remove(const struct engine *e)
{
    for (uint32_t i = 0; e->scenario->record && i < e->legs; i++) {
        char path[96];
        snprintf(path, sizeof path, "/dev/shm/carillon-bench-%d-%u.sln", getpid(), i);
        unlink(path);
    }
}

static void engine_push(struct engine *e, uint32_t slot, enum ring_kind kind)
{
    struct slot *at = segment_slot(e->segment, slot);
    if (kind == RING_MEDIA_START) {
        slot_call_write_begin(at);
        at->call.generation = 1;
        at->call.state = SLOT_MEDIA;
        at->call.media = leg_media(e->scenario, slot);
        slot_call_write_end(at);
    }
    struct ring_record record = { .slot = slot, .generation = 1, .kind = (uint16_t)kind };
    ring_push(segment_ring_down(e->segment, 0), &record);
    bell_ring(e->segment, BUS_WORKER_0, BELL_MEDIA);
}

static uint64_t counted(struct engine *e, enum counter counter) { return counter_read(e->segment, BUS_WORKER_0, counter); }

static void engine_pass(struct engine *e, double seconds)
{
    int64_t until = clock_mono_ns() + (int64_t)(seconds * 1e9);
    while (clock_mono_ns() < until) loop_step(e->loop, 50 * NS_PER_MS);
}

static void engine_measure(struct engine *e, struct figures *out, double seconds)
{
    for (uint32_t i = 0; i < e->legs; i++) {
        engine_push(e, i, RING_MEDIA_START);
        leg_begin(e, i);
        if (i % 50 == 49) engine_pass(e, 0.02); /* calls begin over time, as they do */
    }
    engine_pass(e, 0.5);
    uint64_t busy = counted(e, COUNTER_media_busy_us), sent = counted(e, COUNTER_packets_sent),
             received = counted(e, COUNTER_packets_received);
    uint64_t late = counted(e, COUNTER_packets_late_5ms), skipped = counted(e, COUNTER_slices_skipped);
    engine_pass(e, seconds);
    out->cpu_us_per_leg_s = (double)(counted(e, COUNTER_media_busy_us) - busy) / e->legs / seconds;
    out->sent = counted(e, COUNTER_packets_sent) - sent;
    out->received = counted(e, COUNTER_packets_received) - received;
    out->late_5ms = counted(e, COUNTER_packets_late_5ms) - late;
    out->skipped = counted(e, COUNTER_slices_skipped) - skipped;
    out->lateness_max_us = counted(e, COUNTER_lateness_max_us);
    for (uint32_t i = 0; i < e->legs; i++) engine_push(e, i, RING_MEDIA_STOP);
    for (int i = 0; i < 200 && e->ended < e->legs; i++) engine_pass(e, 0.01);
}

int engine_run(struct figures *out, const struct scenario *scenario, uint32_t legs, double seconds, int cpu)
{
    static const char *addresses[] = { ADDRESS_NEAR, NULL };
    struct engine e = { .scenario = scenario, .legs = legs };
    struct buf error = BUF_INIT;
    char name[32];
    snprintf(name, sizeof name, "bench%d", getpid());
    snprintf(e.prompt, sizeof e.prompt, "/tmp/carillon-bench-%d.wav", getpid());
    prompt_write(e.prompt);
    struct segment_params params = { .name = name, .workers = 1, .slots_each = legs };
    int result = segment_create(&e.segment, &params, &error);
    if (result) {
        fprintf(stderr, "%s\n", buf_text(&error));
        return result;
    }
    result = loop_new(&e.loop);
    struct media_params media = { .segment = e.segment,
                                  .sounds_dir = "/tmp",
                                  .addresses = addresses,
                                  .port_first = PORT_NEAR,
                                  .port_last = (uint16_t)(PORT_NEAR + 2 * legs - 1),
                                  .cpu = cpu,
                                  .realtime = true };
    if (!result) result = media_port_start(&e.port, &media, e.loop, on_event, &e);
    if (!result) {
        engine_measure(&e, out, seconds);
        media_port_stop(e.port);
        records_remove(&e);
    }
    loop_free(e.loop);
    segment_remove(segment_name(e.segment));
    segment_unmap(e.segment);
    unlink(e.prompt);
    return result;
}
