/* bench.c: processes, samples and the table. */
#include "bench.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/check.h"

void *bench_shared(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    CHECK(p != MAP_FAILED);
    return p;
}

/* The n-th core that we may use; no error where there is only one, the figures show it. */
void bench_pin(int core)
{
    static cpu_set_t allowed;
    static bool known;
    cpu_set_t one;
    if (!known) sched_getaffinity(0, sizeof allowed, &allowed), known = true;
    for (int c = 0; c < CPU_SETSIZE; c++) {
        if (!CPU_ISSET(c, &allowed) || core--) continue;
        CPU_ZERO(&one);
        CPU_SET(c, &one);
        sched_setaffinity(0, sizeof one, &one);
        return;
    }
}

pid_t bench_fork(void (*role)(void *context), void *context)
{
    pid_t pid;
    bench_pin(0);
    fflush(stdout);
    pid = fork();
    CHECK(pid >= 0);
    if (pid) return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bench_pin(1);
    role(context);
    _exit(0);
}

void bench_join(pid_t pid)
{
    int status;
    waitpid(pid, &status, 0);
    CHECK(!status);
}

struct bench_samples *bench_samples_new(uint32_t size)
{
    struct bench_samples *s = bench_shared(sizeof *s + size * sizeof s->ns[0]);
    s->size = size;
    return s;
}

void bench_sample(struct bench_samples *s, int64_t ns)
{
    if (s->count == s->size) return;
    s->ns[s->count] = ns;
    __atomic_store_n(&s->count, s->count + 1, __ATOMIC_RELEASE);
}

void bench_await(const struct bench_samples *s, uint32_t n)
{
    for (int spins = 0; __atomic_load_n(&s->count, __ATOMIC_ACQUIRE) < n; spins++)
        if (spins > 10000)
            sched_yield();
        else
            bench_relax();
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

void bench_samples_sort(struct bench_samples *s) { qsort(s->ns, s->count, sizeof s->ns[0], by_value); }

int64_t bench_percentile(struct bench_samples *s, double percent)
{
    if (!s->count) return 0;
    return s->ns[(uint32_t)((s->count - 1) * percent / 100)];
}

bool bench_json;
int bench_rounds = 5;

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, (size_t)bench_rounds, sizeof *values, by_size);
    return values[bench_rounds / 2];
}

void bench_against(const char *name, double *values, double *floors, const char *unit)
{
    double value = median(values), floor = median(floors);
    if (bench_json)
        printf("{\"name\": \"%s\", \"value\": %.4g, \"unit\": \"%s\", \"floor\": %.4g, \"ratio\": %.3f}\n", name, value, unit, floor,
               value / floor);
    else
        printf("  %-46s %9.4g %s  beside %.4g: %.2f x\n", name, value, unit, floor, value / floor);
    fflush(stdout);
}

static void json_alone(const char *what, double value, const char *unit)
{
    char name[80];
    size_t n = 0;
    for (const char *p = what; *p && n + 1 < sizeof name; p++) {
        bool letter = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9');
        if (letter || (n && name[n - 1] != '_')) name[n++] = letter ? *p : '_';
    }
    name[n] = 0;
    printf("{\"name\": \"bus_%s\", \"value\": %.4g, \"unit\": \"%s\", \"floor\": null, \"ratio\": null}\n", name, value, unit);
    fflush(stdout);
}

void bench_rate(const char *what, double per_second, const char *note)
{
    if (bench_json) {
        json_alone(what, per_second / 1e6, "M/s");
        return;
    }
    printf("  %-46s %9.2f M/s  %8.1f ns each  %s\n", what, per_second / 1e6, 1e9 / per_second, note);
}

void bench_latency(const char *what, struct bench_samples *s)
{
    bench_samples_sort(s);
    if (bench_json) {
        json_alone(what, (double)bench_percentile(s, 50) / 1e3, "us p50");
        return;
    }
    printf("  %-46s p50 %7.2f µs   p99 %7.2f µs   p99.9 %8.2f µs\n", what, (double)bench_percentile(s, 50) / 1e3,
           (double)bench_percentile(s, 99) / 1e3, (double)bench_percentile(s, 99.9) / 1e3);
}
