/* role.c: what is common to all children of the supervisor, and the way into the role. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "bus/limits.h"
#include "core/log.h"
#include "core/process.h"
#include "main/command.h"
#include "main/rooms.h"

static const struct {
    const char *name;
    int (*main)(const struct process_args *args);
} roles[] = {
    { "broker", broker_main },
    { "worker", worker_main },
    { "control", control_main },
};

static void signals_prepare(void)
{
    sigset_t set;
    process_signals_set(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL); /* before any thread exists, so that all inherit it */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGINT, SIG_IGN); /* the supervisor decides */
}

static int role_run(const char *role, struct process_args *args, const char *config_fd)
{
    char path[64], process_name[32];
    struct buf errors = BUF_INIT;
    struct config *config = NULL;
    snprintf(path, sizeof path, "/proc/self/fd/%d", atoi(config_fd));
    if (config_load(&config, path, &errors) < 0) {
        fprintf(stderr, "carillon: %s: the configuration that was handed over cannot be read:\n%s", role, buf_text(&errors));
        buf_free(&errors);
        return PROCESS_EXIT_CONFIG;
    }
    args->config = config;
    args->config_fd = atoi(config_fd);
    if (args->process >= BUS_WORKER_0)
        snprintf(process_name, sizeof process_name, "worker-%u", args->process - BUS_WORKER_0);
    else
        snprintf(process_name, sizeof process_name, "%s", role);
    prctl(PR_SET_NAME, process_name);
    int rc = log_open(process_name, config_str(config_root(config), "log.file", "-"), config_str(config_root(config), "log.level", "info"));
    if (rc < 0) {
        fprintf(stderr, "carillon: %s: cannot open the log: %s\n", role, strerror(-rc));
        config_free(config);
        return PROCESS_EXIT_CONFIG;
    }
    process_log_set(config);
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strcmp(roles[i].name, role) == 0) rc = roles[i].main(args);
    log_close();
    config_free(config);
    return rc;
}

int command_role(int argc, char **argv)
{
    const char *process = NULL, *segment = NULL, *config_fd = NULL, *config = NULL, *old = NULL;
    const struct option_row rows[] = {
        { 0, "process", "N", "number in the process table", &process, NULL },
        { 0, "segment", "NAME", "the shared segment", &segment, NULL },
        { 0, "config-fd", "FD", "the checked configuration", &config_fd, NULL },
        { 0, "config", "FILE", "its file, for messages", &config, NULL },
        { 0, "old-segment", "NAME", "what a dead engine left", &old, NULL },
    };
    const struct usage usage = { "role NAME OPTION…", "What `carillon start` starts; of no use by hand.", rows, 5 };
    if (argc < 2) return EXIT_USAGE;
    const char *role = argv[1];
    int at = options_read(&usage, argc - 1, argv + 1);
    if (at < 0) return options_exit(at);
    bool known = false;
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++) known = known || strcmp(roles[i].name, role) == 0;
    if (!known || process == NULL || segment == NULL || config_fd == NULL) return usage_wrong("role", "this is for `carillon start` alone");
    signals_prepare();
    struct process_args args = { .segment = segment, .process = (uint32_t)atoi(process), .config_path = config, .old_segment = old };
    return role_run(role, &args, config_fd);
}
