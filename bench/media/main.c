/* bench-media: what a call costs one worker's media thread, beside its floor: the same packets by a bare io_uring loop, and the bare
 * library's work (libopus, libsrtp2, a mixer that only copies) in the same thread.
 *
 *   bench-media [--only two_way,relay] [--legs 600] [--seconds 4] [--rounds 5] [--cpu 0] [--far-cpu 1] [--json]
 *
 * Floor and engine by turns, `rounds` times each. The ratio is the median of the pairs' ratios: what else the machine does meets both. CPU
 * time is the thread's own (CLOCK_THREAD_CPUTIME_ID), with what the kernel does in its name. Lateness beside an idle timer on the same core
 * in the same run. --json: one object a line: name, value, unit, floor, ratio. */
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
    const char *only;
    uint32_t legs;
    double seconds;
    int rounds, cpu, far_cpu;
    bool json;
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

static uint32_t legs_of(const struct scenario *scenario, const struct options *options)
{
    return scenario->legs_max && scenario->legs_max < options->legs ? scenario->legs_max : options->legs;
}

static int run_one(struct far_shared *far, struct figures *figures, bool engine, unsigned scenario, const struct options *options)
{
    uint32_t legs = legs_of(&scenarios[scenario], options);
    atomic_store(&far->missing, 0);
    atomic_store(&far->received, 0);
    atomic_store(&far->scenario, scenario);
    atomic_store(&far->legs, legs);
    probe_start(options->cpu);
    int result = (engine ? engine_run : floor_run)(figures, &scenarios[scenario], legs, options->seconds, options->cpu);
    probe_stop(figures);
    figures->missing = atomic_load(&far->missing);
    atomic_store(&far->legs, 0);
    usleep(300000);
    return result;
}

static void tell(bool engine, const struct figures *f)
{
    printf("  %-6s %7.1f us CPU per call and second  (%5.0f calls per core)  sent %llu, received %llu", engine ? "engine" : "floor",
           f->cpu_us_per_leg_s, 1e6 / f->cpu_us_per_leg_s, (unsigned long long)f->sent, (unsigned long long)f->received);
    if (engine)
        printf("\n         later than 5 ms: %llu of %llu (%.4f %%), worst %.1f ms; idle timer: %llu of %llu (%.4f %%), worst %.1f ms; "
               "slices skipped %llu; missing at the far end %llu",
               (unsigned long long)f->late_5ms, (unsigned long long)f->sent, 100.0 * (double)f->late_5ms / (double)(f->sent ? f->sent : 1),
               (double)f->lateness_max_us / 1000, (unsigned long long)f->probe_late_5ms, (unsigned long long)f->probe_wakes,
               100.0 * (double)f->probe_late_5ms / (double)f->probe_wakes, (double)f->probe_max_us / 1000, (unsigned long long)f->skipped,
               (unsigned long long)f->missing);
    printf("\n");
    fflush(stdout);
}

/* A pair counts only if the far end kept up in both: half the traffic is half the cost. */
static bool full_traffic(const struct figures *f, const struct scenario *scenario, const struct options *options)
{
    double wanted = legs_of(scenario, options) * 50.0 * options->seconds;
    return (double)f->sent > 0.97 * wanted && (!scenario->far_talks || (double)f->received > 0.97 * wanted);
}

struct outcome {
    double floor, engine, ratio;
    int pairs;
};

static int run_scenario(struct far_shared *far, unsigned index, const struct options *options, struct outcome *out)
{
    const struct scenario *scenario = &scenarios[index];
    double cost[2][ROUNDS_MAX], ratio[ROUNDS_MAX];
    int good = 0;
    if (!options->json) printf("%s: %s, %u calls\n", scenario->name, scenario->what, legs_of(scenario, options));
    for (int round = 0; round < options->rounds; round++) {
        struct figures figures[2] = { 0 };
        for (int engine = 0; engine < 2; engine++) {
            if (run_one(far, &figures[engine], engine, index, options)) return 1;
            if (!options->json) tell(engine, &figures[engine]);
        }
        if (!full_traffic(&figures[0], scenario, options) || !full_traffic(&figures[1], scenario, options)) {
            if (!options->json) printf("  (this pair does not count: the far end did not keep up)\n");
            continue;
        }
        cost[0][good] = figures[0].cpu_us_per_leg_s;
        cost[1][good] = figures[1].cpu_us_per_leg_s;
        ratio[good] = cost[1][good] / cost[0][good];
        good++;
    }
    *out = (struct outcome) { .pairs = good };
    if (good) *out = (struct outcome) { median(cost[0], good), median(cost[1], good), median(ratio, good), good };
    return 0;
}

static void report(const struct scenario *scenario, const struct outcome *o, bool json)
{
    if (json && o->pairs)
        printf("{\"name\": \"media_%s\", \"value\": %.2f, \"unit\": \"us CPU per call and second\", \"floor\": %.2f, \"ratio\": %.3f}\n",
               scenario->name, o->engine, o->floor, o->ratio);
    else if (o->pairs && scenario->goal > 0)
        printf("%s: floor %.1f, engine %.1f us CPU per call and second (%.0f calls per core): %.2f x the floor (goal %.1f)\n",
               scenario->name, o->floor, o->engine, 1e6 / o->engine, o->ratio, scenario->goal);
    else if (o->pairs)
        printf("%s: floor %.1f, engine %.1f us CPU per call and second (%.0f calls per core): %.2f x the floor\n", scenario->name, o->floor,
               o->engine, 1e6 / o->engine, o->ratio);
    fflush(stdout);
}

/* What one more party costs must not grow with the room. */
static void report_rooms(const struct outcome *thirty, const struct outcome *three_hundred, bool json)
{
    if (!thirty->pairs || !three_hundred->pairs) return;
    double ratio = three_hundred->engine / thirty->engine;
    if (json)
        printf("{\"name\": \"media_conference_300_per_30\", \"value\": %.2f, \"unit\": \"us CPU per party and second\", \"floor\": %.2f, "
               "\"ratio\": %.3f}\n",
               three_hundred->engine, thirty->engine, ratio);
    else
        printf("a party of 300 costs %.2f x one of 30 (goal 1.2)\n", ratio);
}

static bool is_wanted(const char *only, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = only; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        if (!strncmp(at, name, length) && (!at[length] || at[length] == ',')) return true;
    return !only;
}

static int run_all(struct far_shared *far, const struct options *options)
{
    const struct outcome none = { 0 };
    struct outcome thirty = none, three_hundred = none;
    for (unsigned i = 0; i < scenarios_count; i++) {
        struct outcome outcome;
        if (!is_wanted(options->only, scenarios[i].name)) continue;
        if (run_scenario(far, i, options, &outcome)) return 1;
        report(&scenarios[i], &outcome, options->json);
        if (scenarios[i].room == 30) thirty = outcome;
        if (scenarios[i].room == 300) three_hundred = outcome;
    }
    report_rooms(&thirty, &three_hundred, options->json);
    return 0;
}

static int parse(struct options *options, int argc, char **argv)
{
    static const struct option names[] = { { "only", 1, 0, 'o' },   { "legs", 1, 0, 'l' }, { "seconds", 1, 0, 's' },
                                           { "rounds", 1, 0, 'r' }, { "cpu", 1, 0, 'c' },  { "far-cpu", 1, 0, 'f' },
                                           { "json", 0, 0, 'j' },   { "help", 0, 0, 'h' }, { 0 } };
    int c;
    *options = (struct options) { .legs = 600, .seconds = 4, .rounds = 5, .far_cpu = 1 };
    while ((c = getopt_long(argc, argv, "h", names, NULL)) != -1) {
        switch (c) {
        case 'o':
            options->only = optarg;
            break;
        case 'l':
            options->legs = (uint32_t)atoi(optarg) < LEGS_MAX ? (uint32_t)atoi(optarg) : LEGS_MAX;
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
        case 'j':
            options->json = true;
            break;
        default:
            fprintf(stderr,
                    "usage: bench-media [--only two_way,relay] [--legs 600] [--seconds 4] [--rounds 5] [--cpu 0] [--far-cpu 1] [--json]\n"
                    "measurements:");
            for (unsigned i = 0; i < scenarios_count; i++) fprintf(stderr, " %s", scenarios[i].name);
            fprintf(stderr, "\n");
            return c == 'h' ? 1 : 2;
        }
    }
    return options->rounds < 1 || options->seconds <= 0 || !options->legs ? 2 : 0;
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
    result = run_all(far, &options);
    atomic_store(&far->stop, true);
    waitpid(child, NULL, 0);
    return result;
}
