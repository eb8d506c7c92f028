/* What the trace does with the text of a message from the wire: headers are found or not, masking changes digits alone. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "bus/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "Call-ID", "CSeq", "X" };
    char *text = malloc(size + 1), out[32];
    if (!text) return 0;
    memcpy(text, data, size);
    for (unsigned i = 0; i < 3; i++) {
        trace_header(text, size, names[i], i == 0 ? 'i' : 0, out, sizeof out);
        if (strlen(out) >= sizeof out || strpbrk(out, "\r\n")) abort();
    }
    trace_mask(text, size);
    for (size_t i = 0; i < size; i++)
        if (text[i] != (char)data[i] && (text[i] != 'x' || data[i] < '0' || data[i] > '9')) abort();
    free(text);
    return 0;
}
