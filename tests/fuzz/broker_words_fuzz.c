/* Numbers, hosts, Reason headers and users' headers from untrusted text: whatever passes is clean and bounded. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "broker/address.h"
#include "broker/headers.h"
#include "broker/permit.h"
#include "broker/reason.h"
#include "broker/state.h"
#include "core/check.h"

static char countries[2][8] = { "1", "49" }, emergency[1][16] = { "112" };

static void number(const char *text)
{
    struct permit_rules rules = {
        .default_country = "1", .countries = countries, .country_count = 2, .emergency = emergency, .emergency_count = 1, .max_call_s = 3600
    };
    struct permit_request request = { .number = text,
                                      .prefix_strip = "0",
                                      .prefix_add = "00",
                                      .ledger_accepting = true,
                                      .trunk_usable = true,
                                      .engine_free = true,
                                      .trunk_free = true,
                                      .campaign_free = true };
    struct permit_verdict verdict;
    permit_check(&rules, &request, &verdict);
    if (verdict.refused) return;
    CHECK(verdict.e164[0] == '1' || !strncmp(verdict.e164, "49", 2));
    CHECK(strspn(verdict.e164, "0123456789") == strlen(verdict.e164));
    CHECK(strspn(verdict.dialled, "+0123456789") == strlen(verdict.dialled));
    CHECK(strcmp(verdict.e164, "112"));
}

static void header(const char *text)
{
    struct buf out = BUF_INIT;
    char display[32];
    if (headers_add(&out, "X-Test", text) == 0) {
        CHECK(strchr(buf_text(&out), '\n') == buf_text(&out) + out.length - 1);
        CHECK(out.length <= CALL_HEADERS_MAX);
    }
    buf_clear(&out);
    if (headers_add(&out, text, "x") == 0) CHECK(!strpbrk(text, "\r\n :"));
    buf_free(&out);
    display_clean(text, display, sizeof display);
    CHECK(!strpbrk(display, "\"\\\r\n"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char host[32];
    uint16_t port;
    struct source source;
    int cause = 0;
    char *text = malloc(size + 1);
    if (!text) return 0;
    memcpy(text, data, size);
    text[size] = 0;
    number(text);
    header(text);
    if (cause_from_reason(text, &cause)) CHECK(cause >= 1 && cause <= 999);
    if (host_port_parse(text, host, sizeof host, &port) == 0) CHECK(strlen(host) < sizeof host);
    if (source_parse(&source, text) == 0) CHECK(source.bits <= 128);
    free(text);
    return 0;
}
