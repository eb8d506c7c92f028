/* client.h: the other side of the socket: what `carillon api`, `campaign`, `trunk` use. Blocking; for command lines only. */
#ifndef CONTROL_CLIENT_H
#define CONTROL_CLIENT_H

#include "core/buf.h"
#include "core/kv.h"

struct control_client {
    int fd;
};

/* Connects to a control.sock. 0, or -errno with a sentence in `error` that says what to do. */
int control_connect(struct control_client *client, const char *socket_path, struct buf *error);
/* Sends a request and waits for its reply, for as long as it takes. 0 with `reply` filled (see frame.h), or -errno with `error`. */
int control_ask(struct control_client *client, const struct kv *request, struct kv *reply, struct buf *error);
void control_close(struct control_client *client);

#endif
