/* main.c: the prices of the bus, as a table or as JSON. Two processes, one on each of two cores; other load on the machine shows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--json"))
            bench_json = true;
        else if (!strcmp(argv[i], "--rounds") && i + 1 < argc)
            bench_rounds = atoi(argv[++i]);
        else
            bench_rounds = 0;
    }
    if (bench_rounds < 1 || bench_rounds > BENCH_ROUNDS_MAX) {
        fprintf(stderr, "usage: bench-ring [--rounds 1..%d] [--json]\n", BENCH_ROUNDS_MAX);
        return 2;
    }
    if (!bench_json) printf("carillon bus\n");
    bench_ring_rates();
    bench_lane_requests();
    bench_eventlog();
    bench_ring_latencies();
    bench_bell_latency();
    bench_post_requests();
    return 0;
}
