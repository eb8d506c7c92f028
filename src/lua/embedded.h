/* embedded.h: the Lua sources of src/lua/fs/, built into the binary by build.zig. */
#ifndef LUA_EMBEDDED_H
#define LUA_EMBEDDED_H

#include <stddef.h>

struct embedded_lua {
    const char *name;   /* "session" for fs/session.lua */
    const char *source; /* zero-terminated */
    size_t length;
};

extern const struct embedded_lua embedded_lua[];              /* ends with a NULL name */
const struct embedded_lua *embedded_source(const char *name); /* NULL if there is none */

#endif
