/* esl_filter.h: which of the subscribed events a client wants (reference §4). */
#ifndef CONTROL_ESL_FILTER_H
#define CONTROL_ESL_FILTER_H

#include <stdbool.h>
#include <stddef.h>

#define ESL_FILTERS_MAX      256u
#define ESL_FILTER_BYTES_MAX 1024u

struct esl_filters {
    struct esl_filter *list;
    size_t count;
};

/* 0, -ENOSPC (too many), -EINVAL (a regular expression that is none), -ENOMEM. `value` begins perhaps with + or -, then
 * perhaps with /, for a regular expression. */
int esl_filter_add(struct esl_filters *filters, const char *header, const char *value);
/* value NULL = all of that header. */
void esl_filter_delete(struct esl_filters *filters, const char *header, const char *value);
void esl_filter_clear(struct esl_filters *filters);

/* Does the event pass? get(context, header) gives the header's value or NULL. */
bool esl_filter_pass(const struct esl_filters *filters, const char *(*get)(void *context, const char *header), void *context);

#endif
