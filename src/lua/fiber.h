/* fiber.h: a Lua coroutine that the engine runs: a user's script, or the engine's own code for a channel. */
#ifndef LUA_FIBER_H
#define LUA_FIBER_H

#include "lua/host.h"

/* Queues a happening for the fiber and schedules it; runs nothing now. Pairs are copied. NULL fiber is harmless. */
void fiber_post(struct fiber *fiber, const struct happening *happening);

/* Whoever keeps a fiber for later (a host's pending operation, owner, watcher, request) holds a reference: the fiber may end meanwhile,
 * and fiber_post to an ended one does nothing. NULL is harmless. fiber_ref returns its argument. */
struct fiber *fiber_ref(struct fiber *fiber);
void fiber_unref(struct fiber *fiber);

#endif
