/* esl_request.h: what a client of the event socket says: a command line, headers, perhaps a body (reference §1).
 *
 *   sendevent CUSTOM\n
 *   Event-Subclass: my::thing\n
 *   Content-Length: 5\n
 *   \n
 *   hello
 *
 * Bytes come in any pieces and from anybody; nothing here trusts them, and nothing is looked at twice. */
#ifndef CONTROL_ESL_REQUEST_H
#define CONTROL_ESL_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "core/buf.h"
#include "core/kv.h"

#define ESL_HEAD_BYTES_MAX (1u << 20) /* command line and headers together */
#define ESL_BODY_BYTES_MAX (16u << 20)
#define ESL_HEADERS_MAX    4096u

struct esl_input {
    struct buf bytes;
    size_t scanned;  /* so far without the blank line that ends a head */
    size_t head;     /* bytes of the head with its blank line; 0 = not whole yet */
    size_t body;     /* bytes that its Content-Length announces */
    size_t head_max; /* smaller before authentication; 0 = ESL_HEAD_BYTES_MAX */
    bool answers;    /* it is what the other side says (esl_link.h): the first line is a header, too */
};

struct esl_request {
    struct buf line;   /* the command, without blanks at its ends */
    struct kv headers; /* in order, names as they came; `_body` is not among them */
    struct buf body;
    bool has_body;
};

int esl_input_put(struct esl_input *input, const void *data, size_t length); /* 0 or -ENOMEM */
/* Takes the next whole request out: 1 with `out` (cleared first), 0 = not whole yet, -EMSGSIZE (head or body beyond its limit),
 * -EPROTO (a Content-Length that is no number), -ENOMEM. After an error the input is of no use any more. */
int esl_input_take(struct esl_input *input, struct esl_request *out);
void esl_input_free(struct esl_input *input);
void esl_request_free(struct esl_request *request);
/* First header of that name in any case, or NULL. */
const char *esl_header(struct kv_view headers, const char *name);

#endif
