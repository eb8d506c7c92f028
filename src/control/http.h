/* http.h: HTTP for operators and programs (docs/http.md): FreeSWITCH's web interface, REST, events, metrics, the page.
 *
 * libmicrohttpd serves on control's loop, by its epoll descriptor. A request that must wait (for a worker, the broker, or
 * because a password was wrong) is set aside, and holds nobody up. */
#ifndef CONTROL_HTTP_H
#define CONTROL_HTTP_H

#include <stdbool.h>
#include <stdint.h>

struct control;
struct http;

/* Listens where `http` says (port 0 = nowhere, and *out is NULL). 0 (also when the port is taken: it is tried again every
 * few seconds), or -EINVAL after logging what is wrong with the configuration. */
int http_open(struct http **out, struct control *control);
void http_close(struct http *http); /* NULL is allowed */

#endif
