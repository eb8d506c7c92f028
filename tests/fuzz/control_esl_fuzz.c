/* control_esl_fuzz.c: what anybody may send to the event socket, in any pieces: the parser keeps its bounds and gives the same
 * requests however the bytes were cut; serialising and filters take any header. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/esl_filter.h"
#include "control/esl_form.h"
#include "control/esl_request.h"
#include "control/esl_types.h"
#include "core/check.h"

/* All requests as one text, in pieces of `piece` bytes. */
static void parse(const uint8_t *data, size_t size, size_t piece, struct buf *out)
{
    struct esl_input input = { .answers = size % 2 }; /* both kinds: what clients say, and what servers do */
    struct esl_request request = { 0 };
    int got = 0;
    for (size_t at = 0; at < size && got >= 0; at += piece) {
        size_t n = size - at < piece ? size - at : piece;
        CHECK(esl_input_put(&input, data + at, n) == 0);
        while ((got = esl_input_take(&input, &request)) > 0) {
            CHECK(kv_valid(kv_view(&request.headers)));
            CHECK(strlen(buf_text(&request.line)) == request.line.length);
            buf_printf(out, "%s|%zu|%zu|", buf_text(&request.line), request.headers.bytes.length, request.body.length);
        }
    }
    if (got < 0) buf_printf(out, "%d", got);
    esl_input_free(&input);
    esl_request_free(&request);
}

static const char *get(void *context, const char *header) { return esl_header(*(struct kv_view *)context, header); }

static void forms(const uint8_t *data, size_t size)
{
    struct kv pairs = KV_INIT;
    struct buf out = BUF_INIT, back = BUF_INIT;
    struct esl_filters filters = { 0 };
    char *value = malloc(size + 1);
    memcpy(value, data, size);
    value[size] = 0;
    kv_add_bytes(&pairs, "Name", data, size);
    kv_add(&pairs, "_body", value);
    for (int format = 0; format < ESL_FORMATS; format++) CHECK(esl_form(&out, (enum esl_format)format, kv_view(&pairs), "1:2") == 0);
    buf_clear(&out);
    CHECK(esl_url_encode(&out, value, strlen(value)) == 0 && esl_url_decode(&back, buf_text(&out), out.length) == 0);
    CHECK(strcmp(buf_text(&back), value) == 0);
    struct kv_view view = kv_view(&pairs);
    if (esl_filter_add(&filters, "Name", value) == 0) esl_filter_pass(&filters, get, &view);
    esl_filter_delete(&filters, "name", value);
    esl_filter_clear(&filters);
    esl_type_find(value);
    free(value);
    kv_free(&pairs);
    buf_free(&out);
    buf_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = BUF_INIT, pieces = BUF_INIT;
    parse(data, size, size > 0 ? size : 1, &whole);
    parse(data, size, size > 0 ? 1 + data[0] % 7 : 1, &pieces);
    CHECK(strcmp(buf_text(&whole), buf_text(&pieces)) == 0);
    buf_free(&whole);
    buf_free(&pieces);
    forms(data, size);
    return 0;
}
