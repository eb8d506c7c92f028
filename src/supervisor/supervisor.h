/* supervisor.h: the first process: makes the shared segment, starts the others, starts again whoever dies, drains, ends.
 * It carries no calls and does nothing that could fail late, so that it is the one that always lives. */
#ifndef SUPERVISOR_SUPERVISOR_H
#define SUPERVISOR_SUPERVISOR_H

#include "core/config.h"

/* Runs the engine in the foreground until it was told to end (SIGTERM or SIGINT: drain; the second: at once).
 * `config_path` is the file as the user wrote it. Returns the exit code: 0 = ended as told, 1 = could not start. */
int supervisor_run(const struct config *config, const char *config_path);

#endif
