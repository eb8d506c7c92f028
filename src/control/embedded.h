/* embedded.h: the files of src/control/web/, built into the binary by build.zig. */
#ifndef CONTROL_EMBEDDED_H
#define CONTROL_EMBEDDED_H

#include <stddef.h>

struct embedded_web {
    const char *name;   /* "page.js" */
    const char *source; /* zero-terminated */
    size_t length;
};

extern const struct embedded_web embedded_control[]; /* ends with a NULL name */

#endif
