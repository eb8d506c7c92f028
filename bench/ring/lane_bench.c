/* lane_bench.c: requests with 200 bytes of pairs over a lane, answered over another, both sides spinning. */
#include <string.h>

#include "bench.h"
#include "bus/lane.h"
#include "core/clock.h"

enum { LANE_BYTES = 1 << 20, REQUESTS = 2000000 };

struct lanes {
    struct lane *there, *back;
};

static void server(void *context)
{
    struct lanes *l = context;
    struct frame f;
    for (uint32_t n = 0; n < REQUESTS; n++) {
        while (!lane_receive(l->there, &f)) bench_relax();
        f.type = FRAME_REPLY;
        while (lane_send(l->back, &f)) bench_relax();
        lane_release(l->there);
    }
}

static void requests(uint32_t outstanding_max, uint32_t count, const char *what)
{
    static char pairs[200];
    struct lanes l = { bench_shared(lane_bytes(LANE_BYTES)), bench_shared(lane_bytes(LANE_BYTES)) };
    struct frame f = { .type = FRAME_REQUEST, .pairs = { pairs, sizeof pairs } }, reply;
    uint32_t sent = 0, answered = 0;
    int64_t began;
    pid_t pid;
    lane_init(l.there, LANE_BYTES);
    lane_init(l.back, LANE_BYTES);
    pid = bench_fork(server, &l);
    began = clock_mono_ns();
    while (answered < count) {
        while (sent < REQUESTS && sent - answered < outstanding_max && !lane_send(l.there, &f)) sent++;
        while (lane_receive(l.back, &reply)) lane_release(l.back), answered++;
    }
    bench_join(pid);
    bench_rate(what, count / ((double)(clock_mono_ns() - began) / 1e9), "");
}

void bench_lane_requests(void)
{
    requests(64, REQUESTS, "lane: requests and replies, 64 outstanding");
    requests(1, REQUESTS, "lane: requests and replies, one at a time");
}
