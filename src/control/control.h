/* control.h: the operators' face of the engine, as a process of its own: a slow client harms only itself, and calls
 * notice nothing when it dies. */
#ifndef CONTROL_CONTROL_H
#define CONTROL_CONTROL_H

#include "core/process.h"

/* Serves run_dir/control.sock until told to end; the exit code. */
int control_main(const struct process_args *args);

#endif
