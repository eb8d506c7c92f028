/* What comes in HTTP's queries, forms and JSON bodies: read whole or refused; what was read is sound pairs, and what is written from it as
 * JSON can be read again. The first byte says as what the rest is taken. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "control/http_own.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A flat object of these pairs, read back, is these pairs: names and values that are text without zeros. */
static void again(const struct kv *pairs)
{
    struct buf text = BUF_INIT;
    struct kv back = KV_INIT;
    struct kv_pair pair, other;
    size_t at = 0, at_back = 0;
    buf_putc(&text, '{');
    while (kv_next(kv_view(pairs), &at, &pair)) {
        if (strlen(pair.value) != pair.value_length) goto out;
        http_json_member(&text, pair.name, pair.value);
    }
    buf_putc(&text, '}');
    if (http_json_read(&back, buf_text(&text), text.length) == 0) {
        at = 0;
        while (kv_next(kv_view(pairs), &at, &pair))
            if (!kv_next(kv_view(&back), &at_back, &other) || strcmp(pair.name, other.name) != 0 || strcmp(pair.value, other.value) != 0)
                abort();
    }
out:
    buf_free(&text);
    kv_free(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kv pairs = KV_INIT;
    struct buf out = BUF_INIT;
    if (size == 0) return 0;
    size_t length = size - 1;
    char *text = malloc(length + 1);
    if (text == NULL) return 0;
    memcpy(text, data + 1, length);
    text[length] = 0;
    switch (data[0] % 4) {
    case 0:
        if (http_form_read(&pairs, data[0] & 4 ? "HTTP-" : "", text, length) == 0 && !kv_valid(kv_view(&pairs))) abort();
        break;
    case 1:
        if (http_json_read(&pairs, text, length) == 0) {
            if (!kv_valid(kv_view(&pairs))) abort();
            again(&pairs);
        }
        break;
    case 2:
        if (http_url_decode(&out, text, length) == 0 && out.length > length) abort();
        break;
    default:
        if (http_name_valid(text) && (strpbrk(text, "/\\%\"' \r\n") != NULL || text[0] == '.' || strlen(text) > 64)) abort();
        http_json_string(&out, text, length);
        if (out.length < length + 2 || memchr(out.data, '\n', out.length) != NULL) abort();
    }
    kv_free(&pairs);
    buf_free(&out);
    free(text);
    return 0;
}
