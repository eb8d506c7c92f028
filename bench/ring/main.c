/* main.c: the prices of the bus, as a table. Two processes, one on each of two cores; other load on the machine shows. */
#include <stdio.h>

#include "bench.h"

int main(void)
{
    printf("carillon bus\n");
    bench_ring_rates();
    bench_lane_requests();
    bench_eventlog();
    bench_ring_latencies();
    bench_bell_latency();
    bench_post_requests();
    return 0;
}
