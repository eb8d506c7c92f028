/* frame.c: the head of a frame. */
#include "control/frame.h"

#include <errno.h>
#include <string.h>

void frame_head(uint8_t out[FRAME_HEAD_BYTES], uint32_t length)
{
    memcpy(out, "CRL1", 4);
    for (int i = 0; i < 4; i++) out[4 + i] = (uint8_t)(length >> (8 * i));
}

int64_t frame_length(const uint8_t head[FRAME_HEAD_BYTES], uint32_t max)
{
    if (memcmp(head, "CRL1", 4) != 0) return -EPROTO;
    uint32_t length = 0;
    for (int i = 0; i < 4; i++) length |= (uint32_t)head[4 + i] << (8 * i);
    return length > max ? -EMSGSIZE : (int64_t)length;
}
