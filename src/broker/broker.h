/* broker.h: the broker process: owns all SIP, trunks, limits, permits and the ledger; one thread of signalling. */
#ifndef BROKER_BROKER_H
#define BROKER_BROKER_H

#include "core/process.h"

/* Returns the exit code once the process was told to end (SIGTERM) and has said BYE to all calls; 1 with one clear line in the
 * log when it cannot start. */
int broker_main(const struct process_args *args);

#endif
