/* embedded.h: the Lua sources of the module, built into it by build.zig: src/lua/fs/event_types.lua and esl.lua, the same that the engine
 * has. */
#ifndef ESL_EMBEDDED_H
#define ESL_EMBEDDED_H

#include <stddef.h>

struct embedded_lua {
    const char *name; /* "esl" for esl.lua */
    const char *source;
    size_t length;
};

extern const struct embedded_lua embedded_esl[]; /* ends with a NULL name */

#endif
