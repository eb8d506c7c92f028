/* bench-media: what a two-way G.711 call costs one worker, beside a bare io_uring loop in the same run.
 *
 *   bench-media [--legs 500,1000,2000] [--seconds 10] [--rounds 3] [--cpu 0] [--far-cpu 1]
 *
 * Floor and engine by turns, `rounds` times each; medians. CPU time is the thread's own (CLOCK_THREAD_CPUTIME_ID), with
 * what the kernel does in its name. Lateness beside an idle timer on the same core in the same run. */
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "core/clock.h"

#define ROUNDS_MAX 16

/* --- the idle timer: as often as slices are, so that a pause of the machine shows in it as it shows in packets --- */

static struct probe {
    pthread_t thread;
    int cpu;
    _Atomic bool stop;
    uint64_t wakes, late, max_us;
} probe;

static void *probe_thread(void *context)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(probe.cpu, &set);
    pthread_setaffinity_np(pthread_self(), sizeof set, &set);
    pthread_setschedparam(pthread_self(), SCHED_FIFO, &(struct sched_param) { .sched_priority = 11 });
    prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
    for (int64_t at = clock_mono_ns(); !atomic_load(&probe.stop); at += 2 * NS_PER_MS) {
        struct timespec until = { at / NS_PER_S, at % NS_PER_S };
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        int64_t late_us = (clock_mono_ns() - at) / 1000;
        probe.wakes++;
        probe.late += late_us > 5000;
        probe.max_us = late_us > (int64_t)probe.max_us ? (uint64_t)late_us : probe.max_us;
    }
    return NULL;
}

void probe_start(int cpu)
{
    memset(&probe, 0, sizeof probe);
    probe.cpu = cpu;
    pthread_create(&probe.thread, NULL, probe_thread, NULL);
}

void probe_stop(struct figures *out)
{
    atomic_store(&probe.stop, true);
    pthread_join(probe.thread, NULL);
    out->probe_wakes = probe.wakes;
    out->probe_late_5ms = probe.late;
    out->probe_max_us = probe.max_us;
}

/* --- runs ----------------------------------------------------------------------------------------------------------- */

struct options {
    uint32_t legs[16], count;
    double seconds;
    int rounds, cpu, far_cpu;
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof *values, compare);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

static int run_one(struct far_shared *far, struct figures *figures, bool engine, uint32_t legs, const struct options *options)
{
    atomic_store(&far->missing, 0);
    atomic_store(&far->received, 0);
    atomic_store(&far->legs, legs);
    probe_start(options->cpu);
    int result = (engine ? engine_run : floor_run)(figures, legs, options->seconds, options->cpu);
    probe_stop(figures);
    figures->missing = atomic_load(&far->missing);
    atomic_store(&far->legs, 0);
    usleep(300000);
    return result;
}

static void tell(const char *what, uint32_t legs, const struct figures *f)
{
    printf("  %-6s %5u legs  %7.1f us CPU per call and second  (%5.0f calls per core)  sent %llu, received %llu", what, legs,
           f->cpu_us_per_leg_s, 1e6 / f->cpu_us_per_leg_s, (unsigned long long)f->sent, (unsigned long long)f->received);
    if (what[0] == 'e')
        printf("\n         later than 5 ms: %llu of %llu (%.4f %%), worst %.1f ms; idle timer: %llu of %llu (%.4f %%), worst %.1f ms; "
               "slices skipped %llu; missing at the far end %llu",
               (unsigned long long)f->late_5ms, (unsigned long long)f->sent, 100.0 * (double)f->late_5ms / (double)f->sent,
               (double)f->lateness_max_us / 1000, (unsigned long long)f->probe_late_5ms, (unsigned long long)f->probe_wakes,
               100.0 * (double)f->probe_late_5ms / (double)f->probe_wakes, (double)f->probe_max_us / 1000, (unsigned long long)f->skipped,
               (unsigned long long)f->missing);
    printf("\n");
    fflush(stdout);
}

/* A pair counts only if the far end kept up in both: half the traffic is half the cost. */
static bool full_traffic(const struct figures *f, uint32_t legs, const struct options *options)
{
    double wanted = legs * 50.0 * options->seconds;
    return (double)f->received > 0.97 * wanted && (double)f->sent > 0.97 * wanted;
}

static int run_legs(struct far_shared *far, uint32_t legs, const struct options *options)
{
    double cost[2][ROUNDS_MAX];
    int good = 0;
    for (int round = 0; round < options->rounds; round++) {
        struct figures figures[2] = { 0 };
        for (int engine = 0; engine < 2; engine++) {
            if (run_one(far, &figures[engine], engine, legs, options)) return 1;
            tell(engine ? "engine" : "floor", legs, &figures[engine]);
        }
        if (full_traffic(&figures[0], legs, options) && full_traffic(&figures[1], legs, options)) {
            cost[0][good] = figures[0].cpu_us_per_leg_s;
            cost[1][good++] = figures[1].cpu_us_per_leg_s;
        } else {
            printf("  (this pair does not count: the far end did not keep up)\n");
        }
    }
    if (!good) return 0;
    double floor = median(cost[0], good), engine = median(cost[1], good);
    printf("%u legs: floor %.1f, engine %.1f us CPU per call and second: %.2f x the floor\n", legs, floor, engine, engine / floor);
    return 0;
}

static int parse(struct options *options, int argc, char **argv)
{
    static const struct option names[] = { { "legs", 1, 0, 'l' },
                                           { "seconds", 1, 0, 's' },
                                           { "rounds", 1, 0, 'r' },
                                           { "cpu", 1, 0, 'c' },
                                           { "far-cpu", 1, 0, 'f' },
                                           { "help", 0, 0, 'h' },
                                           { 0 } };
    int c;
    *options = (struct options) { .legs = { 500, 1000, 2000 }, .count = 3, .seconds = 10, .rounds = 3, .far_cpu = 1 };
    while ((c = getopt_long(argc, argv, "h", names, NULL)) != -1) {
        switch (c) {
        case 'l':
            options->count = 0;
            for (char *part = strtok(optarg, ","); part && options->count < 16; part = strtok(NULL, ","))
                options->legs[options->count++] = (uint32_t)atoi(part) < LEGS_MAX ? (uint32_t)atoi(part) : LEGS_MAX;
            break;
        case 's':
            options->seconds = atof(optarg);
            break;
        case 'r':
            options->rounds = atoi(optarg) > ROUNDS_MAX ? ROUNDS_MAX : atoi(optarg);
            break;
        case 'c':
            options->cpu = atoi(optarg);
            break;
        case 'f':
            options->far_cpu = atoi(optarg);
            break;
        default:
            fprintf(stderr, "usage: bench-media [--legs 500,1000,2000] [--seconds 10] [--rounds 3] [--cpu 0] [--far-cpu 1]\n");
            return c == 'h' ? 1 : 2;
        }
    }
    return options->rounds < 1 || options->seconds <= 0 ? 2 : 0;
}

int main(int argc, char **argv)
{
    struct options options;
    int result = parse(&options, argc, argv);
    if (result) return result == 1 ? 0 : 2;
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    struct far_shared *far = mmap(NULL, sizeof *far, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_SHARED, -1, 0);
    pid_t child = fork();
    if (!child) far_run(far, options.far_cpu);
    for (uint32_t i = 0; i < options.count && !result; i++) result = run_legs(far, options.legs[i], &options);
    atomic_store(&far->stop, true);
    waitpid(child, NULL, 0);
    return result;
}
