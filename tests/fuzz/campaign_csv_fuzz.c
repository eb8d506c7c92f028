/* CSV, numbers and JSON from untrusted bytes: however the bytes are cut into blocks, the records are the same; what is read is bounded. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "campaign/csv.h"
#include "campaign/json.h"
#include "campaign/numbers.h"
#include "core/check.h"
#include "core/utf8.h"

static void take(void *context, const struct csv_record *record)
{
    struct buf *out = context;
    char number[NUMBER_SIZE];
    const char *reason;
    buf_printf(out, "%llu%s", (unsigned long long)record->line, record->error ? record->error : "");
    CHECK(record->count <= CSV_FIELDS_MAX);
    for (size_t i = 0; i < record->count; i++) {
        buf_printf(out, "[%s]", record->field[i]);
        if (number_to_e164(record->field[i], "1", number, &reason) == 0)
            CHECK(strlen(number) < NUMBER_SIZE && strspn(number, "0123456789") == strlen(number));
        else
            CHECK(reason);
    }
}

static void read_in_blocks(const uint8_t *data, size_t size, size_t block, struct buf *out)
{
    struct csv csv;
    csv_start(&csv, take, out);
    for (size_t at = 0, n; at < size; at += n) {
        n = size - at < block ? size - at : block;
        char *part = malloc(n); /* its own allocation: a byte too far is found */
        memcpy(part, data + at, n);
        CHECK(csv_feed(&csv, part, n) == 0);
        free(part);
    }
    CHECK(csv_finish(&csv) == 0);
    csv_free(&csv);
}

static void json_round_trip(const uint8_t *data, size_t size)
{
    struct kv pairs = KV_INIT, again = KV_INIT;
    struct buf out = BUF_INIT;
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = 0;
    if (json_read_flat(text, &pairs) == 0) {
        struct kv_pair pair;
        size_t at = 0;
        buf_putc(&out, '{');
        while (kv_next(kv_view(&pairs), &at, &pair)) json_text(&out, pair.name, pair.value);
        buf_putc(&out, '}');
        CHECK(json_read_flat(buf_text(&out), &again) == 0);
        CHECK(kv_view(&pairs).length == kv_view(&again).length);
    }
    (void)utf8_valid(text);
    free(text);
    buf_free(&out);
    kv_free(&pairs);
    kv_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole = BUF_INIT, parts = BUF_INIT;
    if (size > 200000) return 0;
    read_in_blocks(data, size, size + 1, &whole);
    read_in_blocks(data, size, size % 7 + 1, &parts);
    CHECK(strcmp(buf_text(&whole), buf_text(&parts)) == 0);
    buf_free(&whole);
    buf_free(&parts);
    json_round_trip(data, size);
    return 0;
}
