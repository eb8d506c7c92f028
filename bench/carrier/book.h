/* The book: JSON lines, one per finished call, and the raw log of INVITE transactions. The main thread fills a buffer; a thread of its
 * own writes it every 50 ms, so that a slow disk never delays a call.
 */
#ifndef CARRIER_BOOK_H
#define CARRIER_BOOK_H

#include <pthread.h>

#include "base.h"

struct call;
struct carrier;

struct book_file {
	int fd;                          /* -1 = not wanted */
	struct text pending;
	int error;                       /* errno of the first failed write */
};

struct book {
	struct book_file calls, invites;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	pthread_t thread;
	bool running, stop;
	struct text line;                /* scratch */
};

/* Opens the files that the options name, writes the header line, starts the writer. 0 or a negative errno with a message. */
int book_open(struct carrier *c, char *err, size_t err_size);
void book_call(struct carrier *c, const struct call *call, const char *end);
void book_invite(struct carrier *c, int64_t t_us, const char *call_id, const char *number, bool credentials);
/* Everything is in the files when it returns. 0 or the first write's negative errno. */
int book_close(struct carrier *c);

#endif
