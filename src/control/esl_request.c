/* esl_request.c: the parser of requests. */
#include "control/esl_request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int esl_input_put(struct esl_input *input, const void *data, size_t length) { return buf_put(&input->bytes, data, length); }

void esl_input_free(struct esl_input *input)
{
    buf_free(&input->bytes);
    *input = (struct esl_input) { .head_max = input->head_max, .answers = input->answers };
}

void esl_request_free(struct esl_request *request)
{
    buf_free(&request->line);
    kv_free(&request->headers);
    buf_free(&request->body);
}

const char *esl_header(struct kv_view headers, const char *name)
{
    struct kv_pair pair;
    size_t at = 0;
    while (kv_next(headers, &at, &pair))
        if (strcasecmp(pair.name, name) == 0) return pair.value;
    return NULL;
}

static void drop_front(struct esl_input *input, size_t count)
{
    if (count == 0) return;
    input->bytes.length -= count;
    memmove(input->bytes.data, input->bytes.data + count, input->bytes.length + 1);
    if (input->bytes.length == 0) buf_free(&input->bytes); /* a body may have been 16 MB */
}

/* Bytes up to and with the end of the head's blank line, from `scanned` on; 0 if it is not there yet. */
static size_t head_end(struct esl_input *input)
{
    const char *data = input->bytes.data;
    size_t length = input->bytes.length, at = input->scanned;
    while (at < length) {
        const char *newline = memchr(data + at, '\n', length - at);
        if (newline == NULL) break;
        size_t next = (size_t)(newline - data) + 1;
        if (next < length && data[next] == '\n') return next + 1;
        if (next + 1 < length && data[next] == '\r' && data[next + 1] == '\n') return next + 2;
        /* Not decided before one or two more bytes are there: look at this newline again then. */
        if (next == length || (next + 1 == length && data[next] == '\r')) {
            input->scanned = next - 1;
            return 0;
        }
        at = next;
    }
    input->scanned = length;
    return 0;
}

/* One line of the head; its end (behind the newline) is returned. CRs are dropped wherever they stand. */
static size_t line_take(const char *data, size_t at, size_t end, struct buf *line)
{
    const char *newline = memchr(data + at, '\n', end - at);
    size_t stop = newline != NULL ? (size_t)(newline - data) : end;
    buf_clear(line);
    for (size_t i = at; i < stop; i++)
        if (data[i] != '\r' && data[i] != 0 && buf_putc(line, data[i]) < 0) return 0;
    return stop + (newline != NULL);
}

static void trim(struct buf *text)
{
    size_t from = 0;
    while (text->length > 0 && (text->data[text->length - 1] == ' ' || text->data[text->length - 1] == '\t'))
        text->data[--text->length] = 0;
    while (from < text->length && (text->data[from] == ' ' || text->data[from] == '\t')) from++;
    if (from > 0) {
        text->length -= from;
        memmove(text->data, text->data + from, text->length + 1);
    }
}

/* A line without a colon is passed over, as FreeSWITCH does. */
static int header_add(struct kv *headers, struct buf *line)
{
    char *colon = line->length > 0 ? strchr(line->data, ':') : NULL;
    if (colon == NULL || colon == line->data) return 0;
    *colon = 0;
    const char *value = colon + 1 + strspn(colon + 1, " \t");
    return kv_add(headers, line->data, value);
}

static int head_parse(struct esl_input *input, struct esl_request *out)
{
    struct buf line = BUF_INIT;
    unsigned count = 0;
    int rc = 0;
    size_t at = line_take(input->bytes.data, 0, input->head, &out->line);
    if (at == 0) rc = -ENOMEM;
    trim(&out->line);
    if (rc == 0 && input->answers && buf_puts(&line, buf_text(&out->line)) == 0) rc = header_add(&out->headers, &line);
    while (rc == 0 && at < input->head) {
        at = line_take(input->bytes.data, at, input->head, &line);
        if (at == 0)
            rc = -ENOMEM;
        else if (++count > ESL_HEADERS_MAX)
            rc = -EMSGSIZE;
        else
            rc = header_add(&out->headers, &line);
    }
    buf_free(&line);
    return rc;
}

static int body_length(struct kv_view headers, size_t *out)
{
    const char *text = esl_header(headers, "Content-Length");
    *out = 0;
    if (text == NULL || *text == 0) return 0;
    size_t digits = strspn(text, "0123456789");
    if (*text == '-') return -EPROTO;
    if (digits == 0) return 0; /* what is no number counts as 0, as in FreeSWITCH */
    if (digits > 9 || strtoul(text, NULL, 10) > ESL_BODY_BYTES_MAX) return -EMSGSIZE;
    *out = strtoul(text, NULL, 10);
    return 0;
}

/* Blank lines before a command are swallowed. */
static void blank_lines_drop(struct esl_input *input)
{
    size_t count = 0;
    while (count < input->bytes.length && (input->bytes.data[count] == '\n' || input->bytes.data[count] == '\r')) count++;
    if (count > 0) {
        drop_front(input, count);
        input->scanned = 0;
    }
}

static void request_clear(struct esl_request *out)
{
    buf_clear(&out->line);
    buf_clear(&out->body);
    kv_clear(&out->headers);
    out->has_body = false;
}

int esl_input_take(struct esl_input *input, struct esl_request *out)
{
    int rc;
    size_t max = input->head_max > 0 ? input->head_max : ESL_HEAD_BYTES_MAX;
    if (input->head == 0) {
        blank_lines_drop(input);
        size_t head = input->bytes.length > 0 ? head_end(input) : 0;
        if ((head > 0 ? head : input->bytes.length) > max) return -EMSGSIZE;
        if (head == 0) return 0;
        input->head = head;
        request_clear(out);
        rc = head_parse(input, out);
        if (rc == 0) rc = body_length(kv_view(&out->headers), &input->body);
        if (rc == 0 && input->body > 0 && input->head_max > 0)
            rc = -EMSGSIZE; /* nobody who is not authenticated has anything so long to say */
        if (rc < 0) return rc;
    }
    if (input->bytes.length - input->head < input->body) return 0;
    /* The body may have come later than the head: then `out` is another's meanwhile. */
    request_clear(out);
    rc = head_parse(input, out);
    if (rc == 0 && input->body > 0) {
        out->has_body = true;
        rc = buf_put(&out->body, input->bytes.data + input->head, input->body);
    }
    if (rc < 0) return rc;
    drop_front(input, input->head + input->body);
    input->scanned = input->head = input->body = 0;
    return 1;
}
