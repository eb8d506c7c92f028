/* esl.h: the event socket, FreeSWITCH's protocol for programs that watch and steer the engine (docs/event-socket.md).
 *
 * It lives on control's loop. A client that does not read fills its own bounded queue and nothing else; no call ever
 * waits for one, since what clients get is read from the event logs and written by nobody for them. */
#ifndef CONTROL_ESL_H
#define CONTROL_ESL_H

#include "bus/post.h"

struct control;
struct esl;

/* Listens where `event_socket` says (port 0 = nowhere). 0 with *out (also when the port is taken: it is tried again
 * every few seconds), or -EINVAL after logging what is wrong with the configuration. */
int esl_open(struct esl **out, struct control *control);
/* Tells clients goodbye as far as their sockets take it. NULL is allowed. */
void esl_close(struct esl *esl);
/* A message of another process to control: true if it was the event socket's and is or will be answered. */
bool esl_message(struct esl *esl, const struct post_message *message);
/* What HTTP's readers of events want beside our own clients, as event_wish takes it: a process has one wish for all. */
void esl_wish(struct esl *esl, const uint64_t types[2]);

#endif
