/* rooms.h: the doors of the rooms that are linked in; a room that is not there yet says so instead of serving. */
#ifndef MAIN_ROOMS_H
#define MAIN_ROOMS_H

#include <stdio.h>

#include "core/process.h"

static inline int room_missing(const char *name)
{
    fprintf(stderr, "carillon: this build has no %s\n", name);
    return PROCESS_EXIT_CONFIG;
}

#if __has_include("broker/broker.h")
#include "broker/broker.h"
#else
static inline int broker_main(const struct process_args *args) { return room_missing("broker"); }
#endif
#if __has_include("worker/worker.h")
#include "worker/worker.h"
#else
static inline int worker_main(const struct process_args *args) { return room_missing("worker"); }
#endif
#if __has_include("campaign/command.h")
#include "campaign/command.h"
#else
static inline int campaign_command(int argc, char **argv, const struct config *config) { return room_missing("campaigns"); }
#endif

#endif
