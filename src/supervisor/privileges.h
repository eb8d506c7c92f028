/* privileges.h: an engine that root starts becomes an own user's, and keeps of root's rights only what it needs. */
#ifndef SUPERVISOR_PRIVILEGES_H
#define SUPERVISOR_PRIVILEGES_H

#include "core/buf.h"
#include "core/config.h"

/* `user` of the configuration; without it nothing happens. As root: data_dir and run_dir are made and (if they are empty and root's) given
 * to that user, limits are raised (files, locked memory, real-time priority), and the process becomes the user's for good: with
 * CAP_SYS_NICE for the media threads, with CAP_NET_BIND_SERVICE if a port below 1024 is configured, and with no way to get more
 * (no_new_privs). Children inherit it. As anybody else: fine if that is the user already. 0, or a negative errno and one line with the mend
 * in `error`. */
int privileges_drop(const struct config_node *config, struct buf *error);

#endif
