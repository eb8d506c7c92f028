/* esl_form.h: an event in its three forms (reference §8). */
#ifndef CONTROL_ESL_FORM_H
#define CONTROL_ESL_FORM_H

#include "core/buf.h"
#include "core/kv.h"

enum esl_format { ESL_PLAIN, ESL_JSON, ESL_XML, ESL_FORMATS };

const char *esl_format_name(enum esl_format format); /* "plain" … */
/* By name, any case; -EINVAL if it is none. */
int esl_format_find(const char *name);

/* Appends the serialised event; `position` (may be NULL) becomes its last header, Event-Position. 0 or -ENOMEM. */
int esl_form(struct buf *out, enum esl_format format, struct kv_view pairs, const char *position);
/* Appends `text` with %XX for what FreeSWITCH encodes in a header's value. */
int esl_url_encode(struct buf *out, const char *text, size_t length);
/* Appends `text` with %XX decoded; what is no such thing stays as it is. */
int esl_url_decode(struct buf *out, const char *text, size_t length);

#endif
