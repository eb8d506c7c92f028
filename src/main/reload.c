/* reload.c: `carillon reload`: the supervisor is told by signal and answers in the segment. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bus/segment.h"
#include "control/client.h"
#include "core/clock.h"
#include "main/command.h"
#include "main/status.h"

#define ANSWER_NS (20 * NS_PER_S)

static int answer_wait(const struct segment *segment, uint32_t before, char text[SEGMENT_RELOAD_TEXT])
{
    for (int64_t until = clock_mono_ns() + ANSWER_NS; clock_mono_ns() < until; usleep(10000))
        if (segment_reload_look(segment, text) != before) return 0;
    return -ETIMEDOUT;
}

/* For the engine's audit: who had it read again, and what came of it. Without a running control there is none, and nothing is said. */
static void audit_tell(const char *config_given, const char *text)
{
    const char *path;
    struct config *config = config_open(config_given, &path);
    struct control_client client = { -1 };
    struct kv request = KV_INIT, reply = KV_INIT;
    struct buf socket = BUF_INIT, error = BUF_INIT;
    if (config != NULL) buf_printf(&socket, "%s/control.sock", config_str(config_root(config), "run_dir", "run"));
    kv_add(&request, "verb", "reloaded");
    kv_add(&request, "result", text);
    if (config != NULL && control_connect(&client, buf_text(&socket), &error) == 0) control_ask(&client, &request, &reply, &error);
    control_close(&client);
    kv_free(&request);
    kv_free(&reply);
    buf_free(&socket);
    buf_free(&error);
    config_free(config);
}

int command_reload(int argc, char **argv)
{
    const char *config = NULL, *name = NULL;
    const struct option_row rows[] = {
        CONFIG_OPTION(config),
        { 'n', "name", "NAME", "the engine's name, instead of a configuration", &name, NULL },
    };
    const struct usage usage = {
        "reload [OPTION…]",
        "The running engine reads its configuration again. What may change live does so at once (docs/configuration.md marks these keys);\n"
        "what cannot is named and stays as it is until a restart. With a mistake in it nothing changes.",
        rows, 2
    };
    char text[SEGMENT_RELOAD_TEXT];
    struct segment *segment;
    struct proc_view supervisor;
    int at = options_read(&usage, argc, argv);
    if (at < 0) return options_exit(at);
    int rc = status_map(config, name, &segment);
    if (rc != 0) return rc;
    uint32_t before = segment_reload_look(segment, text);
    proc_look(segment, BUS_SUPERVISOR, &supervisor);
    rc = EXIT_FAILED;
    if (!supervisor.alive)
        fprintf(stderr, "carillon: the engine %s is dead\n", segment_name(segment));
    else if (kill(supervisor.pid, SIGUSR1) < 0)
        fprintf(stderr, "carillon: cannot tell the engine (pid %d): %s\n", (int)supervisor.pid, strerror(errno));
    else if (answer_wait(segment, before, text) < 0)
        fprintf(stderr, "carillon: the engine does not answer; its log may say why\n");
    else {
        bool good = strncmp(text, "+OK ", 4) == 0;
        fputs(text + (good ? 4 : strncmp(text, "-ERR ", 5) == 0 ? 5 : 0), good ? stdout : stderr);
        rc = good ? EXIT_OK : EXIT_FAILED;
        if (name == NULL && good) audit_tell(config, text);
    }
    segment_unmap(segment);
    return rc;
}
