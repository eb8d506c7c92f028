/* SDP from untrusted bytes, as an offer and as an answer: what is agreed is one of ours and bounded, and can be answered. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "broker/sdp.h"
#include "core/check.h"

static struct sdp_codecs codecs;

static void agreed(const struct slot_media *media)
{
    char text[64];
    uint16_t port;
    CHECK(memchr(media->codec, 0, sizeof media->codec) && *media->codec);
    CHECK(memchr(media->fmtp, 0, sizeof media->fmtp));
    CHECK(!*media->crypto_local == !*media->crypto_remote && strlen(media->crypto_remote) < 100);
    CHECK(media->payload_type < 128 && media->event_payload_type < 128);
    CHECK(media->ptime_ms >= 10 && media->ptime_ms <= 60);
    CHECK(*sdp_remote_text(media, text, sizeof text, &port) && port);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slot_media media;
    struct sdp_streams streams;
    char out[SDP_TEXT_MAX];
    struct sdp_local local = { .address = "192.0.2.1", .port = 16384, .session = 1, .version = 1, .direction = "sendrecv" };
    if (!codecs.count) {
        sdp_codecs_parse(&codecs, "PCMU,PCMA,G722,opus");
        sdp_crypto_parse(&codecs.crypto, "optional");
        sdp_crypto_begin(&codecs.crypto, NULL, &codecs.crypto);
    }
    /* Sofia hands over text with its length and a zero behind. */
    char *text = malloc(size + 1);
    if (!text) return 0;
    memcpy(text, data, size);
    text[size] = 0;
    if (sdp_answer_read(text, size, &codecs, &media) == 0) agreed(&media);
    if (sdp_offer_read(text, size, &codecs, &media, &streams) == 0) {
        agreed(&media);
        CHECK(streams.count <= SDP_STREAMS_MAX && streams.audio < streams.count);
        CHECK(sdp_answer_write(out, sizeof out, &local, &media, &streams) > 0);
    }
    free(text);
    return 0;
}
