/* stop.c: `carillon stop`: the supervisor is told by signal and watched until it is gone. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bus/counter.h"
#include "core/clock.h"
#include "main/command.h"
#include "main/status.h"

int command_stop(int argc, char **argv)
{
    const char *config = NULL, *name = NULL;
    bool now = false;
    const struct option_row rows[] = {
        CONFIG_OPTION(config),
        { 'n', "name", "NAME", "the engine's name, instead of a configuration", &name, NULL },
        { 0, "now", NULL, "hangs up all calls instead of letting them finish", NULL, &now },
    };
    const struct usage usage = {
        "stop [OPTION…]",
        "Ends the engine and returns when it is gone: no new calls, the running ones may finish (at most limits.drain_s seconds).", rows, 3
    };
    int at = options_read(&usage, argc, argv);
    if (at < 0) return options_exit(at);
    struct segment *segment;
    int rc = status_map(config, name, &segment);
    if (rc != 0) return rc;
    struct proc_view supervisor;
    proc_look(segment, BUS_SUPERVISOR, &supervisor);
    if (!supervisor.alive) {
        fprintf(stderr, "carillon: the engine %s is dead already; the next start cleans up after it\n", segment_name(segment));
        segment_unmap(segment);
        return EXIT_FAILED;
    }
    bool told = kill(supervisor.pid, SIGTERM) == 0;
    if (told && now) {
        usleep(50000); /* two signals at once would become one */
        kill(supervisor.pid, SIGTERM);
    }
    if (!told) {
        fprintf(stderr, "carillon: cannot tell the engine (pid %d) to end: %s\n", (int)supervisor.pid, strerror(errno));
        rc = EXIT_FAILED;
    }
    int64_t said = clock_mono_ns();
    while (told && supervisor.alive) {
        usleep(50000);
        proc_look(segment, BUS_SUPERVISOR, &supervisor);
        if (supervisor.alive && clock_mono_ns() - said > 5 * NS_PER_S) {
            said = clock_mono_ns();
            fprintf(stderr, "carillon: %" PRIu64 " calls are left (`carillon stop --now` hangs them up)\n",
                    counter_sum(segment, COUNTER_calls_active));
        }
    }
    segment_unmap(segment);
    return rc;
}
