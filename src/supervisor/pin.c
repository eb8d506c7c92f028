/* pin.c: which core a process runs on, within what we inherited (taskset, cgroups, systemd's CPUAffinity). */
#include "bus/limits.h"
#include "supervisor/own.h"

/* The n-th core of the set. */
static int cpu_at(const cpu_set_t *cpus, int n)
{
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, cpus) && n-- == 0) return cpu;
    return 0;
}

uint32_t pin_workers_auto(const cpu_set_t *cpus)
{
    int count = CPU_COUNT(cpus);
    if (count <= 2) return 1;
    return count - 1 > (int)BUS_WORKERS_MAX ? BUS_WORKERS_MAX : (uint32_t)(count - 1);
}

void pin_choose(const cpu_set_t *all, uint32_t workers, uint32_t process, cpu_set_t *out)
{
    int count = CPU_COUNT(all);
    if (process >= BUS_WORKER_0) {
        /* The first core last: interrupts and everybody else's work gather there. */
        CPU_ZERO(out);
        CPU_SET(cpu_at(all, (int)(process - BUS_WORKER_0 + 1) % count), out);
        return;
    }
    *out = *all;
    if ((int)workers < count)
        for (uint32_t w = 0; w < workers; w++) CPU_CLR(cpu_at(all, (int)(w + 1) % count), out);
}
