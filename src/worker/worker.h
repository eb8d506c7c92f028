/* worker.h: the worker process: owns the calls it was given. A media thread (media_port.h) and a script thread (here). */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include "core/process.h"

int worker_main(const struct process_args *args);

#endif
