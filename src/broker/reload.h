/* reload.h: a new configuration while calls run (`carillon reload`): trunks, caps, permits. Only what the schema marks as live differs in
 * it. */
#ifndef BROKER_RELOAD_H
#define BROKER_RELOAD_H

#include "core/config.h"

/* For process_reload_watch; `broker` is the struct broker. What needs files (rates, do-not-call lists) is read by a helper and in force
 * when it is through; with a mistake in it the old one stays, and the log says so. */
void broker_reload(void *broker, const struct config *config);

#endif
