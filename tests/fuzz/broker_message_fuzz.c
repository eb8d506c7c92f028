/* Whole SIP messages from untrusted bytes, read by sofia-sip as shipped and then by us: what a message says of its body, reasons, headers
 * and addresses stays within it. The library itself is not instrumented; its allocations are, by ASan's malloc. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "broker/body.h"
#include "broker/dialog.h"
#include "broker/headers.h"
#include "broker/sdp.h"
#include "broker/state.h"
#include "core/check.h"

static void body(const sip_t *sip)
{
    size_t length = 0;
    struct sdp_codecs codecs = { 0 };
    struct sdp_streams streams;
    struct slot_media media = { 0 };
    const char *sdp = dialog_sdp(sip, &length);
    if (!sdp) return;
    const sip_payload_t *payload = sip->sip_payload;
    CHECK(sdp >= payload->pl_data && sdp + length <= payload->pl_data + payload->pl_len);
    sdp_codecs_parse(&codecs, "PCMU,PCMA,opus");
    sdp_offer_read(sdp, length, &codecs, &media, &streams);
}

static void headers(const sip_t *sip)
{
    struct kv pairs = KV_INIT;
    int cause = 0;
    char text[BUS_URI_MAX];
    headers_to_pairs(&pairs, sip);
    CHECK(kv_valid(kv_view(&pairs)));
    if (headers_reason(sip, &cause)) CHECK(cause >= 1 && cause <= 999);
    if (sip->sip_from) url_e(text, sizeof text, sip->sip_from->a_url);
    for (const sip_contact_t *m = sip->sip_contact; m; m = m->m_next) url_e(text, sizeof text, m->m_url);
    kv_free(&pairs);
}

/* The first bytes choose a Content-Type for the rest, so that the multipart reader is met often. */
static void part(const uint8_t *data, size_t size)
{
    static const char *const types[] = { "application/sdp", "multipart/mixed;boundary=x", "multipart/mixed;boundary=\"--\"", "multipart/" };
    size_t length = 0;
    char *copy = size > 1 ? malloc(size - 1) : NULL;
    if (!copy) return;
    memcpy(copy, data + 1, size - 1);
    const char *sdp = body_sdp(types[data[0] % ARRAY_SIZE(types)], copy, size - 1, &length);
    if (sdp) CHECK(sdp >= copy && sdp + length <= copy + size - 1);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 65000) return 0;
    part(data, size);
    msg_t *msg = msg_make(sip_default_mclass(), 0, data, (ssize_t)size);
    sip_t *sip = msg ? sip_object(msg) : NULL;
    if (sip && (sip->sip_request || sip->sip_status)) {
        body(sip);
        headers(sip);
    }
    if (msg) msg_destroy(msg);
    return 0;
}
