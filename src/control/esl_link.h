/* esl_link.h: the other side of the event socket, as `carillon cli` uses it: a connection, requests out, messages in.
 *
 * Messages are framed as requests are (esl_request.h), but that their first line is a header, too. Blocking; for command lines only. */
#ifndef CONTROL_ESL_LINK_H
#define CONTROL_ESL_LINK_H

#include "control/esl_request.h"

struct esl_link {
    int fd; /* -1 = closed */
    struct esl_input input;
    struct esl_request message; /* the one taken last */
};
#define ESL_LINK_INIT                                                                                                                      \
    {                                                                                                                                      \
        .fd = -1                                                                                                                           \
    }

/* Connects, and reads the greeting. 0, or -errno with a sentence in `error` that says what to do. */
int esl_link_open(struct esl_link *link, const char *host, const char *port, struct buf *error);
/* `user` ("name@domain") may be NULL. 0, -EACCES, or another -errno, with a sentence in `error`. */
int esl_link_auth(struct esl_link *link, const char *user, const char *password, struct buf *error);
/* Sends a command line, perhaps with header lines behind it; the blank line is added. 0 or -errno. */
int esl_link_send(struct esl_link *link, const char *request);
/* The next message: 1 with link->message, 0 = none within timeout_ms (-1 = for ever), -EINTR, -EPIPE (the other side closed), -errno. */
int esl_link_take(struct esl_link *link, int timeout_ms);
/* Of link->message; "" if it has none. */
const char *esl_link_header(const struct esl_link *link, const char *name);
void esl_link_close(struct esl_link *link);

#endif
