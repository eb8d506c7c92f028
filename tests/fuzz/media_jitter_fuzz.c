/* The jitter buffer against a simple model: what comes out was put in, once, in ascending order until the buffer starts anew. Three
 * bytes a step: what to do, and a sequence number's distance. */
#include <stdint.h>
#include <string.h>

#include "core/check.h"
#include "media/jitter.h"
#include "media/rtp.h"

struct model {
    uint8_t held[65536]; /* copies put and not yet got, by sequence number */
    uint64_t resets;
    int last; /* sequence number got last, −1 = none since the last reset */
};

static void model_get(struct model *model, struct jitter *jitter)
{
    const uint8_t *payload;
    size_t length;
    uint8_t type;
    enum jitter_result result = jitter_get(jitter, &payload, &length, &type);
    if (result != JITTER_PACKET) return;
    CHECK(length == 2);
    uint16_t sequence = (uint16_t)(payload[0] << 8 | payload[1]);
    CHECK(model->held[sequence] == 1);
    model->held[sequence] = 0;
    CHECK(model->last < 0 || (int16_t)(sequence - model->last) > 0);
    model->last = sequence;
}

static void model_put(struct model *model, struct jitter *jitter, uint16_t sequence, uint32_t ssrc, int64_t now)
{
    uint8_t payload[2] = { (uint8_t)(sequence >> 8), (uint8_t)sequence };
    struct rtp_packet packet = { .sequence = sequence, .timestamp = sequence * 160u, .ssrc = ssrc, .payload = payload, .payload_bytes = 2 };
    int result = jitter_put(jitter, &packet, now);
    if (jitter_counts(jitter)->resets != model->resets) {
        model->resets = jitter_counts(jitter)->resets;
        model->last = -1;
        memset(model->held, 0, sizeof model->held);
    }
    if (!result) model->held[sequence] = 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct model model;
    struct jitter *jitter = jitter_new(8000, 160);
    uint16_t sequence = 0;
    int64_t now = 0;
    memset(&model, 0, sizeof model);
    model.last = -1;
    for (size_t at = 0; at + 3 <= size; at += 3) {
        now += (data[at] & 0x1F) * 2000000LL;
        if (data[at] & 0x80) {
            model_get(&model, jitter);
            continue;
        }
        sequence = (uint16_t)(sequence + (data[at] & 0x40 ? (int16_t)(data[at + 1] << 8 | data[at + 2]) : (int8_t)data[at + 2] % 8));
        model_put(&model, jitter, sequence, data[at] & 0x20 ? data[at + 1] : 1, now);
        CHECK(jitter_depth_ms(jitter) <= JITTER_PACKETS * 200);
    }
    jitter_free(jitter);
    return 0;
}
