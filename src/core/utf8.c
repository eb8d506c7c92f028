#include "core/utf8.h"

#include <stdint.h>

bool utf8_valid(const char *text)
{
    const uint8_t *p = (const uint8_t *)text;
    while (*p) {
        uint32_t c = *p++, least = 0;
        int more = 0;
        if (c < 0x80) continue;
        if (c >= 0xc2 && c <= 0xdf)
            more = 1, c &= 0x1f, least = 0x80;
        else if (c >= 0xe0 && c <= 0xef)
            more = 2, c &= 0x0f, least = 0x800;
        else if (c >= 0xf0 && c <= 0xf4)
            more = 3, c &= 0x07, least = 0x10000;
        else
            return false;
        for (; more; more--, p++) {
            if ((*p & 0xc0) != 0x80) return false;
            c = c << 6 | (*p & 0x3f);
        }
        if (c < least || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) return false;
    }
    return true;
}
